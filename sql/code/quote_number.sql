CREATE FUNCTION sales_crm.format_quote_number(format text, year integer, number bigint)
RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT replace(replace(format, zeros, lpad(number::text, greatest(length(zeros) - 2, length(number::text)), '0')), '{year}', year::text)
		FROM substring(format FROM '\{0+\}') zeros);
END
$$;
COMMENT ON FUNCTION sales_crm.format_quote_number(text, integer, bigint) IS
	'A number of quotes as company.quote_number_format wants it: {year}, and {00000} for the number with at least so many digits';

-- Takes the row of the year, so that whoever comes second waits, and gets the number again that a
-- rollback gives back. The year is that of now(), as in created_at.
CREATE FUNCTION sales_crm.next_quote_number()
RETURNS text LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	this_year CONSTANT integer := extract(year FROM sales_crm.today());
	format CONSTANT text := (SELECT c.quote_number_format FROM sales_crm.company c);
	result text;
BEGIN
	LOOP
		INSERT INTO sales_crm.quote_counter AS c (year, last) VALUES (this_year, 1)
		ON CONFLICT (year) DO UPDATE SET last = c.last + 1
		RETURNING sales_crm.format_quote_number(format, this_year, c.last) INTO result;
		-- An import may have brought it
		EXIT WHEN NOT EXISTS (SELECT FROM sales_crm.quote q WHERE q.number = result);
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION sales_crm.next_quote_number() IS
	'The next number of a quote. The transaction keeps others from numbering quotes until it ends';
