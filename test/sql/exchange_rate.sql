-- Exchange rates: the latest at or before a day counts, closed opportunities keep that of their
-- closing day, and a rate with which they are counted does not change.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
UPDATE sales_crm.phase SET required_fields = '{}';
INSERT INTO sales_crm.exchange_rate (from_currency, to_currency, valid_on, rate) VALUES
	('USD', 'EUR', '2024-01-01', 0.90), ('USD', 'EUR', '2024-06-01', 0.80), ('EUR', 'JPY', '2024-01-01', 160);

SELECT d, sales_crm.rate_on('USD', 'EUR', d), sales_crm.rate_on('EUR', 'USD', d)::numeric(10,4) AS inverse
FROM unnest(array['2024-01-01', '2024-05-31', '2024-06-01', '2030-01-01']::date[]) d;
SELECT sales_crm.rate_on('CHF', 'CHF', '1999-01-01');
SELECT sales_crm.rate_on('USD', 'EUR', '2023-12-31');
SELECT sales_crm.rate_on('USD', 'JPY', '2024-06-01');

INSERT INTO sales_crm.opportunity (name, account_id, amount, currency, expected_on, phase_id, created_at, phase_since) VALUES
	('won in May', test.account('Acme'), 100, 'USD', NULL, test.phase('Won'), '2024-01-01', '2024-05-31 23:59+00'),
	('won in June', test.account('Acme'), 100, 'USD', NULL, test.phase('Won'), '2024-01-01', '2024-06-01 00:00+00'),
	('lost in June', test.account('Acme'), 100, 'USD', NULL, test.phase('Lost'), '2024-01-01', '2024-06-30 00:00+00'),
	('open', test.account('Acme'), 100, 'USD', '2024-05-01', test.phase('Proposal'), '2024-01-01', '2024-01-01'),
	('euros', test.account('Acme'), 7, 'EUR', '2024-05-01', test.phase('Proposal'), '2024-01-01', '2024-01-01'),
	('yen', test.account('Acme'), 1600, 'JPY', '2024-05-01', test.phase('Proposal'), '2024-01-01', '2024-01-01');
-- An open one follows the day that is asked for, closed ones do not
SELECT '2024-02-01' AS on_date, phase, month, opportunities, amount, weighted_amount FROM sales_crm.forecast_in('EUR', '2024-02-01')
UNION ALL
SELECT '2024-07-01', phase, month, opportunities, amount, weighted_amount FROM sales_crm.forecast_in('EUR', '2024-07-01')
ORDER BY 1, 2, 3;
SELECT sum(amount) FROM sales_crm.forecast_in('CHF', '2024-07-01');

-- Today's rate moves no closed one
INSERT INTO sales_crm.exchange_rate (from_currency, to_currency, valid_on, rate) VALUES ('USD', 'EUR', sales_crm.today(), 5);
SELECT phase, month, amount FROM sales_crm.forecast_in('EUR') ORDER BY 1, 2;

-- Nor does anything else: their rates are frozen
UPDATE sales_crm.exchange_rate SET rate = 0.5;
UPDATE sales_crm.exchange_rate SET rate = 0.5 WHERE valid_on = '2024-06-01';
UPDATE sales_crm.exchange_rate SET rate = rate;
DELETE FROM sales_crm.exchange_rate WHERE valid_on = '2024-01-01' AND from_currency = 'USD';
TRUNCATE sales_crm.exchange_rate;
UPDATE sales_crm.exchange_rate SET rate = 0.7 WHERE valid_on = sales_crm.today();
UPDATE sales_crm.exchange_rate SET rate = 150 WHERE to_currency = 'JPY';
DELETE FROM sales_crm.exchange_rate WHERE to_currency = 'JPY';

-- What is no rate
INSERT INTO sales_crm.exchange_rate VALUES ('USD', 'USD', '2024-01-01', 1);
INSERT INTO sales_crm.exchange_rate VALUES ('USD', 'EUR', '2024-02-01', 0);
INSERT INTO sales_crm.exchange_rate VALUES ('USD', 'EUR', 'infinity', 1);
INSERT INTO sales_crm.exchange_rate VALUES ('USD', 'EUR', '2024-01-01', 1);
ROLLBACK;
