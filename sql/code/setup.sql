CREATE FUNCTION sales_crm.setup_version()
RETURNS integer LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_setup_version';
COMMENT ON FUNCTION sales_crm.setup_version() IS
	'The version of the tables that this code works with; sales_crm.schema_version says which one the tables have';

CREATE FUNCTION sales_crm.setup_lacks(relation text, trigger_name text DEFAULT NULL)
RETURNS boolean LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE WHEN $2 IS NULL THEN to_regclass('sales_crm.' || $1) IS NULL
		ELSE NOT EXISTS (
			SELECT FROM pg_trigger
			WHERE tgrelid = to_regclass('sales_crm.' || $1) AND tgname = $2) END
$$;
COMMENT ON FUNCTION sales_crm.setup_lacks(text, text) IS
	'Whether a table or view, or a trigger on it, is not there yet';

CREATE FUNCTION sales_crm.setup_compression(relation text, VARIADIC columns text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A server may have been built without
	IF EXISTS (SELECT FROM pg_settings s WHERE s.name = 'default_toast_compression' AND 'lz4' = ANY (s.enumvals)) THEN
		EXECUTE (
			SELECT format('ALTER TABLE sales_crm.%I %s', relation, string_agg(format('ALTER %I SET COMPRESSION lz4', c), ', '))
			FROM unnest(columns) c);
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_compression(text, text[]) IS
	'Has columns with long texts compressed by LZ4, which takes a fraction of the time of pglz';

CREATE FUNCTION sales_crm.setup_configuration_triggers(relation text, locking text DEFAULT NULL, locked text DEFAULT 'opportunity')
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF locking IS NOT NULL AND sales_crm.setup_lacks(relation, relation || '_05_lock') THEN
		EXECUTE format('CREATE TRIGGER %I BEFORE %s ON sales_crm.%I
			FOR EACH STATEMENT EXECUTE FUNCTION sales_crm.configuration_lock(%s)',
			relation || '_05_lock', locking, relation,
			CASE WHEN locked = 'opportunity' THEN '' ELSE quote_literal(locked) END);
	END IF;
	IF sales_crm.setup_lacks(relation, relation || '_90_invalidate') THEN
		EXECUTE format('CREATE TRIGGER %I AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON sales_crm.%I
			FOR EACH STATEMENT EXECUTE FUNCTION sales_crm.configuration_invalidate()',
			relation || '_90_invalidate', relation);
	END IF;
	-- On replicas, too; pg_restore --disable-triggers forgets that
	IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = to_regclass('sales_crm.' || relation)
		AND tgname = relation || '_90_invalidate' AND tgenabled = 'O')
	THEN
		EXECUTE format('ALTER TABLE sales_crm.%I ENABLE ALWAYS TRIGGER %I',
			relation, relation || '_90_invalidate');
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_configuration_triggers(text, text, text) IS
	'Gives a configuration table the trigger that tells every session of changes and, where locking names events, the one that first waits for writers of opportunities, or of the table locked';

CREATE FUNCTION sales_crm.setup_detach()
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	made record;
BEGIN
	FOR made IN
		SELECT CASE c.relkind WHEN 'v' THEN 'VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
			c.oid::regclass AS name
		FROM pg_depend d
		JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		JOIN pg_class c ON d.classid = 'pg_class'::regclass AND d.objid = c.oid
		WHERE e.extname = 'sales_crm' AND d.deptype = 'e'
		ORDER BY c.oid
	LOOP
		EXECUTE format('ALTER EXTENSION sales_crm DROP %s %s', made.kind, made.name);
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_detach() IS
	'Makes the tables, views and sequences that CREATE EXTENSION recorded as members ordinary objects, which pg_dump dumps with their data';

CREATE PROCEDURE sales_crm.setup(locale text DEFAULT NULL)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET client_min_messages = warning
AS $setup$
#variable_conflict use_column
DECLARE
	fresh boolean;
	standard_pipeline bigint;
	answer_table text;
BEGIN
	-- One at a time: whoever waited finds what the other one made
	PERFORM pg_advisory_xact_lock('sales_crm'::regnamespace::oid::bigint);
	fresh := sales_crm.setup_lacks('schema_version');
	IF NOT fresh THEN
		IF (SELECT max(version) FROM sales_crm.schema_version) > sales_crm.setup_version() THEN
			RAISE EXCEPTION 'the tables of sales_crm are newer than the installed code'
				USING ERRCODE = 'object_not_in_prerequisite_state',
					HINT = 'Install the newer version of the extension and run ALTER EXTENSION sales_crm UPDATE.';
		END IF;
	END IF;

-- @data@

	PERFORM sales_crm.setup_detach();
	IF setup.locale IS NOT NULL THEN
		PERFORM sales_crm.seed_translate(setup.locale);
	END IF;
END
$setup$;
