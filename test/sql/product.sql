-- The catalogue: what fills itself in, prices by currency, quantity and date, finding by first letters.
INSERT INTO sales_crm.product (sku, name, description, unit_price) VALUES
	('CH-1', 'Chair', 'Oak, four legs', 99.5), ('CH-2', 'Armchair', 'Leather', 450), ('TB-1', 'Table 100% oak', 'Seats six on chairs', 800),
	('ZZ-9', 'Chairlift', NULL, NULL);
INSERT INTO sales_crm.product (sku, name, unit_price, active) VALUES ('CH-0', 'Chair of old', 1, false);
SELECT p.sku, p.name, u.name AS unit, p.currency, t.name AS tax FROM sales_crm.product p JOIN sales_crm.unit u ON u.code = p.unit JOIN sales_crm.tax_rate t USING (tax_rate_id) WHERE p.sku = 'CH-1';

-- First letters of the sku, of the name, then words anywhere; inactive ones not
SELECT sku, name FROM sales_crm.find_product('ch');
SELECT sku, name FROM sales_crm.find_product('CHAIR');
SELECT sku, name FROM sales_crm.find_product('oak');
SELECT sku, name FROM sales_crm.find_product('leath arm');
SELECT sku, name FROM sales_crm.find_product('table 100%');
SELECT sku, name FROM sales_crm.find_product('%');
SELECT sku, name FROM sales_crm.find_product('chair', 1);
SELECT count(*) FROM sales_crm.find_product('  ');
SELECT count(*) FROM sales_crm.find_product(NULL);
SELECT count(*) FROM sales_crm.find_product($$'); DROP:* & | ! $$);

-- Prices
INSERT INTO sales_crm.product_price (product_id, currency, min_quantity, valid_from, unit_price)
SELECT p.product_id, v.currency, v.min_quantity, v.valid_from, v.unit_price FROM sales_crm.product p, (VALUES
	('EUR', 10, date '2020-01-01', 90), ('EUR', 10, date '2021-01-01', 89.999999), ('EUR', 100, date '2020-01-01', 80), ('EUR', 10, date '9999-01-01', 1),
	('USD', 0, date '2020-01-01', 120)) AS v (currency, min_quantity, valid_from, unit_price) WHERE p.sku = 'CH-1';
SELECT q.quantity, q.currency, sales_crm.find_price(p.product_id, q.quantity, q.currency) AS price
FROM sales_crm.product p, (VALUES (1, 'EUR'), (10, 'EUR'), (99.9, 'EUR'), (-100, 'EUR'), (1, 'USD'), (1, 'JPY')) AS q (quantity, currency) WHERE p.sku = 'CH-1';
SELECT sales_crm.find_price(product_id, 10, 'EUR', '2020-06-01') FROM sales_crm.product WHERE sku = 'CH-1';

-- Bad input
\set VERBOSITY terse
INSERT INTO sales_crm.product (name, unit_price) VALUES ('x', -1);
INSERT INTO sales_crm.product (name, unit_price) VALUES ('x', 'NaN');
INSERT INTO sales_crm.product (name, unit_price) VALUES ('x', 0.0000001);
INSERT INTO sales_crm.product (name, unit) VALUES ('x', 'NOPE');
INSERT INTO sales_crm.tax_rate (name, percent, category) VALUES ('x', 0, 'S');
INSERT INTO sales_crm.tax_rate (name, percent, category) VALUES ('x', 21, 'AE');
INSERT INTO sales_crm.tax_rate (name, percent, is_default) VALUES ('x', 6, true);
UPDATE sales_crm.tax_rate SET is_default = false;
INSERT INTO sales_crm.product (name) VALUES ('x');
UPDATE sales_crm.tax_rate SET is_default = true WHERE percent = 21;
DELETE FROM sales_crm.product;
