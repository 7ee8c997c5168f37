-- Promise: an e-mail finds the opportunity it is about, by its thread, then by its address where
-- that is clear; else it waits. The same message is filed once.
BEGIN;
SELECT plan(30);
INSERT INTO sales_crm.account (name, email) VALUES ('Acme', 'office@acme.example'), ('Bolt', NULL);
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Carl', 'Carl@Acme.example' FROM sales_crm.account WHERE name = 'Acme';
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Bea', 'bea@bolt.example' FROM sales_crm.account WHERE name = 'Bolt';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Acme one', account_id FROM sales_crm.account WHERE name = 'Acme';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT v, account_id FROM sales_crm.account, (VALUES ('Bolt one'), ('Bolt two')) x (v) WHERE name = 'Bolt';
CREATE FUNCTION pg_temp.opportunity(text) RETURNS bigint LANGUAGE sql AS $$SELECT opportunity_id FROM sales_crm.opportunity WHERE name = $1$$;
CREATE FUNCTION pg_temp.place(id text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(', ', o.name, a.name, k.name) FROM sales_crm.email e
	LEFT JOIN sales_crm.opportunity o ON o.opportunity_id = e.opportunity_id LEFT JOIN sales_crm.account a ON a.account_id = e.account_id LEFT JOIN sales_crm.contact k ON k.contact_id = e.contact_id
	WHERE e.message_id = $1
$$;
PREPARE mail(text, text, text) AS SELECT is_new FROM sales_crm.record_email(from_address => $1, message_id => $2, in_reply_to => $3, subject => 'Hello');

SELECT results_eq($$EXECUTE mail('carl@ACME.example', 'm1', NULL)$$, 'VALUES (true)', 'a new message');
SELECT is(pg_temp.place('m1'), 'Acme one, Acme, Carl', 'by address: the contact''s only open opportunity');
SELECT results_eq($$EXECUTE mail('carl@ACME.example', 'm1', NULL)$$, 'VALUES (false)', 'the same again is not filed again');
SELECT is(count(*), 1::bigint, 'there is one') FROM sales_crm.email;
SELECT results_eq($$EXECUTE mail('office@acme.example', 'm2', NULL)$$, 'VALUES (true)', 'from the account itself');
SELECT is(pg_temp.place('m2'), 'Acme one, Acme', 'by the address of the account');
SELECT results_eq($$EXECUTE mail('bea@bolt.example', 'm3', NULL)$$, 'VALUES (true)', 'with two open opportunities');
SELECT is(pg_temp.place('m3'), 'Bolt, Bea', 'a person decides');
SELECT results_eq($$EXECUTE mail('who@else.example', 'm4', NULL)$$, 'VALUES (true)', 'from a stranger');
SELECT results_eq('SELECT from_address, account FROM sales_crm.unmatched_email ORDER BY email_id', $$VALUES ('bea@bolt.example', 'Bolt'), ('who@else.example', NULL)$$, 'both wait in unmatched_email');
UPDATE sales_crm.email SET opportunity_id = pg_temp.opportunity('Bolt two') WHERE message_id = 'm3';
SELECT is(count(*), 1::bigint, 'filed by hand, it waits no longer') FROM sales_crm.unmatched_email;
SELECT results_eq($$EXECUTE mail('other@bolt.example', 'm5', 'm3')$$, 'VALUES (true)', 'an answer from an unknown address');
SELECT is(pg_temp.place('m5'), 'Bolt two, Bolt', 'goes where its thread is');
SELECT is(count(DISTINCT thread_id), 1::bigint, 'and is of the thread') FROM sales_crm.email WHERE message_id IN ('m3', 'm5');
UPDATE sales_crm.email SET set_aside = true WHERE message_id = 'm4';
SELECT is_empty('SELECT FROM sales_crm.unmatched_email', 'what belongs nowhere is set aside');
UPDATE sales_crm.opportunity SET contact_id = (SELECT contact_id FROM sales_crm.contact WHERE name = 'Bea') WHERE name = 'Bolt one';
SELECT results_eq($$EXECUTE mail('bea@bolt.example', 'm6', NULL)$$, 'VALUES (true)', 'with an opportunity of the contact''s own');
SELECT is(pg_temp.place('m6'), 'Bolt one, Bolt, Bea', 'it is that one');
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won') WHERE name = 'Acme one';
SELECT results_eq($$EXECUTE mail('carl@acme.example', 'm7', NULL)$$, 'VALUES (true)', 'without an open opportunity');
SELECT is(pg_temp.place('m7'), 'Acme, Carl', 'the account, and it waits');
SELECT lives_ok($$SELECT sales_crm.record_email(direction => 'outgoing', to_addresses => '{x@y.example,bea@bolt.example}', subject => 'Offer', message_id => 'm8')$$, 'an outgoing one');
SELECT is(pg_temp.place('m8'), 'Bolt one, Bolt, Bea', 'is matched by who gets it');

-- What is left out fills in
WITH o AS (INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Bolt three', account_id FROM sales_crm.account WHERE name = 'Bolt' RETURNING opportunity_id)
INSERT INTO sales_crm.email (opportunity_id, direction, message_id) SELECT opportunity_id, 'incoming', 'm9' FROM o;
SELECT is(pg_temp.place('m9'), 'Bolt three, Bolt', 'the account, of an opportunity of the same statement');
SELECT results_eq($$SELECT thread_id = email_id, created_by FROM sales_crm.email WHERE message_id = 'm9'$$, 'VALUES (true, sales_crm.current_member())', 'a thread of its own');
UPDATE sales_crm.email SET opportunity_id = pg_temp.opportunity('Acme one'), account_id = NULL WHERE message_id = 'm9';
SELECT is(pg_temp.place('m9'), 'Acme one, Acme', 'where it goes, the account is another one');
UPDATE sales_crm.email SET thread_id = NULL, opportunity_id = NULL, account_id = NULL WHERE message_id = 'm9';
SELECT results_eq($$SELECT thread_id, opportunity_id, account_id FROM sales_crm.email WHERE message_id = 'm9'$$, 'VALUES (NULL::bigint, NULL::bigint, NULL::bigint)', 'what is taken away stays away');
INSERT INTO sales_crm.member (name) VALUES ('Sam');
INSERT INTO sales_crm.email (direction, message_id, created_by, thread_id) SELECT 'incoming', 'm10', m.member_id, e.email_id FROM sales_crm.member m, sales_crm.email e WHERE m.name = 'Sam' AND e.message_id = 'm1';
SELECT set_config('sales_crm.member_id', (SELECT member_id::text FROM sales_crm.member WHERE name = 'Sam'), true) \g /dev/null
INSERT INTO sales_crm.email (direction, message_id) VALUES ('incoming', 'm11');
SELECT set_config('sales_crm.member_id', '', true) \g /dev/null
SELECT results_eq($$SELECT m.name, t.message_id FROM sales_crm.email e LEFT JOIN sales_crm.member m ON m.member_id = e.created_by JOIN sales_crm.email t ON t.email_id = e.thread_id WHERE e.message_id IN ('m10', 'm11') ORDER BY e.email_id$$,
	$$VALUES ('Sam', 'm1'), ('Sam', 'm11')$$, 'what is given is kept; else it is the member who files it');
DELETE FROM sales_crm.email WHERE message_id IN ('m9', 'm10', 'm11');
DELETE FROM sales_crm.opportunity WHERE name = 'Bolt three';

-- Attachments go with their e-mail, and do not stop it
SELECT sales_crm.add_email_attachment((SELECT email_id FROM sales_crm.email WHERE message_id = 'm7'), E'..\\dir/a\nb.pdf', 'image/png', '%PDF-1') IS NOT NULL AS added;
SELECT results_eq($$SELECT file_name, media_type FROM sales_crm.attachment$$, $$VALUES ('ab.pdf', 'application/pdf')$$, 'name and type are made safe');
UPDATE sales_crm.email SET opportunity_id = pg_temp.opportunity('Acme one') WHERE message_id = 'm7';
SELECT is(opportunity_id, pg_temp.opportunity('Acme one'), 'moved with the e-mail') FROM sales_crm.attachment;
UPDATE sales_crm.company SET attachment_max_bytes = 3;
SELECT is(sales_crm.add_email_attachment((SELECT email_id FROM sales_crm.email WHERE message_id = 'm7'), 'big', NULL, '12345'), NULL, 'one that is too large is left out');
SELECT matches(problem, '5 bytes was left out', 'and that is said') FROM sales_crm.email WHERE message_id = 'm7';

SELECT * FROM finish();
ROLLBACK;
