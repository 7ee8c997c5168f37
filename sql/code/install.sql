-- A database being restored gets its tables from the dump, data first and triggers after. Every
-- dump sets row_security and xmloption at its top, which nobody does together otherwise.
DO $$
BEGIN
	IF (SELECT count(*) FROM pg_catalog.pg_settings
		WHERE name IN ('row_security', 'xmloption') AND source = 'session') = 2
	THEN
		-- CREATE EXTENSION would keep it to itself
		PERFORM pg_catalog.set_config('client_min_messages', 'notice', true);
		RAISE NOTICE 'sales_crm leaves its tables to the dump that is being restored'
			USING HINT = 'If this is no restore, run CALL sales_crm.setup().';
	ELSE
		CALL sales_crm.setup();
	END IF;
END
$$;
