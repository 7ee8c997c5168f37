-- An opportunity can be recorded with as little as a seller knows; what is wrong is refused with
-- its column, its value and the next step.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;

-- The least: everything else fills in itself
INSERT INTO sales_crm.opportunity (name, account_id, amount, expected_on)
VALUES ('Ten pumps', test.account('Acme'), 12000.50, '2030-03-31');
TABLE test.state;
SELECT created_at = now() AS created, phase_since = now() AS entered, updated_at = now() AS updated,
	closed_at, created_by = owner_id AS by_seller FROM sales_crm.opportunity;

-- A phase alone names its pipeline, a pipeline alone its first phase
INSERT INTO sales_crm.opportunity (name, account_id, phase_id) VALUES ('By phase', test.account('Acme'), test.phase('Test', 'Partners'));
INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id) VALUES ('By pipeline', test.account('Acme'), test.pipeline('Partners'));
SELECT name, pipeline, phase FROM test.state ORDER BY name;

-- An import may state the past, and what it leaves out follows from that
INSERT INTO sales_crm.opportunity (name, account_id, phase_id, created_at, closed_at) VALUES
	('Old win', test.account('Bolt'), test.phase('Won'), '2020-01-02 10:00+00', '2020-03-04 10:00+00'),
	('Closed only', test.account('Bolt'), test.phase('Won'), NULL, '2020-03-04 10:00+00'),
	('Created only', test.account('Bolt'), test.phase('New'), '2020-01-02 10:00+00', NULL);
SELECT name, created_at AT TIME ZONE 'UTC' AS created, phase_since AT TIME ZONE 'UTC' AS since, closed_at AT TIME ZONE 'UTC' AS closed
FROM sales_crm.opportunity WHERE created_at < now() ORDER BY name;

-- Amounts have the decimals of their currency; zeros beyond them do no harm
INSERT INTO sales_crm.opportunity (name, account_id, amount, currency) VALUES
	('Yen', test.account('Acme'), 100.000, 'JPY'), ('Dinar', test.account('Acme'), 1.2340, 'KWD');
SELECT name, amount, currency FROM test.state WHERE currency <> 'EUR' ORDER BY name;
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('x', test.account('Acme'), 0.001);
INSERT INTO sales_crm.opportunity (name, account_id, amount, currency) VALUES ('x', test.account('Acme'), 1.5, 'JPY');
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('x', test.account('Acme'), 'NaN');
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('x', test.account('Acme'), 'Infinity');
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('x', test.account('Acme'), -1);
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('x', test.account('Acme'), 1e15);
INSERT INTO sales_crm.opportunity (name, account_id, currency) VALUES ('x', test.account('Acme'), 'XYZ');
INSERT INTO sales_crm.opportunity (name, account_id, currency) VALUES ('x', test.account('Acme'), 'eur');

-- Names
INSERT INTO sales_crm.opportunity (name, account_id) VALUES (NULL, test.account('Acme'));
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('', test.account('Acme'));
INSERT INTO sales_crm.opportunity (name, account_id) VALUES (E' \t\n', test.account('Acme'));
INSERT INTO sales_crm.opportunity (name, account_id) VALUES (repeat('x', 10 * 1024 * 1024), test.account('Acme'));
INSERT INTO sales_crm.opportunity (name) VALUES ('No account');

-- Dates, times, percents
INSERT INTO sales_crm.opportunity (name, account_id, expected_on) VALUES ('x', test.account('Acme'), 'infinity');
INSERT INTO sales_crm.opportunity (name, account_id, probability_override) VALUES ('x', test.account('Acme'), 101);
INSERT INTO sales_crm.opportunity (name, account_id, probability_override) VALUES ('x', test.account('Acme'), -1);
INSERT INTO sales_crm.opportunity (name, account_id, probability_override) VALUES ('x', test.account('Acme'), 'NaN');
INSERT INTO sales_crm.opportunity (name, account_id, created_at) VALUES ('x', test.account('Acme'), '-infinity');
\set VERBOSITY terse
INSERT INTO sales_crm.opportunity (name, account_id, created_at) VALUES ('x', test.account('Acme'), now() + interval '1 day');
INSERT INTO sales_crm.opportunity (name, account_id, phase_id, created_at, closed_at) VALUES ('x', test.account('Acme'), test.phase('Won'), '2020-02-01', '2020-01-01');
INSERT INTO sales_crm.opportunity (name, account_id, phase_id, phase_since, closed_at) VALUES ('x', test.account('Acme'), test.phase('Won'), '2020-02-01', '2020-01-01');
INSERT INTO sales_crm.opportunity (name, account_id, closed_at) VALUES ('x', test.account('Acme'), '2020-01-01');

-- Phases that are not there, not the pipeline's, or NULL
INSERT INTO sales_crm.opportunity (name, account_id, phase_id) VALUES ('x', test.account('Acme'), -1);
INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id) VALUES ('x', test.account('Acme'), -1);
INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id, phase_id) VALUES ('x', test.account('Acme'), test.pipeline('Partners'), test.phase('New'));
UPDATE sales_crm.opportunity SET phase_id = test.phase('Talk', 'Partners') WHERE name = 'Ten pumps';
UPDATE sales_crm.opportunity SET phase_id = NULL WHERE name = 'Ten pumps';
UPDATE sales_crm.opportunity SET pipeline_id = NULL WHERE name = 'Ten pumps';
\set VERBOSITY default

-- What an opportunity is does not change; what somebody states with a move is kept
\set VERBOSITY terse
UPDATE sales_crm.opportunity SET created_at = '2019-01-01' WHERE name = 'Yen';
UPDATE sales_crm.opportunity SET created_by = test.member('Sue Seller') WHERE name = 'Yen';
UPDATE sales_crm.opportunity SET opportunity_id = -7 WHERE name = 'Yen';
UPDATE sales_crm.opportunity SET phase_since = phase_since - interval '1 day' WHERE name = 'Yen';
UPDATE sales_crm.opportunity SET closed_at = now() WHERE name = 'Yen';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won'), closed_at = now() - interval '1 year' WHERE name = 'Yen';
\set VERBOSITY default
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won'), closed_at = '2021-05-06 07:08+00' WHERE name = 'Created only';
SELECT phase_since = closed_at AS same, closed_at AT TIME ZONE 'UTC' AS closed FROM sales_crm.opportunity WHERE name = 'Created only';

-- revision counts changes; a statement that changes nothing is none
UPDATE sales_crm.opportunity SET amount = amount, name = name, revision = 99, updated_at = '2000-01-01' WHERE name = 'Ten pumps';
UPDATE sales_crm.opportunity SET description = 'urgent' WHERE name = 'Ten pumps' AND revision = 1;
UPDATE sales_crm.opportunity SET description = 'late' WHERE name = 'Ten pumps' AND revision = 1;
SELECT revision, description FROM sales_crm.opportunity WHERE name = 'Ten pumps';

-- explicit ids, and keys of other systems
INSERT INTO sales_crm.opportunity (name, account_id, external_id, amount) VALUES ('Imported', test.account('Acme'), 'crm-1', 5)
ON CONFLICT (external_id) DO UPDATE SET amount = EXCLUDED.amount;
INSERT INTO sales_crm.opportunity (name, account_id, external_id, amount) VALUES ('Imported', test.account('Acme'), 'crm-1', 6)
ON CONFLICT (external_id) DO UPDATE SET amount = EXCLUDED.amount;
SELECT amount, revision FROM sales_crm.opportunity WHERE external_id = 'crm-1';
SELECT * FROM sales_crm.verify_opportunities();

-- The guard serves its own table only, as a trigger only
SELECT sales_crm.opportunity_guard();
CREATE TABLE test.elsewhere (opportunity_id bigint);
CREATE TRIGGER stray BEFORE INSERT ON test.elsewhere FOR EACH ROW EXECUTE FUNCTION sales_crm.opportunity_guard();
INSERT INTO test.elsewhere VALUES (1);
ROLLBACK;
