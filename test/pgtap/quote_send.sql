-- Promise: nobody gives more discount in a quote than they may, by whichever way it gets in; who of
-- several recipients has looked, and when first, is known of each; no limit for files keeps a
-- customer from signing.
BEGIN;
SELECT plan(33);
SET client_min_messages = warning;

INSERT INTO sales_crm.member (name, is_manager) VALUES ('Sam', false), ('Mary', true);
SELECT member_id AS sam FROM sales_crm.member WHERE name = 'Sam' \gset
SELECT member_id AS mary FROM sales_crm.member WHERE name = 'Mary' \gset
UPDATE sales_crm.company SET max_discount_percent = 10, max_discount_percent_of_managers = 30;
INSERT INTO sales_crm.account (name) VALUES ('Acme');
SET sales_crm.member_id = :'sam';
-- draft(NAME): a draft of Sam's with two lines of 100, without discount
CREATE FUNCTION pg_temp.draft(name text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	made bigint;
BEGIN
	INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT $1, a.account_id, sales_crm.current_member() FROM sales_crm.account a RETURNING opportunity_id INTO made;
	INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (made, 'Lamp', 100), (made, 'Table', 100);
	RETURN sales_crm.create_quote(made);
END
$$;
CREATE FUNCTION pg_temp.quote(name text) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT q.quote_id FROM sales_crm.quote q WHERE q.title = $1 $$;
-- state(NAME): all that sending would have changed
CREATE FUNCTION pg_temp.state(name text) RETURNS text LANGUAGE sql STABLE AS $$
	SELECT concat_ws(' ', q.status, q.snapshot IS NULL, (SELECT count(*) FROM sales_crm.quote_link l WHERE l.quote_id = q.quote_id),
		(SELECT count(*) FROM sales_crm.quote_event e WHERE e.quote_id = q.quote_id AND e.kind <> 'created'), (SELECT count(*) FROM sales_crm.message_body b WHERE b.quote_id = q.quote_id))
	FROM sales_crm.quote q WHERE q.title = $1
$$;
-- send(NAME): what comes of it, undone where it is refused
CREATE FUNCTION pg_temp.send(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	PERFORM sales_crm.send_quote(pg_temp.quote(name));
	RETURN 'sent';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS said = PG_EXCEPTION_DETAIL;
	RETURN SQLSTATE || ' ' || said;
END
$$;

-- Discounts: of the whole, in percent and as an amount, and of a line
SELECT pg_temp.draft(n) FROM unnest(array['whole', 'amount', 'line', 'line amount', 'limit', 'approved', 'refused', 'agreed', 'manager', 'above', 'program', 'revised', 'large', 'views', 'again']) n \g /dev/null
UPDATE sales_crm.quote SET discount_percent = 10.01 WHERE title IN ('whole', 'approved', 'refused', 'program');
UPDATE sales_crm.quote SET discount_amount = 20.01 WHERE title = 'amount';
UPDATE sales_crm.quote_line SET discount_percent = 10.01 WHERE quote_id = pg_temp.quote('line') AND name = 'Lamp';
UPDATE sales_crm.quote_line SET discount_amount = 10.01 WHERE quote_id = pg_temp.quote('line amount') AND name = 'Lamp';
SELECT is(pg_temp.state('whole'), 'draft t 0 0 0', 'a draft may have any discount');
SELECT matches(pg_temp.send(n), '^SC201 The quote would have a discount of 10\.0[01] %; member [0-9]+ may give 10 %\.$', n || ': above the limit it is not sent')
FROM unnest(array['whole', 'amount', 'line', 'line amount']) n;
SELECT is(pg_temp.state(n), 'draft t 0 0 0', n || ': and stays as it was') FROM unnest(array['whole', 'line amount']) n;
UPDATE sales_crm.quote SET discount_amount = 20 WHERE title = 'limit';
SELECT is(pg_temp.send('limit'), 'sent', 'up to the limit it is');
SELECT is(pg_temp.state('limit'), 'sent f 1 2 1', 'with all that follows');

-- Approval, and what the opportunity has
SELECT sales_crm.request_discount_approval(opportunity_id, 10.01, 'Old friends') FROM sales_crm.quote WHERE title IN ('approved', 'refused') \g /dev/null
SELECT matches(pg_temp.send('approved'), '^SC201', 'a request is no approval');
SET sales_crm.member_id = :'mary';
SELECT sales_crm.decide_discount_approval(discount_approval_id, opportunity_id = (SELECT opportunity_id FROM sales_crm.quote WHERE title = 'approved')) FROM sales_crm.discount_approval \g /dev/null
SELECT sales_crm.request_discount_approval(opportunity_id, 25) FROM sales_crm.quote WHERE title = 'agreed' \g /dev/null
UPDATE sales_crm.opportunity SET discount_percent = 25 WHERE name = 'agreed';
SET sales_crm.member_id = :'sam';
SELECT is(pg_temp.send('approved'), 'sent', 'a manager''s approval lets it be sent');
SELECT matches(pg_temp.send('refused'), '^SC201', 'a refusal does not');
UPDATE sales_crm.quote SET discount_percent = 25 WHERE title = 'agreed';
SELECT is(pg_temp.send('agreed'), 'sent', 'what a manager has put into the opportunity can be offered');
UPDATE sales_crm.quote SET discount_percent = 10 WHERE title = 'revised';
SELECT is(pg_temp.send('revised'), 'sent', 'a version within the limit');
SELECT sales_crm.revise_quote(pg_temp.quote('revised')) \g /dev/null
UPDATE sales_crm.quote SET discount_percent = 11 WHERE title = 'revised' AND version = 2;
SELECT throws_ok($$SELECT sales_crm.send_quote(quote_id) FROM sales_crm.quote WHERE title = 'revised' AND version = 2$$, 'SC201', NULL, 'is none for the next one');

-- Managers and programs
SET sales_crm.member_id = :'mary';
UPDATE sales_crm.quote SET discount_percent = 30 WHERE title = 'manager';
UPDATE sales_crm.quote SET discount_percent = 30.01 WHERE title = 'above';
SELECT is(pg_temp.send('manager'), 'sent', 'managers have their own limit');
SELECT matches(pg_temp.send('above'), format('^SC201 .* 30\.01 %%; member %s may give 30 %%', :mary), 'which holds, too');
RESET sales_crm.member_id;
SELECT is(pg_temp.send('program'), 'sent', 'a program without member has none');

-- Views: An twice, Ben once, Carl never
SELECT token AS an, quote_link_id AS an_link FROM sales_crm.send_quote(pg_temp.quote('views'), recipient_name => 'An') \gset
SELECT token AS ben, quote_link_id AS ben_link FROM sales_crm.send_quote(pg_temp.quote('views'), recipient_name => 'Ben') \gset
SELECT token AS carl, quote_link_id AS carl_link FROM sales_crm.send_quote(pg_temp.quote('views'), recipient_name => 'Carl') \gset
SELECT sales_crm.record_view(:'ben', '192.0.2.2', 'Browser of Ben') \g /dev/null
CREATE TEMP TABLE first_view AS SELECT quote_link_id, first_viewed_at FROM sales_crm.quote_link WHERE quote_link_id = :ben_link;
SELECT sales_crm.record_view(:'an', ip, 'Browser of An') FROM unnest(array['192.0.2.1', '192.0.2.9']::inet[]) ip \g /dev/null
SELECT sales_crm.record_view(:'ben', '192.0.2.8', 'Another') \g /dev/null
SELECT results_eq(format('SELECT recipient_name, views, first_viewed_ip, first_viewed_user_agent, first_viewed_at IS NOT NULL, last_viewed_at > first_viewed_at
	FROM sales_crm.quote_link WHERE quote_id = %s ORDER BY 1', pg_temp.quote('views')),
	$$VALUES ('An', 2, inet '192.0.2.1', 'Browser of An', true, true), ('Ben', 2, '192.0.2.2', 'Browser of Ben', true, true), ('Carl', 0, NULL, NULL, false, NULL)$$,
	'each recipient has a first view of their own, and a count');
SELECT is((SELECT first_viewed_at FROM sales_crm.quote_link WHERE quote_link_id = :ben_link), (SELECT first_viewed_at FROM first_view), 'whose time stays');
SELECT is((SELECT string_agg(e.quote_link_id || ' ' || (e.data ->> 'ip'), ', ') FROM sales_crm.quote_event e WHERE e.quote_id = pg_temp.quote('views') AND e.kind = 'viewed'),
	:'ben_link' || ' 192.0.2.2', 'the quote became viewed by the first of them');

-- The same recipient again, by another channel, and another recipient
SELECT quote_link_id AS first FROM sales_crm.send_quote(pg_temp.quote('again'), 'direct', email => 'an@example.com') \gset
SELECT quote_link_id AS other_channel FROM sales_crm.send_quote(pg_temp.quote('again'), 'download', email => 'an@example.com') \gset
SELECT quote_link_id AS other FROM sales_crm.send_quote(pg_temp.quote('again'), 'direct', email => 'ben@example.com') \gset
SELECT quote_link_id AS second FROM sales_crm.send_quote(pg_temp.quote('again'), 'direct', email => 'AN@example.com', recipient_name => 'An') \gset
SELECT results_eq(format('SELECT quote_link_id, revoked_at IS NULL FROM sales_crm.quote_link WHERE quote_id = %s ORDER BY 1', pg_temp.quote('again')),
	format('VALUES (%s::bigint, false), (%s, true), (%s, true), (%s, true)', :first, :other_channel, :other, :second), 'a new link takes the place of the recipient''s before it, in its channel');
SELECT results_eq(format($$SELECT e.quote_link_id, e.data - 'tail', e.data ->> 'tail' = l.token_tail FROM sales_crm.quote_event e JOIN sales_crm.quote_link l USING (quote_link_id)
	WHERE e.quote_id = %s AND e.kind = 'link_created' AND e.quote_link_id IN (%s, %s) ORDER BY 1$$, pg_temp.quote('again'), :first, :second),
	format($$VALUES (%s::bigint, jsonb '{"channel": "direct", "recipient_email": "an@example.com"}', true),
		(%s, '{"channel": "direct", "recipient_email": "AN@example.com", "recipient_name": "An"}', true)$$, :first, :second), 'their events say for whom they are, as far as it is known');
SELECT throws_ok($$SELECT sales_crm.send_quote(pg_temp.quote('again'), 'post')$$, '22023', 'channel "post" is not known', 'a channel that is not known is refused');
SELECT throws_ok($$SELECT sales_crm.send_quote(pg_temp.quote('again'), 'email')$$, '22023', 'quote has nobody to be sent to', 'an e-mail wants an address');
SELECT throws_ok('SELECT sales_crm.send_quote(NULL)', 'P0002', 'quote <NULL> does not exist', 'no quote is none');

-- A signed document that is larger than files may be
SELECT token AS large, quote_link_id FROM sales_crm.send_quote(pg_temp.quote('large')) \gset
UPDATE sales_crm.company SET attachment_max_bytes = 0;
SELECT is((SELECT s.status FROM sales_crm.quote q, sales_crm.sign_quote(:'large', q.snapshot_sha256, 'An', request_key => 'k', consent_text => 'I agree.') s WHERE q.title = 'large'),
	'signed', 'the customer signs, whatever attachment_max_bytes says');
SELECT cmp_ok((SELECT a.size FROM sales_crm.signature s JOIN sales_crm.attachment a USING (attachment_id)), '>', 1000::bigint, 'the document is there');
SELECT throws_ok($$INSERT INTO sales_crm.attachment (opportunity_id, file_name, media_type, content) SELECT opportunity_id, 'x.html', 'text/html', '<p>' FROM sales_crm.quote WHERE title = 'large'$$,
	'54000', NULL, 'and no way in for others');
SELECT throws_ok(format($$SELECT sales_crm.record_paper_signature(%s, 'An', 'scan')$$, pg_temp.quote('limit')), '54000', NULL, 'a scan that is too large is refused');
SELECT is(pg_temp.state('limit') || (SELECT count(*) FROM sales_crm.signature WHERE quote_id = pg_temp.quote('limit')), 'sent f 1 2 10', 'with nothing half done');
SELECT is_empty('SELECT FROM sales_crm.verify_quotes()', 'quotes verify');
SELECT is_empty('SELECT FROM sales_crm.verify_quote_events()', 'and their events');
SELECT * FROM finish();
ROLLBACK;
