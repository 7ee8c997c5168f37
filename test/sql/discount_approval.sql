-- Discounts above the limit: refused for the member, asked for, approved or rejected by a manager.
UPDATE sales_crm.company SET max_discount_percent = 10, max_discount_percent_of_managers = 50;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) VALUES ('deal', test.account('Acme'), test.member('Sam Seller'));
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (test.opportunity('deal'), 'Thing', 100), (test.opportunity('deal'), 'Other', 900);
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, false) <> '' AS sam;

UPDATE sales_crm.opportunity SET discount_percent = 10 WHERE name = 'deal';
\set VERBOSITY sqlstate
UPDATE sales_crm.opportunity SET discount_percent = 10.0001 WHERE name = 'deal';
UPDATE sales_crm.opportunity SET discount_percent = NULL, discount_amount = 100.01 WHERE name = 'deal';
INSERT INTO sales_crm.opportunity (name, account_id, discount_percent) VALUES ('empty', test.account('Acme'), 11);
INSERT INTO sales_crm.opportunity (name, account_id, discount_amount) VALUES ('empty', test.account('Acme'), 11);
UPDATE sales_crm.opportunity SET discount_percent = 11, discount_amount = NULL WHERE name = 'empty';
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (test.opportunity('empty'), 'Cheap', 100);
-- A line alone, and lines and offer together
UPDATE sales_crm.product_line SET discount_percent = 11 WHERE name = 'Thing';
UPDATE sales_crm.product_line SET discount_amount = 11 WHERE name = 'Thing';
UPDATE sales_crm.product_line SET discount_percent = 5;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, discount_percent) VALUES (test.opportunity('deal'), 'Gift', 100, 100);
-- Nobody but a manager decides
INSERT INTO sales_crm.discount_approval (opportunity_id, discount_percent, status) VALUES (test.opportunity('deal'), 90, 'approved');
\set VERBOSITY default

SELECT sales_crm.request_discount_approval(test.opportunity('deal'), 30, 'They buy every year') > 0 AS requested;
SELECT subject, details, m.name AS assignee, done_at IS NULL AS open FROM sales_crm.task t JOIN sales_crm.member m ON m.member_id = t.assignee_id WHERE origin = 'discount_approval';
\set VERBOSITY terse
UPDATE sales_crm.opportunity SET discount_percent = 30 WHERE name = 'deal';
SELECT sales_crm.decide_discount_approval(discount_approval_id, true) FROM sales_crm.discount_approval;
SELECT sales_crm.request_discount_approval(test.opportunity('deal'), 20);

SELECT set_config('sales_crm.member_id', test.member('Mia Manager')::text, false) <> '' AS mia;
SELECT sales_crm.decide_discount_approval(discount_approval_id, true, 'Once') FROM sales_crm.discount_approval;
SELECT subject, details, m.name AS assignee, done_at IS NULL AS open FROM sales_crm.task t JOIN sales_crm.member m ON m.member_id = t.assignee_id WHERE origin = 'discount_approval' ORDER BY task_id;
SELECT discount_percent, amount FROM sales_crm.opportunity WHERE name = 'deal';
SELECT c.field, c.old, c.new, m.name AS by FROM sales_crm.opportunity_change c LEFT JOIN sales_crm.member m ON m.member_id = c.by WHERE c.opportunity_id = test.opportunity('deal') AND c.field = 'discount_percent' ORDER BY opportunity_change_id;
SELECT d.discount_percent, d.status, r.name AS requested_by, m.name AS decided_by, d.answer FROM sales_crm.discount_approval d JOIN sales_crm.member r ON r.member_id = d.requested_by JOIN sales_crm.member m ON m.member_id = d.decided_by;
\set VERBOSITY sqlstate
SELECT sales_crm.decide_discount_approval(discount_approval_id, false) FROM sales_crm.discount_approval;
SELECT sales_crm.decide_discount_approval(-1, false);
-- A manager's own limit, for giving and for approving
UPDATE sales_crm.opportunity SET discount_percent = 51 WHERE name = 'deal';
INSERT INTO sales_crm.discount_approval (opportunity_id, discount_percent, status) VALUES (test.opportunity('deal'), 51, 'approved');
\set VERBOSITY default

-- Up to what was approved, the seller may; another request may be rejected
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, false) <> '' AS sam;
UPDATE sales_crm.opportunity SET discount_percent = 25 WHERE name = 'deal';
UPDATE sales_crm.product_line SET quantity = 2 WHERE name = 'Thing';
SELECT sales_crm.request_discount_approval(test.opportunity('deal'), 60) > 0 AS requested;
SELECT set_config('sales_crm.member_id', test.member('Mia Manager')::text, false) <> '' AS mia;
SELECT sales_crm.decide_discount_approval(discount_approval_id, false, 'No') FROM sales_crm.discount_approval WHERE status = 'requested';
SELECT subject, details, m.name AS assignee FROM sales_crm.task t JOIN sales_crm.member m ON m.member_id = t.assignee_id WHERE origin = 'discount_approval' AND done_at IS NULL;
SELECT discount_percent, amount FROM sales_crm.opportunity WHERE name = 'deal';
-- A session without a member has no limit
RESET sales_crm.member_id;
UPDATE sales_crm.opportunity SET discount_percent = 99 WHERE name = 'deal';
DELETE FROM sales_crm.opportunity;
UPDATE sales_crm.company SET max_discount_percent = NULL, max_discount_percent_of_managers = NULL;
