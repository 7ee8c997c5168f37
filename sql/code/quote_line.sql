CREATE FUNCTION sales_crm.quote_line_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rate record;
BEGIN
	NEW.position := coalesce(NEW.position, NEW.quote_line_id);
	IF NEW.kind <> 'item' THEN
		RETURN NEW;
	END IF;
	IF TG_OP = 'INSERT' THEN
		NEW.quantity := coalesce(NEW.quantity, 1);
		NEW.unit := coalesce(NEW.unit, 'C62');
	END IF;
	SELECT t.tax_rate_id, t.percent, t.category INTO rate
	FROM sales_crm.tax_rate t WHERE t.tax_rate_id = NEW.tax_rate_id OR NEW.tax_rate_id IS NULL AND t.is_default;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'tax rate does not exist'
			USING ERRCODE = 'foreign_key_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'tax_rate_id',
				DETAIL = CASE WHEN NEW.tax_rate_id IS NULL THEN 'No row of sales_crm.tax_rate is the default.'
					ELSE format('sales_crm.tax_rate has no key %s.', NEW.tax_rate_id) END,
				HINT = 'SELECT tax_rate_id, name FROM sales_crm.tax_rate shows those there are.';
	END IF;
	NEW.tax_rate_id := rate.tax_rate_id;
	NEW.tax_percent := rate.percent;
	NEW.tax_category := rate.category;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_line_guard() IS
	'Row trigger of quote_line: fills in what was not given, and what the tax rate says. Errors: 23503';

CREATE FUNCTION sales_crm.quote_totals(quote_id bigint)
RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT sales_crm.totals_with_lines(l.quantity, l.unit_price, l.discount_percent, l.discount_amount, l.tax_percent, l.tax_category,
			l.optional, q.discount_percent, q.discount_amount, q.vat_method, q.currency, q.prices_include_tax ORDER BY l.position, l.quote_line_id)
		FROM sales_crm.quote q JOIN sales_crm.quote_line l USING (quote_id)
		WHERE q.quote_id = $1);
END
$$;
COMMENT ON FUNCTION sales_crm.quote_totals(bigint) IS
	'What the lines of a quote come to: quote.totals computed anew; NULL without lines. Errors: 23514, 22003';

CREATE FUNCTION sales_crm.quote_line_follow()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	touched bigint[];
	quote record;
BEGIN
	IF TG_OP <> 'DELETE' THEN
		SELECT array_agg(n.quote_id) INTO touched FROM new_line n;
	END IF;
	IF TG_OP <> 'INSERT' THEN
		SELECT touched || array_agg(p.quote_id) INTO touched FROM old_line p;
	END IF;
	FOR quote IN
		SELECT q.quote_id, q.number, q.status FROM sales_crm.quote q
		WHERE q.quote_id = ANY (touched) ORDER BY q.quote_id FOR NO KEY UPDATE
	LOOP
		IF quote.status <> 'draft' THEN
			RAISE EXCEPTION 'quote is not editable'
				USING ERRCODE = 'SC101',
					DETAIL = format('Quote %s is %s.', quote.number, quote.status),
					HINT = format('SELECT sales_crm.revise_quote(%s) makes its next version.', quote.quote_id);
		END IF;
		UPDATE sales_crm.quote q SET totals = sales_crm.quote_totals(q.quote_id) WHERE q.quote_id = quote.quote_id;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_line_follow() IS
	'Statement trigger of quote_line: lines of drafts alone change, and the totals of their quotes follow. Errors: SC101, 23514, 22003';

CREATE FUNCTION sales_crm.quote_truncate()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	there boolean;
BEGIN
	EXECUTE format('SELECT EXISTS (SELECT FROM %I.%I)', TG_TABLE_SCHEMA, TG_TABLE_NAME) INTO there;
	IF there THEN
		RAISE EXCEPTION 'table %.% cannot be truncated', TG_TABLE_SCHEMA, TG_TABLE_NAME
			USING ERRCODE = 'restrict_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
				DETAIL = 'Quotes are kept, with all that belongs to them.',
				HINT = 'Drafts nobody needs: SELECT sales_crm.withdraw_quote(quote_id).';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_truncate() IS
	'Statement trigger of quote and what belongs to it: only an empty table is truncated. Errors: 23001';
