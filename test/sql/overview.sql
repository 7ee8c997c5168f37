-- What people look at: the screen of an opportunity, the board, the open tasks, the timeline.
BEGIN;
SET LOCAL timezone = 'UTC';
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;
INSERT INTO sales_crm.opportunity (name, account_id, contact_id, amount, expected_on, source_id, phase_id, created_at, custom) VALUES
	('Ten pumps', test.account('Acme'), (SELECT contact_id FROM sales_crm.contact), 1000, '2030-03-31',
	 (SELECT source_id FROM sales_crm.source WHERE name = 'Referral'), test.phase('Proposal'), now() - interval '40 days', '{"size": "L"}'),
	('Twenty pumps', test.account('Bolt'), NULL, NULL, NULL, NULL, test.phase('New'), now(), '{}'),
	('Dollars', test.account('Bolt'), NULL, 50, NULL, NULL, test.phase('New'), now(), '{}'),
	('Long ago', test.account('Bolt'), NULL, 70, NULL, NULL, test.phase('Won'), '2020-01-01', '{}');
UPDATE sales_crm.opportunity SET currency = 'USD' WHERE name = 'Dollars';
INSERT INTO sales_crm.opportunity (name, account_id, amount, phase_id, created_at, closed_at, lost_reason_id)
SELECT 'Over', test.account('Bolt'), 80, test.phase('Lost'), '2020-01-01', '2020-02-01', lost_reason_id
FROM sales_crm.lost_reason WHERE name = 'Price';

-- One row with everything; lists as jsonb
SELECT name, status, account, contact, pipeline, phase, owner, source, amount, currency, expected_on, probability,
	weighted_amount, forecast_category, lost_reason, custom,
	(name = 'Over') = (days_in_phase > 2000) AS days_in_phase, rotting, creator, revision, open_tasks,
	next_task_on = (tasks -> 0 ->> 'due_on')::date AS next_task_is_first,
	tasks -> 0 ->> 'subject' AS task, tasks -> 0 ->> 'assignee' AS assignee,
	phase_stays -> 0 ->> 'phase' AS phase_stay, jsonb_array_length(phase_stays) AS stays
FROM sales_crm.opportunity_overview WHERE name IN ('Ten pumps', 'Over') ORDER BY name DESC \gx

-- The board: phases in order, empty ones too; final ones show what this month closed
SELECT pipeline, phase, currency, opportunities, amount, weighted_amount, rotting FROM sales_crm.pipeline_board;

-- The seller's own tasks, overdue ones first, then by date and priority
INSERT INTO sales_crm.task (subject, account_id, assignee_id, due_on, priority) VALUES
	('Send flowers', test.account('Acme'), test.member('Sam Seller'), sales_crm.today() - 3, 'low'),
	('Ring', NULL, test.member('Sam Seller'), sales_crm.today(), 'normal'),
	('Ring first', NULL, test.member('Sam Seller'), sales_crm.today(), 'high'),
	('Some day', NULL, test.member('Sam Seller'), NULL, 'high'),
	('Not mine', NULL, test.member('Sue Seller'), sales_crm.today(), 'high');
SELECT subject, opportunity, account, due, priority, origin FROM sales_crm.my_open_tasks WHERE due_on <= sales_crm.today() OR due_on IS NULL;
UPDATE sales_crm.task SET done_at = now() WHERE subject = 'Ring first';
SELECT count(*) FROM sales_crm.my_open_tasks WHERE subject LIKE 'Ring%';

-- The history of a sale
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won'), amount = 900 WHERE name = 'Ten pumps';
SELECT t.kind, t.title, t.old, t.new, t.member FROM sales_crm.timeline t JOIN sales_crm.opportunity o USING (opportunity_id)
WHERE o.name = 'Ten pumps' ORDER BY t.at, t.kind, t.title;
ROLLBACK;
