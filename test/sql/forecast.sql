-- The forecast: plain and weighted sums per cell, exact, never across currencies.
BEGIN;
UPDATE sales_crm.company SET time_zone = 'Europe/Brussels';
UPDATE sales_crm.phase SET required_fields = '{}' WHERE name = 'Lost';
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, currency, expected_on, phase_id, probability_override, created_at, closed_at) VALUES
	('a', test.account('Acme'), test.member('Sam Seller'), 100.10, 'EUR', '2030-03-31', test.phase('Proposal'), NULL, '2024-01-01', NULL),
	('b', test.account('Acme'), test.member('Sam Seller'), 0.01, 'EUR', '2030-03-01', test.phase('Proposal'), NULL, '2024-01-01', NULL),
	('override', test.account('Acme'), test.member('Sam Seller'), 100, 'EUR', '2030-03-15', test.phase('Proposal'), 33.33, '2024-01-01', NULL),
	('dollars', test.account('Acme'), test.member('Sam Seller'), 100, 'USD', '2030-03-15', test.phase('Proposal'), NULL, '2024-01-01', NULL),
	('undated', test.account('Acme'), NULL, 100, 'EUR', NULL, test.phase('New'), NULL, '2024-01-01', NULL),
	('no amount', test.account('Acme'), NULL, NULL, 'EUR', NULL, test.phase('New'), NULL, '2024-01-01', NULL),
	-- 23:30 UTC on the last of March is April in Brussels
	('won', test.account('Bolt'), test.member('Sue Seller'), 500, 'EUR', '2030-03-01', test.phase('Won'), 20, '2024-01-01 00:00+00', '2024-03-31 23:30+00'),
	('lost', test.account('Bolt'), test.member('Sue Seller'), 600, 'EUR', '2030-03-01', test.phase('Lost'), 90, '2024-01-01 00:00+00', '2024-03-31 10:00+00');
SELECT pipeline, phase, outcome, owner, source, month, currency, opportunities, amount, weighted_amount
FROM sales_crm.forecast ORDER BY phase, owner, month, currency;
SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
WHERE a.attrelid = 'sales_crm.forecast'::regclass AND a.attnum > 0 ORDER BY a.attnum;
ROLLBACK;
