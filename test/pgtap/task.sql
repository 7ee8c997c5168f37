-- Promise: tasks are not forgotten: the next of a recurrence appears once when one is done, on the
-- day one expects (weekdays, 31st, leap day); who did what when is kept; reminders come due; my own
-- open tasks are one index scan, whatever was done before.
BEGIN;
SELECT plan(50);
SET LOCAL timezone = 'UTC';

INSERT INTO sales_crm.team (name) VALUES ('North');
INSERT INTO sales_crm.team (name, parent_team_id) SELECT 'Far north', team_id FROM sales_crm.team WHERE name = 'North';
INSERT INTO sales_crm.member (name, team_id) SELECT 'Sam', team_id FROM sales_crm.team WHERE name = 'North';
INSERT INTO sales_crm.member (name, team_id) SELECT 'Sue', team_id FROM sales_crm.team WHERE name = 'Far north';
INSERT INTO sales_crm.member (name) VALUES ('Tom');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
CREATE FUNCTION pg_temp.member(text) RETURNS bigint LANGUAGE sql AS $$SELECT member_id FROM sales_crm.member WHERE name = $1$$;
CREATE FUNCTION pg_temp.acme() RETURNS bigint LANGUAGE sql AS $$SELECT account_id FROM sales_crm.account WHERE name = 'Acme'$$;
SELECT set_config('sales_crm.member_id', pg_temp.member('Sam')::text, true) IS NOT NULL AS sam;

-- Dates, by hand from a calendar
SELECT is(sales_crm.next_due_on(v.due, v.every, v.unit, v.weekdays, v.day), v.expected, format('%s, every %s %s', v.due, v.every, v.unit))
FROM (VALUES
	(date '2026-11-24', 3, 'day', NULL::smallint[], NULL::integer, date '2026-11-27'),
	('2026-12-31', 1, 'day', NULL, NULL, '2027-01-01'),
	('2026-11-24', 1, 'week', NULL, NULL, '2026-12-01'),
	('2026-11-24', 2, 'week', NULL, NULL, '2026-12-08'),
	-- 24 November 2026 is a Tuesday
	('2026-11-24', 1, 'week', '{1,2,3,4,5}', NULL, '2026-11-25'),
	('2026-11-27', 1, 'week', '{1,2,3,4,5}', NULL, '2026-11-30'),
	('2026-11-24', 2, 'week', '{2,4}', NULL, '2026-11-26'),
	('2026-11-26', 2, 'week', '{2,4}', NULL, '2026-12-08'),
	('2026-11-29', 1, 'week', '{7}', NULL, '2026-12-06'),
	('2026-01-31', 1, 'month', NULL, 31, '2026-02-28'),
	('2026-02-28', 1, 'month', NULL, 31, '2026-03-31'),
	('2026-03-31', 1, 'month', NULL, 31, '2026-04-30'),
	('2024-01-31', 1, 'month', NULL, 31, '2024-02-29'),
	('2026-11-30', 3, 'month', NULL, 30, '2027-02-28'),
	('2026-11-15', 1, 'month', NULL, 1, '2026-12-01'),
	('2024-02-29', 1, 'year', NULL, 29, '2025-02-28'),
	('2027-02-28', 1, 'year', NULL, 29, '2028-02-29'),
	('2026-11-24', 1, 'year', NULL, 24, '2027-11-24')) AS v (due, every, unit, weekdays, day, expected);

-- One is done, the next appears, once
INSERT INTO sales_crm.task (account_id, subject, assignee_id, due_on, recurs_unit, priority, remind_at)
VALUES (pg_temp.acme(), 'Monthly call', pg_temp.member('Sam'), '2090-01-31', 'month', 'high', '2090-01-30 09:00');
SELECT is(recurs_every || ' ' || recurs_day, '1 31', 'every month on the day of the first one') FROM sales_crm.task WHERE subject = 'Monthly call';
UPDATE sales_crm.task SET done_at = now() WHERE subject = 'Monthly call';
SELECT results_eq($$SELECT due_on, done_at IS NULL, done_by, priority, remind_at FROM sales_crm.task WHERE subject = 'Monthly call' ORDER BY due_on$$,
	$$VALUES (date '2090-01-31', false, pg_temp.member('Sam'), 'high', timestamptz '2090-01-30 09:00'),
		('2090-02-28', true, NULL, 'high', '2090-02-27 09:00')$$, 'the next one, with its reminder moved along');
UPDATE sales_crm.task SET done_at = NULL WHERE due_on = '2090-01-31';
SELECT is(done_by, NULL, 'undone: by nobody') FROM sales_crm.task WHERE due_on = '2090-01-31';
SELECT results_eq($$SELECT field, by FROM sales_crm.task_change ORDER BY task_change_id$$,
	$$VALUES ('done', pg_temp.member('Sam')), ('undone', pg_temp.member('Sam'))$$, 'undone: who had done it and who undid it is kept');
UPDATE sales_crm.task SET done_at = now() WHERE due_on = '2090-01-31';
SELECT is(count(*), 2::bigint, 'done again: no second next one') FROM sales_crm.task WHERE subject = 'Monthly call';
UPDATE sales_crm.task SET done_at = now() WHERE due_on = '2090-02-28';
SELECT is(max(due_on), date '2090-03-31', 'February does not shorten March') FROM sales_crm.task WHERE subject = 'Monthly call';
UPDATE sales_crm.task SET recurs_until = '2090-04-29', done_at = now() WHERE due_on = '2090-03-31';
SELECT is(count(*) FILTER (WHERE done_at IS NULL), 0::bigint, 'none after recurs_until') FROM sales_crm.task WHERE subject = 'Monthly call';
INSERT INTO sales_crm.task (subject, due_on, recurs_unit, recurs_every) VALUES ('Long overdue', sales_crm.today() - 100, 'day', 7);
UPDATE sales_crm.task SET done_at = now() WHERE subject = 'Long overdue';
SELECT is(max(due_on), sales_crm.today() - 100 + 105, 'missed ones are not made up for') FROM sales_crm.task WHERE subject = 'Long overdue';
INSERT INTO sales_crm.task (subject, due_on, recurs_unit) SELECT 'Bulk ' || i, '2090-01-01', 'year' FROM generate_series(1, 500) i;
UPDATE sales_crm.task SET done_at = now() WHERE subject LIKE 'Bulk %';
SELECT is(count(*), 1000::bigint, 'for many at once, too') FROM sales_crm.task WHERE subject LIKE 'Bulk %';
INSERT INTO sales_crm.task (subject, due_on, recurs_unit, done_at) VALUES ('Imported as done', '2090-01-01', 'week', now());
SELECT is(count(*), 2::bigint, 'and for one that comes in as done') FROM sales_crm.task WHERE subject = 'Imported as done';
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('Deal', pg_temp.acme());
UPDATE sales_crm.task SET recurs_unit = 'week' WHERE origin = 'follow_up';
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won') WHERE name = 'Deal';
SELECT is(count(*) FILTER (WHERE done_at IS NULL), 0::bigint, 'closing the opportunity ends what its rules began') FROM sales_crm.task WHERE origin = 'follow_up';
SELECT is(done_by, pg_temp.member('Sam'), 'done by who closed it') FROM sales_crm.task WHERE origin = 'follow_up';

-- Errors
SELECT throws_ok($$INSERT INTO sales_crm.task (subject, recurs_unit) VALUES ('x', 'week')$$, '23514', 'a recurring task needs a due date', 'no recurrence without a date');
SELECT throws_ok($$INSERT INTO sales_crm.task (subject, due_on, recurs_unit) VALUES ('x', '2026-01-01', 'hour')$$, '23514', NULL, 'unknown unit');
SELECT throws_ok($$INSERT INTO sales_crm.task (subject, due_on, recurs_unit, recurs_every) VALUES ('x', '2026-01-01', 'day', 0)$$, '23514', NULL, 'every 0 days');
SELECT throws_ok($$INSERT INTO sales_crm.task (subject, due_on, recurs_unit, recurs_weekdays) VALUES ('x', '2026-01-01', 'week', '{8}')$$, '23514', NULL, 'eighth weekday');
SELECT throws_ok($$INSERT INTO sales_crm.task (subject, due_on, recurs_unit, recurs_weekdays) VALUES ('x', '2026-01-01', 'day', '{1}')$$, '23514', NULL, 'weekdays of days');
SELECT throws_ok($$INSERT INTO sales_crm.task (subject, due_on, recurs_every) VALUES ('x', '2026-01-01', 2)$$, '23514', NULL, 'every 2 of nothing');
SELECT throws_ok($$UPDATE sales_crm.task SET assignee_id = 99999 WHERE subject = 'Long overdue'$$, '23503', NULL, 'assigned to nobody there is');

-- Assigned, and again
INSERT INTO sales_crm.task (subject, assignee_id, due_on) VALUES ('Hand over', pg_temp.member('Sam'), sales_crm.today());
SELECT is(created_by, pg_temp.member('Sam'), 'who made it is known') FROM sales_crm.task WHERE subject = 'Hand over';
UPDATE sales_crm.task SET assignee_id = pg_temp.member('Sue'), due_on = due_on + 1 WHERE subject = 'Hand over';
SELECT results_eq($$SELECT c.field FROM sales_crm.task_change c JOIN sales_crm.task t USING (task_id) WHERE t.subject = 'Hand over' ORDER BY 1$$,
	$$VALUES ('assignee_id'), ('due_on')$$, 're-assigning and moving leave a trace');
SELECT results_eq($$SELECT assignee, subject FROM sales_crm.team_open_tasks WHERE subject = 'Hand over'$$, $$VALUES ('Sue', 'Hand over')$$, 'the team''s tasks, of teams within it, too');
INSERT INTO sales_crm.task (subject, assignee_id) VALUES ('Of another team', pg_temp.member('Tom'));
SELECT is_empty($$SELECT FROM sales_crm.team_open_tasks WHERE assignee = 'Tom'$$, 'not those of others');

-- Reminders
INSERT INTO sales_crm.task (subject, assignee_id, remind_at) VALUES ('Due', pg_temp.member('Sam'), now()), ('Later', pg_temp.member('Sam'), now() + interval '1 hour');
SELECT results_eq('SELECT subject FROM sales_crm.due_reminder', $$VALUES ('Due')$$, 'a reminder whose time has come');
UPDATE sales_crm.task SET reminded_at = now() WHERE subject = 'Due';
SELECT is_empty('SELECT FROM sales_crm.due_reminder', 'given once');
UPDATE sales_crm.task SET remind_at = remind_at - interval '1 hour' WHERE subject = 'Due';
SELECT results_eq('SELECT subject FROM sales_crm.due_reminder', $$VALUES ('Due')$$, 'another time makes it due again');
UPDATE sales_crm.task SET done_at = now() WHERE subject = 'Due';
SELECT is_empty('SELECT FROM sales_crm.due_reminder', 'a done task reminds nobody');

-- Open opportunities for which nothing is planned
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('Forgotten', pg_temp.acme()), ('Planned', pg_temp.acme()), ('Met', pg_temp.acme());
UPDATE sales_crm.task SET done_at = now() WHERE opportunity_id IN (SELECT opportunity_id FROM sales_crm.opportunity WHERE name IN ('Forgotten', 'Met'));
INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at) SELECT opportunity_id, 'Visit', now() + interval '1 day' FROM sales_crm.opportunity WHERE name = 'Met';
SELECT results_eq('SELECT name FROM sales_crm.opportunity_without_next_step', $$VALUES ('Forgotten')$$, 'opportunity_without_next_step');
UPDATE sales_crm.appointment SET cancelled_at = now();
SELECT is(count(*), 2::bigint, 'a cancelled appointment is no next step') FROM sales_crm.opportunity_without_next_step;

-- My open tasks: overdue, today, later, without date; one index scan beside 100,000 done ones
DELETE FROM sales_crm.task;
INSERT INTO sales_crm.task (subject, assignee_id, due_on, origin, done_at)
SELECT 'done ' || i, pg_temp.member('Sam'), '2026-01-01', 'follow_up', now() FROM generate_series(1, 100000) i;
INSERT INTO sales_crm.task (subject, assignee_id, due_on, priority)
SELECT v.subject, pg_temp.member('Sam'), v.due, v.priority
FROM (VALUES ('no date', NULL, 'high'), ('later', sales_crm.today() + 1, 'high'), ('today low', sales_crm.today(), 'low'),
	('today high', sales_crm.today(), 'high'), ('overdue', sales_crm.today() - 1, 'low')) AS v (subject, due, priority);
ANALYZE sales_crm.task;
SELECT results_eq('SELECT subject, due FROM sales_crm.my_open_tasks',
	$$VALUES ('overdue', 'overdue'), ('today high', 'today'), ('today low', 'today'), ('later', 'later'), ('no date', 'later')$$, 'my_open_tasks in its order');
CREATE FUNCTION pg_temp.plan(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || sql; END$$;
SELECT is(count(*) FILTER (WHERE p ~ 'Index Scan using task_assignee_id_idx on task'), 1::bigint, 'is one index scan of the open tasks')
FROM pg_temp.plan('SELECT * FROM sales_crm.my_open_tasks') p;
SELECT is(count(*) FILTER (WHERE p ~ 'Sort|Seq Scan on task|Bitmap'), 0::bigint, 'without sorting') FROM pg_temp.plan('SELECT * FROM sales_crm.my_open_tasks') p;

SELECT * FROM finish();
ROLLBACK;
