-- The e-mailed code: six even digits, ten minutes, five attempts that rolling back does not give
-- back, kept as a hash; a code presented in the same transaction as the signature does not count.
BEGIN;
SELECT plan(16);

SELECT is((SELECT count(*) FROM generate_series(1, 2000) WHERE sales_crm.make_signing_code() !~ '^[0-9]{6}$'), 0::bigint, 'six digits');
SELECT cmp_ok((SELECT count(DISTINCT sales_crm.make_signing_code()) FROM generate_series(1, 2000)), '>', 1980::bigint, 'hardly ever the same');
SELECT cmp_ok((SELECT max(n) - min(n) FROM (SELECT count(*) AS n FROM generate_series(1, 20000) GROUP BY left(sales_crm.make_signing_code(), 1)) d), '<', 400::bigint, 'the first digit is even');

INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'Deal', account_id, member_id FROM sales_crm.account, sales_crm.member;
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT opportunity_id, 'Work', 1, 100 FROM sales_crm.opportunity;
UPDATE sales_crm.company SET sender_email = 'sales@example.com';
UPDATE sales_crm.quote_template SET code_above = 50;
CREATE TEMPORARY TABLE sent AS
	SELECT s.* FROM sales_crm.opportunity o, sales_crm.create_quote(o.opportunity_id) q, sales_crm.send_quote(q, 'link', email => 'carl@example.com', recipient_name => 'Carl') s;
SELECT ok((SELECT code_required FROM sent, sales_crm.open_quote(token)), 'the page asks for a code');
SELECT throws_ok($$SELECT sales_crm.present_signing_code(token, '123456') FROM sent$$, 'SC108', NULL, 'none was sent');
SELECT lives_ok($$SELECT sales_crm.request_signing_code(token) FROM sent$$, 'a code is sent');
SELECT is((SELECT count(*) FROM sales_crm.quote_event WHERE kind = 'code_sent'), 1::bigint, 'and chained');

-- Known digits instead of those in the mail
UPDATE sales_crm.signing_code SET code_sha256 = sales_crm.signing_code_sha256(salt, '123456');
SELECT is(sales_crm.present_signing_code(token, '000000'), 4, 'four attempts left') FROM sent;
SELECT is(sales_crm.present_signing_code(token, '123 456'), 3, 'the right digits say nothing, either') FROM sent;
PREPARE sign (text) AS SELECT s.status FROM sent, sales_crm.open_quote(token) o,
	sales_crm.sign_quote(token, o.snapshot_sha256, 'Carl', 'carl@example.com', request_key => 'k', consent_text => 'Yes', code => $1) s;
SELECT throws_ok($$EXECUTE sign('123456')$$, 'SC108', NULL, 'presented in this very transaction, they do not count');
UPDATE sales_crm.signing_code_attempt SET claimed_by = '3';
SELECT throws_ok($$EXECUTE sign('000000')$$, 'SC108', NULL, 'wrong ones never do');
SELECT throws_ok($$EXECUTE sign(NULL)$$, 'SC108', NULL, 'nor none');
SAVEPOINT before;
SELECT results_eq($$EXECUTE sign('123456')$$, $$VALUES ('signed')$$, 'presented before, they do');
ROLLBACK TO before;
UPDATE sales_crm.signing_code SET created_at = created_at - interval '11 minutes', expires_at = expires_at - interval '11 minutes';
SELECT throws_ok($$EXECUTE sign('123456')$$, 'SC108', NULL, 'not after ten minutes');
UPDATE sales_crm.signing_code SET expires_at = now() + interval '1 hour';
SELECT is((SELECT array_agg(sales_crm.present_signing_code(token, '1')) FROM sent, generate_series(1, 3)), '{2,1,0}', 'five attempts');
SELECT throws_ok($$SELECT sales_crm.present_signing_code(token, '123456') FROM sent$$, 'SC108', NULL, 'and no more');

SELECT * FROM finish();
ROLLBACK;
