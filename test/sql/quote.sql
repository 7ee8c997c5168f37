-- Quotes: the rules of their status, and what they say when they are broken.
SELECT rule, from_status, to_status, condition FROM sales_crm.quote_rule;

BEGIN;
\set ON_ERROR_ROLLBACK on
INSERT INTO sales_crm.opportunity (name, account_id, discount_percent) VALUES ('fruit', test.account('Acme'), 10);
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) VALUES (test.opportunity('fruit'), 'Apples', 40, 2.50), (test.opportunity('fruit'), 'Pears', 10, 3);
CREATE FUNCTION test.quote(integer DEFAULT 1) RETURNS bigint STABLE BEGIN ATOMIC SELECT quote_id FROM sales_crm.quote WHERE opportunity_id = test.opportunity('fruit') AND version = $1; END;
CREATE VIEW test.quotes AS SELECT version, status, is_last, customer_name, valid_until - sales_crm.today() AS days, lines, net, vat, gross, answered_by FROM sales_crm.quote_overview WHERE opportunity_id = test.opportunity('fruit') ORDER BY version;

-- From lines to a draft, edited, sent
SELECT count(sales_crm.create_quote(test.opportunity('fruit')));
UPDATE sales_crm.quote_line SET quantity = 20 WHERE name = 'Pears';
UPDATE sales_crm.quote SET discount_percent = 5;
SELECT * FROM test.quotes;
\set VERBOSITY terse
SELECT sales_crm.revise_quote(test.quote());
SELECT sales_crm.extend_quote(test.quote(), '2999-12-31');
UPDATE sales_crm.quote SET status = 'sent';
UPDATE sales_crm.quote SET number = 'mine';
DELETE FROM sales_crm.quote;
SELECT link IS NOT NULL AS link, message_id FROM sales_crm.send_quote(test.quote(), channel => 'pigeon');
SELECT message_id FROM sales_crm.send_quote(test.quote(), channel => 'email');
SELECT token AS token FROM sales_crm.send_quote(test.quote(), channel => 'link') \gset
-- Nothing changes it any more
UPDATE sales_crm.quote SET discount_percent = 6;
UPDATE sales_crm.quote_line SET quantity = 21 WHERE name = 'Pears';
DELETE FROM sales_crm.quote_line;
TRUNCATE sales_crm.quote_line;
UPDATE sales_crm.quote SET status = 'signed', answered_at = now();
UPDATE sales_crm.quote SET valid_until = valid_until - 1;
SELECT sales_crm.extend_quote(test.quote(), sales_crm.today());
-- The next version, signed
SELECT count(sales_crm.revise_quote(test.quote()));
SELECT token AS next_token FROM sales_crm.send_quote(test.quote(2)) \gset
SELECT s.status FROM sales_crm.open_quote(:'next_token') o, sales_crm.sign_quote(:'next_token', o.snapshot_sha256, 'Carl Contact', request_key => 'k', consent_text => 'I agree') s;
SELECT * FROM test.quotes;
SELECT o.status, o.has_successor FROM sales_crm.open_quote(:'token') o;
SELECT sales_crm.withdraw_quote(test.quote(2));
SELECT sales_crm.revise_quote(test.quote(2));
SELECT name, quantity, base, quote_id = test.quote(2) AS of_quote FROM sales_crm.billable_line WHERE opportunity_id = test.opportunity('fruit');

-- A role that does not own the tables edits drafts, and leaves to functions what functions write
UPDATE sales_crm.company SET visibility = 'all';
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('seller', test.account('Acme'));
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (test.opportunity('seller'), 'Kiwi', 1);
SELECT sales_crm.create_quote(test.opportunity('seller')) AS draft \gset
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS ok;
SET ROLE sales_crm_app;
UPDATE sales_crm.quote SET terms = 'Cash' WHERE quote_id = :draft;
UPDATE sales_crm.quote SET status = 'withdrawn' WHERE quote_id = :draft;
UPDATE sales_crm.quote SET totals = '{}' WHERE quote_id = :draft;
SELECT terms, status FROM sales_crm.quote WHERE quote_id = :draft;
SELECT sales_crm.withdraw_quote(:draft);
SELECT terms, status FROM sales_crm.quote WHERE quote_id = :draft;
RESET ROLE;
SELECT count(*) FROM sales_crm.verify_quotes();
ROLLBACK;
\set ON_ERROR_ROLLBACK off
