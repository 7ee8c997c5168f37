CREATE FUNCTION sales_crm.configuration_lock()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_configuration_lock';
COMMENT ON FUNCTION sales_crm.configuration_lock() IS
	'Statement trigger of tables whose rows decide about transitions: waits for the writers of opportunities (or of the table that the argument names) in progress and keeps new ones waiting until commit, so that no statement works with rules of yesterday';

CREATE FUNCTION sales_crm.configuration_invalidate()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_configuration_invalidate';
COMMENT ON FUNCTION sales_crm.configuration_invalidate() IS
	'Statement trigger of configuration tables: makes every session load its copy of the configuration again';

CREATE FUNCTION sales_crm.local_date(at timestamptz)
RETURNS date LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_local_date';
COMMENT ON FUNCTION sales_crm.local_date(timestamptz) IS
	'The calendar day of a moment in the company''s time zone';

CREATE FUNCTION sales_crm.today()
RETURNS date LANGUAGE sql STABLE PARALLEL SAFE
AS 'SELECT sales_crm.local_date(pg_catalog.now())';
COMMENT ON FUNCTION sales_crm.today() IS
	'The day on which the transaction began, in the company''s time zone';
