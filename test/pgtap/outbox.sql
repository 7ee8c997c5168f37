-- Promise: what must leave the database is queued once, in the language and the order it belongs to,
-- with nothing smuggled into a header; whoever claims it last may complete it, and nobody else;
-- failures are tried again, given up and revived; webhooks that fail are paused, then disabled;
-- e-mails wait for their PDF; verify_outbox() sees what does not fit.
BEGIN;
SELECT plan(83);
CREATE FUNCTION pg_temp.claim(kinds text[] DEFAULT '{pdf,email,webhook}', most integer DEFAULT 100)
RETURNS TABLE (message_id bigint, fence bigint, event text, recipient text, payload jsonb) LANGUAGE sql AS $$
	SELECT c.message_id, c.fence, c.event, c.recipient, c.payload FROM sales_crm.claim_messages('test', most, kinds => kinds) c
$$;
-- finish(): all that is in flight is delivered
CREATE FUNCTION pg_temp.finish() RETURNS bigint LANGUAGE sql AS $$
	SELECT count(*) FROM (SELECT sales_crm.complete_message(m.message_id, m.fence, '250 ok') FROM sales_crm.message m WHERE m.claimed_by IS NOT NULL) x
$$;
CREATE FUNCTION pg_temp.again(text) RETURNS void LANGUAGE sql AS $$UPDATE sales_crm.message SET available_at = now(), claimed_by = NULL WHERE kind = $1 AND waits_for IS NULL$$;

UPDATE sales_crm.company SET name = 'Lumen', sender_email = 'sales@lumen.example', bounce_email = 'bounce+%@lumen.example', portal_url = 'https://quotes.lumen.example';
INSERT INTO sales_crm.member (name, email, locale, is_manager) VALUES (E'Ann\nOwner', 'ann@lumen.example', 'fr', true), ('Sam', NULL, NULL, false);
INSERT INTO sales_crm.account (name) VALUES ('Bolt');
INSERT INTO sales_crm.contact (account_id, name, email, locale) SELECT account_id, 'Bea', 'bea@bolt.example', 'nl' FROM sales_crm.account;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, contact_id) SELECT E'Lights & more\r\nBcc: x@y.example', k.account_id, m.member_id, k.contact_id
FROM sales_crm.contact k, sales_crm.member m WHERE m.email IS NOT NULL;
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT opportunity_id, 'Lamp', 2, 100 FROM sales_crm.opportunity;
CREATE TEMP TABLE q AS SELECT sales_crm.create_quote(opportunity_id) AS quote_id, opportunity_id FROM sales_crm.opportunity;

-- Texts: every event in every language, filled in without a rest
SELECT is((SELECT count(*) FROM sales_crm.email_template), (SELECT 4 * count(DISTINCT event) FROM sales_crm.email_template), 'every template in four languages');
SELECT is_empty($$
	SELECT t.event, t.locale FROM sales_crm.email_template t, sales_crm.preview_email(t.event, (SELECT quote_id FROM q), locale => t.locale,
		data => '{"code":"123456","name":"Bea","note":"Cheaper","task":{"subject":"Call"},"appointment":{"subject":"Visit"},"notification":{"subject":"News"},"webhook":{"name":"h","url":"u","reason":"r"},"link":"https://x"}') p
	WHERE p.subject IS NULL OR p.body IS NULL OR p.subject || p.body ~ '\{\{|\}\}' OR p.subject ~ '[[:cntrl:]]'
$$, 'and each can be filled in, with its subject on one line');
SELECT matches((SELECT body FROM sales_crm.preview_email('quote.sent', (SELECT quote_id FROM q))), '\{\{link\}\}', 'a preview leaves the link to be put in');

-- Nothing is smuggled in
SELECT throws_ok(format('SELECT sales_crm.queue_email(%L, %L)', 'notification', a), '22023', NULL, format('address %s', to_json(a)))
FROM unnest(array[E'a@b.example\nBcc: c@d.example', E'a@b.example\r', 'a@b.example, c@d.example', 'Bea <a@b.example>', 'a b@c.example', 'a@', E'a\u0085@b.example', 'a@b@c.example']) a;
SELECT throws_ok($$SELECT sales_crm.queue_email('notification', 'a@b.example', E'Bea\r\nBcc: c@d.example')$$, '22023', NULL, 'a name with a line break');
SELECT throws_ok($$SELECT sales_crm.queue_email('notification', 'a@b.example', subject => E'Hello\nBcc: c@d.example', body => 'x')$$, '22023', NULL, 'a subject with a line break');
SELECT throws_ok($$SELECT sales_crm.queue_email('notification', 'a@b.example', reply_to => E'a@b.example\nBcc: c@d.example')$$, '22023', NULL, 'an address for replies with a line break');
SELECT is((SELECT count(*) FROM sales_crm.message_body), 0::bigint, 'nothing was queued by any of these');

-- A quote by e-mail, with its PDF
UPDATE sales_crm.quote_template SET attach_pdf = true;
INSERT INTO sales_crm.webhook (name, url, events) VALUES ('all', 'https://hook.example/all', '{}'), ('signed only', 'https://hook.example/signed', '{quote.signed}');
CREATE TEMP TABLE sent AS SELECT s.* FROM q, sales_crm.send_quote(q.quote_id, 'email') s;
SELECT results_eq('SELECT kind, event, recipient FROM sales_crm.message_body ORDER BY message_id',
	$$VALUES ('pdf', 'quote.pdf', (SELECT number || ' quote' FROM sales_crm.quote)), ('webhook', 'quote.sent', 'https://hook.example/all'), ('email', 'quote.sent', 'bea@bolt.example')$$,
	'sending queues the PDF, the webhooks that want it, the e-mail');
SELECT is_empty('SELECT * FROM pg_temp.claim()', 'nothing is claimed before activate_sending()');
SELECT is(sales_crm.activate_sending(), 0::bigint, 'the first activation gives nothing up');
SELECT is(sales_crm.sending_active(), true, 'this database may send');
SELECT results_eq('SELECT event FROM pg_temp.claim()', $$VALUES ('quote.pdf'), ('quote.sent')$$, 'the e-mail waits for its PDF');
SELECT throws_ok($$SELECT sales_crm.store_pdf(message_id, fence, 'no pdf') FROM sales_crm.message WHERE kind = 'pdf'$$, '22023', NULL, 'what is no PDF is refused');
SELECT throws_ok($$SELECT sales_crm.store_pdf(message_id, fence + 1, '%PDF-1') FROM sales_crm.message WHERE kind = 'pdf'$$, 'SC301', NULL, 'another fence is refused');
SELECT is(sales_crm.store_pdf(message_id, fence, '%PDF-1 x', 'unsealed'), 'retry', 'an unsealed one is kept and tried again') FROM sales_crm.message WHERE kind = 'pdf';
SELECT is((SELECT sealed FROM sales_crm.quote_document), 'unsealed', 'and says so');
SELECT pg_temp.again('pdf');
SELECT results_eq($$SELECT event FROM pg_temp.claim('{pdf}')$$, $$VALUES ('quote.pdf')$$, 'again');
SELECT is(sales_crm.store_pdf(message_id, fence, '%PDF-1 sealed', 'Lumen'), 'done', 'sealed it is done') FROM sales_crm.message WHERE kind = 'pdf';
SELECT results_eq('SELECT sealed, file_name FROM sales_crm.quote_document JOIN sales_crm.attachment USING (attachment_id)', $$SELECT 'Lumen', number || '.pdf' FROM sales_crm.quote$$, 'one document is left');
SELECT is((SELECT count(*) FROM sales_crm.attachment), 1::bigint, 'and one attachment');
CREATE TEMP TABLE mail AS SELECT * FROM pg_temp.claim('{email}');
SELECT is((SELECT convert_from(sales_crm.message_attachment(m.message_id, m.fence, (m.payload #>> '{attachments,0,attachment_id}')::bigint), 'UTF8') FROM mail m), '%PDF-1 sealed', 'the e-mail carries it');
SELECT throws_ok($$SELECT sales_crm.message_attachment(m.message_id, m.fence, 0) FROM mail m$$, 'SC301', NULL, 'and no other file');
SELECT matches((SELECT payload ->> 'text' FROM mail), (SELECT link FROM sent), 'its text has the link');
SELECT is((SELECT payload ->> 'subject' FROM mail), (SELECT format('Offerte %s van Lumen', number) FROM sales_crm.quote), 'in the language of the quote, which is the contact''s');
SELECT matches((SELECT payload ->> 'envelope_from' FROM mail), '^bounce\+[0-9]+\.[0-9a-f]{16}@lumen\.example$', 'it comes back to an address of its own');
SELECT is((SELECT payload ->> 'reply_to' FROM mail), 'ann@lumen.example', 'answers go to the seller');
SELECT results_eq('SELECT state, body_text ~ (SELECT token FROM sent), body_text ~ (SELECT right(token, 4) FROM sent) FROM sales_crm.email',
	$$VALUES ('queued', false, true)$$, 'the opportunity shows it, without the secret of the link');
SELECT is(pg_temp.finish(), 2::bigint, 'both are delivered');
SELECT is((SELECT state FROM sales_crm.email), 'sent', 'which the opportunity shows');
SELECT is((SELECT count(*) FROM sales_crm.message_body WHERE payload ?| '{text,html,body}' AND message_id NOT IN (SELECT message_id FROM sales_crm.message)), 0::bigint, 'texts of delivered messages are not kept twice');

-- What happens to the quote
SELECT sales_crm.queue_event('quote.change_requested', quote_id, '{"name": "Bea", "note": "Cheaper <please>"}') FROM q;
SELECT sales_crm.queue_event('quote.change_requested', quote_id, '{"name": "Bea", "note": "again"}') FROM q;
SELECT results_eq($$SELECT recipient, payload ->> 'subject', payload ->> 'text' ~ 'Cheaper <please>', payload ->> 'html' ~ 'Cheaper &lt;please&gt;', payload ->> 'auto_submitted', payload ->> 'to_name' FROM pg_temp.claim('{email}')$$,
	$$SELECT 'ann@lumen.example', format('Modification demandée : %s, Bolt', number), true, true, 'true', 'Ann Owner' FROM sales_crm.quote$$,
	'the owner is told once, in their language, names on one line');
SELECT results_eq($$SELECT payload ->> 'url', (payload ->> 'body')::json ->> 'type', (payload ->> 'body')::json #>> '{data,note}' FROM pg_temp.claim('{webhook}')$$,
	$$VALUES ('https://hook.example/all', 'quote.change_requested', 'Cheaper <please>')$$, 'webhooks of a quote come one after the other');
SELECT is(pg_temp.finish(), 2::bigint, 'delivered');
SELECT results_eq($$SELECT (payload ->> 'body')::json #>> '{data,note}' FROM pg_temp.claim('{webhook}')$$, $$VALUES ('again')$$, 'the next one is at once available');
SELECT is(pg_temp.finish(), 1::bigint, 'delivered, too');

-- Fences and leases
SELECT sales_crm.queue_email('notification', 'x@y.example', data => '{"notification":{"subject":"One"}}', dedup_key => 'one') AS one \gset
SELECT is(sales_crm.queue_email('notification', 'x@y.example', dedup_key => 'one'), NULL, 'queued once');
CREATE TEMP TABLE first_claim AS SELECT * FROM pg_temp.claim('{email}');
UPDATE sales_crm.message SET available_at = clock_timestamp() WHERE message_id = :one;
SELECT results_eq($$SELECT fence FROM pg_temp.claim('{email}')$$, $$SELECT fence + 1 FROM first_claim$$, 'a lease that ended: claimed again, with another fence');
SELECT throws_ok(format('SELECT %s(%s, 1)', f, :one), 'SC301', NULL, format('the first fence may not %s', f))
FROM unnest(array['sales_crm.complete_message', 'sales_crm.extend_lease']) f;
SELECT throws_ok(format('SELECT sales_crm.fail_message(%s, 1, ''x'')', :one), 'SC301', NULL, 'nor fail it');
SELECT results_eq(format('SELECT sales_crm.complete_messages(array[%s], array[1])', :one), format('VALUES (%s::bigint)', :one), 'complete_messages() returns it as lost');
SELECT is((SELECT outcome FROM sales_crm.message_attempt WHERE message_id = :one), 'lease lost', 'which is written down');
SELECT cmp_ok(sales_crm.extend_lease(:one, 2, '1 hour'), '>', clock_timestamp() + interval '59 minutes', 'the second may extend it');
SELECT is(sales_crm.fail_message(:one, 2, '421 later'), 'retry', 'or fail it: it is tried again');
SELECT is((SELECT format('%s %s', available_at - clock_timestamp() BETWEEN interval '20 seconds' AND interval '70 seconds', claimed_by) FROM sales_crm.message WHERE message_id = :one), 't ', 'after 45 seconds, more or less');
SELECT pg_temp.again('email');
SELECT ok((SELECT count(*) FROM pg_temp.claim('{email}')) = 1 AND sales_crm.fail_message(:one, 3, 'slow down', retry_after => '2 hours') = 'retry', 'the other side may ask for a pause');
SELECT ok(available_at > clock_timestamp() + interval '119 minutes', 'and gets it') FROM sales_crm.message WHERE message_id = :one;
SELECT pg_temp.again('email');
SELECT ok((SELECT count(*) FROM pg_temp.claim('{email}')) = 1 AND sales_crm.fail_message(:one, 4, '550 no such user', false) = 'dead', 'what is final is given up');
SELECT results_eq('SELECT message_id, reason FROM sales_crm.message_dead', format($$VALUES (%s::bigint, '550 no such user')$$, :one), 'with the reason');
SELECT is(sales_crm.redrive_messages(kind => 'email', event => 'notification'), 1::bigint, 'and revived');
SELECT results_eq($$SELECT fence FROM pg_temp.claim('{email}')$$, 'VALUES (5::bigint)', 'with a fence that goes on');
SELECT is(pg_temp.finish(), 1::bigint, 'delivered at last');

-- Too late, and order
SELECT sales_crm.queue_email('quote.code', 'x@y.example', data => '{"code":"123456"}', expires_at => now() - interval '1 second') AS late \gset
SELECT is_empty($$SELECT * FROM pg_temp.claim('{email}')$$, 'what has expired is not delivered');
SELECT matches((SELECT reason FROM sales_crm.message_dead WHERE message_id = :late), 'expired', 'but given up');
SELECT sales_crm.queue_message('email', 'notification', jsonb_build_object('n', n), order_key => 'k') FROM generate_series(1, 3) n;
SELECT results_eq($$SELECT payload ->> 'n' FROM pg_temp.claim('{email}')$$, $$VALUES ('1')$$, 'one order, one at a time');
SELECT sales_crm.fail_message(message_id, fence, 'final', false) FROM sales_crm.message WHERE claimed_by IS NOT NULL;
SELECT results_eq($$SELECT payload ->> 'n' FROM pg_temp.claim('{email}')$$, $$VALUES ('2')$$, 'what is given up makes way');
SELECT pg_temp.finish();
SELECT results_eq($$SELECT payload ->> 'n' FROM pg_temp.claim('{email}')$$, $$VALUES ('3')$$, 'then the last');
SELECT pg_temp.finish();
SELECT sales_crm.queue_message('email', 'notification', '{}') FROM generate_series(1, 10);
SELECT sales_crm.queue_message('webhook', 'webhook.test', '{"body": "{}"}', webhook_id => (SELECT webhook_id FROM sales_crm.webhook WHERE name = 'all'));
SELECT set_eq($$SELECT event, count(*) FROM pg_temp.claim(most => 6) GROUP BY event$$, $$VALUES ('notification', 3::bigint), ('webhook.test', 1::bigint)$$, 'no kind at the cost of another');
SELECT pg_temp.finish();

-- Bounces
SELECT is(sales_crm.record_bounce('bounce+1.0123456789abcdef@lumen.example', status => '5.1.1'), NULL, 'a bounce of nothing that was sent');
SELECT is(sales_crm.record_bounce((SELECT payload ->> 'envelope_from' FROM mail), 'bea@bolt.example', '4.2.1', 'busy'), (SELECT message_id FROM mail), 'one that may pass');
SELECT results_eq('SELECT state, (SELECT count(*) FROM sales_crm.suppressed_address) FROM sales_crm.email', $$VALUES ('sent', 0::bigint)$$, 'suppresses nothing');
SELECT is(sales_crm.record_bounce(upper((SELECT payload ->> 'message_id' FROM mail)), 'other@bolt.example', '5.1.1', 'no such user'), (SELECT message_id FROM mail), 'one that will not');
SELECT results_eq('SELECT state, (SELECT address FROM sales_crm.suppressed_address) FROM sales_crm.email', $$VALUES ('bounced', 'bea@bolt.example')$$, 'marks the e-mail and the address that it was sent to');
SELECT is(sales_crm.queue_email('notification', 'BEA@bolt.example'), NULL, 'which gets no more');

-- Reminders, and what is old
INSERT INTO sales_crm.task (subject, assignee_id, remind_at) SELECT 'Call', member_id, now() FROM sales_crm.member WHERE email IS NOT NULL;
INSERT INTO sales_crm.appointment (subject, organiser_id, starts_at, remind_minutes) SELECT 'Visit', member_id, now() + interval '10 minutes', 15 FROM sales_crm.member WHERE email IS NOT NULL;
INSERT INTO sales_crm.appointment (subject, organiser_id, starts_at, remind_minutes) SELECT 'Later', member_id, now() + interval '16 minutes', 15 FROM sales_crm.member WHERE email IS NOT NULL;
SELECT is(sales_crm.remind_members(), 2::bigint, 'a task and an appointment are due');
SELECT is(sales_crm.remind_members(), 0::bigint, 'once');
SELECT results_eq($$SELECT event, recipient, payload ->> 'subject' FROM pg_temp.claim('{email}') WHERE event ~ 'reminder' ORDER BY event$$,
	$$VALUES ('appointment.reminder', 'ann@lumen.example', 'Bientôt : Visit'), ('task.reminder', 'ann@lumen.example', 'Rappel : Call')$$, 'and told by e-mail');
SELECT is(count(*), 2::bigint, 'and in the database') FROM sales_crm.notification WHERE event ~ 'reminder';
SELECT pg_temp.finish();
UPDATE sales_crm.message_done SET finished_at = now() - interval '91 days' WHERE message_id = (SELECT message_id FROM mail);
SELECT is(sales_crm.prune_messages(), 1::bigint, 'what is old goes');
SELECT is_empty('SELECT FROM sales_crm.message_body JOIN mail USING (message_id)', 'with its body');
SELECT sales_crm.bury_message(sales_crm.queue_message('email', 'notification', '{}', 'late@y.example'), 'test') AS discarded \gset
SELECT is(sales_crm.discard_messages(array[:discarded]), 1::bigint, 'a dead message can be discarded');
UPDATE sales_crm.message_body SET created_at = now() - interval '91 days';
SELECT is(sales_crm.prune_messages(), 0::bigint, 'it is looked for when those before it are gone');
UPDATE sales_crm.message_done SET finished_at = now() - interval '91 days';
UPDATE sales_crm.message_dead SET died_at = now() - interval '91 days';
SELECT sales_crm.prune_messages();
SELECT is_empty('SELECT message_id FROM sales_crm.message_body EXCEPT SELECT message_id FROM sales_crm.message', 'then what is left of it goes, too');
INSERT INTO sales_crm.message_body (message_id, kind, event, payload) SELECT message_id, 'email', 'quote.sent', '{}' FROM mail;

SELECT is_empty('SELECT * FROM sales_crm.verify_outbox()', 'all of it verifies');
DELETE FROM sales_crm.message;
INSERT INTO sales_crm.message (message_id, kind, available_at) SELECT message_id, 'pdf', 'infinity' FROM mail;
SELECT is((SELECT count(*) FROM sales_crm.verify_outbox()), 2::bigint, 'and what does not is seen');
SELECT * FROM finish();
ROLLBACK;
