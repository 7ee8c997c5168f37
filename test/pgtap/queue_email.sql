-- Promise: an e-mail is what the SQL below makes of its template, data and texts, byte for byte: for every
-- locale, form of text, address, conversation and attachment. Templates are those of the moment.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(37);

-- The twin: the same in plain SQL
CREATE FUNCTION pg_temp.header_text(value text) RETURNS text LANGUAGE sql AS $$
	SELECT nullif(btrim(left(regexp_replace(value, '[\u0001-\u0020\u007f-\u009f\u2028\u2029]+', ' ', 'g'), 400)), '')
$$;
CREATE FUNCTION pg_temp.is_address(value text) RETURNS boolean LANGUAGE sql AS $$
	SELECT coalesce(octet_length(value) <= 254 AND value ~ '^[^@<>()\[\]\\,;:"\u0001-\u0020\u007f-\u00a0\u2028\u2029]+@[^@<>()\[\]\\,;:"\u0001-\u0020\u007f-\u00a0\u2028\u2029]+$', false)
$$;
CREATE FUNCTION pg_temp.render_text(template text, data jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT sales_crm.render_template(regexp_replace(template, '\{\{(?![{&#^/!>=])\s*([^{}]*?)\s*\}\}', '{{&\1}}', 'g'), data)
$$;
CREATE FUNCTION pg_temp.hide_tokens(body text) RETURNS text LANGUAGE sql AS $$
	SELECT regexp_replace(body, '(/q/)[A-Za-z0-9_-]{39}([A-Za-z0-9_-]{4})', '\1…\2', 'g')
$$;
CREATE FUNCTION pg_temp.email_html(body text, locale text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	color text := (SELECT c.brand_color FROM sales_crm.company c);
	html text := replace(replace(replace(replace(body, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;');
BEGIN
	html := regexp_replace(html, '(https?://[^\s<>]*[^\s<>.,;:!?)])', format('<a href="\1" style="color: %s">\1</a>', color), 'g');
	html := regexp_replace(btrim(html, E' \r\n\t'), '(\r?\n[ \t]*){2,}', E'</p>\n<p>', 'g');
	html := regexp_replace(html, '(?<!</p>)\r?\n', E'<br>\n', 'g');
	RETURN format($html$<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin: 0; padding: 24px; background: #f4f6f8; color: #1d2530; font: 16px/1.5 system-ui, sans-serif">
<div style="max-width: 36rem; margin: 0 auto; padding: 24px; background: #ffffff; border-top: 4px solid %s; overflow-wrap: anywhere">
<p>%s</p>
</div>
</body></html>
$html$, left(locale, 2), color, html);
END
$$;
CREATE FUNCTION pg_temp.find_email_template(event text, locale text) RETURNS bigint LANGUAGE sql AS $$
	SELECT t.email_template_id FROM sales_crm.email_template t, sales_crm.company c
	WHERE t.event = $1 AND t.active
	ORDER BY array_position(array[$2, left($2, 2), c.locale, left(c.locale, 2), 'en'], t.locale), t.locale LIMIT 1
$$;
CREATE FUNCTION pg_temp.email_data(quote_id bigint, opportunity_id bigint, locale text) RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_build_object('company', jsonb_build_object('name', c.name, 'address', c.address, 'email', c.sender_email, 'portal_url', c.portal_url))
		|| CASE WHEN $1 IS NULL THEN '{}' ELSE jsonb_build_object('customer', jsonb_build_object('name', q.customer_name),
			'quote', jsonb_build_object('number', q.number, 'version', q.version, 'title', q.title, 'valid_until', sales_crm.format_date(q.valid_until, $3),
				'gross', sales_crm.format_amount((q.totals ->> 'gross')::numeric, q.currency, $3))) END
		|| CASE WHEN o.opportunity_id IS NULL THEN '{}' ELSE jsonb_build_object('opportunity', jsonb_build_object('name', o.name),
			'seller', jsonb_build_object('name', coalesce(m.name, c.name), 'email', coalesce(m.email, c.sender_email))) END
	FROM sales_crm.company c LEFT JOIN sales_crm.quote q ON q.quote_id = $1
	LEFT JOIN sales_crm.opportunity o ON o.opportunity_id = coalesce($2, q.opportunity_id) LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
$$;

-- The arguments of queue_email(), a row per e-mail
CREATE TEMP TABLE given (given_id bigint GENERATED ALWAYS AS IDENTITY, event text, to_address text DEFAULT 'bea@bolt.example', to_name text, locale text, data jsonb,
	opportunity_id bigint, quote_id bigint, order_key text, dedup_key text, reply_to text, attachments bigint[], subject text, body text, member_id bigint, expires_at timestamptz, waits_for bigint);
CREATE FUNCTION pg_temp.expected(g given) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	company sales_crm.company := (SELECT c FROM sales_crm.company c);
	template sales_crm.email_template;
	thread sales_crm.email;
	told jsonb;
	html text;
BEGIN
	g.locale := coalesce(g.locale, company.locale);
	g.opportunity_id := coalesce(g.opportunity_id, (SELECT q.opportunity_id FROM sales_crm.quote q WHERE q.quote_id = g.quote_id));
	g.to_name := nullif(btrim(g.to_name), '');
	g.subject := nullif(btrim(g.subject), '');
	IF EXISTS (SELECT FROM sales_crm.suppressed_address s WHERE s.address IN (lower(g.to_address), sales_crm.hidden_address(g.to_address))) THEN
		RETURN NULL;
	END IF;
	told := pg_temp.email_data(g.quote_id, g.opportunity_id, g.locale) || jsonb_build_object('recipient', jsonb_build_object('name', g.to_name, 'email', g.to_address)) || coalesce(g.data, '{}');
	SELECT * INTO template FROM sales_crm.email_template t WHERE t.email_template_id = pg_temp.find_email_template(g.event, g.locale);
	IF NOT FOUND AND (g.subject IS NULL OR g.body IS NULL) THEN
		RETURN NULL;
	END IF;
	g.subject := coalesce(g.subject, pg_temp.header_text(pg_temp.render_text(template.subject, told)), g.event);
	html := CASE WHEN g.body IS NULL AND template.body_html IS NOT NULL THEN sales_crm.render_template(template.body_html, told) END;
	g.body := coalesce(g.body, pg_temp.render_text(template.body_text, told));
	html := coalesce(html, pg_temp.email_html(g.body, g.locale));
	SELECT * INTO thread FROM sales_crm.email e
	WHERE e.opportunity_id = g.opportunity_id AND g.member_id IS NULL AND e.message_id IS NOT NULL AND (lower(e.from_address) = lower(g.to_address) OR g.to_address = ANY (e.to_addresses))
	ORDER BY e.sent_at DESC, e.email_id DESC LIMIT 1;
	RETURN jsonb_build_object(
		'payload', jsonb_build_object('message_id', 'TAG@' || split_part(company.sender_email, '@', 2), 'from', company.sender_email, 'from_name', pg_temp.header_text(company.name),
			'reply_to', coalesce(g.reply_to, CASE WHEN g.member_id IS NULL THEN told #>> '{seller,email}' END), 'to', g.to_address, 'to_name', g.to_name,
			'subject', g.subject, 'text', g.body, 'html', html, 'in_reply_to', thread.message_id,
			'references', (SELECT coalesce(jsonb_agg(r.message_id ORDER BY r.sent_at, r.email_id), '[]') FROM (SELECT e.message_id, e.sent_at, e.email_id FROM sales_crm.email e
				WHERE e.thread_id = thread.thread_id AND e.message_id IS NOT NULL ORDER BY e.sent_at DESC, e.email_id DESC LIMIT 10) r),
			'envelope_from', replace(coalesce(company.bounce_email, company.sender_email), '%', 'TAG'), 'auto_submitted', g.member_id IS NOT NULL, 'date', now(),
			'attachments', (SELECT coalesce(jsonb_agg(jsonb_build_object('attachment_id', a.attachment_id, 'file_name', a.file_name, 'media_type', a.media_type) ORDER BY x.n), '[]')
				FROM unnest(g.attachments) WITH ORDINALITY AS x (attachment_id, n) JOIN sales_crm.attachment a ON a.attachment_id = x.attachment_id)),
		'queued', jsonb_build_array('email', g.event, g.to_address, coalesce(g.order_key, 'quote ' || g.quote_id || ' ' || lower(g.to_address)), g.dedup_key, g.expires_at, g.opportunity_id, g.quote_id, g.waits_for),
		'filed', CASE WHEN g.member_id IS NULL AND g.opportunity_id IS NOT NULL AND g.event <> 'quote.code' THEN jsonb_build_array(g.opportunity_id, thread.thread_id, 'outgoing', 'queued',
			'TAG@' || split_part(company.sender_email, '@', 2), thread.message_id, company.sender_email, pg_temp.header_text(company.name), array[g.to_address], g.subject, pg_temp.hide_tokens(g.body), pg_temp.hide_tokens(html)) END);
END
$$;
CREATE FUNCTION pg_temp.queued(g given) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	made bigint := sales_crm.queue_email(g.event, g.to_address, g.to_name, g.locale, g.data, g.opportunity_id, g.quote_id, g.order_key, g.dedup_key, g.reply_to, g.attachments, g.subject, g.body, g.member_id, g.expires_at, g.waits_for);
	tag text := (SELECT split_part(b.payload ->> 'message_id', '@', 1) FROM sales_crm.message_body b WHERE b.message_id = made);
BEGIN
	IF tag !~ ('^' || made || '\.[89ab][0-9a-f]{15}$') THEN
		RAISE 'tag % of %', tag, made;
	END IF;
	RETURN (SELECT replace(jsonb_build_object('payload', b.payload,
			'queued', jsonb_build_array(b.kind, b.event, b.recipient, m.order_key, b.dedup_key, b.expires_at, b.opportunity_id, b.quote_id, m.waits_for),
			'filed', CASE WHEN e.email_id IS NOT NULL THEN jsonb_build_array(e.opportunity_id, nullif(e.thread_id, e.email_id), e.direction, e.state,
				e.message_id, e.in_reply_to, e.from_address, e.from_name, e.to_addresses, e.subject, e.body_text, e.body_html) END)::text, tag, 'TAG')::jsonb
		FROM sales_crm.message_body b JOIN sales_crm.message m USING (message_id) LEFT JOIN sales_crm.email e ON e.email_id = b.email_id WHERE b.message_id = made);
END
$$;
-- differs(): e-mails of the table that are not what the twin says, after which the table is empty
CREATE FUNCTION pg_temp.differs() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	g given;
	expected jsonb;
	got jsonb;
BEGIN
	FOR g IN SELECT * FROM given ORDER BY given_id LOOP
		expected := pg_temp.expected(g);
		got := pg_temp.queued(g);
		IF got IS DISTINCT FROM expected THEN
			RETURN NEXT format('%s %s: ', g.event, g.given_id) || coalesce((
				SELECT string_agg(format('%s is %s, not %s', k, left(got #>> p, 300), left(expected #>> p, 300)), '; ')
				FROM (SELECT array['payload', jsonb_object_keys(got -> 'payload')] UNION ALL VALUES (array['queued']), (array['filed'])) AS x (p), array_to_string(p, '.') k
				WHERE got #> p IS DISTINCT FROM expected #> p), 'queued or not');
		END IF;
	END LOOP;
	DELETE FROM given;
END
$$;

-- Single characters and addresses
SELECT is_empty($$SELECT to_json(t) FROM (SELECT unnest(array['a' || chr(i) || 'b', chr(i), '  ' || chr(i) || chr(i) || ' a ', 'é' || chr(i) || ' ' || chr(i) || '€']) t FROM generate_series(1, 8300) i) x
	WHERE sales_crm.header_text(t) IS DISTINCT FROM pg_temp.header_text(t)$$, 'texts of headers, by character');
SELECT is_empty($$SELECT length(t) FROM unnest(array[repeat('é', 399) || '  x', repeat('é', 401), repeat(' ', 500), repeat('a ', 300), repeat(' ', 399) || 'ab', '', NULL]) t
	WHERE sales_crm.header_text(t) IS DISTINCT FROM pg_temp.header_text(t)$$, 'and by length');
SELECT is_empty($$SELECT to_json(t) FROM (SELECT unnest(array['a' || chr(i) || 'b@c.example', 'a@c' || chr(i), chr(i) || '@b', chr(i)]) t FROM generate_series(1, 8300) i) x
	WHERE sales_crm.is_address(t) IS DISTINCT FROM pg_temp.is_address(t)$$, 'addresses, by character');
SELECT is_empty($$SELECT t FROM unnest(array['', '@', 'a@', '@a', 'a@b', 'a@b@c', 'a@@b', repeat('a', 252) || '@b', repeat('a', 253) || '@b', repeat('é', 126) || '@b', repeat('é', 127) || '@b', NULL]) t
	WHERE sales_crm.is_address(t) IS DISTINCT FROM pg_temp.is_address(t)$$, 'and by form');
SELECT results_eq($$SELECT sales_crm.hidden_address(a) FROM unnest(array['Bea@Bolt.example', 'É@x', '']) a$$,
	$$SELECT 'sha256:' || encode(sha256(convert_to(lower(a), 'UTF8')), 'hex') FROM unnest(array['Bea@Bolt.example', 'É@x', '']) a$$, 'hidden addresses');

-- A quote, opportunities with and without owner, files
INSERT INTO sales_crm.member (name, email) VALUES ('Sam & Co', 'sam@example.com'), ('Mute', NULL);
INSERT INTO sales_crm.account (name) VALUES ('Bolt <& "Sons">');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'deal ' || x.n, a.account_id, m.member_id
FROM (VALUES (1, 'Sam & Co'), (2, 'Mute'), (3, NULL)) AS x (n, name) LEFT JOIN sales_crm.member m USING (name), sales_crm.account a;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 1234.5 FROM sales_crm.opportunity;
CREATE FUNCTION pg_temp.deal(n integer) RETURNS bigint LANGUAGE sql AS $$ SELECT o.opportunity_id FROM sales_crm.opportunity o WHERE o.name = 'deal ' || n $$;
SELECT sales_crm.create_quote(pg_temp.deal(1)) AS quote, sales_crm.create_quote(pg_temp.deal(2)) AS mute, sales_crm.create_quote(pg_temp.deal(3)) AS free \gset
INSERT INTO sales_crm.attachment (opportunity_id, file_name, content) SELECT pg_temp.deal(1), v || '.txt', v::bytea FROM unnest(array['one', 'two']) v;
UPDATE sales_crm.company SET sender_email = 'sales@example.com', name = E'Our\u2028  <company>', address = E'1 Road\nTown', portal_url = 'https://portal.example';

INSERT INTO given (event, locale, to_name, quote_id) SELECT e, l, ' Bea ', :quote FROM (SELECT DISTINCT event FROM sales_crm.email_template) x (e), unnest(array['en', 'fr', 'nl_BE', 'de-AT', 'xx', 'é', '', NULL]) l;
SELECT is_empty('SELECT pg_temp.differs()', 'every seeded template, by locale');
SELECT is_empty($$SELECT e, l FROM (SELECT DISTINCT event FROM sales_crm.email_template) x (e), unnest(array['en', 'fr', 'nl_BE', 'de-AT', 'xx', 'é', '', NULL]) l
	WHERE sales_crm.find_email_template(e, l) IS DISTINCT FROM pg_temp.find_email_template(e, l)$$, 'which find_email_template() finds');
SELECT is_empty(format($$SELECT q, o, l FROM unnest(array[NULL, %s, %s, %s, -1]) q, unnest(array[NULL, pg_temp.deal(1), pg_temp.deal(2), pg_temp.deal(3), -1]) o, unnest(array['en', 'nl', NULL]) l
	WHERE sales_crm.email_data(q, o, l) IS DISTINCT FROM pg_temp.email_data(q, o, l)$$, :quote, :mute, :free), 'the data of templates, for quotes and opportunities that are there or not');
INSERT INTO given (event, to_address, quote_id, opportunity_id) SELECT 'quote.signed', 'x' || row_number() OVER () || '@bolt.example', q, o FROM unnest(array[NULL, :quote, :mute, :free, -1]) q, unnest(array[NULL, pg_temp.deal(2)]) o;
SELECT is_empty('SELECT pg_temp.differs()', 'and e-mails about them');
UPDATE sales_crm.company SET locale = 'nl_BE';
INSERT INTO given (event, locale, quote_id) SELECT 'quote.sent', l, :quote FROM unnest(array['de', 'xx', NULL]) l;
SELECT is_empty('SELECT pg_temp.differs()', 'in the company''s language');

-- Templates
INSERT INTO sales_crm.email_template (event, locale, subject, body_text, body_html) VALUES
	('some.event', 'it', 'it {{x}}', '{{x}}', NULL), ('some.event', 'es', 'es {{x}}', '{{x}}', NULL),
	('html.event', 'en', '{{x}}', E'{{ x }} {{{x}}} {{&x}} {{#list}}{{.}},{{/list}}{{^none}}{{customer.name}}{{/none}}{{! no }}', '<p>{{x}} {{{x}}} {{&x}}</p>'),
	('odd.event', 'en', '{{=<% %>=}}<%x%> {{y}}', '{{ x }}{{  quote.number  }}', NULL);
INSERT INTO given (event, locale, data) SELECT e, l, '{"x": "<&\" é>", "list": [1, 2.50, "c"]}' FROM unnest(array['some.event', 'html.event', 'odd.event', 'no.event']) e, unnest(array['es', 'it_IT', 'en', NULL]) l;
SELECT is_empty('SELECT pg_temp.differs()', 'templates of other locales and with tags of each kind');
INSERT INTO given (event, data) SELECT 'some.event', d FROM unnest(array['{}', '[]', '[1]', '"x"', 'null', '{"x": null}', '{"x": " \t "}', '{"seller": {"email": "other@example.com"}}', '{"seller": 1}', '{"company": {"name": "x"}}', NULL]::jsonb[]) d;
SELECT is_empty('SELECT pg_temp.differs()', 'data of any form');
SAVEPOINT unindexed;
ALTER TABLE sales_crm.email_template DROP CONSTRAINT email_template_event_key;
INSERT INTO given (event) VALUES ('some.event'), ('quote.sent');
SELECT is_empty('SELECT pg_temp.differs()', 'whatever the order of their rows');
ROLLBACK TO unindexed;
UPDATE sales_crm.email_template SET active = false WHERE event = 'some.event' AND locale = 'es';
INSERT INTO given (event, locale) VALUES ('some.event', 'es');
SELECT is_empty('SELECT pg_temp.differs()', 'one that was deactivated');
UPDATE sales_crm.email_template SET subject = 'now {{x}}', body_text = 'now {{x}}' WHERE event = 'some.event';
INSERT INTO given (event, data) VALUES ('some.event', '{"x": 1}');
SELECT is_empty('SELECT pg_temp.differs()', 'changed');
CREATE FUNCTION pg_temp.subject() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	made bigint := sales_crm.queue_email('some.event', 'a@b.example', data => '{"x": 2}');
BEGIN
	RETURN (SELECT b.payload ->> 'subject' FROM sales_crm.message_body b WHERE b.message_id = made);
END
$$;
CREATE FUNCTION pg_temp.undone() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	meanwhile text;
BEGIN
	BEGIN
		UPDATE sales_crm.email_template SET subject = 'undone' WHERE event = 'some.event';
		meanwhile := pg_temp.subject();
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN meanwhile || ', ' || pg_temp.subject();
	END;
END
$$;
SELECT is(concat_ws(', ', pg_temp.undone(), pg_temp.undone()), 'undone, now 2, undone, now 2', 'a change that is undone');
INSERT INTO sales_crm.email_template (event, locale, subject, body_text) SELECT 'many.event', 'a' || chr(97 + i % 26) || '_' || chr(65 + i / 26) || 'X', i || ' {{x}}', i || '{{x}}' FROM generate_series(0, 39) i;
INSERT INTO given (event, locale, data) SELECT t.event, t.locale, '{"x": "y"}' FROM sales_crm.email_template t, generate_series(1, 2) WHERE t.event = 'many.event';
SELECT is_empty('SELECT pg_temp.differs()', 'more templates than are kept');

-- Texts
INSERT INTO given (event, subject, body, opportunity_id, locale)
SELECT 'test', 'x', string_agg((array[E'\r\n', E'\n', E'\n', E'\r', ' ', E'\t', 'a', '€', '<b>', '&amp; "q"', 'http://x.example/?a=1&b="2".', 'https://', ' https://y.example/é), ', '</p>',
	'https://p.example/q/' || repeat('Aa0_-', 9), '/q/q/' || repeat('z', 43) || '/q/', '/q/short'])[1 + abs(hashint8extended(i * 100 + j, 7)) % 17], '' ORDER BY j), CASE i % 5 WHEN 0 THEN pg_temp.deal(3) END, CASE WHEN i % 2 = 0 THEN 'éàè' END
FROM generate_series(1, 400) i, generate_series(1, 1 + i % 12) j GROUP BY i;
SELECT is_empty('SELECT pg_temp.differs()', 'texts as HTML, and without tokens where they are filed');
INSERT INTO given (event, subject, body, to_name, quote_id) SELECT e, s, b, n, :quote FROM unnest(array['quote.sent', 'test']) e, unnest(array[NULL, '', '  ', ' Own {{x}} ']) s, unnest(array[NULL, '', E'\n \n', 'Own {{x}}']) b, unnest(array[NULL, '   ', ' é ']) n;
SELECT is_empty('SELECT pg_temp.differs()', 'subjects and texts that somebody wrote, or not');

-- Who gets it, and conversations
INSERT INTO given (event, to_address, reply_to, order_key, dedup_key, expires_at, waits_for, quote_id) VALUES ('quote.sent', 'Bea.B@Bolt.example', 'r@example.com', 'o', 'd', now() + interval '1 hour', NULL, :quote), ('quote.sent', 'bea@bolt.example', NULL, NULL, NULL, NULL, 1, :quote);
SELECT is_empty('SELECT pg_temp.differs()', 'what is handed on');
INSERT INTO given (event, quote_id, member_id) SELECT e, :quote, m FROM unnest(array['quote.signed', 'quote.code']) e, unnest(array[NULL, 1]) m;
SELECT is_empty('SELECT pg_temp.differs()', 'members, and codes');
UPDATE sales_crm.company SET bounce_email = 'b+%.%@bounce.example';
INSERT INTO given (event, quote_id) VALUES ('quote.signed', :quote);
SELECT is_empty('SELECT pg_temp.differs()', 'an address for bounces');
INSERT INTO sales_crm.email (opportunity_id, direction, message_id, from_address, to_addresses, sent_at, thread_id)
SELECT pg_temp.deal(2), CASE WHEN i % 3 = 0 THEN 'outgoing' ELSE 'incoming' END, CASE WHEN i % 7 > 0 THEN 'm' || i END, CASE WHEN i % 5 > 0 THEN 'CARL' || i % 2 || '@acme.example' END, CASE WHEN i % 3 = 0 THEN array['x@y.example', NULL, 'carl1@acme.example'] ELSE '{}' END,
	now() - (i / 2) * interval '1 hour', NULL FROM generate_series(1, 30) i;
UPDATE sales_crm.email SET thread_id = (SELECT min(email_id) FROM sales_crm.email WHERE message_id = 'm1') WHERE message_id ~ '^m[0-9]+$' AND email_id % 4 < 3;
UPDATE sales_crm.email SET sent_at = sent_at - email_id * interval '1 microsecond' WHERE message_id ~ '^m[0-9]+$' AND email_id % 4 < 3;
INSERT INTO given (event, to_address, opportunity_id) SELECT 'notification', a, pg_temp.deal(2) FROM unnest(array['carl0@acme.example', 'Carl1@ACME.example', 'carl1@acme.example', 'x@y.example', 'X@y.example', 'new@y.example']) a;
SELECT cmp_ok(count(*), '>=', 4::bigint, 'conversations that are known') FROM given g, LATERAL (SELECT pg_temp.expected(g) #>> '{payload,in_reply_to}' AS m) x WHERE m ~ '^m';
SELECT is((SELECT max(jsonb_array_length(pg_temp.expected(g) #> '{payload,references}')) FROM given g), 10, 'some of them long');
SELECT is_empty('SELECT pg_temp.differs()', 'and the same ones');
INSERT INTO given (event, quote_id, attachments) SELECT 'quote.sent', :quote, f FROM (VALUES (NULL::bigint[]), ('{}'), (array[-1]), (array[NULL::bigint])) AS x (f);
INSERT INTO given (event, quote_id, attachments) SELECT 'quote.sent', :quote, array_agg(attachment_id ORDER BY attachment_id DESC) || array[NULL, min(attachment_id), -1] FROM sales_crm.attachment;
INSERT INTO given (event, quote_id, attachments) SELECT 'quote.sent', :quote, array[array_agg(attachment_id), array_agg(attachment_id)] FROM sales_crm.attachment;
SELECT is_empty('SELECT pg_temp.differs()', 'attachments');
INSERT INTO sales_crm.suppressed_address (address) VALUES ('bea@bolt.example'), (sales_crm.hidden_address('carl@acme.example'));
INSERT INTO given (event, to_address, quote_id) SELECT 'quote.sent', a, :quote FROM unnest(array['BEA@bolt.example', 'Carl@acme.example', 'dee@acme.example']) a;
SELECT is_empty('SELECT pg_temp.differs()', 'suppressed addresses');
WITH s AS (INSERT INTO sales_crm.suppressed_address (address) VALUES ('now@bolt.example') RETURNING 1)
SELECT is(sales_crm.queue_email('quote.sent', 'now@bolt.example', order_key => s::text), NULL, 'one of the same statement') FROM (SELECT count(*) AS s FROM s) x;

-- What is refused, or makes no e-mail
SELECT is(sales_crm.queue_email('quote.sent', NULL, quote_id => :quote), NULL, 'no address');
SELECT throws_ok($$SELECT sales_crm.queue_email(NULL, 'a@b.example', subject => 'x', body => 'x')$$, '23502', NULL, 'no event');
SELECT throws_ok($$SELECT sales_crm.queue_email('test', 'a@b.example', E'a\u0085b')$$, '22023', 'to_name of an e-mail is not one line of up to 400 characters', 'a name with a control character');
SELECT throws_ok($$SELECT sales_crm.queue_email('test', 'a@b.example', subject => repeat('é', 401))$$, '22023', 'subject of an e-mail is not one line of up to 400 characters', 'a subject that is too long');
SELECT throws_ok($$SELECT sales_crm.queue_email('test', 'a@b.example', reply_to => 'b')$$, '22023', 'reply_to of an e-mail is not an address', 'what is no address');
CREATE FUNCTION pg_temp.problem(address text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	detail text;
	field text;
BEGIN
	PERFORM sales_crm.queue_email('test', address);
EXCEPTION WHEN invalid_parameter_value THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, field = COLUMN_NAME;
	RETURN field || ': ' || detail;
END
$$;
SELECT is(pg_temp.problem(E'é"\n' || repeat('ü', 100)), format('to_address: It begins with %s.', to_json(E'é"\n' || repeat('ü', 57))), 'of which the beginning is shown');
UPDATE sales_crm.company SET sender_email = NULL;
SELECT throws_ok('SELECT sales_crm.queue_email(''test'', ''a@b.example'')', '55000', 'the company has no address to send e-mail from', 'no address to send from');
SELECT is(sales_crm.queue_email('test', 'a@b.example', member_id => 1), NULL, 'which members do not notice');

-- Whoever asks
CREATE ROLE pgtap_admin IN ROLE sales_crm_admin;
UPDATE sales_crm.company SET sender_email = 'sales@example.com';
SET LOCAL ROLE pgtap_admin;
SELECT isnt(sales_crm.queue_email('quote.sent', 'a@b.example', quote_id => :quote), NULL, 'as an administrator, who may not write the outbox');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
