-- Product lines: what they take from the catalogue, their order, and the opportunity's amount.
INSERT INTO sales_crm.product (sku, name, description, unit, unit_price, unit_cost) VALUES ('A', 'Apple', 'Red', 'KGM', 2.50, 1), ('H', 'Help', NULL, 'HUR', 80, NULL);
INSERT INTO sales_crm.product_price (product_id, currency, min_quantity, unit_price) SELECT product_id, 'EUR', 100, 2 FROM sales_crm.product WHERE sku = 'A';
INSERT INTO sales_crm.tax_rate (name, percent, category) VALUES ('VAT 6 %', 6, 'S');
INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('fruit', test.account('Acme'), 77);
CREATE FUNCTION test.product(text) RETURNS bigint STABLE BEGIN ATOMIC SELECT product_id FROM sales_crm.product WHERE sku = $1; END;
CREATE FUNCTION test.line(text) RETURNS bigint STABLE BEGIN ATOMIC SELECT product_line_id FROM sales_crm.product_line WHERE name = $1; END;
CREATE FUNCTION test.amount(text) RETURNS numeric STABLE BEGIN ATOMIC SELECT amount FROM sales_crm.opportunity WHERE name = $1; END;
CREATE VIEW test.fruit AS SELECT position, kind, name, quantity, unit_name, unit_price, tax_percent, optional, amount, discount, base, margin FROM sales_crm.product_line_overview WHERE opportunity = 'fruit' ORDER BY position;

-- All is filled in, price by quantity; free lines, headings, texts, options
SELECT sales_crm.add_product(test.opportunity('fruit'), test.product('A'), 100) > 0 AS added;
SELECT sales_crm.add_product(test.opportunity('fruit'), test.product('H')) > 0 AS added;
INSERT INTO sales_crm.product_line (opportunity_id, kind, name) VALUES (test.opportunity('fruit'), 'heading', 'Extras'), (test.opportunity('fruit'), 'text', 'As agreed');
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, optional) VALUES (test.opportunity('fruit'), 'Crate', 12, false), (test.opportunity('fruit'), 'Ribbon', 3, true);
SELECT * FROM test.fruit;
SELECT test.amount('fruit');

-- Discounts of a line and of the whole offer; the amount follows, and so does history
UPDATE sales_crm.product_line SET discount_percent = 10 WHERE name = 'Help';
UPDATE sales_crm.opportunity SET discount_amount = 10 WHERE name = 'fruit';
SELECT position, name, amount, discount, base, margin, margin_percent FROM sales_crm.product_line_overview WHERE opportunity = 'fruit' AND kind = 'item' ORDER BY position;
SELECT items, list, amount, discount, net, vat, gross FROM sales_crm.opportunity_total WHERE opportunity_id = test.opportunity('fruit');
SELECT field, old, new FROM sales_crm.opportunity_change WHERE opportunity_id = test.opportunity('fruit') ORDER BY opportunity_change_id;
SELECT net, vat, gross, jsonb_array_length(product_lines) AS lines FROM sales_crm.opportunity_overview WHERE name = 'fruit';
-- By hand it is refused, whatever else the statement does
UPDATE sales_crm.opportunity SET amount = 1 WHERE name = 'fruit';
UPDATE sales_crm.opportunity SET amount = NULL, discount_amount = NULL WHERE name = 'fruit';
UPDATE sales_crm.opportunity SET amount = 274, name = 'fruit' WHERE name = 'fruit';
UPDATE sales_crm.opportunity SET currency = 'USD' WHERE name = 'fruit';
UPDATE sales_crm.opportunity SET discount_amount = 1000 WHERE name = 'fruit';
UPDATE sales_crm.opportunity SET discount_percent = 5 WHERE name = 'fruit';
UPDATE sales_crm.opportunity SET discount_percent = 'NaN', discount_amount = NULL WHERE name = 'fruit';
-- The last line gone, the amount stays, and is free again
BEGIN;
DELETE FROM sales_crm.product_line WHERE kind = 'item' AND NOT optional;
SELECT test.amount('fruit');
UPDATE sales_crm.opportunity SET amount = 1, discount_amount = NULL WHERE name = 'fruit';
SELECT test.amount('fruit');
ROLLBACK;

-- Dragging: after another one, to the top, to the end; refused across opportunities
SELECT sales_crm.move_product_line(test.line('Crate'), test.line('Apple'));
SELECT sales_crm.move_product_line(test.line('Help'), NULL);
SELECT sales_crm.move_product_line(test.line('Apple'), test.line('Ribbon'));
SELECT string_agg(name, ', ' ORDER BY position) FROM test.fruit;
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('other', test.account('Acme'));
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (test.opportunity('fruit'), 'Last', 0), (test.opportunity('other'), 'Elsewhere', 1);
SELECT string_agg(name, ', ' ORDER BY position) FROM test.fruit;
\set VERBOSITY sqlstate
SELECT sales_crm.move_product_line(test.line('Help'), test.line('Elsewhere'));
SELECT sales_crm.move_product_line(-1);
\set VERBOSITY default
-- 1,500 drags into one gap, which is used up meanwhile
SELECT count(sales_crm.move_product_line(CASE WHEN i % 2 = 0 THEN test.line('Ribbon') ELSE test.line('Extras') END, test.line('Help'))) FROM generate_series(1, 1500) i;
SELECT string_agg(name, ', ' ORDER BY position), (SELECT max(scale(position)) <= 1000 FROM sales_crm.product_line) AS short FROM test.fruit;
-- Moved to another opportunity, both amounts follow
UPDATE sales_crm.product_line SET opportunity_id = test.opportunity('other') WHERE name = 'Crate';
SELECT test.amount('fruit'), test.amount('other');

-- A change of a rate reaches open opportunities, not closed ones; prices including VAT show it
INSERT INTO sales_crm.opportunity (name, account_id, prices_include_tax) SELECT n, test.account('Bolt'), true FROM unnest(array['open', 'closed']) n;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, tax_rate_id) SELECT test.opportunity(n), n || ' line', 106, (SELECT tax_rate_id FROM sales_crm.tax_rate WHERE percent = 6) FROM unnest(array['open', 'closed']) n;
SELECT sales_crm.add_product(test.opportunity('open'), test.product('H')) > 0 AS added;
SELECT name, unit_price, base FROM sales_crm.product_line_overview WHERE opportunity = 'open' ORDER BY position;
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won') WHERE name = 'closed';
UPDATE sales_crm.tax_rate SET percent = 12 WHERE percent = 6;
SELECT opportunity, name, tax_percent, base FROM sales_crm.product_line_overview WHERE opportunity IN ('open', 'closed') ORDER BY 1, position;
SELECT test.amount('open'), test.amount('closed');
\set VERBOSITY terse
-- Lines and terms of closed opportunities are frozen
UPDATE sales_crm.product_line SET name = 'x' WHERE name = 'closed line';
DELETE FROM sales_crm.product_line;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (test.opportunity('closed'), 'late', 1);
UPDATE sales_crm.opportunity SET discount_percent = 5 WHERE name = 'closed';
TRUNCATE sales_crm.product_line;
\set VERBOSITY default
SELECT opportunity, name, quantity, base FROM sales_crm.billable_line;
SELECT product, currency, quoted, won, quoted_quantity, amount, won_amount, average_discount FROM sales_crm.product_performance ORDER BY product;

-- Bad input
\set SHOW_CONTEXT never
INSERT INTO sales_crm.product_line (opportunity_id, name) VALUES (test.opportunity('other'), 'x');
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) VALUES (test.opportunity('other'), 'x', 0, 1);
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) VALUES (test.opportunity('other'), 'x', 'NaN', 1);
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) VALUES (test.opportunity('other'), 'x', 1e9, 1e12);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, discount_percent) VALUES (test.opportunity('other'), 'x', 1, 101);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, discount_amount) VALUES (test.opportunity('other'), 'x', 1, 2);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, discount_amount) VALUES (test.opportunity('other'), 'x', 1, 0.001);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, tax_rate_id) VALUES (test.opportunity('other'), 'x', 1, -1);
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) VALUES (test.opportunity('other'), 'x', -1, 100);
UPDATE sales_crm.product SET active = false WHERE sku = 'A';
SELECT sales_crm.add_product(test.opportunity('other'), test.product('A'));
SELECT sales_crm.add_product(test.opportunity('other'), -1);
\set VERBOSITY terse
DELETE FROM sales_crm.product WHERE sku = 'A';
\set VERBOSITY default
INSERT INTO sales_crm.opportunity (name, account_id, currency) VALUES ('yen', test.account('Acme'), 'JPY');
SELECT sales_crm.add_product(test.opportunity('yen'), test.product('H'));
SELECT * FROM sales_crm.verify_product_lines();

-- Opportunities take their lines along, closed ones too
BEGIN;
SET LOCAL client_min_messages = warning;
TRUNCATE sales_crm.opportunity CASCADE;
SELECT count(*) FROM sales_crm.product_line;
ROLLBACK;
DELETE FROM sales_crm.opportunity;
SELECT count(*) FROM sales_crm.product_line;
DELETE FROM sales_crm.product;
DELETE FROM sales_crm.tax_rate WHERE percent = 12;
DROP VIEW test.fruit;
DROP FUNCTION test.product, test.line, test.amount;
