-- The ledger of the forecast: what each statement appends, and that it always adds up.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
UPDATE sales_crm.phase SET required_fields = '{}' WHERE name = 'Lost';
-- What statements have appended since the last look, which folds it
CREATE FUNCTION test.appended(OUT cause text, OUT phase text, OUT owner text, OUT month date, OUT currency text,
	OUT n int, OUT amount numeric, OUT phase_base numeric, OUT override_weighted numeric)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT l.cause, p.name, m.name, l.month, l.currency, l.opportunities, l.amount, l.phase_base, l.override_weighted
	FROM sales_crm.forecast_ledger l JOIN sales_crm.phase p USING (phase_id) LEFT JOIN sales_crm.member m ON m.member_id = l.owner_id
	ORDER BY l.cause COLLATE "C", p.phase_id, m.member_id, l.month, l.currency;
	PERFORM sales_crm.compact_forecast();
END
$$;
SELECT count(*) FROM test.appended();

-- A statement appends one entry per cell and cause
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on)
SELECT 'deal ' || i, test.account('Acme'), test.member('Sam Seller'), i, '2030-03-01' FROM generate_series(1, 10) i;
SELECT * FROM test.appended();
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on, probability_override)
VALUES ('own', test.account('Acme'), test.member('Sue Seller'), 200, '2030-04-30', 33.33);
SELECT * FROM test.appended();

-- What the forecast does not count by appends nothing
UPDATE sales_crm.opportunity SET name = name || '!', description = 'x', custom = '{"a": 1}', lost_reason_id = NULL;
UPDATE sales_crm.opportunity SET amount = amount, expected_on = date '2030-03-31' WHERE name LIKE 'deal%';
SELECT * FROM test.appended();

-- One field at a time
UPDATE sales_crm.opportunity SET amount = amount + CASE WHEN amount > 5 THEN 1 ELSE -0.5 END WHERE name LIKE 'deal%';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET expected_on = '2030-05-05' WHERE name = 'deal 1!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET expected_on = NULL WHERE name = 'deal 1!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET owner_id = test.member('Mia Manager') WHERE name = 'deal 2!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET probability_override = 80 WHERE name = 'deal 3!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET currency = 'USD' WHERE name = 'deal 3!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal') WHERE name IN ('deal 4!', 'deal 5!');
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET phase_id = test.phase('Contact') WHERE name = 'deal 4!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Partners') WHERE name = 'deal 4!';
SELECT * FROM test.appended();

-- Several at once: each step with its own cause
UPDATE sales_crm.opportunity SET amount = 1000, expected_on = '2030-09-01', owner_id = test.member('Mia Manager'),
	phase_id = test.phase('Contact'), probability_override = 50 WHERE name = 'deal 6!';
SELECT * FROM test.appended();

-- Completed: the month of closing counts, and the override no more
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won') WHERE name = 'deal 6!';
SELECT cause, phase, owner, CASE WHEN month = date_trunc('month', sales_crm.today()::timestamp) THEN 'this' ELSE month::text END AS month,
	n, amount, phase_base, override_weighted FROM test.appended();
UPDATE sales_crm.opportunity SET expected_on = '2031-01-01', probability_override = 1 WHERE name = 'deal 6!';
SELECT * FROM test.appended();
UPDATE sales_crm.opportunity SET phase_id = test.phase('Lost') WHERE name = 'deal 6!';
SELECT cause, phase, n, amount FROM test.appended();
UPDATE sales_crm.opportunity SET phase_id = test.phase('New') WHERE name = 'deal 6!';
SELECT cause, phase, n, amount, phase_base, override_weighted FROM test.appended();

-- Gone
DELETE FROM sales_crm.opportunity WHERE name = 'deal 6!';
SELECT * FROM test.appended();
SELECT * FROM sales_crm.verify_forecast();
SELECT phase, owner, month, currency, opportunities, amount, weighted_amount FROM sales_crm.forecast ORDER BY phase_id, owner, month, currency;
SET LOCAL client_min_messages = warning;
TRUNCATE sales_crm.opportunity CASCADE;
SELECT * FROM test.appended();
SELECT * FROM sales_crm.verify_forecast();
SELECT * FROM sales_crm.forecast;
SELECT count(*) AS cells_left FROM sales_crm.forecast_cell;

-- The time zone decides about months of closed opportunities
INSERT INTO sales_crm.opportunity (name, account_id, amount, phase_id, created_at, closed_at)
VALUES ('late', test.account('Bolt'), 7, test.phase('Won'), '2024-01-01 12:00+00', '2024-03-31 23:30+00');
SELECT * FROM test.appended();
UPDATE sales_crm.company SET time_zone = 'Europe/Brussels';
SELECT * FROM test.appended();
UPDATE sales_crm.company SET name = name;
SELECT * FROM test.appended();
SELECT * FROM sales_crm.verify_forecast();

-- Damage is found, and mended
UPDATE sales_crm.forecast_cell SET amount = amount + 5, opportunities = opportunities + 1 WHERE opportunities <> 0;
UPDATE sales_crm.forecast_day SET amount = amount - 1 WHERE cause = 'created' AND phase_id = test.phase('Won');
INSERT INTO sales_crm.forecast_ledger (cause, cell, phase_id, currency, opportunities, amount, phase_base, override_weighted)
VALUES ('created', sales_crm.forecast_cell_key(test.phase('New'), NULL, NULL, NULL, 'EUR'), test.phase('New'), 'EUR', 1, 2, 3, 4);
DELETE FROM sales_crm.phase_probability WHERE phase_id = test.phase('Won');
SELECT v.problem, p.name, v.month, v.currency, v.opportunities, v.amount, v.phase_base, v.override_weighted
FROM sales_crm.verify_forecast() v LEFT JOIN sales_crm.phase p USING (phase_id) ORDER BY v.problem, p.name, v.month;
SELECT sales_crm.rebuild_forecast();
SELECT * FROM sales_crm.verify_forecast();
SELECT phase, month, currency, opportunities, amount FROM sales_crm.forecast;
SELECT * FROM test.appended();
SELECT sales_crm.rebuild_forecast();

-- Somebody's index, column and trigger are no obstacle, and are served
CREATE TABLE test.seen (cause text, amount numeric);
CREATE FUNCTION test.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO test.seen VALUES (NEW.cause, NEW.amount); RETURN NULL; END';
SAVEPOINT s;
CREATE INDEX ON sales_crm.forecast_ledger (cause);
ALTER TABLE sales_crm.forecast_ledger ADD note text DEFAULT 'x';
CREATE TRIGGER see AFTER INSERT ON sales_crm.forecast_ledger FOR EACH ROW EXECUTE FUNCTION test.see();
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('seen', test.account('Bolt'), 8.5);
SELECT cause, amount, note FROM sales_crm.forecast_ledger;
TABLE test.seen;
SELECT * FROM sales_crm.verify_forecast();
ROLLBACK TO s;

-- A cell keeps its weighted amount until its phase has another probability, and then is weighed anew by the next fold of all
CREATE VIEW test.weighed AS
SELECT c.month, c.phase_base, c.basis_points, c.weighted_amount AS kept, f.weighted_amount AS shown
FROM sales_crm.forecast_cell c JOIN sales_crm.forecast f USING (phase_id, month, currency) WHERE c.phase_id = test.phase('New');
INSERT INTO sales_crm.opportunity (name, account_id, amount, expected_on) VALUES ('weighed', test.account('Bolt'), 123.45, '2032-01-01');
SELECT sales_crm.compact_forecast();
TABLE test.weighed;
UPDATE sales_crm.phase SET probability = 12.5 WHERE name = 'New';
TABLE test.weighed;
SELECT * FROM sales_crm.verify_forecast();
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('another', test.account('Bolt'), 1);
SELECT sales_crm.compact_forecast();
TABLE test.weighed;
ALTER TABLE sales_crm.forecast_cell DISABLE TRIGGER USER;
UPDATE sales_crm.forecast_cell SET weighted_amount = 0 WHERE month = '2032-01-01';
ALTER TABLE sales_crm.forecast_cell ENABLE TRIGGER USER;
SELECT problem, month FROM sales_crm.verify_forecast();
SELECT sales_crm.rebuild_forecast();
SELECT * FROM sales_crm.verify_forecast();
TABLE test.weighed;

-- Bounded work, and nothing left to do. From the ledger's first page, where no writer folds
TRUNCATE sales_crm.forecast_ledger;
INSERT INTO sales_crm.opportunity (name, account_id, amount, expected_on)
SELECT 'month ' || i, test.account('Acme'), i, date '2030-01-01' + 31 * i FROM generate_series(1, 30) i;
SELECT sales_crm.compact_forecast(10), sales_crm.compact_forecast(15), sales_crm.compact_forecast(), sales_crm.compact_forecast();
SELECT * FROM sales_crm.housekeeping();
SELECT sales_crm.compact_forecast(0);
SELECT sales_crm.compact_forecast(NULL);
SELECT * FROM sales_crm.verify_forecast();
ROLLBACK;
