-- Nobody but the owner may do anything, except what the matrix grants. Done by the script and not
-- by setup(), so that rights on functions are there when a dump is restored, too.
REVOKE ALL ON SCHEMA sales_crm FROM PUBLIC;
DO $$
DECLARE
	made regprocedure;
BEGIN
	PERFORM sales_crm.setup_roles();
	FOR made IN
		SELECT p.oid FROM pg_catalog.pg_proc p
		WHERE p.pronamespace = 'sales_crm'::pg_catalog.regnamespace
	LOOP
		PERFORM sales_crm.setup_grants(pg_catalog.substr(made::pg_catalog.text, pg_catalog.length('sales_crm.') + 1), 'ROUTINE');
	END LOOP;
	EXECUTE pg_catalog.format('GRANT USAGE ON SCHEMA sales_crm TO %s',
		(SELECT pg_catalog.string_agg('sales_crm_' OPERATOR(pg_catalog.||) l, ', ') FROM pg_catalog.unnest(sales_crm.access_levels()) l));
END
$$;
