CREATE FUNCTION sales_crm.quote_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_quote_guard';
COMMENT ON FUNCTION sales_crm.quote_guard() IS
	'Row trigger of quote: the status follows the rules of quote_rule, and nothing else of a quote changes once it was sent. Decides, writes nothing. Errors: SC101, SC102, SC106, 42501 for what only functions write';

CREATE FUNCTION sales_crm.quote_rules(
	OUT rule text, OUT from_status text, OUT to_status text, OUT condition text, OUT description text)
RETURNS SETOF record LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_quote_rules';
COMMENT ON FUNCTION sales_crm.quote_rules() IS
	'The rules of the status of quotes as the code has them';

CREATE FUNCTION sales_crm.quote_follow()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE sales_crm.quote q SET totals = sales_crm.quote_totals(q.quote_id) WHERE q.quote_id = NEW.quote_id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_follow() IS
	'Row trigger of quote: the totals of a draft follow its discount and VAT method. Errors: 23514, 22003';

CREATE FUNCTION sales_crm.choose_quote_template(locale text)
RETURNS bigint LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT t.quote_template_id
		FROM sales_crm.quote_template t, sales_crm.company c
		WHERE t.active
		ORDER BY left(t.locale, 2) = left(coalesce($1, c.locale), 2) DESC, t.is_default DESC, t.locale = coalesce($1, c.locale) DESC,
			left(t.locale, 2) = left(c.locale, 2) DESC, t.quote_template_id
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION sales_crm.choose_quote_template(text) IS
	'The template for a customer of a locale: a default one of its language, else one of the company''s';

-- Plans are kept while tables grow: what customers and sellers wait for must not have learnt to read
-- whole tables while they were nearly empty. Costs are not to be believed then, and JIT believes
-- them. The same in the other verbs of quotes.
CREATE FUNCTION sales_crm.create_quote(opportunity_id bigint, quote_template_id bigint DEFAULT NULL, valid_until date DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	deal record;
	template record;
	made bigint;
BEGIN
	IF NOT sales_crm.sees('opportunity', create_quote.opportunity_id) THEN
		RAISE EXCEPTION 'opportunity % does not exist', create_quote.opportunity_id
			USING ERRCODE = 'no_data_found', HINT = 'SELECT opportunity_id, name FROM sales_crm.opportunity shows those there are.';
	END IF;
	-- Waits for those who change its lines, its discount or its phase
	SELECT o.opportunity_id, o.name, o.currency, o.discount_percent, o.discount_amount, o.closed_at, o.contact_id,
		coalesce(o.vat_method, c.vat_method) AS vat_method, coalesce(o.prices_include_tax, c.prices_include_tax) AS prices_include_tax,
		coalesce(k.locale, c.locale) AS locale, a.name AS customer_name, a.vat_number,
		nullif(concat_ws(E'\n', a.street, nullif(concat_ws(' ', a.postal_code, a.city), ''), a.country), '') AS customer_address
	INTO deal
	FROM sales_crm.opportunity o
	JOIN sales_crm.account a USING (account_id)
	LEFT JOIN sales_crm.contact k ON k.contact_id = o.contact_id
	CROSS JOIN sales_crm.company c
	WHERE o.opportunity_id = create_quote.opportunity_id
	FOR SHARE OF o;
	IF deal.closed_at IS NOT NULL THEN
		RAISE EXCEPTION 'opportunity is closed'
			USING ERRCODE = 'SC004',
				DETAIL = format('Opportunity %s was closed at %s.', deal.opportunity_id, deal.closed_at),
				HINT = 'A manager can reopen it by moving it to an open phase of its pipeline.';
	END IF;
	SELECT t.quote_template_id, t.locale, t.introduction, t.terms, t.valid_days INTO template
	FROM sales_crm.quote_template t
	WHERE t.quote_template_id = coalesce(create_quote.quote_template_id, sales_crm.choose_quote_template(deal.locale)) AND t.active;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'quote template is not there'
			USING ERRCODE = 'foreign_key_violation',
				DETAIL = CASE WHEN create_quote.quote_template_id IS NULL THEN 'No template is active.'
					ELSE format('sales_crm.quote_template has no active row %s.', create_quote.quote_template_id) END,
				HINT = 'SELECT quote_template_id, name FROM sales_crm.quote_template WHERE active shows those there are.';
	END IF;
	INSERT INTO sales_crm.quote (number, opportunity_id, quote_template_id, valid_until, locale, currency, title, introduction, terms,
		discount_percent, discount_amount, vat_method, prices_include_tax, customer_name, customer_address, customer_vat_number,
		contact_id, created_by)
	VALUES (sales_crm.next_quote_number(), deal.opportunity_id, template.quote_template_id,
		coalesce(create_quote.valid_until, sales_crm.today() + template.valid_days),
		CASE WHEN left(deal.locale, 2) = left(template.locale, 2) THEN deal.locale ELSE template.locale END,
		deal.currency, deal.name, template.introduction, template.terms,
		deal.discount_percent, deal.discount_amount, deal.vat_method, deal.prices_include_tax, deal.customer_name, deal.customer_address,
		deal.vat_number, deal.contact_id, sales_crm.current_member())
	RETURNING quote_id INTO made;
	INSERT INTO sales_crm.quote_line (quote_id, kind, position, product_id, product_line_id, name, description, extra_description,
		quantity, unit, unit_price, discount_percent, discount_amount, tax_rate_id, tax_percent, tax_category, optional)
	SELECT made, l.kind, l.position, l.product_id, l.product_line_id, l.name, l.description, l.extra_description,
		l.quantity, l.unit, l.unit_price, l.discount_percent, l.discount_amount, l.tax_rate_id, l.tax_percent, l.tax_category, l.optional
	FROM sales_crm.product_line l
	WHERE l.opportunity_id = deal.opportunity_id
	ORDER BY l.position, l.product_line_id;
	RETURN made;
END
$$;
COMMENT ON FUNCTION sales_crm.create_quote(bigint, bigint, date) IS
	'Makes a draft of a quote from an opportunity''s product lines, discount, VAT method and customer, and returns its key. The template is one for the customer''s language unless it is named, the last day that of the template''s valid_days. Errors: P0002 when the opportunity is not there, SC004 when it is closed, 23503 for an unknown or inactive template';

CREATE FUNCTION sales_crm.quote_snapshot(quote_id bigint, sent_on date DEFAULT NULL)
RETURNS jsonb LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_quote_snapshot';
COMMENT ON FUNCTION sales_crm.quote_snapshot(bigint, date) IS
	'All facts of a quote as they are now, as text in plain decimal notation; what send_quote() freezes. NULL for a quote that is not visible';

CREATE FUNCTION sales_crm.preview_quote(quote_id bigint)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	document text;
BEGIN
	SELECT coalesce(q.html, sales_crm.render_template(t.body, sales_crm.quote_view_data(sales_crm.quote_snapshot(q.quote_id)), t.partials))
	INTO document
	FROM sales_crm.quote q JOIN sales_crm.quote_template t USING (quote_template_id)
	WHERE q.quote_id = preview_quote.quote_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'quote % does not exist', preview_quote.quote_id
			USING ERRCODE = 'no_data_found', HINT = 'SELECT quote_id, number FROM sales_crm.quote shows those there are.';
	END IF;
	RETURN document;
END
$$;
COMMENT ON FUNCTION sales_crm.preview_quote(bigint) IS
	'The HTML document of a quote: of a draft as it would be sent now, else as it was sent. Errors: P0002, and SC110 or 54000 for a template that cannot be filled in';
