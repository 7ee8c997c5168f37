-- Promise: the installed objects keep the house's rules. Checked for every object of the schema:
-- comments, names of constraints and indexes, indexes for foreign keys, rights of PUBLIC,
-- search_path of functions, views that work with the caller's rights, built-in column types.
BEGIN;
SELECT plan(14);

CREATE TEMP VIEW relation AS
SELECT c.* FROM pg_class c WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relkind IN ('r', 'v');
CREATE TEMP VIEW routine AS
SELECT p.* FROM pg_proc p WHERE p.pronamespace = 'sales_crm'::regnamespace;

SELECT ok(count(*) >= 24, 'there are tables and views to check') FROM relation;
SELECT ok(count(*) >= 25, 'there are functions to check') FROM routine;

SELECT is_empty($$
	SELECT relname FROM relation WHERE obj_description(oid, 'pg_class') IS NULL
$$, 'every table and view has a comment');
SELECT is_empty($$
	SELECT proname FROM routine WHERE obj_description(oid, 'pg_proc') IS NULL
$$, 'every function has a comment');
SELECT ok(obj_description('sales_crm'::regnamespace, 'pg_namespace') IS NOT NULL, 'the schema has a comment');
SELECT is_empty($$
	SELECT c.relname, a.attname FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid
	WHERE c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
		AND (a.attname ~ '(^|_)(policy|probability|outcome|priority|origin|revision|custom|external_id)' OR a.attname ~ '_at$' AND NOT a.attnotnull)
		AND col_description(c.oid, a.attnum) IS NULL
$$, 'columns whose values need words have a comment');

SELECT is_empty($$
	SELECT conname FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid
	WHERE k.contype <> 'n' AND (k.conname NOT LIKE c.relname || '%' AND k.conname NOT LIKE '%_finite'
		OR k.conname ~ '(_check|_fkey|_key)[0-9]+$' OR k.conname ~ '_check$')
$$, 'constraints have names given by hand');
SELECT is_empty($$
	SELECT i.indexrelid::regclass FROM pg_index i JOIN relation c ON c.oid = i.indrelid
	WHERE (SELECT relname FROM pg_class WHERE oid = i.indexrelid) NOT LIKE c.relname || '%'
$$, 'indexes carry the name of their table');

-- Codes of a short fixed list do not get deleted, and an index for them would cost every insert; one of
-- the phases, which hardly ever go, would cost every move, one of the templates every
-- answer, one of the tax rates every line of a quote
SELECT is_empty($$
	SELECT k.conname FROM pg_constraint k JOIN relation c ON c.oid = k.conrelid
	WHERE k.contype = 'f' AND k.confrelid NOT IN ('sales_crm.currency'::regclass, 'sales_crm.unit'::regclass)
		AND k.conname NOT IN ('opportunity_phase_id_fkey', 'quote_quote_template_id_fkey', 'quote_line_tax_rate_id_fkey') AND NOT EXISTS (
		SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
			AND (string_to_array(i.indkey::text, ' ')::smallint[])[1:cardinality(k.conkey)] @> k.conkey)
$$, 'every foreign key has an index');

SELECT is_empty($$
	SELECT oid::regprocedure FROM routine WHERE has_function_privilege('public', oid, 'EXECUTE')
$$, 'PUBLIC may execute nothing');
SELECT is_empty($$
	SELECT oid::regclass FROM relation
	WHERE has_table_privilege('public', oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
$$, 'PUBLIC may read and write nothing');

-- Functions without a SET clause that are SQL are one expression of built-in operators, inlined
SELECT is_empty($$
	SELECT p.oid::regprocedure FROM routine p JOIN pg_language l ON l.oid = p.prolang
	WHERE (l.lanname = 'plpgsql' OR p.prosecdef)
		AND NOT coalesce(p.proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']
$$, 'plpgsql and definer functions have a fixed search_path');
SELECT is_empty($$
	SELECT relname FROM relation
	WHERE relkind = 'v' AND relname <> 'transition_rule' AND NOT coalesce(reloptions, '{}') @> array['security_invoker=true']
$$, 'views work with the rights of the caller');
SELECT is_empty($$
	SELECT c.relname, a.attname FROM relation c JOIN pg_attribute a ON a.attrelid = c.oid
	JOIN pg_type t ON t.oid = a.atttypid
	WHERE a.attnum > 0 AND NOT a.attisdropped AND t.typnamespace <> 'pg_catalog'::regnamespace
$$, 'columns have built-in types');

SELECT * FROM finish();
ROLLBACK;
