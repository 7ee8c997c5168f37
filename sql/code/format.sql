-- Numbers, amounts and dates as people of a locale write them: en, fr, nl or de, English for others.

CREATE FUNCTION sales_crm.format_number(value numeric, locale text, decimals integer DEFAULT 0)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_format_number';
COMMENT ON FUNCTION sales_crm.format_number(numeric, text, integer) IS
	'A number with at least so many decimals, and no further zeros; never rounded. Errors: 22023 for decimals out of range';

CREATE FUNCTION sales_crm.format_percent(value numeric, locale text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_format_percent';
COMMENT ON FUNCTION sales_crm.format_percent(numeric, text) IS
	'A percentage with its sign: 21%, in French and German 21 %';

CREATE FUNCTION sales_crm.format_amount(amount numeric, currency text, locale text, decimals integer)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_format_amount';
COMMENT ON FUNCTION sales_crm.format_amount(numeric, text, text, integer) IS
	'An amount with the symbol or the code of its currency and at least so many decimals, and no further zeros; never rounded. Errors: 22023 for decimals out of range';

CREATE FUNCTION sales_crm.format_amount(amount numeric, currency text, locale text)
RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sales_crm.format_amount($1, $2, $3, coalesce((SELECT c.minor_units::integer FROM sales_crm.currency c WHERE c.code = $2), 0))
$$;
COMMENT ON FUNCTION sales_crm.format_amount(numeric, text, text) IS
	'An amount with at least the decimals of its currency';

CREATE FUNCTION sales_crm.format_date(day date, locale text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_format_date';
COMMENT ON FUNCTION sales_crm.format_date(date, text) IS
	'A day in words, such as 1 March 2026, 1er mars 2026, 1 maart 2026, 1. März 2026. Errors: 22008 for infinity';
