-- The copy of the configuration that each session keeps follows every change, also one that is
-- rolled back, and rules that decide about transitions wait for writers.
\set ON_ERROR_ROLLBACK off
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('deal', test.account('Acme'), 1);
SAVEPOINT before;
UPDATE sales_crm.pipeline SET transition_policy = 'forward' WHERE name = 'Standard';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal');
SAVEPOINT back;
UPDATE sales_crm.opportunity SET phase_id = test.phase('New');
ROLLBACK TO back;
ROLLBACK TO before;
-- The rule went with the savepoint
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal');
UPDATE sales_crm.opportunity SET phase_id = test.phase('New');
SELECT phase FROM test.state;

-- A phase made in this transaction can be entered in it, and not after a rollback of its making
SAVEPOINT made;
INSERT INTO sales_crm.phase (pipeline_id, name, probability) VALUES (test.pipeline('Standard'), 'Brand new', 5)
RETURNING phase_id AS brand_new \gset
UPDATE sales_crm.opportunity SET phase_id = :brand_new;
SELECT phase FROM test.state;
ROLLBACK TO made;
SAVEPOINT gone;
UPDATE sales_crm.opportunity SET phase_id = :brand_new;
ROLLBACK TO gone;

-- The company's currency and time zone, a currency's decimals, the rules of follow-up
UPDATE sales_crm.company SET currency = 'JPY', time_zone = 'Pacific/Kiritimati';
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('yen', test.account('Acme'));
SELECT currency FROM test.state WHERE name = 'yen';
SELECT sales_crm.local_date('2024-12-31 12:00+00'), sales_crm.local_date('infinity'), sales_crm.local_date('-infinity');
UPDATE sales_crm.currency SET minor_units = 4 WHERE code = 'JPY';
UPDATE sales_crm.opportunity SET amount = 1.2345 WHERE name = 'yen';
INSERT INTO sales_crm.currency (code, name, minor_units) VALUES ('XTS', 'test', 3);
UPDATE sales_crm.opportunity SET amount = 1.234, currency = 'XTS' WHERE name = 'yen';
SELECT amount, currency FROM test.state WHERE name = 'yen';

ROLLBACK;

-- A change of rules waits for writers in progress, and holds new ones up until its commit; one
-- that decides nothing does not
BEGIN;
UPDATE sales_crm.phase SET probability = 12, color = '#000000' WHERE name = 'New';
SELECT count(*) AS locks FROM pg_locks WHERE relation = 'sales_crm.opportunity'::regclass
	AND mode = 'ShareRowExclusiveLock' AND pid = pg_backend_pid();
UPDATE sales_crm.phase SET required_fields = '{amount}' WHERE name = 'New';
SELECT count(*) AS locks FROM pg_locks WHERE relation = 'sales_crm.opportunity'::regclass
	AND mode = 'ShareRowExclusiveLock' AND pid = pg_backend_pid();
ROLLBACK;

-- Nothing is decided without tables or without a company
BEGIN;
ALTER TABLE sales_crm.company DISABLE TRIGGER company_10_guard;
DELETE FROM sales_crm.company;
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('x', test.account('Acme'));
ROLLBACK;
BEGIN;
ALTER TABLE sales_crm.holiday RENAME TO feast;
SELECT sales_crm.today();
ROLLBACK;
SELECT sales_crm.today() IS NOT NULL AS works_again;
