-- Promise: export_person() finds a person in every table where one may stand; erase_person() leaves
-- no trace of them but what must be kept, and says which and why; totals, hashes and signatures
-- verify as before; retention rules take away what is too old, and no more; access_log remembers.
BEGIN;
SELECT plan(31);
SET client_min_messages = warning;
UPDATE sales_crm.company SET log_access = true, portal_url = 'https://quotes.example', sender_email = 'us@example.com';
INSERT INTO sales_crm.member (name, login, email, is_manager) VALUES ('Sam', current_user, 'sam@us.example', true);
INSERT INTO sales_crm.account (name, kind, email, phone, street) VALUES ('Iris Private', 'person', 'Iris@Example.com', '0123', 'Lane 1'), ('Acme', 'organisation', 'info@acme.example', NULL, NULL);
INSERT INTO sales_crm.contact (account_id, name, email, phone) SELECT account_id, 'Iris Private', 'iris@example.com', '0123' FROM sales_crm.account;
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Other Person', 'other@example.com' FROM sales_crm.account WHERE name = 'Acme';
CREATE TEMP VIEW k AS SELECT contact_id, account_id FROM sales_crm.contact WHERE lower(email) = 'iris@example.com' AND account_id = (SELECT account_id FROM sales_crm.account WHERE name = 'Acme');
INSERT INTO sales_crm.opportunity (name, account_id, contact_id) SELECT 'Deal', account_id, contact_id FROM k;
CREATE TEMP TABLE deal AS SELECT opportunity_id FROM sales_crm.opportunity;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 100 FROM deal;
INSERT INTO sales_crm.note (contact_id, body) SELECT contact_id, 'Iris likes tea' FROM k;
INSERT INTO sales_crm.email (opportunity_id, contact_id, direction, from_address, from_name, subject, body_text) SELECT opportunity_id, contact_id, 'incoming', 'IRIS@example.com', 'Iris Private', 'From Iris', 'Iris writes' FROM deal, k;
INSERT INTO sales_crm.email (opportunity_id, direction, to_addresses, subject) SELECT opportunity_id, 'outgoing', '{other@example.com,iris@example.com}', 'To Iris' FROM deal;
INSERT INTO sales_crm.email (opportunity_id, direction, from_address, subject) SELECT opportunity_id, 'incoming', 'other@example.com', 'Of somebody else' FROM deal;
INSERT INTO sales_crm.attachment (email_id, file_name, content) SELECT email_id, 'iris.txt', 'Iris file' FROM sales_crm.email WHERE subject = 'From Iris';
INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at) SELECT opportunity_id, 'Visit', now() FROM deal;
INSERT INTO sales_crm.appointment_attendee (appointment_id, contact_id) SELECT appointment_id, contact_id FROM sales_crm.appointment, k;

-- A quote, sent and signed
CREATE TEMP TABLE q AS SELECT sales_crm.create_quote(opportunity_id) AS quote_id FROM deal;
CREATE TEMP TABLE sent AS SELECT s.token FROM q, sales_crm.send_quote(quote_id => q.quote_id, channel => 'link') s;
SELECT is((SELECT s.status FROM sent, q JOIN sales_crm.quote u USING (quote_id), LATERAL sales_crm.sign_quote(token => sent.token, snapshot_sha256 => u.snapshot_sha256,
	signer_name => 'Iris Private', signer_email => 'iris@example.com', signature_png => NULL, ip => '192.0.2.1', user_agent => 'x', request_key => 'r1', consent_text => 'I agree') s), 'signed', 'the quote is signed');

CREATE TEMP TABLE export AS SELECT sales_crm.export_person(' Iris@Example.COM ') AS held;
SELECT bag_eq($$SELECT jsonb_object_keys(held -> 'held') FROM export$$,
	array['account', 'contact', 'email', 'note', 'attachment', 'appointment_attendee', 'quote', 'quote_line', 'quote_link', 'quote_event', 'signature',
		'opportunity', 'message', 'message_body', 'notification'], 'all places are found');
SELECT is((SELECT jsonb_array_length(held #> '{held,contact}') FROM export), 2, 'both contacts');
SELECT cmp_ok((SELECT jsonb_array_length(held #> '{held,email}') FROM export), '>=', 2, 'e-mails from and to her');
SELECT unalike((SELECT held::text FROM export), '%token_sha256%', 'without secrets');
SELECT unalike((SELECT held::text FROM export), '%Of somebody else%', 'and without others');
SELECT is(sales_crm.export_person('nobody@example.com') -> 'held', '{}'::jsonb, 'of a stranger nothing is held');

-- Before and after
CREATE TEMP TABLE before AS SELECT (SELECT sum(amount) FROM sales_crm.opportunity) AS amount, (SELECT count(*) FROM sales_crm.opportunity) AS deals,
	(SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM sales_crm.forecast f) AS forecast, (SELECT md5(u.snapshot::text || u.snapshot_sha256::text || u.html) FROM sales_crm.quote u) AS quote,
	(SELECT md5(string_agg(s::text, '')) FROM sales_crm.signature s) AS signature, (SELECT md5(string_agg(e::text, '' ORDER BY quote_event_id)) FROM sales_crm.quote_event e) AS events;
CREATE TEMP TABLE answer AS SELECT sales_crm.erase_person('iris@example.com') AS said;
SELECT is((SELECT said #- '{erased,email}' -> 'erased' FROM answer), '{"account": 1, "contact": 2, "note": 1, "attachment": 1, "appointment_attendee": 1, "message": 2, "message_body": 2, "notification": 1}'::jsonb, 'what is erased');
SELECT bag_eq($$SELECT x ->> 'relation' FROM answer, jsonb_array_elements(said -> 'kept') x$$, array['opportunity', 'attachment', 'quote', 'quote_line', 'quote_link', 'quote_event', 'signature'], 'what is kept');
SELECT ok(bool_and(length(x ->> 'why') > 10), 'and why') FROM answer, jsonb_array_elements(said -> 'kept') x;
SELECT is_empty($$SELECT contact_id FROM sales_crm.contact WHERE name LIKE 'Iris%' OR lower(email) = 'iris@example.com' OR phone = '0123'$$, 'no contact is left');
SELECT is_empty($$SELECT account_id FROM sales_crm.account WHERE name LIKE 'Iris%' OR email ILIKE 'iris%' OR street IS NOT NULL$$, 'no account of a person');
SELECT is((SELECT count(*) FROM sales_crm.account WHERE name = 'Acme' AND email = 'info@acme.example'), 1::bigint, 'the organisation stays');
SELECT is_empty($$SELECT email_id FROM sales_crm.email x WHERE x::text ILIKE '%iris%'$$, 'no e-mail');
SELECT is((SELECT count(*) FROM sales_crm.email WHERE subject = 'Of somebody else' AND from_address = 'other@example.com'), 1::bigint, 'those of others stay');
SELECT is_empty($$SELECT note_id FROM sales_crm.note WHERE body LIKE '%Iris%'$$, 'no note');
SELECT is_empty($$SELECT attachment_id FROM sales_crm.attachment WHERE file_name = 'iris.txt'$$, 'no file');
SELECT is_empty($$SELECT sha256 FROM sales_crm.attachment_content WHERE content = 'Iris file'$$, 'nor its content');
SELECT is_empty($$SELECT * FROM sales_crm.search('iris') WHERE kind <> 'opportunity'$$, 'search() finds nobody');
SELECT results_eq($$SELECT (SELECT sum(amount) FROM sales_crm.opportunity), (SELECT count(*) FROM sales_crm.opportunity), (SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM sales_crm.forecast f),
	(SELECT md5(u.snapshot::text || u.snapshot_sha256::text || u.html) FROM sales_crm.quote u), (SELECT md5(string_agg(s::text, '')) FROM sales_crm.signature s),
	(SELECT md5(string_agg(e::text, '' ORDER BY quote_event_id)) FROM sales_crm.quote_event e)$$, 'TABLE before', 'totals, forecast, quote, signature and events are as they were');
SELECT is_empty('SELECT * FROM sales_crm.verify_quote_events()', 'the chain verifies');
SELECT is_empty('SELECT * FROM sales_crm.verify_quotes()', 'so do the quotes');
SELECT is_empty('SELECT * FROM sales_crm.verify_attachments()', 'and the files');
SELECT is((SELECT count(*) FROM sales_crm.quote_link WHERE revoked_at IS NULL), 0::bigint, 'her links are revoked');

-- Log
SELECT sales_crm.download_attachment(attachment_id) IS NOT NULL FROM sales_crm.attachment LIMIT 1 \g /dev/null
SELECT bag_eq('SELECT DISTINCT what FROM sales_crm.access_log', array['export_person', 'erase_person', 'download_attachment'], 'access_log has it');
UPDATE sales_crm.company SET log_access = false;
SELECT sales_crm.export_person('x@example.com') \g /dev/null
SELECT is((SELECT count(*) FROM sales_crm.access_log WHERE what = 'export_person'), 2::bigint, 'only while it is switched on');

-- Retention
INSERT INTO sales_crm.email (opportunity_id, direction, subject, sent_at) SELECT opportunity_id, 'incoming', 'old, open', now() - interval '400 days' FROM deal;
INSERT INTO sales_crm.email (account_id, direction, subject, sent_at) SELECT account_id, 'incoming', 'old', now() - interval '400 days' FROM sales_crm.account;
INSERT INTO sales_crm.contact (account_id, name, email, created_at) SELECT account_id, 'Old Contact', 'old@example.com', now() - interval '400 days' FROM sales_crm.account WHERE name = 'Acme';
SELECT is(sales_crm.apply_retention(), 0::bigint, 'nothing goes unless it is asked for');
UPDATE sales_crm.retention_rule SET keep_days = 365, applied_at = NULL;
SELECT is(sales_crm.apply_retention(), 3::bigint, 'what is too old goes');
SELECT is((SELECT count(*) FROM sales_crm.email WHERE subject = 'old, open'), 1::bigint, 'e-mails of a sale in progress stay');
SELECT is((SELECT count(*) FROM sales_crm.contact WHERE name = 'Old Contact'), 0::bigint, 'a contact with whom nothing has happened is overwritten');
SELECT is((SELECT count(*) FROM sales_crm.contact WHERE name = 'Other Person'), 1::bigint, 'a recent one is not');
SELECT * FROM finish();
ROLLBACK;
