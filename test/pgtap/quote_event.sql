-- Promise: whatever somebody with all rights does to events of quotes or to checkpoints, triggers off,
-- verify_quote_events() finds it; the hashes are what doc/answer.md says, computed here without the
-- extension's functions; and every event gets into a checkpoint.
BEGIN;
SELECT plan(31);

INSERT INTO sales_crm.member (name, login) VALUES ('Sam', current_user);
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'deal ' || i, account_id FROM sales_crm.account, generate_series(1, 3) i;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 100 FROM sales_crm.opportunity;
CREATE TEMP TABLE offer AS SELECT sales_crm.create_quote(opportunity_id) AS quote_id, NULL::text AS token FROM sales_crm.opportunity;
UPDATE offer SET token = (SELECT s.token FROM sales_crm.send_quote(quote_id, recipient_name => 'Ünal "Ö" <x>', email => 'u@example.com') s);
SELECT count(*) FROM (SELECT sales_crm.record_view(token, '2001:db8::1', E'tab\there'), sales_crm.request_change(token, E'line\nline', 'Ü', request_key => 'k') FROM offer) x \gset
INSERT INTO sales_crm.quote_event (quote_id, kind, data, position, at, sha256, previous_sha256) SELECT min(quote_id), 'note', '{"n": 1.50, "e": [], "z": null}', 99, '2000-01-01', '\x00', '\x00' FROM offer;

-- Independent of the functions: a line per column, lengths in bytes
CREATE FUNCTION pg_temp.line(name text, value text) RETURNS text LANGUAGE sql AS $$
	SELECT CASE WHEN value IS NULL THEN name || E' -\n' ELSE name || ' ' || octet_length(convert_to(value, 'UTF8')) || ':' || value || E'\n' END
$$;
CREATE FUNCTION pg_temp.expected(e sales_crm.quote_event) RETURNS bytea LANGUAGE sql AS $$
	SELECT sha256(convert_to(E'sales_crm quote_event 1\n' || pg_temp.line('quote_id', e.quote_id::text) || pg_temp.line('position', e.position::text)
		|| pg_temp.line('kind', e.kind) || pg_temp.line('at', to_char(e.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
		|| pg_temp.line('member_id', e.member_id::text) || pg_temp.line('quote_link_id', e.quote_link_id::text) || pg_temp.line('data', e.data::text)
		|| pg_temp.line('previous_sha256', encode(e.previous_sha256, 'hex')), 'UTF8'))
$$;
SELECT cmp_ok(count(*), '>=', 16::bigint, 'there are events to check') FROM sales_crm.quote_event;
SELECT is_empty($$ SELECT quote_event_id FROM sales_crm.quote_event e WHERE e.sha256 <> pg_temp.expected(e) $$, 'each has the hash that an independent computation gives');
SET TimeZone = 'Asia/Kathmandu';
SET DateStyle = 'German';
SET extra_float_digits = 0;
-- No setting of the session gets into what happened
CREATE TEMP TABLE german AS SELECT sales_crm.create_quote(min(opportunity_id)) AS quote_id FROM sales_crm.opportunity;
SELECT count(s) FROM german, sales_crm.send_quote(quote_id) s \gset
SELECT matches(data ->> 'valid_until', '^\d{4}-\d\d-\d\d$', 'days are written as in ISO 8601') FROM sales_crm.quote_event JOIN german USING (quote_id) WHERE kind = 'sent';
SELECT is_empty($$ SELECT * FROM sales_crm.verify_quote_events() $$, 'whatever the session''s settings');
RESET ALL;
SELECT is((SELECT (position, at > now() - interval '1 hour', data)::text FROM sales_crm.quote_event WHERE kind = 'note'), '(6,t,"{""e"": [], ""n"": 1.50, ""z"": null}")', 'place, time and hash that were given are not taken');
SELECT is((SELECT string_agg(DISTINCT coalesce(m.name, '-') || ' ' || e.kind, ', ') FROM sales_crm.quote_event e LEFT JOIN sales_crm.member m USING (member_id)),
	'- change_requested, - note, - viewed, Sam created, Sam link_created, Sam sent', 'who did it: members by name, customers not');
SELECT throws_ok($$ INSERT INTO sales_crm.quote_event (quote_id, kind) VALUES (-1, 'note') $$, '23503', NULL, 'an event of no quote');
SELECT throws_ok($$ INSERT INTO sales_crm.quote_event (quote_id, kind, data) SELECT min(quote_id), 'note', NULL FROM offer $$, '23502', NULL, 'an event without data');

-- Checkpoints
SELECT is(sales_crm.checkpoint_quote_events(), 4::bigint, 'the first checkpoint has the ends of all chains');
SELECT is(sales_crm.checkpoint_quote_events(), 0::bigint, 'and nothing is left for a second one');
INSERT INTO sales_crm.quote_event (quote_id, kind) SELECT (SELECT max(quote_id) FROM offer), 'note' FROM generate_series(1, 2);
SELECT is((SELECT h.position || ' ' || h.pending FROM sales_crm.quote_event_head() h), '1 2', 'events since are waiting');
SELECT is(sales_crm.checkpoint_quote_events(), 1::bigint, 'the second one has the chain that grew');
SELECT is_empty($$
	SELECT position FROM sales_crm.quote_event_checkpoint c
	WHERE c.sha256 <> sha256(convert_to(concat(E'sales_crm quote_event_checkpoint 1\n', 'position ', c.position, E'\nat ', to_char(c.at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		E'\nheads ', c.heads, E'\nprevious_sha256 ', coalesce(encode(c.previous_sha256, 'hex'), '-'), E'\n'), 'UTF8'))
$$, 'their hashes, computed independently');
SELECT throws_ok($$ UPDATE sales_crm.quote_event_checkpoint SET at = now() $$, 'SC101', NULL, 'a checkpoint is not changed');
SELECT throws_ok($$ DELETE FROM sales_crm.quote_event_checkpoint $$, 'SC101', NULL, 'nor removed');
SELECT throws_ok($$ TRUNCATE sales_crm.quote_event_checkpoint $$, 'SC101', NULL, 'nor are all');
SELECT is_empty($$ SELECT * FROM sales_crm.verify_quote_events() $$, 'all verifies');
CREATE TEMP TABLE anchor AS SELECT h.position, h.sha256 FROM sales_crm.quote_event_head() h;

-- Tampering, with triggers off and hashes made to fit where that can be done
SET session_replication_role = replica;
CREATE TEMP TABLE target AS SELECT max(quote_id) AS quote_id FROM offer;
-- found(SQL): what is found after it, which is undone
CREATE FUNCTION pg_temp.found(VARIADIC statements text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	statement text;
	answer text;
BEGIN
	BEGIN
		FOREACH statement IN ARRAY statements LOOP EXECUTE statement; END LOOP;
		SELECT string_agg(DISTINCT v.problem, '; ' ORDER BY v.problem) INTO answer FROM anchor a, sales_crm.verify_quote_events(a.position, a.sha256) v;
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN answer;
	END;
END
$$;
CREATE FUNCTION pg_temp.rehash() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	e sales_crm.quote_event;
	before bytea;
BEGIN
	FOR e IN SELECT * FROM sales_crm.quote_event WHERE quote_id = (SELECT quote_id FROM target) ORDER BY position LOOP
		e.previous_sha256 := before;
		before := pg_temp.expected(e);
		UPDATE sales_crm.quote_event SET previous_sha256 = e.previous_sha256, sha256 = before WHERE quote_event_id = e.quote_event_id;
	END LOOP;
END
$$;
SELECT is(pg_temp.found('SELECT 1'), NULL, 'nothing is found where nothing was done');
SELECT is(pg_temp.found($$ UPDATE sales_crm.quote_event SET data = data || '{"note": "other"}' WHERE kind = 'change_requested' $$), 'event is not what its hash says', 'an edited event');
SELECT is((SELECT string_agg(DISTINCT pg_temp.found(format($$ UPDATE sales_crm.quote_event SET %s WHERE kind = 'viewed' $$, c)), '|')
	FROM unnest(array['at = at + interval ''1 microsecond''', 'kind = ''seen''', 'member_id = (SELECT min(member_id) FROM sales_crm.member)', 'quote_link_id = NULL', 'data = ''{}''']) c), 'event is not what its hash says', 'whichever column');
SELECT is(pg_temp.found($$ UPDATE sales_crm.quote_event SET data = '{"ip": "9.9.9.9"}' WHERE kind = 'viewed' $$,
	$$ UPDATE sales_crm.quote_event e SET sha256 = pg_temp.expected(e) WHERE kind = 'viewed' $$), 'event does not follow the one before', 'an edited event with its own hash made to fit');
SELECT is(pg_temp.found($$ UPDATE sales_crm.quote_event SET data = '{"ip": "9.9.9.9"}' WHERE kind = 'viewed' AND quote_id = (SELECT quote_id FROM target) $$, 'SELECT pg_temp.rehash()'), 'event of a checkpoint is missing or another one', 'a whole chain made to fit');
SELECT is(pg_temp.found($$ DELETE FROM sales_crm.quote_event WHERE kind = 'viewed' $$), 'event does not follow the one before; events before this one are missing', 'a deleted event');
SELECT matches(pg_temp.found($$ DELETE FROM sales_crm.quote_event WHERE quote_id = (SELECT quote_id FROM target) AND position > 5 $$), '^event of a checkpoint is missing', 'a chain cut off at its end');
SELECT matches(pg_temp.found($$ DELETE FROM sales_crm.quote_event WHERE quote_id = (SELECT quote_id FROM target) $$), 'event of a checkpoint is missing.*quote is change_requested, and its last change of status was to nothing', 'a whole chain cut off');
SELECT matches(pg_temp.found($$ INSERT INTO sales_crm.quote_event (quote_id, position, kind, at, data, previous_sha256, sha256) SELECT quote_id, position + 1, 'note', now(), '{}', sha256, sha256('x') FROM sales_crm.quote_event e WHERE position = (SELECT max(position) FROM sales_crm.quote_event m WHERE m.quote_id = e.quote_id) $$), 'event is not what its hash says', 'an event appended by hand');
SELECT is(pg_temp.found($$ INSERT INTO sales_crm.quote_event (quote_id, position, kind, at, data, previous_sha256, sha256) SELECT t.quote_id, 8, 'note', now(), '{}', e.sha256, e.sha256 FROM target t JOIN sales_crm.quote_event e ON e.quote_id = t.quote_id AND e.position = 7 $$, 'SELECT pg_temp.rehash()'),
	'events since the last checkpoint are not waiting for one', 'even with the right hash');
SELECT matches(pg_temp.found($$ UPDATE sales_crm.quote_event SET position = 100 - position WHERE quote_id = (SELECT quote_id FROM target) AND position IN (6, 7) $$, $$ UPDATE sales_crm.quote_event SET position = position - 87 WHERE position > 50 AND position = 94 $$, $$ UPDATE sales_crm.quote_event SET position = 6 WHERE position = 93 $$),
	'event is not what its hash says', 'reordered events');
SELECT matches(pg_temp.found($$ DELETE FROM sales_crm.quote_event_checkpoint WHERE position = 2 $$), 'checkpoint is not the one that was anchored', 'the last checkpoint gone');
SELECT matches(pg_temp.found($$ DELETE FROM sales_crm.quote_event_checkpoint WHERE position = 1 $$), 'checkpoint does not follow the one before; checkpoints before this one are missing', 'the first one gone');
SELECT matches(pg_temp.found($$ UPDATE sales_crm.quote_event_checkpoint SET heads = heads - 0 WHERE position = 1 $$), 'checkpoint is not what its hash says', 'a head taken out');

SELECT * FROM finish();
ROLLBACK;
