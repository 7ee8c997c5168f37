-- Promise: who may do what with each table, column, view, sequence and function of the schema is
-- exactly what grant_matrix() says, no more and no less; an object without a line fails here. The
-- matrix itself keeps the rules of its roles: readers change nothing, portal and sender call
-- functions and nothing else, secrets and costs stay where they are.
BEGIN;
SELECT plan(25);

CREATE TEMP VIEW level AS
SELECT l AS level, 'sales_crm_' || l AS role FROM unnest(sales_crm.access_levels()) l;
CREATE TEMP VIEW cell AS
SELECT m.object, c.key AS level, 'sales_crm_' || c.key AS role, c.value AS letters
FROM sales_crm.grant_matrix() m, jsonb_each_text(to_jsonb(m) - 'object') c;
CREATE TEMP VIEW relation AS
SELECT c.oid, c.relname, c.relkind FROM pg_class c
WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relkind IN ('r', 'v', 'm', 'p', 'f');
CREATE TEMP VIEW routine AS
SELECT p.oid, p.proname || '()' AS object, p.prorettype = 'trigger'::regtype AS of_trigger
FROM pg_proc p WHERE p.pronamespace = 'sales_crm'::regnamespace;
CREATE TEMP VIEW letter AS
SELECT * FROM (VALUES ('r', 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE')) AS v (letter, privilege);

-- The lines
CREATE TEMP VIEW missing AS
SELECT r.relname AS object FROM relation r WHERE r.relname NOT IN (SELECT m.object FROM sales_crm.grant_matrix() m)
UNION ALL
SELECT DISTINCT r.object FROM routine r WHERE NOT r.of_trigger AND r.object NOT IN (SELECT m.object FROM sales_crm.grant_matrix() m);
SELECT is_empty('SELECT object FROM missing', 'every table, view and function has a line in sql/code/grant.sql');
SELECT is_empty($$
	SELECT m.object FROM sales_crm.grant_matrix() m
	WHERE NOT EXISTS (SELECT FROM relation r WHERE r.relname = m.object)
		AND NOT EXISTS (SELECT FROM routine r WHERE r.object = m.object AND NOT r.of_trigger)
		AND NOT EXISTS (SELECT FROM pg_class s WHERE s.relnamespace = 'sales_crm'::regnamespace AND s.relkind = 'S' AND s.relname = m.object)
$$, 'every line is about an object that is there');
SELECT is_empty('SELECT object FROM sales_crm.grant_matrix() GROUP BY object HAVING count(*) > 1', 'one line per object');
SELECT is_empty($$
	SELECT object, level, letters FROM cell
	WHERE letters !~ CASE WHEN object LIKE '%()' THEN '^x?$' WHEN object LIKE '%\_seq' THEN '^U?$' ELSE '^[rR]?[aA]?[wW]?d?D?$' END
$$, 'every cell has letters that mean something');
SELECT is((SELECT count(*)::integer FROM level), 7, 'there are seven roles');
SELECT is_empty($$
	SELECT l.role FROM level l LEFT JOIN pg_roles r ON r.rolname = l.role
	WHERE r.oid IS NULL OR r.rolcanlogin OR r.rolsuper OR r.rolcreaterole OR r.rolcreatedb OR r.rolreplication OR r.rolbypassrls
		OR EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid)
$$, 'which are mere groups');

-- Each privilege of each role on each object
CREATE TEMP VIEW relation_wrong AS
SELECT r.relname, l.level, a.attname, p.privilege
FROM relation r
JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
CROSS JOIN level l
CROSS JOIN letter p
JOIN cell c ON c.object = r.relname AND c.level = l.level
WHERE has_column_privilege(l.role, r.oid, a.attnum, p.privilege)
	<> (c.letters LIKE '%' || upper(p.letter) || '%' OR c.letters LIKE '%' || p.letter || '%'
		AND NOT EXISTS (SELECT FROM sales_crm.guarded_columns() g WHERE g.relation = r.relname AND g.field = a.attname))
UNION ALL
SELECT r.relname, l.level, NULL, p.privilege
FROM relation r
CROSS JOIN level l
CROSS JOIN unnest(array['DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) AS p (privilege)
JOIN cell c ON c.object = r.relname AND c.level = l.level
WHERE has_table_privilege(l.role, r.oid, p.privilege) <> (p.privilege = 'DELETE' AND c.letters ~* 'd');
SELECT is_empty('SELECT * FROM relation_wrong', 'tables, views and columns: exactly what the matrix says');
SELECT is_empty($$
	SELECT s.relname, l.level, p FROM pg_class s CROSS JOIN level l CROSS JOIN unnest(array['USAGE', 'SELECT', 'UPDATE']) p
	WHERE s.relnamespace = 'sales_crm'::regnamespace AND s.relkind = 'S'
		AND has_sequence_privilege(l.role, s.oid, p)
			<> (p = 'USAGE' AND EXISTS (SELECT FROM cell c WHERE c.object = s.relname AND c.level = l.level AND c.letters = 'U'))
$$, 'sequences: exactly what the matrix says');
CREATE TEMP VIEW routine_wrong AS
SELECT r.oid::regprocedure AS routine, l.level
FROM routine r CROSS JOIN level l LEFT JOIN cell c ON c.object = r.object AND c.level = l.level
WHERE has_function_privilege(l.role, r.oid, 'EXECUTE') <> coalesce(c.letters = 'x', false);
SELECT is_empty('SELECT * FROM routine_wrong', 'functions: exactly what the matrix says; those of triggers are nobody''s to call');
SELECT is_empty($$
	SELECT l.level FROM level l
	WHERE NOT has_schema_privilege(l.role, 'sales_crm', 'USAGE') OR has_schema_privilege(l.role, 'sales_crm', 'CREATE')
$$, 'schema: to use, and not to create in');
SELECT is_empty($$
	SELECT r.relname FROM relation r JOIN pg_class c USING (oid), aclexplode(c.relacl) x WHERE x.is_grantable AND x.grantee <> c.relowner
	UNION ALL
	SELECT p.proname FROM pg_proc p, aclexplode(p.proacl) x WHERE p.pronamespace = 'sales_crm'::regnamespace AND x.is_grantable AND x.grantee <> p.proowner
$$, 'nobody may hand rights on');

-- Row-level security: on whatever somebody reads or writes that is no configuration
SELECT is_empty($$
	SELECT r.relname FROM relation r JOIN pg_class c USING (oid)
	WHERE r.relkind = 'r' AND EXISTS (SELECT FROM cell x WHERE x.object = r.relname AND x.level <> 'admin' AND x.letters <> '')
		AND r.relname NOT IN ('company', 'currency', 'exchange_rate', 'follow_up_rule', 'holiday', 'lost_reason', 'phase', 'phase_probability',
			'phase_transition', 'pipeline', 'source', 'tax_rate', 'unit', 'member', 'team', 'product', 'product_price', 'quote_template', 'email_template')
		AND NOT (c.relrowsecurity AND EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = c.oid AND p.polpermissive))
$$, 'every table with data of customers has policies');
SELECT is_empty('SELECT relname FROM pg_class WHERE relnamespace = ''sales_crm''::regnamespace AND relforcerowsecurity',
	'which do not hold for the owner');

-- What the roles are for
SELECT is_empty($$SELECT object, letters FROM cell WHERE level = 'reader' AND letters !~ '^[rx]?$'$$, 'readers change nothing and see nothing guarded');
SELECT is_empty($$SELECT object, letters FROM cell WHERE level IN ('sender', 'portal') AND letters NOT IN ('', 'x')$$,
	'sender and portal touch no table');
SELECT is_empty($$
	SELECT c.object FROM cell c JOIN routine r USING (object) JOIN pg_proc p ON p.oid = r.oid
	WHERE c.level = 'reader' AND c.letters = 'x' AND p.provolatile = 'v'
$$, 'readers call no function that writes');
SELECT is_empty($$
	SELECT object, level FROM cell WHERE level IN ('reader', 'seller', 'manager', 'app') AND letters ~* '[awd]'
		AND object IN ('company', 'currency', 'exchange_rate', 'follow_up_rule', 'holiday', 'lost_reason', 'phase', 'phase_transition',
			'pipeline', 'source', 'tax_rate', 'unit', 'member', 'team', 'product', 'product_price')
$$, 'configuration is for admins');
SELECT is_empty($$
	SELECT object, level FROM cell WHERE letters ~* '[awd]'
		AND object ~ '^(forecast_(cell|day|ledger)|phase_stay|phase_probability|.*_change|schema_version|account_merge|attachment_content)$'
$$, 'nobody writes history by hand');
SELECT is_empty($$SELECT object, level FROM cell WHERE object ~ '^(setup|seed_|reset_access|grant_matrix)' AND object <> 'setup_version()' AND letters <> ''$$,
	'what sets up is the owner''s');
SELECT is_empty($$
	SELECT g.relation, g.field, l.level FROM sales_crm.guarded_columns() g CROSS JOIN level l
	WHERE l.level NOT IN ('manager', 'admin')
		AND has_column_privilege(l.role, 'sales_crm.' || g.relation, g.field, 'SELECT, INSERT, UPDATE')
$$, 'guarded columns are for managers and admins at most');
SELECT is_empty($$
	SELECT r.relname, a.attname FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0
	WHERE r.relkind = 'r' AND a.attname ~ '(^|_)(token|secret|password|cost)s?($|_)' AND a.attname !~ '_tail$'
		AND (r.relname, a.attname) NOT IN (SELECT g.relation, g.field FROM sales_crm.guarded_columns() g)
		AND EXISTS (SELECT FROM cell c WHERE c.object = r.relname AND c.letters <> '')
$$, 'columns that sound like a secret or a cost are guarded');

-- The test sees what it should
SAVEPOINT extra;
CREATE TABLE sales_crm.extra (extra_id bigint);
CREATE FUNCTION sales_crm.extra_verb() RETURNS integer LANGUAGE sql AS 'SELECT 1';
GRANT SELECT ON sales_crm.member TO sales_crm_portal;
SELECT bag_eq('SELECT object FROM missing', array['extra', 'extra_verb()'], 'an object without a line is found');
SELECT isnt_empty('SELECT * FROM relation_wrong WHERE level = ''portal''', 'a right too many is found');
SELECT sales_crm.reset_access();
SELECT is_empty('SELECT * FROM relation_wrong UNION ALL SELECT routine::text, level, NULL, NULL FROM routine_wrong WHERE routine::text NOT LIKE ''%extra%''',
	'reset_access() puts rights back');
ROLLBACK TO extra;
REVOKE SELECT ON sales_crm.member FROM sales_crm_seller;
CALL sales_crm.setup();
SELECT is((SELECT count(*)::integer FROM relation_wrong WHERE relname = 'member' AND level = 'seller' AND privilege = 'SELECT'),
	(SELECT count(*)::integer FROM pg_attribute WHERE attrelid = 'sales_crm.member'::regclass AND attnum > 0 AND NOT attisdropped),
	'setup() leaves rights that somebody took away');

SELECT * FROM finish();
ROLLBACK;
