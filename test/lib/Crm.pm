# What the TAP tests share: a node with sales_crm in a database, sample data, and fingerprints by
# which two databases are compared.
package Crm;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT_OK = qw(crm_node sample fingerprint is_same error_of healthy);

# crm_node(NAME, SETTING…): a running node with a database crm that has the extension
sub crm_node
{
	my ($name, @settings) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	# Whatever the locale of the machine
	$node->init(allows_streaming => 1, extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
	$node->append_conf('postgresql.conf', "$_\n") for ('max_prepared_transactions = 5', @settings);
	$node->start;
	$node->safe_psql('postgres', 'CREATE DATABASE crm');
	$node->safe_psql('crm', 'CREATE EXTENSION sales_crm');
	return $node;
}

# sample(NODE, DATABASE, N): N opportunities through all that can happen to them
sub sample
{
	my ($node, $database, $count) = @_;
	$node->safe_psql($database, <<"SQL");
INSERT INTO sales_crm.team (name) VALUES ('North');
INSERT INTO sales_crm.member (name, email, team_id, is_manager)
SELECT 'Member ' || i, 'm' || i || '\@example.com', t.team_id, i = 1
FROM sales_crm.team t, generate_series(1, 5) i;
INSERT INTO sales_crm.account (name, owner_id)
SELECT 'Account ' || i, (SELECT member_id FROM sales_crm.member WHERE name = 'Member ' || (1 + i % 5))
FROM generate_series(1, 50) i;
INSERT INTO sales_crm.contact (account_id, name) SELECT account_id, 'Contact of ' || name FROM sales_crm.account;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, currency, expected_on, source_id, created_at)
SELECT 'Opportunity ' || i, a.account_id, a.owner_id, i * 10.5, CASE WHEN i % 7 = 0 THEN 'USD' END,
	date '2026-01-01' + i % 400, s.source_id, timestamptz '2025-01-01' + i * interval '1 minute'
FROM generate_series(1, $count) i
JOIN sales_crm.account a ON a.name = 'Account ' || (1 + i % 50)
JOIN sales_crm.source s ON s.position = 1 + i % 6;
INSERT INTO sales_crm.tax_rate (name, percent, category) VALUES ('VAT 6 %', 6, 'S');
INSERT INTO sales_crm.product (sku, name, description, unit, unit_price, currency, unit_cost, active)
SELECT 'P' || i, 'Product ' || i, 'Number ' || i, (array['C62', 'HUR', 'KGM'])[1 + i % 3], i * 1.234567, CASE WHEN i % 5 = 0 THEN 'USD' ELSE 'EUR' END,
	CASE WHEN i % 2 = 0 THEN i END, i % 10 <> 9 FROM generate_series(1, 30) i;
INSERT INTO sales_crm.product_price (product_id, currency, min_quantity, unit_price)
SELECT product_id, c, q, 10 + q FROM sales_crm.product, unnest(array['EUR', 'USD']) c, unnest(array[0, 10]) q;
INSERT INTO sales_crm.product_line (opportunity_id, product_id, quantity, discount_percent, optional)
SELECT o.opportunity_id, p.product_id, k + 0.5, CASE WHEN k = 2 THEN 12.5 END, k = 4
FROM sales_crm.opportunity o, generate_series(1, 4) k JOIN sales_crm.product p ON p.sku = 'P' || k WHERE o.opportunity_id % 3 = 0;
INSERT INTO sales_crm.product_line (opportunity_id, kind, name, extra_description)
SELECT opportunity_id, 'heading', 'Heading', 'Below it' FROM sales_crm.opportunity WHERE opportunity_id % 6 = 0;
UPDATE sales_crm.opportunity SET discount_percent = 5 WHERE opportunity_id % 9 = 0;
UPDATE sales_crm.opportunity SET discount_amount = 1, prices_include_tax = true WHERE opportunity_id % 12 = 3 AND discount_percent IS NULL;
SELECT sales_crm.request_discount_approval(opportunity_id, 40, 'Because') FROM sales_crm.opportunity WHERE opportunity_id % 50 = 0;
SELECT sales_crm.decide_discount_approval(discount_approval_id, true) FROM sales_crm.discount_approval WHERE opportunity_id % 100 = 0;
UPDATE sales_crm.opportunity o SET phase_id = p.phase_id,
	lost_reason_id = CASE WHEN p.outcome = 'lost' THEN (SELECT min(lost_reason_id) FROM sales_crm.lost_reason) END
FROM sales_crm.phase p WHERE p.pipeline_id = o.pipeline_id AND p.position = 1 + o.opportunity_id % 7;
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Contact')
WHERE opportunity_id % 35 = 6;
INSERT INTO sales_crm.holiday VALUES ('2026-12-25', 'Christmas');
INSERT INTO sales_crm.exchange_rate (from_currency, to_currency, valid_on, rate) VALUES
	('USD', 'EUR', '2024-01-01', 0.91), ('EUR', 'CHF', '2024-01-01', 0.95), ('USD', 'CHF', '2025-06-01', 0.88);
INSERT INTO sales_crm.team (name, parent_team_id) SELECT 'Far North', team_id FROM sales_crm.team WHERE name = 'North';
UPDATE sales_crm.member SET team_id = (SELECT team_id FROM sales_crm.team WHERE name = 'Far North') WHERE name = 'Member 5';
INSERT INTO sales_crm.target (member_id, month, currency, amount)
SELECT member_id, month::date, 'EUR', 1000 * member_id FROM sales_crm.member, generate_series('2026-01-01', '2027-12-01', interval '1 month') month;
INSERT INTO sales_crm.target (team_id, month, currency, amount) SELECT team_id, '2026-06-01', 'EUR', 7000 FROM sales_crm.team WHERE name = 'Far North';
INSERT INTO sales_crm.note (opportunity_id, body, format, created_at)
SELECT opportunity_id, 'Note on ' || name, CASE WHEN opportunity_id % 2 = 0 THEN 'markdown' ELSE 'plain' END, created_at
FROM sales_crm.opportunity WHERE opportunity_id % 3 = 0;
INSERT INTO sales_crm.task (opportunity_id, subject, assignee_id, due_on, recurs_unit, recurs_weekdays, remind_at)
SELECT opportunity_id, 'Weekly call', owner_id, '2026-01-05', 'week', '{1,4}', '2026-01-05 08:00+00'
FROM sales_crm.opportunity WHERE opportunity_id % 20 = 1;
UPDATE sales_crm.task SET done_at = '2026-02-01', assignee_id = (SELECT max(member_id) FROM sales_crm.member) WHERE recurs_unit = 'week';
UPDATE sales_crm.task SET done_at = NULL WHERE due_on = '2026-01-05' AND opportunity_id % 40 = 1;
INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at, all_day, organiser_id, time_zone)
SELECT opportunity_id, 'Visit', timestamptz '2026-03-28 09:00+00' + opportunity_id * interval '40 minutes', opportunity_id % 9 = 0, owner_id, 'Europe/Brussels'
FROM sales_crm.opportunity WHERE opportunity_id % 3 = 1;
INSERT INTO sales_crm.appointment_attendee (appointment_id, contact_id, answer)
SELECT p.appointment_id, c.contact_id, 'tentative' FROM sales_crm.appointment p JOIN sales_crm.opportunity o USING (opportunity_id) JOIN sales_crm.contact c ON c.account_id = o.account_id;
UPDATE sales_crm.appointment SET starts_at = starts_at + interval '1 day', ends_at = ends_at + interval '1 day' WHERE appointment_id % 5 = 0;
UPDATE sales_crm.appointment SET cancelled_at = '2026-01-01' WHERE appointment_id % 7 = 0;
SELECT sales_crm.record_email(from_address => 'customer' || opportunity_id || '\@example.com', subject => 'About ' || name, body_text => 'Hello',
	message_id => 'm' || opportunity_id, opportunity_id => CASE WHEN opportunity_id % 8 = 0 THEN opportunity_id END)
FROM sales_crm.opportunity WHERE opportunity_id % 4 = 0;
INSERT INTO sales_crm.attachment (opportunity_id, file_name, content)
SELECT opportunity_id, 'offer.pdf', convert_to('%PDF-1.7 ' || opportunity_id % 10, 'UTF8') FROM sales_crm.opportunity WHERE opportunity_id % 5 = 0;
SELECT sales_crm.add_email_attachment(email_id, 'photo.png', 'image/png', '\\x89504e470d0a1a0a') FROM sales_crm.email WHERE email_id % 3 = 0;
SELECT count(sales_crm.create_calendar_feed(member_id)) FROM sales_crm.member;
SELECT sales_crm.merge_accounts(min(account_id), max(account_id)) FROM sales_crm.account;
CREATE TEMP TABLE offered AS SELECT opportunity_id, sales_crm.create_quote(opportunity_id) AS quote_id
FROM (SELECT opportunity_id FROM sales_crm.opportunity WHERE opportunity_id % 3 = 0 AND closed_at IS NULL ORDER BY opportunity_id LIMIT 40) o;
UPDATE sales_crm.quote SET terms = 'As agreed', discount_percent = 7, discount_amount = NULL WHERE quote_id % 4 = 0;
CREATE TEMP TABLE sent AS SELECT quote_id, (sales_crm.send_quote(quote_id, recipient_name => 'Reader')).token FROM offered WHERE quote_id % 5 <> 0;
SELECT count(sales_crm.record_view(token)) FROM sent WHERE quote_id % 2 = 0;
SELECT count(sales_crm.sign_quote(token, q.snapshot_sha256, 'Signer ' || quote_id, request_key => 'key', consent_text => 'I agree'))
FROM sent JOIN sales_crm.quote q USING (quote_id) WHERE quote_id % 5 = 1;
SELECT count(sales_crm.request_change(token, 'Another colour', request_key => 'key')) FROM sent WHERE quote_id % 5 = 2;
SELECT count(sales_crm.revise_quote(quote_id)) FROM sent WHERE quote_id % 5 = 2;
SELECT count(sales_crm.decline_quote(token, 'Too much', request_key => 'key')) FROM sent WHERE quote_id % 5 = 3;
SELECT count(*) FROM sales_crm.housekeeping();
UPDATE sales_crm.company SET sender_email = 'sales\@example.com';
SELECT sales_crm.activate_sending();
INSERT INTO sales_crm.webhook (name, url) VALUES ('Sample', 'https://hook.example.com/');
INSERT INTO sales_crm.suppressed_address (address) VALUES ('never\@example.com');
SELECT sales_crm.queue_email('notification', 'm' || member_id || '\@example.com', data => '{"notification":{"subject":"Sample"}}', dedup_key => 'sample ' || member_id)
FROM sales_crm.member;
SELECT sales_crm.queue_webhooks('sample', '{}');
SELECT sales_crm.complete_message(message_id, fence) FROM sales_crm.claim_messages('sample', 2, '1 day', '{email}');
SELECT sales_crm.fail_message(message_id, fence, 'Sample', false) FROM sales_crm.claim_messages('sample', 1, '1 day', '{email}');
SELECT count(*) FROM sales_crm.claim_messages('sample', 1000, '1 day');
SQL
	return;
}

# fingerprint(NODE, DATABASE): one line per table with its checksum, per sequence, and per
# trigger, constraint, index, view, policy, comment and right in the schemas sales_crm and extra.
# Parentheses and column aliases that a dump adds are left out.
sub fingerprint
{
	my ($node, $database) = @_;
	my @tables = split /\n/, $node->safe_psql($database, <<'SQL');
SELECT oid::regclass FROM pg_class
WHERE relnamespace IN (SELECT oid FROM pg_namespace WHERE nspname IN ('sales_crm', 'extra')) AND relkind = 'r'
ORDER BY relname
SQL
	my $data = join ' UNION ALL ',
		map { "SELECT '$_', count(*) || ' rows ' || coalesce(md5(string_agg(t::text, E'\\n' ORDER BY t::text COLLATE \"C\")), '') FROM $_ t" } @tables;
	return $node->safe_psql($database, <<"SQL");
SET timezone = 'UTC';
$data;
WITH s AS (SELECT oid FROM pg_namespace WHERE nspname IN ('sales_crm', 'extra')),
	c AS (SELECT * FROM pg_class WHERE relnamespace IN (SELECT oid FROM s))
SELECT line FROM (
	SELECT format('sequence %s.%s %s', schemaname, sequencename, last_value) FROM pg_sequences WHERE schemaname IN ('sales_crm', 'extra')
	UNION ALL SELECT format('trigger %s %s', tgenabled, translate(pg_get_triggerdef(t.oid), '()', '')) FROM pg_trigger t JOIN c ON c.oid = tgrelid WHERE NOT tgisinternal
	UNION ALL SELECT format('constraint %s %s %s', c.relname, conname, translate(pg_get_constraintdef(k.oid), '()', '')) FROM pg_constraint k JOIN c ON c.oid = conrelid
	UNION ALL SELECT pg_get_indexdef(indexrelid) FROM pg_index i JOIN c ON c.oid = indrelid
	UNION ALL SELECT format('view %s %s', relname, md5(regexp_replace(translate(pg_get_viewdef(oid), '()', ''), '(::[a-z]+) AS \"?[a-z0-9_?]+\"?', '\\1', 'g'))) FROM c WHERE relkind = 'v'
	UNION ALL SELECT format('policy %s %s %s %s %s %s', c.relname, polname, polcmd, polpermissive, translate(pg_get_expr(polqual, polrelid), '()', ''), translate(pg_get_expr(polwithcheck, polrelid), '()', '')) FROM pg_policy p JOIN c ON c.oid = polrelid
	UNION ALL SELECT format('relation %s %s %s %s %s', relkind, relname, relrowsecurity, reloptions,
		(SELECT array_agg(x::text ORDER BY x::text) FROM unnest(relacl) x)) FROM c
	UNION ALL SELECT format('column %s.%s %s', c.relname, attname, (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(attacl) x)) FROM pg_attribute a JOIN c ON c.oid = attrelid WHERE attacl IS NOT NULL AND NOT attisdropped
	UNION ALL SELECT format('comment %s %s %s', c.relname, objsubid, description) FROM pg_description d JOIN c ON d.objoid = c.oid AND d.classoid = 'pg_class'::regclass
	UNION ALL SELECT format('function %s %s', p.oid::regprocedure, (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(proacl) x))
		FROM pg_proc p WHERE pronamespace IN (SELECT oid FROM s)
	UNION ALL SELECT format('schema %s %s', nspname, (SELECT array_agg(x::text ORDER BY x::text) FROM unnest(nspacl) x)) FROM pg_namespace WHERE oid IN (SELECT oid FROM s)
	UNION ALL SELECT format('member %s', pg_describe_object(classid, objid, objsubid)) FROM pg_depend JOIN pg_extension e ON refobjid = e.oid
		WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND extname = 'sales_crm'
) x (line) ORDER BY line COLLATE "C";
SQL
}

# is_same(GOT, EXPECTED, NAME): fails with the lines that differ
sub is_same
{
	my ($got, $expected, $name) = @_;
	my %expected = map { $_ => 1 } split /\n/, $expected;
	my %got = map { $_ => 1 } split /\n/, $got;
	return if ok($got eq $expected, $name);
	my @different = ((map { "missing: $_" } sort grep { !$got{$_} } keys %expected),
		map { "instead: $_" } sort grep { !$expected{$_} } keys %got);
	diag($_) for grep { defined } @different[0 .. 19];
	return;
}

# error_of(NODE, DATABASE, SQL): what psql says of a statement that is to fail
sub error_of
{
	my ($node, $database, $sql) = @_;
	my ($status, $out, $err) = $node->psql($database, "\\set VERBOSITY verbose\n$sql");
	return $status == 0 ? 'no error' : $err;
}

# healthy(NODE, DATABASE, NAME): the database verifies, and goes on working
sub healthy
{
	my ($node, $database, $name) = @_;
	is($node->safe_psql($database, 'SELECT (SELECT count(*) FROM sales_crm.verify_opportunities()), (SELECT count(*) FROM sales_crm.verify_forecast()),
		(SELECT count(*) FROM sales_crm.verify_product_lines()), (SELECT count(*) FROM sales_crm.verify_appointments()), (SELECT count(*) FROM sales_crm.verify_attachments()),
		(SELECT count(*) FROM sales_crm.verify_quotes()), (SELECT count(*) FROM sales_crm.verify_quote_events()), (SELECT count(*) FROM sales_crm.verify_outbox())'),
		'0|0|0|0|0|0|0|0', "$name: verified");
	is($node->safe_psql($database, <<'SQL'), "1|New|1\n1|Won|0", "$name: works");
WITH a AS (INSERT INTO sales_crm.account (name) VALUES ('Later') RETURNING account_id)
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Later', account_id FROM a;
SELECT count(*), min(phase), sum(open_tasks) FROM sales_crm.opportunity_overview WHERE name = 'Later';
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won') WHERE name = 'Later';
SELECT count(*), min(phase), sum(open_tasks) FROM sales_crm.opportunity_overview WHERE name = 'Later';
DELETE FROM sales_crm.opportunity WHERE name = 'Later';
SQL
	return;
}

1;
