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
RETURNS bigint LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_choose_quote_template';
COMMENT ON FUNCTION sales_crm.choose_quote_template(text) IS
	'The template for a customer of a locale: a default one of its language, else one of the company''s';

CREATE FUNCTION sales_crm.create_quote(opportunity_id bigint, quote_template_id bigint DEFAULT NULL, valid_until date DEFAULT NULL)
RETURNS bigint LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_create_quote';
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
