CREATE FUNCTION sales_crm.format_quote_number(format text, year integer, number bigint)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_format_quote_number';
COMMENT ON FUNCTION sales_crm.format_quote_number(text, integer, bigint) IS
	'A number of quotes as company.quote_number_format wants it: {year}, and {00000} for the number with at least so many digits';
