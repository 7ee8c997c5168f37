-- Promise: whatever goes wrong in a consequence, the statement is undone as a whole, and the
-- session goes on working. Checked with failing inserts of tasks, stays and changes, with a
-- savepoint, with tables out of shape, and with replication roles.
BEGIN;
SELECT plan(19);

INSERT INTO sales_crm.account (name) VALUES ('Acme');
CREATE FUNCTION pg_temp.account() RETURNS bigint LANGUAGE sql AS $$SELECT max(account_id) FROM sales_crm.account$$;
CREATE FUNCTION pg_temp.phase(text) RETURNS bigint LANGUAGE sql AS $$SELECT phase_id FROM sales_crm.phase WHERE name = $1$$;
CREATE FUNCTION pg_temp.rows() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s %s %s %s', (SELECT count(*) FROM sales_crm.opportunity), (SELECT count(*) FROM sales_crm.task),
		(SELECT count(*) FROM sales_crm.phase_stay), (SELECT count(*) FROM sales_crm.opportunity_change))
$$;
PREPARE add AS INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'x' || i, pg_temp.account() FROM generate_series(1, 9000) i;
PREPARE move AS UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Contact');

-- The last batch fails, after others were written
ALTER TABLE sales_crm.task ADD CONSTRAINT task_user CHECK (opportunity_id % 9000 <> 8999);
SELECT throws_ok('add', '23514', NULL, 'a task that cannot be written');
SELECT is(pg_temp.rows(), '0 0 0 0', 'undoes the opportunities, too');
ALTER TABLE sales_crm.task DROP CONSTRAINT task_user;
SELECT lives_ok('add', 'without the obstacle it works');
SELECT is(pg_temp.rows(), '9000 9000 9000 0', 'wholly');

ALTER TABLE sales_crm.opportunity_change ADD CONSTRAINT opportunity_change_user CHECK (field <> 'phase_id');
SELECT throws_ok('move', '23514', NULL, 'a change that cannot be written');
SELECT is(pg_temp.rows(), '9000 9000 9000 0', 'undoes the moves');
SELECT is((SELECT count(*) FROM sales_crm.phase_stay WHERE left_at IS NOT NULL), 0::bigint, 'and the stays');
ALTER TABLE sales_crm.opportunity_change DROP CONSTRAINT opportunity_change_user;
SAVEPOINT s;
EXECUTE move;
ROLLBACK TO s;
SELECT is(pg_temp.rows(), '9000 9000 9000 0', 'a savepoint undoes all of it');

-- A column that is not as setup() made it is named, instead of read wrongly
ALTER TABLE sales_crm.opportunity RENAME closed_at TO shut_at;
SELECT throws_ok('add', '42703', NULL, 'a renamed column is missed');
ALTER TABLE sales_crm.opportunity RENAME shut_at TO closed_at;
ALTER TABLE sales_crm.task RENAME due_on TO until;
SELECT throws_ok('add', '42703', NULL, 'a renamed column of task is missed');
ALTER TABLE sales_crm.task RENAME until TO due_on;
SELECT lives_ok('move', 'and all works again');
SELECT is(pg_temp.rows(), '9000 9000 18000 9000', 'wholly');

-- A replica applies what the primary decided: no trigger fires, but changes of rules are noticed
SET LOCAL session_replication_role = replica;
INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id, phase_id, currency, phase_since, created_at, updated_at)
SELECT 'replicated', pg_temp.account(), pipeline_id, phase_id, 'EUR', now(), now(), now() FROM sales_crm.phase WHERE name = 'New';
SELECT is(pg_temp.rows(), '9001 9000 18000 9000', 'a replica writes no consequences');
SELECT throws_ok($$UPDATE sales_crm.opportunity SET currency = NULL$$, '23502', NULL, 'constraints hold');
UPDATE sales_crm.company SET currency = 'CHF';
SET LOCAL session_replication_role = origin;
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('origin', pg_temp.account());
SELECT is(currency, 'CHF', 'a change of rules under replica is known afterwards') FROM sales_crm.opportunity WHERE name = 'origin';
SELECT is(problem, 'no phase stay', 'verify_opportunities() finds what a replica wrote') FROM sales_crm.verify_opportunities();

-- Somebody else's objects are not called by ours, whatever the search_path
CREATE SCHEMA pgtap_trap;
CREATE FUNCTION pgtap_trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE 'trapped'; END$$;
CREATE TABLE pgtap_trap.opportunity (n int);
SET LOCAL search_path = pgtap_trap, public, pg_catalog;
SELECT lives_ok($$INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'trap', max(account_id) FROM sales_crm.account$$, 'INSERT with a hostile search_path');
SELECT lives_ok($$UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won')$$, 'UPDATE with a hostile search_path');
SELECT is(current_setting('search_path'), 'pgtap_trap, public, pg_catalog', 'which is as it was');

SELECT * FROM finish();
ROLLBACK;
