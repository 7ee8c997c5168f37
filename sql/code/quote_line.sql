CREATE FUNCTION sales_crm.quote_line_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_quote_line_guard';
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
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_quote_line_follow';
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
