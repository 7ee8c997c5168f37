CREATE FUNCTION sales_crm.quote_template_guard()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	partial record;
BEGIN
	PERFORM sales_crm.check_template(NEW.body);
	FOR partial IN SELECT p.key, p.value FROM jsonb_each(NEW.partials) p LOOP
		IF jsonb_typeof(partial.value) <> 'string' THEN
			RAISE EXCEPTION 'partial "%" is not a template', partial.key
				USING ERRCODE = 'check_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = 'partials',
					DETAIL = format('It is a JSON %s.', jsonb_typeof(partial.value)),
					HINT = 'Write each partial as a string.';
		END IF;
		PERFORM sales_crm.check_template(partial.value #>> '{}');
	END LOOP;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_template_guard() IS
	'Row trigger of quote_template: body and partials can be read. Errors: SC110 with line and column, 23514';
