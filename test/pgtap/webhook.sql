-- Promise: a webhook gets the events that it wants, with secrets that nobody else reads; one that
-- fails is paused, tried with one message at a time, and disabled after five days or by a 410, which
-- managers are told; switched on again it begins anew.
BEGIN;
SELECT plan(35);
UPDATE sales_crm.company SET sender_email = 'sales@lumen.example';
INSERT INTO sales_crm.member (name, email, is_manager) VALUES ('Mia', 'mia@lumen.example', true), ('Sam', 'sam@lumen.example', false);
SELECT sales_crm.activate_sending();
INSERT INTO sales_crm.webhook (name, url) VALUES ('a', 'https://a.example/hook');
INSERT INTO sales_crm.webhook (name, url, events) VALUES ('b', 'https://b.example/hook', '{quote.signed}');
SELECT webhook_id AS a FROM sales_crm.webhook WHERE name = 'a' \gset
CREATE FUNCTION pg_temp.claim() RETURNS TABLE (message_id bigint, fence bigint, payload jsonb) LANGUAGE sql AS $$
	SELECT c.message_id, c.fence, c.payload FROM sales_crm.claim_messages('test', kinds => '{webhook}') c
$$;
-- fail(gone): fails all that is in flight, and makes it available again
CREATE FUNCTION pg_temp.fail(gone boolean DEFAULT false) RETURNS bigint LANGUAGE sql AS $$
	SELECT count(sales_crm.fail_message(m.message_id, m.fence, 'HTTP 500', gone => $1)) FROM sales_crm.message m WHERE m.claimed_by IS NOT NULL
$$;
CREATE FUNCTION pg_temp.again() RETURNS void LANGUAGE sql AS $$
	UPDATE sales_crm.message SET available_at = now() WHERE claimed_by IS NULL;
	UPDATE sales_crm.webhook SET paused_until = now() WHERE paused_until IS NOT NULL;
$$;

SELECT matches(secrets[1], '^whsec_[A-Za-z0-9+/]{43}=$', 'a secret of 32 bytes is made') FROM sales_crm.webhook WHERE name = 'a';
SELECT is(count(DISTINCT secrets), 2::bigint, 'each its own') FROM sales_crm.webhook;
SELECT throws_ok(format('UPDATE sales_crm.webhook SET %s', v), '23514', NULL, v)
FROM unnest(array['url = ''ftp://x''', 'url = ''https://user@x.example/''', 'url = ''https://x.example/a b''', 'url = E''https://x.example/\n''', 'secrets = ''{}''',
	'secrets = ''{whsec_short}''', 'secrets = secrets || secrets || secrets', 'secrets = array[NULL]::text[]', 'events = ''{Not an event}''']) v;
UPDATE sales_crm.webhook SET secrets = array_append(secrets, 'whsk_MC4CAQAwBQYDK2VwBCIEIEiGnXV5oYH0lyyzcEMwzqvBDMS9Jm6s1j7H2pBZz5wL') WHERE name = 'a';
SELECT is(sales_crm.queue_webhooks('opportunity.won', '{"id": 1}'), 1, 'an event goes to those that want it');
SELECT is(sales_crm.queue_webhooks('quote.signed'), 2, 'which may be all');
SELECT set_eq($$SELECT payload ->> 'url' AS url, jsonb_array_length(payload -> 'secrets') AS secrets, (payload ->> 'body')::json ->> 'type' AS event FROM pg_temp.claim()$$,
	$$VALUES ('https://a.example/hook', 2, 'opportunity.won'), ('https://a.example/hook', 2, 'quote.signed'), ('https://b.example/hook', 1, 'quote.signed')$$,
	'claimed with address, secrets and body');
SELECT is((SELECT count(DISTINCT payload ->> 'event_id') FROM sales_crm.message_body), 2::bigint, 'one event, one id');
SELECT is_empty($$SELECT FROM sales_crm.message_body WHERE payload ? 'secrets'$$, 'secrets are not kept with messages');
SELECT count(sales_crm.complete_message(message_id, fence)) FROM sales_crm.message;

-- Failures
SELECT sales_crm.queue_webhooks('opportunity.won', jsonb_build_object('n', n)) FROM generate_series(1, 5) n;
SELECT is((SELECT count(*) FROM pg_temp.claim()), 5::bigint, 'five at once');
SELECT pg_temp.fail();
SELECT is((SELECT failures FROM sales_crm.webhook WHERE name = 'a'), 5, 'five failures');
SELECT ok(paused_until - clock_timestamp() BETWEEN interval '40 seconds' AND interval '80 seconds', 'and it is paused') FROM sales_crm.webhook WHERE name = 'a';
UPDATE sales_crm.message SET available_at = now();
SELECT is_empty('SELECT * FROM pg_temp.claim()', 'nothing is claimed for it');
SELECT pg_temp.again();
SELECT is((SELECT count(*) FROM pg_temp.claim()), 1::bigint, 'after the pause one message tries');
SELECT count(sales_crm.complete_message(message_id, fence)) FROM sales_crm.message WHERE claimed_by IS NOT NULL;
SELECT results_eq('SELECT failures, failing_since, paused_until FROM sales_crm.webhook WHERE name = ''a''', 'VALUES (0, NULL::timestamptz, NULL::timestamptz)', 'its success ends the pause');
SELECT pg_temp.again();
SELECT is((SELECT count(*) FROM pg_temp.claim()), 4::bigint, 'and the others go');
SELECT pg_temp.fail();
UPDATE sales_crm.webhook SET failing_since = now() - interval '5 days 1 second', paused_until = NULL WHERE name = 'a';
SELECT pg_temp.again();
SELECT count(*) FROM pg_temp.claim();
SELECT pg_temp.fail();
SELECT results_eq('SELECT active, disabled_at IS NOT NULL, disabled_reason FROM sales_crm.webhook WHERE name = ''a''', $$VALUES (false, true, 'It failed for five days: HTTP 500')$$, 'after five days it is disabled');
SELECT results_eq($$SELECT recipient FROM sales_crm.message_body WHERE event = 'webhook.disabled'$$, $$VALUES ('mia@lumen.example')$$, 'and managers are told, once');
SELECT throws_ok(format('SELECT sales_crm.send_test_webhook(%s)', :a), '55000', NULL, 'it cannot be tried then');
SELECT pg_temp.again();
SELECT is_empty('SELECT * FROM pg_temp.claim()', 'what was waiting for it is given up');
UPDATE sales_crm.webhook SET active = true WHERE name = 'a';
SELECT results_eq('SELECT failures, disabled_at, disabled_reason FROM sales_crm.webhook WHERE name = ''a''', 'VALUES (0, NULL::timestamptz, NULL::text)', 'switched on, it begins anew');
SELECT is(sales_crm.redrive_messages(kind => 'webhook'), 4::bigint, 'with what was given up');

-- A receiver that is gone
SELECT webhook_id AS b FROM sales_crm.webhook WHERE name = 'b' \gset
SELECT sales_crm.queue_webhooks('quote.signed', jsonb_build_object('n', n)) FROM generate_series(1, 2) n;
SELECT count(*) FROM pg_temp.claim();
SELECT is((SELECT sales_crm.fail_message(m.message_id, m.fence, 'HTTP 410', gone => true) FROM sales_crm.message m WHERE m.webhook_id = :b ORDER BY m.message_id LIMIT 1),
	'dead', 'a 410 is final, even if it could be tried again');
SELECT results_eq('SELECT name, active, disabled_at IS NOT NULL, disabled_reason FROM sales_crm.webhook ORDER BY name',
	$$VALUES ('a', true, false, NULL), ('b', false, true, 'The receiver answered 410 Gone.')$$, 'it disables that webhook at once, and no other');
SELECT results_eq($$SELECT recipient, count(*) FROM sales_crm.message_body WHERE event = 'webhook.disabled' GROUP BY 1$$, $$VALUES ('mia@lumen.example', 2::bigint)$$, 'managers are told');
SELECT results_eq(format('SELECT reason FROM sales_crm.message_dead WHERE webhook_id = %s', :b), $$VALUES ('HTTP 410')$$, 'why the message died is kept');
SELECT pg_temp.fail();
SELECT pg_temp.again();
SELECT is((SELECT count(*) FROM pg_temp.claim() c JOIN sales_crm.message m USING (message_id) WHERE m.webhook_id = :b), 0::bigint, 'nothing more goes there');
SELECT results_eq(format('SELECT DISTINCT reason FROM sales_crm.message_dead WHERE webhook_id = %s ORDER BY 1', :b), $$VALUES ('HTTP 410'), ('The webhook is not active.')$$, 'what was waiting for it is given up');
SELECT * FROM finish();
ROLLBACK;
