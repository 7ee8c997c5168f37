-- Targets of members and teams, and how far they are: a team without a target has the sum of those
-- below it, quarters and years are those of the fiscal year, currencies stay apart.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
UPDATE sales_crm.company SET fiscal_year_start_month = 7, name = 'The company';
INSERT INTO sales_crm.team (name, parent_team_id) SELECT 'Coast', team_id FROM sales_crm.team WHERE name = 'North';
UPDATE sales_crm.member SET team_id = (SELECT team_id FROM sales_crm.team WHERE name = 'Coast') WHERE name = 'Sue Seller';
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, currency, expected_on, phase_id, created_at, phase_since) VALUES
	('a', test.account('Acme'), test.member('Sam Seller'), 300, 'EUR', NULL, test.phase('Won'), '2024-01-01', '2024-06-10'),
	('b', test.account('Acme'), test.member('Sue Seller'), 500, 'EUR', NULL, test.phase('Won'), '2024-01-01', '2024-07-10'),
	('c', test.account('Acme'), test.member('Sue Seller'), 1000, 'EUR', '2024-07-20', test.phase('Proposal'), '2024-01-01', '2024-01-01'),
	('d', test.account('Acme'), test.member('Sue Seller'), 99, 'USD', '2024-07-20', test.phase('Proposal'), '2024-01-01', '2024-01-01'),
	('nobody', test.account('Acme'), NULL, 40, 'EUR', NULL, test.phase('Won'), '2024-01-01', '2024-07-11');
INSERT INTO sales_crm.target (member_id, month, currency, amount) VALUES
	(test.member('Sam Seller'), '2024-06-01', 'EUR', 400), (test.member('Sam Seller'), '2024-07-01', 'EUR', 400), (test.member('Sue Seller'), '2024-07-01', 'EUR', 600);
INSERT INTO sales_crm.target (team_id, month, currency, amount) SELECT team_id, '2024-08-01', 'EUR', 5000 FROM sales_crm.team WHERE name = 'North';
INSERT INTO sales_crm.target (team_id, month, currency, amount) SELECT team_id, '2024-07-01', 'EUR', 800 FROM sales_crm.team WHERE name = 'Coast';

SELECT level, name, starts_on, currency, target_amount, won_amount, open_amount, weighted_amount, gap_amount, attainment, coverage
FROM sales_crm.target_attainment WHERE period = 'month' ORDER BY starts_on, currency, level DESC, name;
SELECT level, name, period, starts_on, ends_on, fiscal_year, target_amount, won_amount, gap_amount
FROM sales_crm.target_attainment WHERE period <> 'month' AND currency = 'EUR' AND level <> 'member' ORDER BY level DESC, name, period DESC, starts_on;

INSERT INTO sales_crm.target (month, currency, amount) VALUES ('2024-06-01', 'EUR', 1);
INSERT INTO sales_crm.target (member_id, month, currency, amount) VALUES (test.member('Sam Seller'), '2024-06-02', 'EUR', 1);
INSERT INTO sales_crm.target (member_id, month, currency, amount) VALUES (test.member('Sam Seller'), '2024-06-01', 'EUR', 1);
INSERT INTO sales_crm.target (member_id, month, currency, amount) VALUES (test.member('Sam Seller'), '2024-09-01', 'EUR', -1);
INSERT INTO sales_crm.target (member_id, month, currency, amount) VALUES (test.member('Sam Seller'), '2024-06-01', 'EUR', 450)
ON CONFLICT (member_id, month, currency) DO UPDATE SET amount = excluded.amount RETURNING amount;
ROLLBACK;
