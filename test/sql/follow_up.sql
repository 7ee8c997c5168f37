-- Tasks appear with opportunities and phases, and go when the opportunity is completed.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
CREATE VIEW test.task AS
SELECT o.name, t.subject, m.name AS assignee, t.due_on - sales_crm.today() AS days, t.origin,
	t.done_at IS NOT NULL AS done
FROM sales_crm.task t
JOIN sales_crm.opportunity o USING (opportunity_id)
LEFT JOIN sales_crm.member m ON m.member_id = t.assignee_id
ORDER BY o.name, t.task_id;

-- Working days: Monday to Friday, without holidays
INSERT INTO sales_crm.holiday (holiday_on, name) VALUES ('2026-12-25', 'Christmas');
SELECT d AS "from", n AS days, sales_crm.add_working_days(d, n) AS due
FROM (VALUES (date '2026-12-21', 1), ('2026-12-23', 2), ('2026-12-24', 1), ('2026-12-25', 0),
	('2026-12-26', 0), ('2026-12-26', 1), ('2026-12-21', 10)) AS v (d, n);
SELECT sales_crm.add_working_days('2026-12-21', -1);
SELECT sales_crm.add_working_days('2026-12-21', 3651);
SELECT sales_crm.add_working_days('5874897-12-31', 1);
SELECT sales_crm.add_working_days('infinity', 1), sales_crm.add_working_days(NULL, 1);

-- A full set of rules: on creation and on entering a phase, for all pipelines or for one
DELETE FROM sales_crm.follow_up_rule;
INSERT INTO sales_crm.follow_up_rule (pipeline_id, phase_id, subject, due_in_days, working_days, assignee, member_id) VALUES
	(NULL, NULL, 'Call', 2, false, 'owner', NULL),
	(test.pipeline('Partners'), NULL, 'Read contract', 3, false, 'creator', NULL),
	(test.pipeline('Standard'), test.phase('Proposal'), 'Check proposal', 0, false, 'member', test.member('Mia Manager')),
	(test.pipeline('Standard'), test.phase('Won'), 'Say thanks', 7, false, 'owner', NULL);
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, phase_id) VALUES
	('a', test.account('Acme'), NULL, NULL),
	('b', test.account('Acme'), test.member('Sue Seller'), test.phase('Proposal')),
	('c', test.account('Acme'), test.member('Sue Seller'), test.phase('Talk', 'Partners')),
	('closed', test.account('Acme'), NULL, test.phase('Won'));
TABLE test.task;

-- Due dates do not depend on how far in the past an import begins
INSERT INTO sales_crm.opportunity (name, account_id, created_at) VALUES ('old', test.account('Acme'), '2020-01-01');
SELECT * FROM test.task WHERE name = 'old';

-- Entering a phase adds, closing closes what rules had opened, and nothing else
INSERT INTO sales_crm.task (opportunity_id, subject) VALUES (test.opportunity('a'), 'By hand');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal') WHERE name = 'a';
UPDATE sales_crm.opportunity SET description = 'no move' WHERE name = 'a';
SELECT * FROM test.task WHERE name = 'a';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won') WHERE name IN ('a', 'b');
SELECT * FROM test.task WHERE name IN ('a', 'b');

-- Inactive rules rest; rules of no sense are refused
UPDATE sales_crm.follow_up_rule SET active = false WHERE subject = 'Call';
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('quiet', test.account('Acme'));
SELECT count(*) FROM test.task WHERE name = 'quiet';
\set VERBOSITY terse
INSERT INTO sales_crm.follow_up_rule (subject, assignee) VALUES ('x', 'member');
INSERT INTO sales_crm.follow_up_rule (subject, due_in_days) VALUES ('x', -1);
INSERT INTO sales_crm.follow_up_rule (subject, assignee) VALUES ('x', 'nobody');
INSERT INTO sales_crm.follow_up_rule (subject) VALUES (' ');
INSERT INTO sales_crm.follow_up_rule (subject, phase_id) VALUES ('x', test.phase('New'));
INSERT INTO sales_crm.holiday VALUES ('infinity');
\set VERBOSITY default

-- One of 20,000: the same for bulk
UPDATE sales_crm.follow_up_rule SET active = true;
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'bulk ' || i, test.account('Bolt') FROM generate_series(1, 20000) i;
SELECT count(*) AS tasks, count(DISTINCT t.opportunity_id) AS opportunities FROM sales_crm.task t
JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name LIKE 'bulk %';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Expired') WHERE name LIKE 'bulk %';
SELECT count(*) AS open_tasks FROM sales_crm.task t
JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name LIKE 'bulk %' AND t.done_at IS NULL;
SELECT * FROM sales_crm.verify_opportunities();
ROLLBACK;
