-- Promise: the timeline contains each event of an opportunity exactly once, newest first, page by
-- page, in the company's language; the first page of one with 10,000 entries is a merge of indexes.
BEGIN;
SELECT plan(15);
SET LOCAL timezone = 'UTC';
INSERT INTO sales_crm.member (name, login) VALUES ('Sam', current_user);
INSERT INTO sales_crm.account (name) VALUES ('Acme'), ('Bolt');
CREATE FUNCTION pg_temp.id(text) RETURNS bigint LANGUAGE sql AS $$SELECT opportunity_id FROM sales_crm.opportunity WHERE name = $1$$;
INSERT INTO sales_crm.opportunity (name, account_id, created_at) SELECT v, account_id, now() - interval '9 days' FROM sales_crm.account, (VALUES ('Deal'), ('Other')) x (v) WHERE account.name = 'Acme';
UPDATE sales_crm.opportunity SET amount = 500, source_id = (SELECT source_id FROM sales_crm.source WHERE name = 'Referral'), phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Proposal') WHERE name = 'Deal';
INSERT INTO sales_crm.note (opportunity_id, body) VALUES (pg_temp.id('Deal'), E'First\nnote');
INSERT INTO sales_crm.task (opportunity_id, subject) VALUES (pg_temp.id('Deal'), 'Call');
UPDATE sales_crm.task SET done_at = now() WHERE subject = 'Call';
UPDATE sales_crm.task SET done_at = NULL, priority = 'high' WHERE subject = 'Call';
INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at) VALUES (pg_temp.id('Deal'), 'Visit', '2026-07-01 10:00+00');
UPDATE sales_crm.appointment SET location = 'Ghent';
SELECT sales_crm.record_email(from_address => 'a@b.example', from_name => 'Ann', subject => 'Question', opportunity_id => pg_temp.id('Deal')) IS NOT NULL AS mail;
INSERT INTO sales_crm.attachment (opportunity_id, file_name, content) VALUES (pg_temp.id('Deal'), 'plan.pdf', '%PDF-1');

SELECT results_eq($$SELECT line FROM sales_crm.timeline WHERE opportunity_id = pg_temp.id('Deal') ORDER BY line$$, $$VALUES
	('Appointment changed: place – → Ghent'), ('Appointment: Visit'), ('Attachment: plan.pdf'), ('Changed: amount – → 500'), ('Changed: source – → Referral'),
	('E-mail received: Ann – Question'), ('Note: First note'), ('Opportunity created: Deal'), ('Phase: New'), ('Phase: Proposal'),
	('Task changed: done'), ('Task changed: open again'), ('Task changed: priority normal → high'), ('Task: Call'), ('Task: Follow up')$$, 'each event, in words');
UPDATE sales_crm.company SET locale = 'fr';
SELECT ok(bool_or(line = 'Modifié: source – → Referral'), 'in French') FROM sales_crm.timeline;
UPDATE sales_crm.company SET locale = 'nl_BE';
SELECT ok(bool_or(line = 'Afspraak gewijzigd: plaats – → Ghent'), 'in Dutch') FROM sales_crm.timeline;
UPDATE sales_crm.company SET locale = 'de';
SELECT ok(bool_or(line = 'Aufgabe geändert: Priorität normal → high'), 'in German') FROM sales_crm.timeline;
UPDATE sales_crm.company SET locale = 'es';
SELECT ok(bool_or(line = 'Note: First note'), 'in English for other languages') FROM sales_crm.timeline;
SELECT is(count(*), 0::bigint, 'every word is there in every language') FROM sales_crm.timeline_words() w WHERE num_nonnulls(w.en, w.fr, w.nl, w.de) < 4;
SELECT is_empty($$SELECT kind, field FROM (SELECT 'c' AS kind, field FROM sales_crm.opportunity_change UNION SELECT 't', field FROM sales_crm.task_change UNION SELECT 'a', field FROM sales_crm.appointment_change) x
	WHERE field <> 'phase_id' AND field NOT IN (SELECT word FROM sales_crm.timeline_words())$$, 'and every field has its word');

-- 400 events at random, many at the same time; the sources counted one by one
SELECT setseed(0.25);
INSERT INTO sales_crm.note (opportunity_id, body, created_at) SELECT pg_temp.id(CASE WHEN random() < 0.7 THEN 'Deal' ELSE 'Other' END), 'n', timestamptz '2026-01-01' + (random() * 20)::int * interval '1 hour' FROM generate_series(1, 100);
INSERT INTO sales_crm.task (opportunity_id, subject, created_at, done_at) SELECT pg_temp.id(CASE WHEN random() < 0.7 THEN 'Deal' ELSE 'Other' END), 't', timestamptz '2026-01-01' + (random() * 20)::int * interval '1 hour', CASE WHEN random() < 0.5 THEN timestamptz '2026-01-02' END FROM generate_series(1, 100);
INSERT INTO sales_crm.email (opportunity_id, direction, sent_at) SELECT pg_temp.id('Deal'), CASE WHEN random() < 0.5 THEN 'incoming' ELSE 'outgoing' END, timestamptz '2026-01-01' + (random() * 20)::int * interval '1 hour' FROM generate_series(1, 100);
INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at) SELECT pg_temp.id('Deal'), 'a', timestamptz '2026-01-01' + (random() * 20)::int * interval '1 hour' FROM generate_series(1, 50);
UPDATE sales_crm.opportunity SET amount = amount + 1, expected_on = '2030-01-01' WHERE name = 'Deal';
CREATE TEMP VIEW event AS
	SELECT opportunity_id, 'created' AS kind, opportunity_id AS record_id FROM sales_crm.opportunity UNION ALL
	SELECT opportunity_id, 'phase', phase_stay_id FROM sales_crm.phase_stay UNION ALL
	SELECT opportunity_id, 'change', opportunity_change_id FROM sales_crm.opportunity_change WHERE field <> 'phase_id' UNION ALL
	SELECT opportunity_id, 'task', task_id FROM sales_crm.task UNION ALL
	SELECT opportunity_id, 'task done', task_id FROM sales_crm.task WHERE done_at IS NOT NULL UNION ALL
	SELECT opportunity_id, 'task change', task_change_id FROM sales_crm.task_change UNION ALL
	SELECT opportunity_id, 'appointment', appointment_id FROM sales_crm.appointment UNION ALL
	SELECT opportunity_id, 'appointment change', appointment_change_id FROM sales_crm.appointment_change UNION ALL
	SELECT opportunity_id, 'note', note_id FROM sales_crm.note UNION ALL
	SELECT opportunity_id, direction, email_id FROM sales_crm.email UNION ALL
	SELECT opportunity_id, 'attachment', attachment_id FROM sales_crm.attachment;
SELECT bag_eq('SELECT opportunity_id, kind, record_id FROM sales_crm.timeline', 'SELECT * FROM event', 'each event exactly once');

-- All pages of 7 one after the other are the whole, in order
CREATE FUNCTION pg_temp.pages(size int) RETURNS TABLE (n int, at timestamptz, kind text, record_id bigint) LANGUAGE plpgsql AS $$
DECLARE
	last record;
	got int;
BEGIN
	n := 0;
	last := ROW('infinity'::timestamptz, NULL::text, NULL::bigint);
	LOOP
		got := 0;
		FOR at, kind, record_id IN SELECT p.at, p.kind, p.record_id FROM sales_crm.timeline_page(pg_temp.id('Deal'), last.f1, last.f2, last.f3, size) p LOOP
			got := got + 1;
			n := n + 1;
			RETURN NEXT;
			last := ROW(at, kind, record_id);
		END LOOP;
		EXIT WHEN got < size;
	END LOOP;
END
$$;
SELECT bag_eq('SELECT kind, record_id FROM pg_temp.pages(7)', $$SELECT kind, record_id FROM event WHERE opportunity_id = pg_temp.id('Deal')$$, 'pages of 7: each event exactly once');
SELECT results_eq('SELECT n FROM pg_temp.pages(7) ORDER BY n', 'SELECT row_number() OVER (ORDER BY at DESC, kind COLLATE "C" DESC, record_id DESC)::int FROM pg_temp.pages(50) ORDER BY 1', 'newest first');
SELECT bag_eq('SELECT kind, record_id FROM pg_temp.pages(1)', 'SELECT kind, record_id FROM pg_temp.pages(1000)', 'pages of 1 are the page of all');

-- 10,000 entries
INSERT INTO sales_crm.note (opportunity_id, body, created_at) SELECT pg_temp.id('Deal'), 'n', now() - i * interval '1 minute' FROM generate_series(1, 4000) i;
INSERT INTO sales_crm.email (opportunity_id, direction, sent_at) SELECT pg_temp.id('Deal'), 'incoming', now() - i * interval '1 minute' FROM generate_series(1, 3000) i;
INSERT INTO sales_crm.task (opportunity_id, subject, created_at, done_at, origin) SELECT pg_temp.id('Deal'), 't', now() - i * interval '1 minute', now() - i * interval '30 seconds', 'follow_up' FROM generate_series(1, 1500) i;
INSERT INTO sales_crm.note (opportunity_id, body) SELECT pg_temp.id('Other'), 'n' FROM generate_series(1, 20000) i;
INSERT INTO sales_crm.task (opportunity_id, subject, done_at, origin) SELECT pg_temp.id('Other'), 't', now(), 'follow_up' FROM generate_series(1, 20000) i;
ANALYZE sales_crm.note, sales_crm.email, sales_crm.task;
SELECT ok(count(*) >= 10000, 'there are 10,000 entries') FROM sales_crm.timeline WHERE opportunity_id = pg_temp.id('Deal');
-- The second half of timeline_page(); the first, which finds the beginning of the page, reads as much
CREATE FUNCTION pg_temp.plan() RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT * FROM sales_crm.timeline WHERE opportunity_id = %s AND at >= %L ORDER BY at DESC, kind COLLATE "C" DESC, record_id DESC LIMIT 50',
		pg_temp.id('Deal'), (SELECT min(at) FROM sales_crm.timeline_page(pg_temp.id('Deal'))));
END
$$;
CREATE TEMP TABLE plan AS SELECT line FROM pg_temp.plan() AS line;
SELECT ok(bool_or(line ~ 'Index Scan.* using (note|email|task)_'), 'the page is read by indexes') FROM plan;
SELECT is(count(*) FILTER (WHERE line ~ 'Seq Scan on (note|email|task) '), 0::bigint, 'no table is read') FROM plan;
SELECT ok(max((regexp_match(line, 'rows=(\d+)'))[1]::int) < 200, 'and no step sees more than some rows of the 10,000') FROM plan WHERE line ~ '(Index|Merge|Sort|Limit).*rows=';

SELECT * FROM finish();
ROLLBACK;
