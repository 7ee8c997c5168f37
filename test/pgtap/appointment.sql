-- Promise: appointments keep their time in every zone and on every day of change, know who comes,
-- show conflicts by an index, and leave a history when moved or cancelled; calendars get them in
-- the form of RFC 5545 (parsed back by test/t/010_calendar.pl), by a link whose secret is not kept.
BEGIN;
SELECT plan(42);
SET LOCAL timezone = 'UTC';
UPDATE sales_crm.company SET time_zone = 'Europe/Brussels';
INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com'), ('Sue', NULL);
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Carl', 'carl@acme.example' FROM sales_crm.account;
CREATE FUNCTION pg_temp.member(text) RETURNS bigint LANGUAGE sql AS $$SELECT member_id FROM sales_crm.member WHERE name = $1$$;
CREATE FUNCTION pg_temp.appointment(text) RETURNS bigint LANGUAGE sql AS $$SELECT appointment_id FROM sales_crm.appointment WHERE subject = $1$$;
SELECT set_config('sales_crm.member_id', pg_temp.member('Sam')::text, true) IS NOT NULL AS sam;

INSERT INTO sales_crm.appointment (subject, starts_at) VALUES ('Plain', '2026-07-01 10:00+02');
SELECT results_eq($$SELECT organiser_id, time_zone, ends_at - starts_at, revision FROM sales_crm.appointment$$,
	$$VALUES (pg_temp.member('Sam'), 'Europe/Brussels', interval '1 hour', 0)$$, 'organiser, zone and end fill in themselves');
SELECT results_eq($$SELECT member_id, answer FROM sales_crm.appointment_attendee$$, $$VALUES (pg_temp.member('Sam'), 'accepted')$$, 'the organiser attends');

-- Whole days, the day the clock changes included: it has 23 or 25 hours
INSERT INTO sales_crm.appointment (subject, starts_at, ends_at, all_day, time_zone) VALUES
	('Spring', '2026-03-29 12:00+02', NULL, true, 'Europe/Brussels'),
	('Autumn', '2026-10-25 12:00+01', NULL, true, 'Europe/Brussels'),
	('Fair', '2026-06-01 09:00+02', '2026-06-03 17:00+02', true, 'Europe/Brussels'),
	('Kiritimati', '2026-06-11 12:00+14', NULL, true, 'Pacific/Kiritimati');
SELECT results_eq($$SELECT subject, starts_at, ends_at FROM sales_crm.appointment WHERE all_day ORDER BY subject$$,
	$$VALUES ('Autumn', timestamptz '2026-10-24 22:00+00', timestamptz '2026-10-25 23:00+00'),
		('Fair', '2026-05-31 22:00+00', '2026-06-03 22:00+00'),
		('Kiritimati', '2026-06-10 10:00+00', '2026-06-11 10:00+00'),
		('Spring', '2026-03-28 23:00+00', '2026-03-29 22:00+00')$$, 'whole days are from midnight to midnight of their zone');
UPDATE sales_crm.appointment SET details = 'x' WHERE all_day;
SELECT is(max(revision), 0, 'and stay so when something else changes') FROM sales_crm.appointment WHERE all_day;

-- Moved and cancelled
UPDATE sales_crm.appointment SET starts_at = '2026-07-02 10:00+02', ends_at = '2026-07-02 12:00+02' WHERE subject = 'Plain';
UPDATE sales_crm.appointment SET cancelled_at = now() WHERE subject = 'Plain';
SELECT results_eq($$SELECT field, old, new FROM sales_crm.appointment_change WHERE field <> 'cancelled_at' ORDER BY field DESC$$,
	$$VALUES ('starts_at', '2026-07-01 10:00', '2026-07-02 10:00'), ('ends_at', '2026-07-01 11:00', '2026-07-02 12:00')$$, 'the move is remembered, in the appointment''s zone');
SELECT is(count(*), 1::bigint, 'and the cancellation') FROM sales_crm.appointment_change WHERE field = 'cancelled_at' AND by = pg_temp.member('Sam');
SELECT is(revision, 2, 'each is a revision') FROM sales_crm.appointment WHERE subject = 'Plain';
SELECT is(busy, NULL, 'a cancelled appointment takes nobody''s time') FROM sales_crm.appointment_attendee WHERE appointment_id = pg_temp.appointment('Plain');

-- Errors
SELECT throws_ok($$INSERT INTO sales_crm.appointment (subject, starts_at, ends_at) VALUES ('x', '2026-01-02', '2026-01-01')$$, '23514', NULL, 'end before beginning');
SELECT throws_ok($$INSERT INTO sales_crm.appointment (subject, starts_at, time_zone) VALUES ('x', '2026-01-02', 'Mars/Base')$$, '22023', NULL, 'unknown zone');
SELECT throws_ok($$INSERT INTO sales_crm.appointment (subject, starts_at) VALUES ('x', 'infinity')$$, '23514', NULL, 'infinity');
SELECT throws_ok($$UPDATE sales_crm.appointment SET uid = 'x'$$, '23001', NULL, 'the uid stays');
SELECT throws_ok($$INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id, contact_id) SELECT pg_temp.appointment('Fair'), pg_temp.member('Sue'), contact_id FROM sales_crm.contact$$, '23514', NULL, 'an attendee is one person');
SELECT throws_ok($$INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id) VALUES (pg_temp.appointment('Fair'), pg_temp.member('Sam'))$$, '23505', NULL, 'who attends once');
SELECT throws_ok($$INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id, answer) VALUES (pg_temp.appointment('Fair'), pg_temp.member('Sue'), 'perhaps')$$, '23514', NULL, 'unknown answer');
SELECT throws_ok($$SELECT sales_crm.appointment_ics(0)$$, 'P0002', NULL, 'no appointment, no calendar');

-- Conflicts: overlapping ones of one member, not those that touch, are declined, cancelled or another's
INSERT INTO sales_crm.appointment (subject, starts_at, ends_at, organiser_id) VALUES
	('A', '2026-08-01 10:00', '2026-08-01 11:00', pg_temp.member('Sam')), ('B', '2026-08-01 10:30', '2026-08-01 11:30', pg_temp.member('Sam')),
	('C', '2026-08-01 11:30', '2026-08-01 12:00', pg_temp.member('Sam')), ('D', '2026-08-01 10:30', '2026-08-01 11:30', pg_temp.member('Sue'));
SELECT results_eq($$SELECT subject, other_subject, starts_at, ends_at FROM sales_crm.appointment_conflict ORDER BY subject$$,
	$$VALUES ('A', 'B', timestamptz '2026-08-01 10:30', timestamptz '2026-08-01 11:00'), ('B', 'A', '2026-08-01 10:30', '2026-08-01 11:00')$$, 'A and B share half an hour');
INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id) VALUES (pg_temp.appointment('D'), pg_temp.member('Sam'));
SELECT is(count(*), 6::bigint, 'an invitation conflicts, too') FROM sales_crm.appointment_conflict;
UPDATE sales_crm.appointment_attendee SET answer = 'declined' WHERE appointment_id = pg_temp.appointment('D') AND member_id = pg_temp.member('Sam');
SELECT is(count(*), 2::bigint, 'declined, it does not') FROM sales_crm.appointment_conflict;
SELECT ok(answered_at IS NOT NULL, 'the answer has its time') FROM sales_crm.appointment_attendee WHERE answer = 'declined';
UPDATE sales_crm.appointment SET starts_at = starts_at + interval '2 hours', ends_at = ends_at + interval '2 hours' WHERE subject = 'B';
SELECT is_empty('SELECT FROM sales_crm.appointment_conflict', 'moved, the conflict is gone');
UPDATE sales_crm.appointment SET starts_at = '2026-08-01 10:59:59.999999', ends_at = '2026-08-01 11:10' WHERE subject = 'B';
SELECT is(count(*), 2::bigint, 'a microsecond is a conflict') FROM sales_crm.appointment_conflict;

-- 3,000 appointments of 20 members compared with a plain join, and the index in the plan
INSERT INTO sales_crm.member (name) SELECT 'M' || i FROM generate_series(1, 20) i;
SELECT setseed(0.5);
INSERT INTO sales_crm.appointment (subject, starts_at, ends_at, organiser_id)
SELECT 'bulk', t, t + make_interval(mins => 1 + (random() * 90)::int), pg_temp.member('M' || (1 + i % 20))
FROM (SELECT i, timestamptz '2027-01-01' + random() * interval '100 days' AS t FROM generate_series(1, 3000) i) x;
ANALYZE sales_crm.appointment, sales_crm.appointment_attendee;
SELECT results_eq($$SELECT member_id, appointment_id, other_appointment_id FROM sales_crm.appointment_conflict WHERE subject = 'bulk' ORDER BY 1, 2, 3$$,
	$$SELECT a.organiser_id, a.appointment_id, b.appointment_id FROM sales_crm.appointment a JOIN sales_crm.appointment b
		ON a.organiser_id = b.organiser_id AND a.appointment_id <> b.appointment_id AND a.starts_at < b.ends_at AND b.starts_at < a.ends_at
		WHERE a.subject = 'bulk' AND b.subject = 'bulk' ORDER BY 1, 2, 3$$, 'conflicts are those of a plain join');
CREATE FUNCTION pg_temp.plan(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || sql; END$$;
SELECT ok(bool_or(p ~ 'appointment_attendee_busy_idx'), 'found by the GiST index') FROM pg_temp.plan($$SELECT * FROM sales_crm.appointment_conflict WHERE member_id = pg_temp.member('M3')$$) p;
SELECT is_empty('SELECT FROM sales_crm.verify_appointments()', 'verify_appointments() finds nothing');
ALTER TABLE sales_crm.appointment_attendee DISABLE TRIGGER USER;
UPDATE sales_crm.appointment_attendee SET busy = NULL WHERE appointment_id = pg_temp.appointment('A');
ALTER TABLE sales_crm.appointment_attendee ENABLE TRIGGER USER;
SELECT is(count(*), 1::bigint, 'but what was written without triggers') FROM sales_crm.verify_appointments();

-- iCalendar: escaping, folding, zones
SELECT is(sales_crm.calendar_text(E'a,b;c\\d\ne\r\x01f'), 'a\,b\;c\\d\nef', 'text is escaped');
SELECT is(sales_crm.calendar_parameter(E'Sam "S" ^\n:;'), '"Sam ^''S^'' ^^^n:;"', 'parameters are quoted and encoded');
SELECT is(sales_crm.calendar_fold(repeat('a', 75) || E'\n'), repeat('a', 75) || E'\r\n', '75 octets fit');
SELECT is(sales_crm.calendar_fold(repeat('a', 76) || E'\n'), repeat('a', 75) || E'\r\n a\r\n', '76 are folded');
SELECT ok(max(octet_length(l)) <= 75, 'never more than 75 octets, and never within a character')
FROM regexp_split_to_table(rtrim(sales_crm.calendar_fold(repeat('é€😀', 100) || E'\n'), E'\r\n'), E'\r\n') l;
SELECT is(replace(sales_crm.calendar_fold(repeat('é€😀', 100) || E'\n'), E'\r\n ', ''), repeat('é€😀', 100) || E'\r\n', 'unfolded it is the same');
SELECT is(sales_crm.calendar_time_zone('Europe/Brussels', '2026-01-01', '2026-12-31'),
	E'BEGIN:VTIMEZONE\nTZID:Europe/Brussels\nBEGIN:STANDARD\nDTSTART:20260101T010000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0100\nEND:STANDARD\n'
	'BEGIN:DAYLIGHT\nDTSTART:20260329T020000\nTZOFFSETFROM:+0100\nTZOFFSETTO:+0200\nEND:DAYLIGHT\n'
	'BEGIN:STANDARD\nDTSTART:20261025T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n', 'a year of Brussels');
SELECT is(sales_crm.calendar_time_zone('Asia/Kolkata', '2026-01-01', '2026-12-31'),
	E'BEGIN:VTIMEZONE\nTZID:Asia/Kolkata\nBEGIN:STANDARD\nDTSTART:20260101T053000\nTZOFFSETFROM:+0530\nTZOFFSETTO:+0530\nEND:STANDARD\nEND:VTIMEZONE\n', 'a zone without changes');
SELECT throws_ok($$SELECT sales_crm.calendar_time_zone('Mars/Base', now(), now())$$, '22023', NULL, 'an unknown zone');
SELECT matches(sales_crm.appointment_ics(pg_temp.appointment('Plain')), 'SEQUENCE:2.*STATUS:CANCELLED', 'a cancelled appointment is shown as such');
SELECT matches(sales_crm.appointment_ics(pg_temp.appointment('Fair')), 'DTSTART;VALUE=DATE:20260601.*DTEND;VALUE=DATE:20260604', 'whole days are dates');

-- The secret link
CREATE TEMP TABLE link AS SELECT sales_crm.create_calendar_feed(pg_temp.member('Sam')) AS token;
SELECT ok(token ~ '^[A-Za-z0-9_-]{43}$', 'the token is 32 bytes in base64url') FROM link;
SELECT is(f.token_sha256, sha256(convert_to(l.token, 'UTF8')), 'only its SHA-256 is kept') FROM sales_crm.calendar_feed f, link l;
SELECT matches(sales_crm.calendar_feed_ics(token), '^BEGIN:VCALENDAR', 'the link gives the calendar') FROM link;
UPDATE sales_crm.calendar_feed SET revoked_at = now();
SELECT throws_ok(format('SELECT sales_crm.calendar_feed_ics(%L)', token), 'SC103', NULL, 'revoked, it does not') FROM link;
SELECT throws_ok($$SELECT sales_crm.calendar_feed_ics('')$$, 'SC103', NULL, 'an unknown one neither');

SELECT * FROM finish();
ROLLBACK;
