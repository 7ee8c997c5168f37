-- Promise: no column escapes export_person() and erase_person(). Each one of a type that can hold a
-- text has its place in the list below; a new column without one fails here. A person is then put
-- into all of them, and the list must be what is seen: found by the export, gone after the erasure,
-- or still there with the reason in its answer. Everything verifies as before.
BEGIN;
SELECT plan(25);
SET client_min_messages = warning;

-- nobody: words of the company (configuration, members), codes, keys and hashes. erased: overwritten
-- or deleted. kept: rows of it may stay, because they prove something.
CREATE TEMP TABLE place (relation text, nobody text[], erased text[], kept text[]);
INSERT INTO place VALUES
	('access_log', '{what,role}', '{}', '{}'),
	('account', '{kind,country}', '{name,email,phone,website,vat_number,street,postal_code,city,external_id,custom}', '{}'),
	('account_merge', '{}', '{removed}', '{}'),
	('appointment', '{time_zone,uid}', '{subject,details,location}', '{}'),
	('appointment_attendee', '{answer}', '{}', '{}'),
	('appointment_change', '{field}', '{old,new}', '{}'),
	('attachment', '{media_type,content,sha256}', '{}', '{file_name}'),
	('attachment_content', '{sha256}', '{}', '{content}'),
	('calendar_feed', '{token_sha256}', '{}', '{}'),
	('change_request', '{}', '{}', '{note,requester_name,requester_email,ip,user_agent}'),
	('company', '{name,address,vat_number,logo,brand_color,locale,time_zone,currency,portal_url,sender_email,bounce_email,vat_method,visibility,quote_number_format}', '{}', '{}'),
	('contact', '{locale}', '{name,email,phone,job_title}', '{}'),
	('currency', '{code,name}', '{}', '{}'),
	('discount_approval', '{status}', '{}', '{reason,answer}'),
	('email', '{direction,state}', '{message_id,in_reply_to,from_address,from_name,to_addresses,cc_addresses,subject,body_text,body_html,problem}', '{}'),
	('email_template', '{event,locale,subject,body_text,body_html}', '{}', '{}'),
	('exchange_rate', '{from_currency,to_currency}', '{}', '{}'),
	('follow_up_rule', '{subject,assignee}', '{}', '{}'),
	('forecast_cell', '{currency}', '{}', '{}'),
	('forecast_day', '{cause,currency}', '{}', '{}'),
	('forecast_ledger', '{cause,currency}', '{}', '{}'),
	('holiday', '{name}', '{}', '{}'),
	('live_event', '{event}', '{}', '{}'),
	('lost_reason', '{name}', '{}', '{}'),
	('member', '{name,email,login,visibility,locale}', '{}', '{}'),
	('message', '{kind,claimed_by}', '{order_key}', '{}'),
	('message_attempt', '{worker,outcome}', '{reason}', '{}'),
	('message_body', '{kind,event}', '{recipient,dedup_key,payload}', '{}'),
	('message_dead', '{kind}', '{order_key,reason}', '{}'),
	('message_done', '{kind,worker}', '{response}', '{}'),
	('message_floor', '{kind}', '{}', '{}'),
	('note', '{format}', '{body}', '{}'),
	('notification', '{event}', '{subject,body}', '{}'),
	('opportunity', '{currency,vat_method}', '{name,description,external_id,custom}', '{}'),
	('opportunity_change', '{field,rule}', '{old,new}', '{}'),
	('phase', '{name,outcome,color,forecast_category,required_fields}', '{}', '{}'),
	('pipeline', '{name,transition_policy}', '{}', '{}'),
	('product', '{sku,name,description,unit,currency,external_id,custom,words}', '{}', '{}'),
	('product_line', '{kind,unit,tax_category}', '{}', '{name,description,extra_description}'),
	('product_price', '{currency}', '{}', '{}'),
	('quote', '{number,status,locale,currency,vat_method,totals,snapshot_sha256,html_sha256}', '{}', '{title,introduction,terms,customer_name,customer_address,customer_vat_number,snapshot,html}'),
	('quote_answer', '{request_key,payload_sha256,status}', '{}', '{}'),
	('quote_document', '{purpose,html_sha256,sealed}', '{}', '{}'),
	('quote_event', '{kind,previous_sha256,sha256}', '{}', '{data}'),
	('quote_event_checkpoint', '{heads,previous_sha256,sha256}', '{}', '{}'),
	('quote_line', '{kind,unit,tax_category}', '{}', '{name,description,extra_description}'),
	('quote_link', '{token_sha256,token_tail,channel}', '{}', '{recipient_name,recipient_email,first_viewed_ip,first_viewed_user_agent}'),
	('quote_template', '{name,locale,body,partials,introduction,terms}', '{}', '{}'),
	('refusal', '{}', '{}', '{reason,refuser_name,refuser_email,ip,user_agent}'),
	('retention_rule', '{kind}', '{}', '{}'),
	('sending', '{database_identity,activated_by}', '{}', '{}'),
	('signature', '{snapshot_sha256}', '{}', '{signer_name,signer_email,image,consent_text,ip,user_agent}'),
	('signing_code', '{salt,code_sha256}', '{}', '{}'),
	('signing_code_attempt', '{guess_sha256}', '{}', '{}'),
	('source', '{name}', '{}', '{}'),
	('suppressed_address', '{reason}', '{address,detail}', '{}'),
	('target', '{currency}', '{}', '{}'),
	('task', '{priority,origin,recurs_unit,recurs_weekdays}', '{subject,details}', '{}'),
	('task_change', '{field}', '{old,new}', '{}'),
	('tax_rate', '{name,category,exemption_reason}', '{}', '{}'),
	('team', '{name}', '{}', '{}'),
	('unit', '{code,name}', '{}', '{}'),
	('webhook', '{name,url,secrets,events,disabled_reason}', '{}', '{}');

CREATE TEMP VIEW field AS
SELECT c.relname::text AS relation, a.attname::text AS field
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped JOIN pg_type t ON t.oid = a.atttypid
WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relkind = 'r'
	AND (t.typcategory IN ('S', 'I') OR t.typelem <> 0 AND t.typlen = -1 OR t.typname IN ('json', 'jsonb', 'bytea', 'xml', 'tsvector', 'hstore'));
CREATE TEMP VIEW listed AS
SELECT p.relation, f AS field, s.state
FROM place p CROSS JOIN LATERAL (VALUES ('nobody', p.nobody), ('erased', p.erased), ('kept', p.kept)) s (state, fields) CROSS JOIN unnest(s.fields) f;
SELECT is_empty('SELECT relation, field FROM field EXCEPT SELECT relation, field FROM listed', 'every column that can hold a text has its place');
SELECT is_empty('SELECT relation, field FROM listed EXCEPT SELECT relation, field FROM field', 'and every place is a column');
SELECT is_empty('SELECT relation, field FROM listed GROUP BY 1, 2 HAVING count(*) > 1', 'one place each');

-- Where Iris is: by name, address or IP address. Her drawn signature is a picture.
CREATE FUNCTION pg_temp.found() RETURNS TABLE (relation text, field text) LANGUAGE plpgsql AS $$
DECLARE
	place record;
BEGIN
	FOR place IN SELECT * FROM pg_temp.field LOOP
		RETURN QUERY EXECUTE format('SELECT DISTINCT %L, %L FROM sales_crm.%1$I t WHERE CASE pg_typeof(t.%2$I)::text WHEN ''bytea''
				THEN encode(t.%2$I::text::bytea, ''escape'') ELSE t.%2$I::text END ~* ''iris|192\.0\.2\.77'' OR ''%1$s.%2$s'' = ''signature.image'' AND t.%2$I IS NOT NULL',
			place.relation, place.field);
	END LOOP;
END
$$;
CREATE TEMP VIEW problem AS
SELECT 'quote' AS kind, q::text FROM sales_crm.verify_quotes() q UNION ALL SELECT 'event', e::text FROM sales_crm.verify_quote_events() e
UNION ALL SELECT 'attachment', a::text FROM sales_crm.verify_attachments() a UNION ALL SELECT 'outbox', o::text FROM sales_crm.verify_outbox() o
UNION ALL SELECT 'forecast', f::text FROM sales_crm.verify_forecast() f UNION ALL SELECT 'opportunity', o::text FROM sales_crm.verify_opportunities() o
UNION ALL SELECT 'line', l::text FROM sales_crm.verify_product_lines() l;

-- Two accounts, one of them herself; an invitation that nobody here made; then a member
UPDATE sales_crm.company SET portal_url = 'https://quotes.example', sender_email = 'us@us.example', locale = 'en';
INSERT INTO sales_crm.account (name, kind, email, phone, website, vat_number, street, postal_code, city, country, external_id, custom)
VALUES ('Iris Private', 'person', 'Iris@Example.com', 'iris 1', 'https://iris.example', 'VAT iris', 'Iris lane', 'P iris', 'Iristown', 'BE', 'ext iris', '{"a": "iris"}');
INSERT INTO sales_crm.account (name, email) VALUES ('Acme', 'iris@example.com'), ('Iris twin', 'iris@example.com');
INSERT INTO sales_crm.contact (account_id, name, email, phone, job_title) SELECT account_id, 'Iris Private', 'iris@example.com', 'iris 2', 'Iris in chief' FROM sales_crm.account WHERE name IN ('Acme', 'Iris Private');
SELECT account_id AS person FROM sales_crm.account WHERE kind = 'person' \gset
SELECT account_id AS acme FROM sales_crm.account WHERE name = 'Acme' \gset
SELECT account_id AS twin FROM sales_crm.account WHERE name = 'Iris twin' \gset
SELECT contact_id AS contact FROM sales_crm.contact WHERE account_id = :acme \gset
SELECT email_id AS invitation FROM sales_crm.record_email(from_address => 'iris@example.com', from_name => 'Iris', to_addresses => '{us@us.example}', cc_addresses => '{iris@example.com}',
	subject => 'Iris invites', body_text => 'iris', body_html => '<p>iris', message_id => 'one@iris.example', in_reply_to => 'zero@iris.example', problem => 'damaged by iris') \gset
SELECT sales_crm.record_invitation(:invitation, 'REQUEST', 'uid-1', 0, 'At the house of Iris', 'Iris lane', 'Iris waits', now() + interval '1 day', now() + interval '25 hours', false, '{}', '{}') \g /dev/null
UPDATE sales_crm.appointment SET location = 'Iris lane 2';
SELECT sales_crm.add_email_attachment(:invitation, 'iris.txt', 'text/plain', 'Iris file') \g /dev/null
INSERT INTO sales_crm.member (name, login, email, is_manager) VALUES ('Sam', current_user, 'sam@us.example', true);
SELECT sales_crm.merge_accounts(:acme, :twin) \g /dev/null
INSERT INTO sales_crm.webhook (name, url) VALUES ('erp', 'https://erp.example/hook');
SELECT sales_crm.activate_sending() \g /dev/null

-- Sales: her own, and two of Acme
INSERT INTO sales_crm.opportunity (name, account_id, contact_id, description, external_id, custom)
VALUES ('Kitchen of Iris', :person, NULL, 'Iris wants white', 'deal iris', '{"a": "iris"}'), ('Deal', :acme, :contact, NULL, NULL, '{}'), ('Deal 2', :acme, :contact, NULL, NULL, '{}');
SELECT opportunity_id AS own FROM sales_crm.opportunity WHERE account_id = :person \gset
UPDATE sales_crm.opportunity SET name = 'New kitchen of Iris' WHERE opportunity_id = :own;
INSERT INTO sales_crm.product_line (opportunity_id, name, description, extra_description, unit_price) SELECT opportunity_id, 'Table for Iris', 'iris', 'iris', 100 FROM sales_crm.opportunity;
INSERT INTO sales_crm.discount_approval (opportunity_id, discount_percent, reason) VALUES (:own, 10, 'Iris is nice');
SELECT sales_crm.decide_discount_approval(discount_approval_id, true, 'Iris may') FROM sales_crm.discount_approval \g /dev/null
INSERT INTO sales_crm.note (contact_id, body) VALUES (:contact, 'Iris likes tea');
INSERT INTO sales_crm.note (opportunity_id, body) VALUES (:own, 'Iris likes white');
INSERT INTO sales_crm.task (opportunity_id, subject, details) VALUES (:own, 'Call Iris', 'Iris is at home');
UPDATE sales_crm.task SET subject = 'Call Iris again' WHERE subject = 'Call Iris';
INSERT INTO sales_crm.appointment (opportunity_id, subject, location, details, starts_at) VALUES (:own, 'Visit Iris', 'Iris lane', 'iris', now());
INSERT INTO sales_crm.appointment_attendee (appointment_id, contact_id) SELECT appointment_id, :contact FROM sales_crm.appointment WHERE opportunity_id = :own;

-- Quotes: signed, changed, declined, signed on paper, a draft
CREATE TEMP TABLE quoted AS SELECT n, opportunity_id, NULL::text AS token, sales_crm.create_quote(opportunity_id) AS quote_id
FROM (SELECT n, CASE WHEN n IN (3, 5) THEN :own ELSE (SELECT min(opportunity_id) + n % 2 FROM sales_crm.opportunity WHERE account_id = :acme) END AS opportunity_id FROM generate_series(1, 5) n) x;
UPDATE sales_crm.quote SET introduction = 'Dear Iris', terms = 'Iris pays', customer_address = 'Iris lane', customer_vat_number = 'VAT iris';
UPDATE sales_crm.company SET signing_supersedes_others = false;
UPDATE quoted SET token = (SELECT s.token FROM sales_crm.send_quote(quoted.quote_id, 'email', :contact) s) WHERE n < 5;
SELECT sales_crm.record_view(token, '192.0.2.77', 'Iris browser') FROM quoted WHERE n < 5 \g /dev/null
SELECT quote_id AS signed FROM quoted WHERE n = 1 \gset
SELECT s.status FROM quoted t JOIN sales_crm.quote q USING (quote_id), LATERAL sales_crm.sign_quote(t.token, q.snapshot_sha256, 'Iris Private', 'iris@example.com',
	decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNkYAAAAAYAAjCB0C8AAAAASUVORK5CYII=', 'base64'), '192.0.2.77', 'Iris browser', 'r1', 'I, Iris, agree') s WHERE t.n = 1 \g /dev/null
UPDATE sales_crm.quote_template SET code_above = 0;
SELECT sales_crm.request_signing_code(token) FROM quoted WHERE n = 2 \g /dev/null
SELECT sales_crm.request_change(token, 'Iris wants black', 'Iris', 'iris@example.com', '192.0.2.77', 'Iris browser', 'r2') FROM quoted WHERE n = 2 \g /dev/null
SELECT sales_crm.decline_quote(token, 'Iris is broke', 'Iris', 'iris@example.com', '192.0.2.77', 'Iris browser', 'r3') FROM quoted WHERE n = 3 \g /dev/null
SELECT sales_crm.record_paper_signature(quote_id, 'Iris', 'scan of iris', signer_email => 'iris@example.com', file_name => 'iris.png') FROM quoted WHERE n = 4 \g /dev/null

-- The outbox: delivered and bounced, given up, in flight, waiting
SELECT sales_crm.queue_email('notification', 'Iris@example.com', 'Iris', dedup_key => 'iris ' || n, order_key => 'iris ' || n) FROM generate_series(1, 4) n \g /dev/null
CREATE TEMP TABLE claimed AS SELECT * FROM sales_crm.claim_messages('sender', 100, kinds => '{email}') WHERE lower(recipient) = 'iris@example.com';
SELECT sales_crm.complete_message(message_id, fence, 'ok iris@example.com') FROM claimed ORDER BY message_id LIMIT 1 \g /dev/null
SELECT sales_crm.record_bounce(payload ->> 'message_id', 'iris@example.com', '5.1.1', 'no such user iris') FROM claimed ORDER BY message_id LIMIT 1 \g /dev/null
SELECT sales_crm.fail_message(message_id, fence, 'no such user iris', false) FROM (SELECT * FROM claimed ORDER BY message_id OFFSET 1 LIMIT 1) c \g /dev/null
SELECT sales_crm.queue_message('email', 'notification', '{"to": "other@example.com"}', 'other@example.com', 'other');
INSERT INTO sales_crm.suppressed_address (address) VALUES ('other@example.com');

-- Before
SELECT bag_eq('SELECT * FROM pg_temp.found()', $$SELECT relation, field FROM listed WHERE state <> 'nobody'$$, 'she is in every column that is said to hold somebody, and in no other');
SELECT is_empty('TABLE problem', 'everything verifies');
CREATE TEMP TABLE export AS SELECT sales_crm.export_person('iris@example.com') -> 'held' AS held;
SELECT is_empty($$
	SELECT l.relation, l.field FROM listed l
	WHERE l.state <> 'nobody' AND l.relation || '.' || l.field NOT IN ('quote.html', 'attachment_content.content')
		AND NOT EXISTS (SELECT FROM export, jsonb_array_elements(held -> l.relation) r WHERE r ->> l.field ~* 'iris|192\.0\.2\.77' OR l.field = 'image' AND r ? 'image')
$$, 'the export has her in all of them, but for documents, which it names');
SELECT unalike((SELECT held::text FROM export), '%other@example.com%', 'and nobody else');
CREATE TEMP VIEW figures AS SELECT (SELECT sum(amount) FROM sales_crm.opportunity) AS amount, (SELECT count(*) FROM sales_crm.opportunity) AS deals,
	(SELECT md5(string_agg(f::text, '' ORDER BY f::text)) FROM sales_crm.forecast f) AS forecast, (SELECT md5(string_agg(u.snapshot::text || u.snapshot_sha256::text || u.html, '' ORDER BY quote_id)) FROM sales_crm.quote u) AS quotes,
	(SELECT md5(string_agg(s::text, '' ORDER BY signature_id)) FROM sales_crm.signature s) AS signatures, (SELECT md5(string_agg(e::text, '' ORDER BY quote_event_id)) FROM sales_crm.quote_event e) AS events,
	(SELECT md5(string_agg(sales_crm.signed_document(quote_id), '' ORDER BY quote_id)) FROM sales_crm.signature) AS documents;
CREATE TEMP TABLE before AS SELECT *, (SELECT count(*) FROM sales_crm.message WHERE kind = 'email') AS waiting FROM figures;

-- After
CREATE TEMP TABLE answer AS SELECT sales_crm.erase_person('IRIS@example.com') AS said;
SELECT bag_eq('SELECT * FROM pg_temp.found()', $$SELECT relation, field FROM listed WHERE state = 'kept'$$, 'she is left just where it is said');
SELECT set_eq($$SELECT DISTINCT k ->> 'relation' FROM answer, jsonb_array_elements(said -> 'kept') k$$,
	$$SELECT DISTINCT CASE relation WHEN 'attachment_content' THEN 'attachment' ELSE relation END FROM listed WHERE state = 'kept' UNION VALUES ('opportunity'), ('suppressed_address')$$,
	'the answer names these, the figures of sales and the hash of her address');
SELECT ok(bool_and(length(k ->> 'why') > 10 AND (k ->> 'rows')::integer > 0), 'with the reason and how many rows') FROM answer, jsonb_array_elements(said -> 'kept') k;
SELECT results_eq('TABLE figures', 'SELECT amount, deals, forecast, quotes, signatures, events, documents FROM before', 'totals, forecast, quotes, signatures, events and signed documents are as they were');
SELECT is_empty('TABLE problem', 'everything verifies');
SELECT is_empty($$SELECT FROM sales_crm.quote WHERE status = 'draft' AND (title, customer_name) IS DISTINCT FROM ('(erased)', '(erased)')$$, 'a draft for her has no name');
SELECT is_empty('TABLE sales_crm.signing_code', 'codes are gone');

-- What is not sent any more
SELECT is((SELECT (said #>> '{erased,message}')::bigint FROM answer), (SELECT waiting - 1 FROM before), 'the answer counts the e-mails that were not delivered');
SELECT is_empty($$SELECT FROM sales_crm.message WHERE kind = 'email' AND message_id IN (SELECT message_id FROM claimed)$$, 'none of hers waits');
SELECT throws_ok($$SELECT sales_crm.complete_message(message_id, fence) FROM claimed ORDER BY message_id DESC LIMIT 1$$, 'SC301', NULL, 'a sender that is just delivering one is told that it is no longer its own');
SELECT is_empty($$SELECT FROM sales_crm.email WHERE state = 'queued'$$, 'and no filed one says that it does');
SELECT is((SELECT count(*) FROM sales_crm.message_body WHERE recipient = 'other@example.com'), 1::bigint, 'those to others do');
SELECT set_eq($$SELECT (payload ->> 'body')::json ->> 'type' AS type, (payload ->> 'body')::json -> 'data' ->> 'quote_id' IS NOT NULL AS has_quote FROM sales_crm.message JOIN sales_crm.message_body USING (message_id) WHERE message.kind = 'webhook' AND message_body.event ~ 'signed|declined|requested'$$,
	$$VALUES ('quote.signed', true), ('quote.declined', true), ('quote.change_requested', true)$$, 'other systems still hear what happened');
SELECT is(sales_crm.queue_email('notification', 'iris@EXAMPLE.com'), NULL, 'her address stays suppressed');
SELECT is((SELECT string_agg(address, ' ' ORDER BY address) FROM sales_crm.suppressed_address), 'other@example.com ' || sales_crm.hidden_address('Iris@Example.com'), 'as a hash; that of others in clear');
INSERT INTO sales_crm.suppressed_address (address, detail) VALUES ('iris@example.com', 'iris');
SELECT lives_ok($$SELECT sales_crm.erase_person('iris@example.com')$$, 'she can be erased again');
SELECT is((SELECT count(*) FROM sales_crm.suppressed_address WHERE address LIKE 'sha256:%'), 1::bigint, 'into the same hash');
DELETE FROM sales_crm.suppressed_address WHERE address = sales_crm.hidden_address('iris@example.com');
SELECT isnt(sales_crm.queue_email('notification', 'iris@example.com'), NULL, 'whoever knows the address can have it tried again');
SELECT * FROM finish();
ROLLBACK;
