-- Names, quotes and letters come in all languages.
DO $$
BEGIN
	IF pg_catalog.getdatabaseencoding() <> 'UTF8' THEN
		RAISE EXCEPTION 'sales_crm needs a database with the encoding UTF8'
			USING ERRCODE = 'feature_not_supported',
				DETAIL = pg_catalog.format('This one has %s.', pg_catalog.getdatabaseencoding()),
				HINT = 'CREATE DATABASE name ENCODING ''UTF8'' TEMPLATE template0 makes one.';
	END IF;
END
$$;

-- The schema is a member, so that one which somebody created before, with objects of theirs in
-- it, makes CREATE EXTENSION fail instead of being used.
CREATE SCHEMA sales_crm;
COMMENT ON SCHEMA sales_crm IS 'A sales CRM: tables and views are yours, functions belong to the extension sales_crm';
