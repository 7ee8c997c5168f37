-- Promise: each member sees, counts and changes exactly the rows that are theirs to see, through
-- every table, view and reading function. The oracle is the database without all the other rows:
-- for each of eight members in three nested teams, the owner deletes what that member is not to see
-- (by rules written down here once more), reads everything, and takes the deletion back; the member
-- reads the same from the whole. 5,000 random opportunities.
BEGIN;
SET LOCAL jit = off;
SET LOCAL statement_timeout = 0;
SELECT setseed(0.417);
SET client_min_messages = warning;

INSERT INTO sales_crm.team (name) VALUES ('Company');
INSERT INTO sales_crm.team (name, parent_team_id) SELECT 'North', team_id FROM sales_crm.team WHERE name = 'Company';
INSERT INTO sales_crm.team (name, parent_team_id) SELECT 'Far North', team_id FROM sales_crm.team WHERE name = 'North';
INSERT INTO sales_crm.member (name, login, team_id, is_manager, visibility)
SELECT v.name, 'pgtap_' || v.name, t.team_id, v.is_manager, v.visibility
FROM (VALUES ('ada', 'Company', true, NULL), ('ben', 'North', true, 'own'), ('cas', 'North', false, NULL), ('dot', 'Far North', false, NULL),
	('eva', 'Far North', false, 'own'), ('fin', 'Far North', true, 'team'), ('gus', NULL, false, 'team'), ('hal', 'Company', false, 'all'))
	AS v (name, team, is_manager, visibility) LEFT JOIN sales_crm.team t ON t.name = v.team;
CREATE TEMP TABLE person AS SELECT name, member_id FROM sales_crm.member;
GRANT SELECT ON person TO PUBLIC;
DO $$
BEGIN
	FOR i IN 1..8 LOOP
		EXECUTE format('CREATE ROLE pgtap_%s LOGIN', (array['ada', 'ben', 'cas', 'dot', 'eva', 'fin', 'gus', 'hal'])[i]);
	END LOOP;
END
$$;
SELECT sales_crm.grant_access(('pgtap_' || name)::regrole, CASE WHEN name IN ('ada', 'ben', 'fin') THEN 'manager' ELSE 'seller' END) FROM person;

-- Any member or nobody
CREATE FUNCTION pg_temp.anybody() RETURNS bigint LANGUAGE sql VOLATILE AS
	$$SELECT (array_agg(member_id ORDER BY member_id) || NULL)[1 + floor(random() * 9)::integer] FROM person$$;
INSERT INTO sales_crm.account (name, owner_id, email) SELECT 'Account ' || i, pg_temp.anybody(), 'a' || i || '@example.com' FROM generate_series(1, 250) i;
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Contact of ' || name, 'c' || account_id || '@example.com' FROM sales_crm.account;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on, source_id, phase_id, lost_reason_id)
SELECT 'Opportunity ' || i || CASE WHEN random() < 0.05 THEN ' Glass' ELSE '' END, a.account_id, pg_temp.anybody(), floor(random() * 1000),
	sales_crm.today() + floor(random() * 300 - 100)::integer, s.source_id, p.phase_id, r.lost_reason_id
FROM generate_series(1, 5000) i
CROSS JOIN LATERAL (SELECT floor(random() * 250)::integer AS a, floor(random() * 6)::integer AS s, floor(random() * 7)::integer AS p WHERE i > 0) n
JOIN (SELECT account_id, row_number() OVER (ORDER BY account_id) - 1 AS n FROM sales_crm.account) a ON a.n = n.a
JOIN (SELECT source_id, row_number() OVER (ORDER BY source_id) - 1 AS n FROM sales_crm.source) s ON s.n = n.s
JOIN (SELECT phase_id, outcome, row_number() OVER (ORDER BY position) - 1 AS n FROM sales_crm.phase) p ON p.n = n.p
LEFT JOIN (SELECT min(lost_reason_id) AS lost_reason_id FROM sales_crm.lost_reason) r ON p.outcome = 'lost';
SELECT count(*) FROM (SELECT sales_crm.compact_forecast(1000000)) x \g /dev/null
UPDATE sales_crm.opportunity SET amount = amount + 1, owner_id = pg_temp.anybody() WHERE opportunity_id % 10 = 0 AND closed_at IS NULL;
INSERT INTO sales_crm.account (name, owner_id) SELECT 'Without deals', member_id FROM person;
CREATE TEMP TABLE one AS SELECT opportunity_id, account_id FROM sales_crm.opportunity ORDER BY random() LIMIT 400;
CREATE TEMP TABLE few AS SELECT opportunity_id FROM one LIMIT 25;
UPDATE sales_crm.task SET assignee_id = pg_temp.anybody(), due_on = sales_crm.today() - 2 WHERE task_id % 3 = 0;
INSERT INTO sales_crm.task (account_id, subject, assignee_id, remind_at, created_by) SELECT account_id, 'Task', pg_temp.anybody(), now() - interval '1 hour', pg_temp.anybody() FROM one;
INSERT INTO sales_crm.task (subject, assignee_id, created_by) SELECT 'Alone', pg_temp.anybody(), pg_temp.anybody() FROM generate_series(1, 40);
INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at, organiser_id) SELECT opportunity_id, 'Visit', now() + random() * interval '3 days', pg_temp.anybody() FROM one;
INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id) SELECT appointment_id, member_id FROM sales_crm.appointment, person WHERE random() < 0.05 ON CONFLICT DO NOTHING;
UPDATE sales_crm.appointment SET starts_at = starts_at + interval '1 hour', ends_at = ends_at + interval '1 hour' WHERE random() < 0.2;
INSERT INTO sales_crm.note (opportunity_id, body, created_by) SELECT opportunity_id, 'Glass note', pg_temp.anybody() FROM one WHERE random() < 0.5;
INSERT INTO sales_crm.note (account_id, body, created_by) SELECT account_id, 'Account note', pg_temp.anybody() FROM one WHERE random() < 0.5;
INSERT INTO sales_crm.email (opportunity_id, direction, subject) SELECT CASE WHEN random() < 0.8 THEN opportunity_id END, 'incoming', 'Mail about glass' FROM one;
INSERT INTO sales_crm.attachment (opportunity_id, file_name, content) SELECT opportunity_id, 'f', convert_to('f' || opportunity_id % 7, 'UTF8') FROM one WHERE random() < 0.5;
INSERT INTO sales_crm.attachment (email_id, file_name, content) SELECT email_id, 'f', '\x00' FROM sales_crm.email WHERE random() < 0.3;
INSERT INTO sales_crm.product (name, unit_price, unit_cost) VALUES ('Pane', 10, 4);
INSERT INTO sales_crm.product_line (opportunity_id, product_id) SELECT o.opportunity_id, p.product_id FROM one JOIN sales_crm.opportunity o USING (opportunity_id), sales_crm.product p WHERE o.closed_at IS NULL AND p.name = 'Pane';
INSERT INTO sales_crm.target (member_id, month, currency, amount) SELECT member_id, date_trunc('month', sales_crm.today()), 'EUR', 5000 FROM person;
INSERT INTO sales_crm.target (team_id, month, currency, amount) SELECT team_id, date_trunc('month', sales_crm.today()), 'EUR', 9000 FROM sales_crm.team;
SELECT count(sales_crm.create_calendar_feed(member_id)) FROM person \g /dev/null
SELECT count(sales_crm.request_discount_approval(o.opportunity_id, 50)) FROM one JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.closed_at IS NULL AND o.opportunity_id % 5 = 0 \g /dev/null
ANALYZE;

-- The rules once more: who sees whose rows
CREATE TEMP TABLE sees AS
WITH RECURSIVE below AS (
	SELECT team_id AS top, team_id FROM sales_crm.team
	UNION ALL SELECT b.top, t.team_id FROM below b JOIN sales_crm.team t ON t.parent_team_id = b.team_id)
SELECT m.member_id, o.member_id AS owner_id
FROM sales_crm.member m, sales_crm.member o
WHERE o.member_id = m.member_id OR coalesce(m.visibility, 'team') = 'all'
	OR (coalesce(m.visibility, 'team') = 'team' OR m.is_manager) AND o.team_id IN (SELECT b.team_id FROM below b WHERE b.top = m.team_id)
UNION ALL
SELECT m.member_id, NULL FROM sales_crm.member m WHERE m.is_manager OR m.visibility = 'all';

-- leave_only(member): deletes what the member is not to see, with triggers off
CREATE FUNCTION pg_temp.leave_only(me bigint) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
	CREATE TEMP TABLE mine ON COMMIT DROP AS SELECT owner_id FROM sees WHERE member_id = me AND owner_id IS NOT NULL;
	CREATE TEMP TABLE free ON COMMIT DROP AS SELECT FROM sees WHERE member_id = me AND owner_id IS NULL;
	CREATE TEMP TABLE shown ON COMMIT DROP AS SELECT appointment_id FROM sales_crm.appointment_attendee WHERE member_id IN (TABLE mine);
	SET LOCAL session_replication_role = replica;
	DELETE FROM sales_crm.opportunity WHERE NOT (owner_id IS NOT NULL AND owner_id IN (TABLE mine) OR owner_id IS NULL AND EXISTS (TABLE free));
	DELETE FROM sales_crm.account a WHERE NOT (owner_id IS NOT NULL AND owner_id IN (TABLE mine) OR owner_id IS NULL AND EXISTS (TABLE free)
		OR EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.account_id = a.account_id));
	DELETE FROM sales_crm.contact WHERE account_id NOT IN (SELECT account_id FROM sales_crm.account);
	DELETE FROM sales_crm.opportunity_change WHERE opportunity_id NOT IN (SELECT opportunity_id FROM sales_crm.opportunity);
	DELETE FROM sales_crm.phase_stay WHERE opportunity_id NOT IN (SELECT opportunity_id FROM sales_crm.opportunity);
	DELETE FROM sales_crm.product_line WHERE opportunity_id NOT IN (SELECT opportunity_id FROM sales_crm.opportunity);
	DELETE FROM sales_crm.discount_approval WHERE opportunity_id NOT IN (SELECT opportunity_id FROM sales_crm.opportunity);
	DELETE FROM sales_crm.task t WHERE NOT (coalesce(assignee_id IN (TABLE mine), false) OR coalesce(created_by = me, false)
		OR EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = t.opportunity_id)
		OR EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = t.account_id)
		OR assignee_id IS NULL AND opportunity_id IS NULL AND account_id IS NULL AND EXISTS (TABLE free));
	DELETE FROM sales_crm.task_change WHERE task_id NOT IN (SELECT task_id FROM sales_crm.task);
	DELETE FROM sales_crm.appointment p WHERE NOT (coalesce(organiser_id IN (TABLE mine), false) OR coalesce(created_by = me, false)
		OR EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = p.opportunity_id)
		OR EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = p.account_id)
		OR appointment_id IN (TABLE shown));
	DELETE FROM sales_crm.appointment_attendee WHERE appointment_id NOT IN (SELECT appointment_id FROM sales_crm.appointment);
	DELETE FROM sales_crm.appointment_change WHERE appointment_id NOT IN (SELECT appointment_id FROM sales_crm.appointment);
	DELETE FROM sales_crm.note n WHERE NOT (EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = n.opportunity_id)
		OR EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = n.account_id)
		OR EXISTS (SELECT FROM sales_crm.contact k WHERE k.contact_id = n.contact_id));
	DELETE FROM sales_crm.email e WHERE NOT (EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = e.opportunity_id)
		OR EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = e.account_id)
		OR opportunity_id IS NULL AND account_id IS NULL AND EXISTS (TABLE free));
	DELETE FROM sales_crm.attachment x WHERE NOT (EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = x.opportunity_id)
		OR EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = x.account_id)
		OR EXISTS (SELECT FROM sales_crm.email e WHERE e.email_id = x.email_id));
	DELETE FROM sales_crm.calendar_feed WHERE member_id <> me;
	DELETE FROM sales_crm.forecast_cell WHERE NOT (owner_id IS NOT NULL AND owner_id IN (TABLE mine) OR owner_id IS NULL AND EXISTS (TABLE free));
	DELETE FROM sales_crm.forecast_day WHERE NOT (owner_id IS NOT NULL AND owner_id IN (TABLE mine) OR owner_id IS NULL AND EXISTS (TABLE free));
	DELETE FROM sales_crm.forecast_ledger WHERE NOT (owner_id IS NOT NULL AND owner_id IN (TABLE mine) OR owner_id IS NULL AND EXISTS (TABLE free));
	DELETE FROM sales_crm.target WHERE NOT (coalesce(member_id IN (TABLE mine), false)
		OR coalesce((SELECT visibility = 'all' FROM sales_crm.member WHERE member_id = me), false)
		OR coalesce(team_id IN (SELECT team_id FROM sales_crm.member WHERE member_id IN (TABLE mine)), false));
	SET LOCAL session_replication_role = origin;
	EXECUTE format('SET LOCAL sales_crm.member_id = %L', me);
END
$f$;

-- digest(query): its rows in one number, or its error
CREATE FUNCTION pg_temp.digest(query text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
	found text;
BEGIN
	EXECUTE format('SELECT count(*) || '' rows '' || coalesce(md5(string_agg(x::text, E''\n'' ORDER BY x::text COLLATE "C")), '''') FROM (%s) x', query) INTO found;
	RETURN found;
EXCEPTION WHEN OTHERS THEN
	RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
END
$f$;

-- What is read: every table and view that sellers may read, columns they may see, and functions
CREATE TEMP TABLE reading AS
SELECT format('SELECT %s FROM sales_crm.%I', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum), c.relname)
	-- The dear ones for some rows
	|| CASE c.relname WHEN 'account_overview' THEN ' WHERE account_id % 8 = 0' WHEN 'opportunity_overview' THEN ' WHERE opportunity_id % 8 = 0'
		WHEN 'contact_overview' THEN ' WHERE contact_id % 8 = 0' WHEN 'timeline' THEN ' WHERE opportunity_id % 50 = 0' ELSE '' END AS query
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relkind IN ('r', 'v') AND has_column_privilege('sales_crm_seller', c.oid, a.attnum, 'SELECT')
GROUP BY c.relname
UNION ALL SELECT unnest(array[
	'SELECT * FROM sales_crm.forecast_as_of(sales_crm.today())', 'SELECT * FROM sales_crm.forecast_bridge(sales_crm.today() - 1, sales_crm.today())',
	'SELECT * FROM sales_crm.forecast_in(''EUR'')', 'SELECT * FROM sales_crm.forecast_range()', 'SELECT sales_crm.forecast_chart()',
	'SELECT * FROM sales_crm.search(''glass'', 5000)', 'SELECT * FROM sales_crm.search(''account 7'', 5000)',
	'SELECT p.* FROM few, sales_crm.timeline_page(opportunity_id) p', 'SELECT f.* FROM few, sales_crm.forecast_causes(opportunity_id) f',
	'SELECT sales_crm.calendar_ics(member_id, sales_crm.today(), sales_crm.today() + 9) FROM person WHERE member_id = sales_crm.current_member()',
	'SELECT count(*), sum(amount), min(name), max(closed_at) FROM sales_crm.opportunity',
	'SELECT owner_id, count(*), sum(amount) FROM sales_crm.opportunity GROUP BY ROLLUP (owner_id)',
	'SELECT o.name, a.name FROM sales_crm.opportunity o FULL JOIN sales_crm.account a USING (account_id)',
	'SELECT (SELECT count(*) FROM sales_crm.opportunity o WHERE o.account_id = one.account_id) FROM one',
	'SELECT opportunity_id FROM one WHERE opportunity_id IN (SELECT opportunity_id FROM sales_crm.opportunity WHERE amount > 500)',
	'SELECT x.name FROM one LEFT JOIN sales_crm.opportunity x USING (opportunity_id)']);
GRANT SELECT ON reading, one, few TO PUBLIC;
CREATE TEMP TABLE expected (member_id bigint, query text, digest text);
CREATE TEMP TABLE got (member_id bigint, query text, digest text);
GRANT INSERT ON got TO PUBLIC;

CREATE FUNCTION pg_temp.learn() RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
	p record;
	found jsonb;
BEGIN
	FOR p IN SELECT * FROM person ORDER BY member_id LOOP
		BEGIN
			PERFORM pg_temp.leave_only(p.member_id);
			SELECT jsonb_object_agg(r.query, pg_temp.digest(r.query)) INTO found FROM reading r;
			RAISE EXCEPTION USING ERRCODE = 'SC999';
		EXCEPTION WHEN SQLSTATE 'SC999' THEN
			INSERT INTO expected SELECT p.member_id, d.key, d.value FROM jsonb_each_text(found) d;
		END;
		-- The member
		EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', 'pgtap_' || p.name);
		INSERT INTO got SELECT p.member_id, r.query, pg_temp.digest(r.query) FROM reading r;
		RESET SESSION AUTHORIZATION;
	END LOOP;
END
$f$;
SELECT plan((SELECT count(*)::integer FROM reading) + 3 + 20);
SELECT pg_temp.learn();
SELECT is((SELECT string_agg(format('%s: %s is %s', p.name, e.query, g.digest), E'\n' ORDER BY p.name)
		FROM expected e JOIN got g USING (member_id, query) JOIN person p USING (member_id) WHERE e.query = r.query AND e.digest IS DISTINCT FROM g.digest),
	NULL, 'eight members: ' || regexp_replace(r.query, '^SELECT .* FROM sales_crm\.(\w+)$', '\1'))
FROM reading r ORDER BY r.query;
SELECT is((SELECT count(*) FROM got), (SELECT 8 * count(*) FROM reading), 'all of it was read');
SELECT cmp_ok((SELECT count(DISTINCT digest) FROM got WHERE query LIKE '%FROM sales_crm.opportunity'), '>=', 5::bigint, 'and members see different things');
SELECT is_empty($$SELECT query, digest FROM got WHERE digest LIKE 'error%'$$, 'without an error');

-- What is written: each statement as the member, undone at once; the keys it touched
CREATE TEMP TABLE touched (member_id bigint, what text, keys bigint[]);
CREATE TEMP TABLE told (member_id bigint, key bigint);
CREATE TEMP TABLE error (member_id bigint, hidden text, nothing text);
CREATE TEMP TABLE given (giver bigint, taker bigint, done boolean);
GRANT INSERT, SELECT ON touched, told, error, given TO PUBLIC;
CREATE FUNCTION pg_temp.touch(me bigint, what text, statement text) RETURNS void LANGUAGE plpgsql AS $f$
DECLARE
	found bigint[];
BEGIN
	BEGIN
		EXECUTE format('WITH w (key) AS (%s) SELECT coalesce(array_agg(key ORDER BY key), ''{}'') FROM w', statement) INTO found;
		RAISE EXCEPTION USING ERRCODE = 'SC999';
	EXCEPTION WHEN SQLSTATE 'SC999' THEN
		NULL;
	WHEN insufficient_privilege THEN
		found := array[-42501];
	END;
	INSERT INTO touched VALUES (me, what, found);
END
$f$;
CREATE FUNCTION pg_temp.tell(key bigint) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $f$
BEGIN
	INSERT INTO told SELECT member_id, key FROM person WHERE 'pgtap_' || name = session_user;
	RETURN true;
END
$f$;
CREATE FUNCTION pg_temp.by_cursor() RETURNS bigint[] LANGUAGE plpgsql AS $f$
DECLARE
	c SCROLL CURSOR FOR SELECT opportunity_id FROM sales_crm.opportunity;
	key bigint;
	keys bigint[] := '{}';
BEGIN
	OPEN c;
	MOVE LAST FROM c;
	MOVE FORWARD FROM c;
	LOOP
		FETCH PRIOR FROM c INTO key;
		EXIT WHEN NOT FOUND;
		keys := keys || key;
	END LOOP;
	CLOSE c;
	RETURN (SELECT coalesce(array_agg(k ORDER BY k), '{}') FROM unnest(keys) k);
END
$f$;
CREATE FUNCTION pg_temp.explained(query text) RETURNS bigint LANGUAGE plpgsql AS $f$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (ANALYZE, FORMAT JSON) ' || query INTO plan;
	RETURN (plan #>> '{0,Plan,Actual Rows}')::numeric;
END
$f$;
CREATE FUNCTION pg_temp.error_of(statement text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
	detail text;
BEGIN
	EXECUTE statement;
	RETURN NULL;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || SQLERRM || ' ' || detail;
END
$f$;
-- For each member an opportunity and an account that are hidden
CREATE TEMP TABLE hidden AS
SELECT p.member_id, (SELECT min(o.opportunity_id) FROM sales_crm.opportunity o WHERE NOT EXISTS (SELECT FROM sees s WHERE s.member_id = p.member_id AND s.owner_id IS NOT DISTINCT FROM o.owner_id)) AS opportunity_id,
	(SELECT min(a.account_id) FROM sales_crm.account a WHERE NOT EXISTS (SELECT FROM sees s WHERE s.member_id = p.member_id AND s.owner_id IS NOT DISTINCT FROM a.owner_id)
		AND NOT EXISTS (SELECT FROM sales_crm.opportunity o JOIN sees s ON s.member_id = p.member_id AND s.owner_id IS NOT DISTINCT FROM o.owner_id WHERE o.account_id = a.account_id)) AS account_id
FROM person p;
GRANT SELECT ON hidden, sees TO PUBLIC;
DO $f$
DECLARE
	p record;
	h record;
	taker bigint;
BEGIN
	FOR p IN SELECT * FROM person ORDER BY member_id LOOP
		SELECT * INTO h FROM hidden WHERE member_id = p.member_id;
		EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', 'pgtap_' || p.name);
		PERFORM pg_temp.touch(p.member_id, 'read ' || t, format('SELECT %1$s_id FROM sales_crm.%1$s', t))
		FROM unnest(array['opportunity', 'account', 'contact', 'task', 'appointment', 'email', 'attachment']) t;
		PERFORM pg_temp.touch(p.member_id, 'update ' || v.t, format('UPDATE sales_crm.%1$s SET %2$s RETURNING %1$s_id', v.t, v.change))
		FROM (VALUES ('opportunity', 'description = ''x'''), ('account', 'phone = ''1'''), ('contact', 'phone = ''1'''), ('task', 'details = ''x'''),
			('appointment', 'details = ''x'''), ('email', 'set_aside = true'), ('attachment', 'file_name = ''x''')) AS v (t, change);
		PERFORM pg_temp.touch(p.member_id, 'delete task', 'DELETE FROM sales_crm.task RETURNING task_id');
		PERFORM pg_temp.touch(p.member_id, 'delete opportunity', 'DELETE FROM sales_crm.opportunity WHERE opportunity_id % 7 = 0 RETURNING opportunity_id');
		PERFORM pg_temp.touch(p.member_id, 'lock', 'SELECT opportunity_id FROM (SELECT opportunity_id FROM sales_crm.opportunity FOR UPDATE) x');
		INSERT INTO touched VALUES (p.member_id, 'cursor', pg_temp.by_cursor()),
			(p.member_id, 'explain', array[pg_temp.explained('SELECT opportunity_id FROM sales_crm.opportunity')]);
		PERFORM count(*) FROM sales_crm.opportunity WHERE pg_temp.tell(opportunity_id);
		INSERT INTO error VALUES
			(p.member_id, pg_temp.error_of(format('INSERT INTO sales_crm.opportunity (name, account_id) VALUES (''x'', %s)', coalesce(h.account_id, -1))), pg_temp.error_of('INSERT INTO sales_crm.opportunity (name, account_id) VALUES (''x'', -1)')),
			(p.member_id, pg_temp.error_of(format('INSERT INTO sales_crm.note (opportunity_id, body) VALUES (%s, ''x'')', coalesce(h.opportunity_id, -1))), pg_temp.error_of('INSERT INTO sales_crm.note (opportunity_id, body) VALUES (-1, ''x'')')),
			(p.member_id, pg_temp.error_of(format('SELECT sales_crm.create_quote(%s)', coalesce(h.opportunity_id, -1))), replace(pg_temp.error_of('SELECT sales_crm.create_quote(-1)'), '-1', coalesce(h.opportunity_id, -1)::text)),
			(p.member_id, pg_temp.error_of(format('SELECT * FROM sales_crm.explain_transition(%s, 1)', coalesce(h.opportunity_id, -1))), replace(pg_temp.error_of('SELECT * FROM sales_crm.explain_transition(-1, 1)'), '-1', coalesce(h.opportunity_id, -1)::text));
		FOR taker IN SELECT member_id FROM person LOOP
			INSERT INTO given SELECT p.member_id, taker, pg_temp.error_of(format('UPDATE sales_crm.opportunity SET owner_id = %s
				WHERE opportunity_id = (SELECT min(o.opportunity_id) FROM sales_crm.opportunity o WHERE o.closed_at IS NULL AND o.owner_id = %s)', taker, p.member_id)) IS NULL;
		END LOOP;
		RESET SESSION AUTHORIZATION;
		-- Back to whom it was
		UPDATE sales_crm.opportunity o SET owner_id = (b.old)::bigint
		FROM (SELECT DISTINCT ON (c.opportunity_id) c.opportunity_id, c.old FROM sales_crm.opportunity_change c WHERE c.field = 'owner_id' AND c.by = p.member_id ORDER BY c.opportunity_id, c.opportunity_change_id) b
		WHERE o.opportunity_id = b.opportunity_id;
	END LOOP;
END
$f$;
CREATE TEMP VIEW readable AS SELECT member_id, what, keys FROM touched WHERE what LIKE 'read %';
SELECT is_empty(format($$SELECT p.name FROM touched u JOIN readable r ON r.member_id = u.member_id AND r.what = 'read %1$s' JOIN person p ON p.member_id = u.member_id
	WHERE u.what = 'update %1$s' AND u.keys IS DISTINCT FROM r.keys$$, t), 'UPDATE … RETURNING changes what is seen: ' || t)
FROM unnest(array['opportunity', 'account', 'contact', 'task', 'appointment', 'email', 'attachment']) t;
SELECT is_empty($$SELECT p.name FROM person p WHERE (SELECT cardinality(t.keys) FROM touched t WHERE t.member_id = p.member_id AND t.what = 'update opportunity')
	<> (SELECT count(*) FROM sales_crm.opportunity o JOIN sees s ON s.member_id = p.member_id AND s.owner_id IS NOT DISTINCT FROM o.owner_id)$$, 'which is what the rules say');
SELECT is_empty($$SELECT p.name FROM touched t JOIN person p USING (member_id) JOIN sales_crm.member m USING (member_id) JOIN readable r ON r.member_id = t.member_id AND r.what = 'read task'
	WHERE t.what = 'delete task' AND t.keys IS DISTINCT FROM (SELECT coalesce(array_agg(k.task_id ORDER BY k.task_id), '{}') FROM sales_crm.task k
		WHERE k.task_id = ANY (r.keys) AND (m.is_manager OR k.created_by = m.member_id))$$, 'DELETE takes the tasks that one made, and for managers all');
SELECT is_empty($$SELECT p.name FROM touched t JOIN person p USING (member_id) JOIN sales_crm.member m USING (member_id) JOIN readable r ON r.member_id = t.member_id AND r.what = 'read opportunity'
	WHERE t.what = 'delete opportunity' AND t.keys IS DISTINCT FROM CASE WHEN m.is_manager THEN (SELECT array_agg(k ORDER BY k) FROM unnest(r.keys) k WHERE k % 7 = 0) ELSE array[-42501] END$$,
	'managers delete opportunities that they see, sellers none');
SELECT is_empty(format($$SELECT p.name FROM touched u JOIN readable r ON r.member_id = u.member_id AND r.what = 'read opportunity' JOIN person p ON p.member_id = u.member_id
	WHERE u.what = %L AND u.keys IS DISTINCT FROM r.keys$$, t), t || ' gives what is seen')
FROM unnest(array['lock', 'cursor']) t;
SELECT is_empty($$SELECT p.name FROM touched u JOIN readable r ON r.member_id = u.member_id AND r.what = 'read opportunity' JOIN person p ON p.member_id = u.member_id
	WHERE u.what = 'explain' AND u.keys[1] <> cardinality(r.keys)$$, 'EXPLAIN ANALYZE counts what is seen');
SELECT is_empty($$SELECT p.name FROM readable r JOIN person p USING (member_id) WHERE r.what = 'read opportunity'
	AND r.keys IS DISTINCT FROM (SELECT coalesce(array_agg(t.key ORDER BY t.key), '{}') FROM told t WHERE t.member_id = r.member_id)$$, 'a function in WHERE is called for what is seen');
SELECT is_empty($$SELECT name, h.opportunity_id FROM hidden h JOIN person USING (member_id) WHERE (h.opportunity_id IS NULL) <> (name = 'hal')$$, 'something is hidden from all but one');
SELECT is_empty($$SELECT name, hidden, nothing FROM error JOIN person USING (member_id) WHERE hidden <> nothing$$, 'errors about hidden rows are those about rows that are not there');
SELECT cmp_ok((SELECT count(*) FROM error WHERE hidden = nothing), '>=', 21::bigint, 'and there are errors');
SELECT is_empty($$SELECT x.name, y.name, g.done FROM given g JOIN person x ON x.member_id = g.giver JOIN person y ON y.member_id = g.taker
	WHERE g.taker <> g.giver AND g.done <> EXISTS (SELECT FROM sees s WHERE s.member_id = g.giver AND s.owner_id = g.taker)$$, 'opportunities are given to those whose rows one sees');
SET SESSION AUTHORIZATION pgtap_dot;
COPY sales_crm.opportunity (opportunity_id) TO STDOUT \g /dev/null
\set copied :ROW_COUNT
RESET SESSION AUTHORIZATION;
SELECT is(:copied::bigint, (SELECT cardinality(r.keys)::bigint FROM readable r JOIN person USING (member_id) WHERE name = 'dot' AND r.what = 'read opportunity'), 'COPY copies what is seen');
SELECT is_empty('SELECT * FROM sales_crm.verify_forecast()', 'verify_forecast() finds nothing');

SELECT * FROM finish();
ROLLBACK;
