-- Nobody but the owner may do anything until somebody grants it.
DO $$
DECLARE
	made regprocedure;
BEGIN
	FOR made IN
		SELECT p.oid FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'sales_crm'::pg_catalog.regnamespace
	LOOP
		EXECUTE pg_catalog.format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', made);
	END LOOP;
END
$$;
REVOKE ALL ON SCHEMA sales_crm FROM PUBLIC;
