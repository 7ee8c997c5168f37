-- Promise: what happens to a quote is left to its seller in their language and leaves the database once,
-- whoever asks and whatever was switched on or off before in the same session; a PDF is asked for once
-- as long as it is not there; what is queued with the same dedup_key is not queued again. None of it
-- reads a whole table of messages.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(69);

INSERT INTO sales_crm.member (name, email, locale) VALUES ('Sam', 'sam@example.com', NULL), ('Fien', 'fien@example.com', 'nl_BE'), ('Mute', NULL, 'xx');
INSERT INTO sales_crm.account (name) VALUES ('100 %s & Co');
-- offer(OWNER): an opportunity of that member; quote(OWNER): a draft of one
CREATE FUNCTION pg_temp.member(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT m.member_id FROM sales_crm.member m WHERE m.name = $1 $$;
CREATE FUNCTION pg_temp.offer(owner text) RETURNS bigint LANGUAGE sql AS $$
	WITH o AS (INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'deal', a.account_id, pg_temp.member($1) FROM sales_crm.account a RETURNING opportunity_id),
		l AS (INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 100 FROM o RETURNING opportunity_id)
	SELECT opportunity_id FROM l
$$;
CREATE FUNCTION pg_temp.quote(owner text) RETURNS bigint LANGUAGE sql AS $$ SELECT sales_crm.create_quote(pg_temp.offer($1)) $$;
CREATE FUNCTION pg_temp.told(quote_id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' | ', m.name, n.event, replace(n.subject, q.number, 'Q'), n.body), '; ' ORDER BY n.notification_id)
	FROM sales_crm.notification n JOIN sales_crm.member m USING (member_id) JOIN sales_crm.quote q USING (quote_id) WHERE n.quote_id = $1 AND n.opportunity_id = q.opportunity_id
$$;
CREATE FUNCTION pg_temp.queued(quote_id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', b.kind, b.event, replace(b.recipient, q.number, 'Q')), '; ' ORDER BY b.message_id)
	FROM sales_crm.message m JOIN sales_crm.message_body b USING (message_id) JOIN sales_crm.quote q USING (quote_id) WHERE b.quote_id = $1 AND b.opportunity_id = q.opportunity_id
$$;

-- Who is told, and how
SELECT pg_temp.quote('Sam') AS sam, pg_temp.quote('Fien') AS fien, pg_temp.quote('Mute') AS mute, pg_temp.quote('nobody') AS nobody \gset
SELECT sales_crm.notify_seller(q, 'quote.viewed', '') FROM unnest(array[:sam, :fien, :mute, :nobody]) q;
SELECT is(pg_temp.told(:sam), 'Sam | quote.viewed | 100 %s & Co has opened Q', 'the owner, in the company''s language, with the names as they are; an empty text is none');
SELECT is(pg_temp.told(:fien), 'Fien | quote.viewed | 100 %s & Co heeft Q geopend', 'in their own');
SELECT is(pg_temp.told(:mute), 'Mute | quote.viewed | 100 %s & Co has opened Q', 'in English where there is no text in that');
SELECT is(pg_temp.told(:nobody), NULL, 'without an owner nobody');
UPDATE sales_crm.company SET locale = 'de';
SELECT sales_crm.notify_seller(:sam, 'quote.expired', 'Late.');
SELECT matches(pg_temp.told(:sam), 'Sam \| quote\.expired \| Q für 100 %s & Co ist abgelaufen \| Late\.$', 'the company''s language may change; names may come in another order');
SELECT pg_temp.offer('nobody') AS unowned \gset
SELECT set_config('sales_crm.member_id', pg_temp.member('Fien')::text, true) \g /dev/null
SELECT sales_crm.create_quote(:unowned) AS made \gset
SELECT set_config('sales_crm.member_id', '', true) \g /dev/null
SELECT sales_crm.notify_seller(:made, 'quote.declined');
SELECT is(pg_temp.told(:made), 'Fien | quote.declined | 100 %s & Co heeft Q afgewezen', 'without an owner it is who made the quote');
SELECT results_eq(format('SELECT sales_crm.quote_seller(q) FROM unnest(array[%s, %s, %s, -1, NULL]) q', :sam, :made, :nobody),
	$$VALUES (pg_temp.member('Sam')), (pg_temp.member('Fien')), (NULL), (NULL), (NULL)$$, 'as quote_seller() says');
SELECT throws_ok(format($$SELECT sales_crm.notify_seller(%s, 'quote.lost')$$, :sam), '23502', NULL, 'an event without a text tells nothing');
SELECT lives_ok(format($$SELECT sales_crm.notify_seller(%s, 'quote.lost')$$, :nobody), 'unless there is nobody to tell');
SELECT throws_ok(format('SELECT sales_crm.%s', v), e, m, v) FROM (VALUES
	('notify_seller(-1, ''quote.viewed'')', 'P0002', 'quote -1 does not exist'), ('notify_seller(NULL, ''quote.viewed'')', 'P0002', 'quote <NULL> does not exist'),
	('queue_event(''quote.viewed'', -1)', 'P0002', 'quote -1 does not exist'), ('queue_event(''quote.viewed'', NULL)', 'P0002', 'quote <NULL> does not exist'),
	(format('notify_seller(%s, NULL)', :sam), '22004', 'event is missing'), (format('queue_event(NULL, %s)', :sam), '22004', 'event is missing')) AS v (v, e, m);
SELECT is((SELECT count(*) FROM sales_crm.message), 0::bigint, 'no e-mail without an address to send from, no webhook without one, no PDF of a draft');

-- Notifications of which somebody made something else
ALTER TABLE sales_crm.notification ADD noted text DEFAULT 'yes';
CREATE FUNCTION pg_temp.skip() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.body IS DISTINCT FROM 'skipped' THEN NEW END; END $$;
CREATE TRIGGER skip BEFORE INSERT ON sales_crm.notification FOR EACH ROW EXECUTE FUNCTION pg_temp.skip();
SELECT sales_crm.notify_seller(:fien, 'quote.viewed', b) FROM unnest(array['skipped', 'kept']) b;
SELECT results_eq(format('SELECT body, noted, created_at, read_at FROM sales_crm.notification WHERE quote_id = %s AND body IS NOT NULL', :fien), $$VALUES ('kept', 'yes', now(), NULL::timestamptz)$$, 'columns and triggers of users');
DROP TRIGGER skip ON sales_crm.notification;

-- PDFs
SELECT throws_ok(format('SELECT sales_crm.queue_pdf(%s)', v), '55000', format('quote %s has no document to make a PDF of', split_part(v, ',', 1)), 'no PDF of ' || what)
FROM (VALUES (:sam::text, 'a draft'), ('-1', 'no quote'), (:sam || ', NULL', 'no purpose')) AS v (v, what);
SELECT throws_ok('SELECT sales_crm.queue_pdf(NULL)', '55000', 'quote <NULL> has no document to make a PDF of', 'nor of nothing');
SELECT throws_ok(format($$SELECT sales_crm.queue_event('quote.sent', %s)$$, :sam), '55000', NULL, 'a draft was not sent');
SELECT token FROM sales_crm.send_quote(:fien) \gset
SELECT is(pg_temp.queued(:fien), 'pdf quote.pdf Q quote', 'sending asks for one');
SELECT message_id || '::bigint' AS pdf FROM sales_crm.message_body WHERE quote_id = :fien \gset
SELECT results_eq('SELECT kind, available_at > now(), order_key, webhook_id, waits_for, claimed_by, attempts FROM sales_crm.message', $$VALUES ('pdf', true, NULL::text, NULL::bigint, NULL::bigint, NULL::text, 0)$$, 'to be made at once');
SELECT is((SELECT payload FROM sales_crm.message_body), format('{"purpose": "quote", "quote_id": %s}', :fien)::jsonb, 'by what it needs to know');
SELECT is(sales_crm.queue_pdf(:fien), :pdf, 'again it is the same one');
SELECT throws_ok(format('SELECT sales_crm.queue_pdf(%s, %L)', :fien, p), '55000', NULL, 'not for ' || p) FROM unnest(array['signed', 'other']) p;
SELECT sales_crm.bury_message(:pdf, 'test') \g /dev/null
SELECT is(sales_crm.queue_pdf(:fien), :pdf, 'also where it was given up');
SELECT sales_crm.queue_event('quote.sent', :fien);
SELECT is((SELECT count(*) FROM sales_crm.message_body WHERE quote_id = :fien), 1::bigint, 'nothing more is queued');
SELECT sales_crm.redrive_messages() \g /dev/null
SAVEPOINT one;
SELECT sales_crm.activate_sending() \g /dev/null
SELECT sales_crm.store_pdf(message_id, fence, '%PDF-1 x') FROM sales_crm.claim_messages('test') \g /dev/null
SELECT is(sales_crm.queue_pdf(:fien), NULL, 'none where it is there');
DELETE FROM sales_crm.quote_document;
SELECT cmp_ok(sales_crm.queue_pdf(:fien), '>', :pdf, 'one that was deleted is made again');
ROLLBACK TO one;
SELECT is(sales_crm.queue_pdf(:fien), :pdf, 'unless all that was rolled back');
-- Other messages about the quote, and the first of several
INSERT INTO sales_crm.message_body (message_id, kind, event, quote_id, payload) VALUES (-3, 'email', 'quote.sent', :fien, '{"purpose": "quote"}'), (-2, 'pdf', 'quote.pdf', :fien, '{"purpose": "signed"}'),
	(-1, 'pdf', 'quote.pdf', :fien, '{}');
SELECT is(sales_crm.queue_pdf(:fien), :pdf, 'messages of other kinds and purposes are others');
INSERT INTO sales_crm.message_body (message_id, kind, event, quote_id, payload) VALUES (:pdf - 1000, 'pdf', 'quote.pdf', :fien, '{"purpose": "quote"}'), (:pdf - 2000, 'pdf', 'quote.pdf', :fien, '{"purpose": "quote"}');
SELECT is(sales_crm.queue_pdf(:fien), :pdf - 2000, 'of several it is the first');
INSERT INTO sales_crm.message_done (message_id, kind, attempts) VALUES (:pdf - 2000, 'pdf', 1);
SELECT is(sales_crm.queue_pdf(:fien), :pdf - 1000, 'that was not delivered');
DELETE FROM sales_crm.message_body WHERE message_id < :pdf;
SELECT sales_crm.sign_quote(:'token', q.snapshot_sha256, 'An', request_key => 'k', consent_text => 'Yes.') FROM sales_crm.quote q WHERE q.quote_id = :fien \g /dev/null
SELECT is(pg_temp.queued(:fien), 'pdf quote.pdf Q quote; pdf quote.pdf Q signed', 'a signature asks for another');
SELECT is(sales_crm.queue_pdf(:fien, 'signed'), (SELECT max(message_id) FROM sales_crm.message), 'once');

-- E-mails to owners, as the address to send from comes and goes
SELECT pg_temp.quote('Fien') AS next \gset
SELECT sales_crm.notify_seller(:next, 'quote.viewed');
SELECT is(pg_temp.queued(:next), NULL, 'no address to send from');
UPDATE sales_crm.company SET sender_email = 'sales@example.com';
UPDATE sales_crm.email_template SET active = true;
UPDATE sales_crm.member SET notify_by_email = false WHERE name = 'Fien';
SELECT sales_crm.queue_event('quote.change_requested', :next);
SELECT is(pg_temp.queued(:next), NULL, 'an owner who wants none');
UPDATE sales_crm.member SET notify_by_email = true, active = false WHERE name = 'Fien';
SELECT sales_crm.queue_event('quote.change_requested', :next);
SELECT is(pg_temp.queued(:next), NULL, 'who left');
UPDATE sales_crm.member SET email = NULL, active = true WHERE name = 'Fien';
SELECT sales_crm.queue_event('quote.change_requested', :next);
SELECT is(pg_temp.queued(:next), NULL, 'or has no address');
UPDATE sales_crm.member SET email = 'fien@example.com' WHERE name = 'Fien';
SELECT sales_crm.queue_event('quote.change_requested', :next, data) FROM unnest(array['{"name": "Bea", "note": "Cheaper"}', NULL]::jsonb[]) data;
SELECT is(pg_temp.queued(:next), 'email quote.change_requested fien@example.com', 'else they get one, once');
SELECT sales_crm.queue_event(e, :next) FROM unnest(array['quote.reminder', 'quote.code', 'quote.confirmed']) e;
SELECT is(pg_temp.queued(:next), 'email quote.change_requested fien@example.com', 'those to customers are not theirs');
SELECT sales_crm.queue_event('quote.change_requested', q) FROM unnest(array[:nobody, :made]) q;
SELECT is(concat(pg_temp.queued(:nobody), pg_temp.queued(:made)), '', 'whoever made a quote without owner is not mailed');
UPDATE sales_crm.company SET sender_email = NULL;
SELECT sales_crm.queue_event('quote.declined', :next);
SELECT is(pg_temp.queued(:next), 'email quote.change_requested fien@example.com', 'nor anybody without an address to send from');

-- Webhooks
INSERT INTO sales_crm.webhook (name, url, active) VALUES ('w', 'https://hook.example', false);
SELECT sales_crm.notify_seller(:mute, 'quote.viewed');
SELECT is(pg_temp.queued(:mute), NULL, 'one that is not active');
SAVEPOINT two;
UPDATE sales_crm.webhook SET active = true;
SELECT sales_crm.notify_seller(:mute, 'quote.viewed', data => '{"a": null, "b": "c"}');
SELECT results_eq(format($$SELECT (payload ->> 'body')::jsonb - 'timestamp' FROM sales_crm.message_body WHERE quote_id = %s$$, :mute),
	$$SELECT jsonb_build_object('type', 'quote.viewed', 'data', jsonb_build_object('quote_id', q.quote_id, 'number', q.number, 'version', 1, 'status', 'draft', 'title', q.title,
		'opportunity_id', q.opportunity_id, 'currency', 'EUR', 'gross', q.totals ->> 'gross', 'valid_until', q.valid_until, 'sent_at', NULL, 'answered_at', NULL, 'b', 'c'))
		FROM sales_crm.quote q WHERE q.quote_id = $$ || :mute, 'one that is gets the quote, and facts that are not null');
SELECT sales_crm.queue_event('quote.viewed', :mute, d) FROM unnest(array[NULL, '{"a": null, "number": 7}']::jsonb[]) d;
SELECT results_eq(format($$SELECT (payload ->> 'body')::jsonb #> '{data,a}', (payload ->> 'body')::jsonb #>> '{data,number}' = q.number FROM sales_crm.message_body JOIN sales_crm.quote q USING (quote_id) WHERE q.quote_id = %s ORDER BY message_id$$, :mute),
	$$VALUES (NULL::jsonb, true), (NULL, true), ('null', false)$$, 'queue_event() takes facts as they are, and they win');
ROLLBACK TO two;
SELECT sales_crm.notify_seller(:mute, 'quote.viewed');
SELECT is(pg_temp.queued(:mute), NULL, 'rolled back it is not active');

-- Messages
SELECT sales_crm.queue_message('email', 'notification', '{}', dedup_key => 'k') AS one \gset
SELECT is(sales_crm.queue_message('email', 'notification', '{}', dedup_key => 'k'), NULL, 'the same is queued once');
SELECT is(sales_crm.queue_message('email', 'notification', '{}', dedup_key => 'k', message_id => 9000000), NULL, 'whatever its key');
SELECT is(sales_crm.queue_message('email', 'notification', '{}', message_id => 9000001, order_key => 'o', waits_for => :one, expires_at => 'epoch', recipient => 'r', opportunity_id => 1, quote_id => 2, webhook_id => 3), 9000001::bigint, 'one with a key of its own');
SELECT results_eq($$SELECT b.kind, b.event, b.payload, b.recipient, b.opportunity_id, b.quote_id, b.dedup_key, b.expires_at, b.created_at, m.kind, m.available_at, m.order_key, m.webhook_id, m.waits_for
	FROM sales_crm.message m JOIN sales_crm.message_body b USING (message_id) WHERE message_id = 9000001$$,
	format($$VALUES ('email', 'notification', '{}'::jsonb, 'r', 1::bigint, 2::bigint, NULL::text, 'epoch'::timestamptz, now(), 'email', 'infinity'::timestamptz, 'o', 3::bigint, %s::bigint)$$, :one), 'has all that was given, and waits');
SELECT throws_ok($$SELECT sales_crm.queue_message('email', 'notification', '{}', message_id => 9000001)$$, '23505', NULL, 'a key that is taken');
SELECT throws_ok(format('SELECT sales_crm.queue_message(%s)', v), e, NULL, v) FROM (VALUES
	($$'fax', 'notification', '{}'$$, '23514'), ($$'email', 'No event', '{}'$$, '23514'), ($$NULL, 'notification', '{}'$$, '23502'), ($$'email', 'notification', NULL$$, '23502'), ($$'email', 'notification', NULL, dedup_key => 'new'$$, '23502')) AS v (v, e);
CREATE FUNCTION pg_temp.never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER never BEFORE INSERT ON sales_crm.message_body FOR EACH ROW EXECUTE FUNCTION pg_temp.never();
SELECT is(sales_crm.queue_message('email', 'notification', '{}', dedup_key => d), NULL, 'a trigger of somebody may leave it out') FROM unnest(array[NULL, 'other']) d;
DROP TRIGGER never ON sales_crm.message_body;

-- Whoever asks, and however many messages there are
CREATE ROLE pgtap_admin IN ROLE sales_crm_admin;
CREATE ROLE pgtap_seller IN ROLE sales_crm_seller;
CREATE SCHEMA trap;
CREATE FUNCTION trap.eq(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR trap.~ (FUNCTION = trap.eq, LEFTARG = text, RIGHTARG = text);
CREATE TABLE trap.message_body (kind text);
GRANT USAGE ON SCHEMA trap TO PUBLIC;
UPDATE sales_crm.company SET sender_email = 'sales@example.com';
UPDATE sales_crm.webhook SET active = true;
SELECT pg_temp.quote('Fien') AS asked \gset
SELECT sales_crm.freeze_quote(:asked) \g /dev/null
SET LOCAL search_path = trap, pg_catalog, public;
SET LOCAL ROLE pgtap_admin;
SELECT lives_ok(format('SELECT sales_crm.queue_event(e, %s) FROM unnest(array[''quote.sent'', ''quote.declined'']) e', :asked), 'an administrator may queue an event');
SELECT throws_ok(format($$SELECT sales_crm.notify_seller(%s, 'quote.viewed')$$, :asked), '42501', NULL, 'but not notify others');
SET LOCAL ROLE pgtap_seller;
SELECT throws_ok(format($$SELECT sales_crm.queue_event('quote.viewed', %s)$$, :asked), '42501', NULL, 'a seller may not');
SELECT throws_ok(format($$SELECT sales_crm.queue_pdf(%s)$$, :asked), '42501', NULL, 'nor ask for a PDF');
RESET ROLE;
SET LOCAL search_path = "$user", public;
SELECT is(pg_temp.queued(:asked), 'pdf quote.pdf Q quote; webhook quote.sent https://hook.example; email quote.declined fien@example.com; webhook quote.declined https://hook.example', 'it is as if the owner had done it');
SELECT pg_temp.quote('Fien') AS many \gset
SELECT sales_crm.freeze_quote(:many) \g /dev/null
SELECT coalesce(sum(seq_scan), 0) AS scans FROM pg_stat_xact_user_tables WHERE schemaname = 'sales_crm' AND relname ~ '^(message|message_body|message_done|quote|quote_document|opportunity|member|live_event)$' \gset
SELECT sales_crm.queue_pdf(:many) \g /dev/null
SELECT sales_crm.queue_pdf(:many) \g /dev/null
SELECT is(sum(seq_scan), :scans::numeric, 'no table is read as a whole') FROM pg_stat_xact_user_tables WHERE schemaname = 'sales_crm' AND relname ~ '^(message|message_body|message_done|quote|quote_document|opportunity|member|live_event)$';
SELECT is_empty('SELECT * FROM sales_crm.verify_outbox() WHERE message_id <> 9000001', 'all of it verifies');
SELECT * FROM finish();
ROLLBACK;
