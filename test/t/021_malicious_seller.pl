# Promise: a seller who wants more than is theirs does not get it. Mallory may log in, has a schema of
# their own and the rights of a seller who sees own rows alone; each idea below is what such a person
# would try, over a connection of their own. None may show a canary (a word, a number, a hash that
# stands in rows of others), and none may change a row of others, a role or a definition.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('malicious');
$node->safe_psql('crm', <<'SQL');
CREATE ROLE mallory LOGIN;
CREATE ROLE boss LOGIN;
CREATE SCHEMA mallory AUTHORIZATION mallory;
UPDATE sales_crm.company SET visibility = 'own', max_discount_percent = 10;
INSERT INTO sales_crm.member (name, login, is_manager) VALUES ('Mallory', 'mallory', false), ('Boss', 'boss', true);
SELECT sales_crm.grant_access('mallory', 'seller'), sales_crm.grant_access('boss', 'manager');
INSERT INTO sales_crm.account (account_id, name, owner_id, external_id) SELECT 1001, 'CANARY account', member_id, 'ext-hidden' FROM sales_crm.member WHERE name = 'Boss';
INSERT INTO sales_crm.contact (contact_id, account_id, name, email) VALUES (1001, 1001, 'CANARY contact', 'canary@example.com');
INSERT INTO sales_crm.opportunity (opportunity_id, name, account_id, contact_id, owner_id, amount, currency, external_id)
SELECT 1001, 'CANARY deal', 1001, 1001, member_id, 471147, 'CHF', 'opp-hidden' FROM sales_crm.member WHERE name = 'Boss';
INSERT INTO sales_crm.opportunity (opportunity_id, name, account_id, owner_id, amount) SELECT 1000 + i, 'CANARY deal ' || i, 1001, member_id, 471147 FROM sales_crm.member, generate_series(2, 60) i WHERE name = 'Boss';
INSERT INTO sales_crm.note (note_id, opportunity_id, body) VALUES (1001, 1001, 'CANARY note');
INSERT INTO sales_crm.attachment (attachment_id, opportunity_id, file_name, content) VALUES (1001, 1001, 'CANARY.txt', 'CANARY content');
INSERT INTO sales_crm.appointment (appointment_id, opportunity_id, subject, starts_at, organiser_id) SELECT 1001, 1001, 'CANARY visit', now() + interval '1 day', member_id FROM sales_crm.member WHERE name = 'Boss';
INSERT INTO sales_crm.email (email_id, opportunity_id, direction, subject, message_id) VALUES (1001, 1001, 'incoming', 'CANARY mail', 'canary@mail');
INSERT INTO sales_crm.product (product_id, name, unit_price, unit_cost) VALUES (1001, 'Lamp', 10, 471147);
INSERT INTO sales_crm.product_line (product_line_id, opportunity_id, product_id, quantity, unit_price) VALUES (1001, 1002, 1001, 1, 471147);
INSERT INTO sales_crm.account (account_id, name, owner_id) SELECT 2001, 'Mine', member_id FROM sales_crm.member WHERE name = 'Mallory';
INSERT INTO sales_crm.opportunity (opportunity_id, name, account_id, owner_id, amount) SELECT 2001, 'Mine', 2001, member_id, 100 FROM sales_crm.member WHERE name = 'Mallory';
INSERT INTO sales_crm.opportunity (opportunity_id, name, account_id, owner_id, phase_id) SELECT 2002, 'Mine, won', 2001, m.member_id, p.phase_id FROM sales_crm.member m, sales_crm.phase p WHERE m.name = 'Mallory' AND p.name = 'Won';
INSERT INTO sales_crm.note (note_id, opportunity_id, body, created_by) SELECT 2001, 2001, 'Mine', member_id FROM sales_crm.member WHERE name = 'Mallory';
INSERT INTO sales_crm.note (note_id, opportunity_id, body, created_by) SELECT 2002, 2001, 'Of the boss', member_id FROM sales_crm.member WHERE name = 'Boss';
INSERT INTO sales_crm.email (email_id, opportunity_id, direction, subject) VALUES (2001, 2001, 'incoming', 'I do not agree');
INSERT INTO sales_crm.attachment (attachment_id, opportunity_id, file_name, content) VALUES (2001, 2001, 'mine.txt', 'mine');
INSERT INTO sales_crm.product_line (product_line_id, opportunity_id, product_id) VALUES (2001, 2001, 1001);
SELECT setval(pg_get_serial_sequence('sales_crm.' || t, t || '_id'), 5000) FROM unnest(array['opportunity', 'account', 'contact', 'note', 'attachment', 'product_line']) t;
SELECT count(sales_crm.create_calendar_feed(member_id)) FROM sales_crm.member WHERE name = 'Boss';
ANALYZE;
SQL
my $hash = $node->safe_psql('crm', q(SELECT encode(sha256, 'hex') FROM sales_crm.attachment WHERE attachment_id = 1001));
my $boss = $node->safe_psql('crm', q(SELECT member_id FROM sales_crm.member WHERE name = 'Boss'));

# What may not change: rows of others, roles, definitions
sub state_of_others
{
	return $node->safe_psql('crm', <<'SQL');
SELECT md5(string_agg(o::text, '' ORDER BY opportunity_id)) FROM sales_crm.opportunity o WHERE opportunity_id BETWEEN 1001 AND 1999;
SELECT phase_id, closed_at, amount FROM sales_crm.opportunity o WHERE opportunity_id = 2002;
SELECT md5(string_agg(a::text, '' ORDER BY account_id)) FROM sales_crm.account a WHERE account_id = 1001;
SELECT count(*), md5(string_agg(x::text, '')) FROM sales_crm.note x WHERE opportunity_id = 1001 OR note_id = 2002;
SELECT count(*), md5(string_agg(x::text, '' ORDER BY task_id)) FROM sales_crm.task x WHERE opportunity_id BETWEEN 1001 AND 1999;
SELECT count(*), md5(string_agg(x::text, '' ORDER BY product_line_id)) FROM sales_crm.product_line x WHERE opportunity_id BETWEEN 1001 AND 1999;
SELECT count(*) FROM sales_crm.attachment WHERE opportunity_id = 1001;
SELECT count(*) FROM sales_crm.email WHERE opportunity_id = 1001;
SELECT md5(string_agg(m::text, '' ORDER BY member_id)) FROM sales_crm.member m;
SELECT md5(string_agg(m::text, '')) FROM sales_crm.company m;
SELECT count(*) FROM sales_crm.calendar_feed;
SELECT string_agg(rolname || rolsuper || rolbypassrls || rolcreaterole, ',' ORDER BY rolname) FROM pg_roles;
SELECT md5(string_agg(format('%s %s %s', roleid::regrole, member::regrole, admin_option), '' ORDER BY roleid, member)) FROM pg_auth_members;
SELECT count(*), md5(string_agg(oid::regprocedure::text || prosrc || proowner || coalesce(proacl::text, ''), '' ORDER BY oid)) FROM pg_proc WHERE pronamespace = 'sales_crm'::regnamespace;
SELECT count(*), md5(string_agg(oid::regclass::text || relrowsecurity || relowner || coalesce(relacl::text, ''), '' ORDER BY oid)) FROM pg_class WHERE relnamespace = 'sales_crm'::regnamespace;
SELECT count(*), md5(string_agg(polname || polrelid || pg_get_expr(polqual, polrelid), '' ORDER BY oid)) FROM pg_policy;
SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal;
SQL
}
my $before = state_of_others();

# A function that tells what it is given, and friends
$node->safe_psql('crm', <<'SQL', extra_params => [ '-U', 'mallory' ]);
CREATE FUNCTION mallory.tell(text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE NOTICE 'told: %', $1; RETURN true; END$$;
CREATE FUNCTION mallory.tell_eq(text, text) RETURNS boolean LANGUAGE plpgsql COST 0.0000001 AS $$BEGIN RAISE NOTICE 'told: % %', $1, $2; RETURN true; END$$;
CREATE OPERATOR mallory.=== (FUNCTION = mallory.tell_eq, LEFTARG = text, RIGHTARG = text);
CREATE DOMAIN mallory.telling AS text CHECK (mallory.tell(VALUE));
CREATE VIEW mallory.spy AS SELECT * FROM sales_crm.opportunity WHERE mallory.tell(name);
CREATE TABLE mallory.loot (what text);
CREATE FUNCTION mallory.loot() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO mallory.loot SELECT name FROM sales_crm.opportunity; RETURN NEW; END$$;
-- What a careless function would find first
CREATE FUNCTION mallory.sees_owner(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
CREATE FUNCTION mallory.current_member() RETURNS bigint LANGUAGE sql AS 'SELECT 2::bigint';
CREATE FUNCTION mallory.coalesce_bigint(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN ALTER ROLE mallory SUPERUSER; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END$$;
CREATE OPERATOR mallory.= (FUNCTION = mallory.coalesce_bigint, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION mallory.lower(text) RETURNS text LANGUAGE plpgsql AS $$BEGIN ALTER ROLE mallory SUPERUSER; RETURN $1; EXCEPTION WHEN OTHERS THEN RETURN $1; END$$;
CREATE FUNCTION mallory.format(text, VARIADIC text[]) RETURNS text LANGUAGE plpgsql AS $$BEGIN ALTER ROLE mallory SUPERUSER; RETURN $1; EXCEPTION WHEN OTHERS THEN RETURN $1; END$$;
CREATE FUNCTION mallory.as_owner() RETURNS SETOF text LANGUAGE sql SECURITY DEFINER AS 'SELECT name FROM sales_crm.opportunity';
SQL

# name => [statements, what psql must say of it (default: anything but a canary)]
my @ideas = (
	[ 'reads the table', 'SELECT name FROM sales_crm.opportunity', qr/^Mine/ ],
	[ 'reads it by key', 'SELECT count(*) FROM sales_crm.opportunity WHERE opportunity_id = 1001', qr/^0$/m ],
	[ 'copies it out', 'COPY sales_crm.opportunity TO STDOUT; COPY sales_crm.account TO STDOUT; COPY (SELECT * FROM sales_crm.note) TO STDOUT' ],
	[ 'counts, sums and groups', 'SELECT count(*), sum(amount) FROM sales_crm.opportunity', qr/^2\|10(\.0+)?$/m ],
	[ 'reads system columns and pages', q(SELECT ctid, xmin, name FROM sales_crm.opportunity WHERE ctid = '(0,1)'; SELECT name FROM sales_crm.opportunity TABLESAMPLE SYSTEM (100)) ],
	[ 'calls a telling function in WHERE', 'SELECT name FROM sales_crm.opportunity WHERE mallory.tell(name)', qr/told: Mine/ ],
	[ 'uses a telling operator', q(SELECT name FROM sales_crm.account WHERE name OPERATOR(mallory.===) 'x') ],
	[ 'casts to a telling domain', 'SELECT name::mallory.telling FROM sales_crm.contact; SELECT body::mallory.telling FROM sales_crm.note' ],
	[ 'puts the function into a view, into JOIN, GROUP BY, ORDER BY and HAVING', 'SELECT count(*) FROM mallory.spy;
		SELECT 1 FROM sales_crm.opportunity o JOIN sales_crm.account a ON mallory.tell(o.name || a.name);
		SELECT mallory.tell(name) FROM sales_crm.opportunity GROUP BY 1 HAVING bool_or(mallory.tell(name)) ORDER BY 1' ],
	[ 'tells through the views of the house', 'SELECT count(*) FROM sales_crm.opportunity_overview WHERE mallory.tell(account); SELECT count(*) FROM sales_crm.timeline WHERE mallory.tell(line);
		SELECT count(*) FROM sales_crm.account_overview WHERE mallory.tell(name)' ],
	[ 'divides by zero where the amount is right', 'SELECT 1 FROM sales_crm.opportunity WHERE 1 / (amount - 471147) > 0', qr/^(?!.*division by zero)/s ],
	[ 'casts names to numbers to read them in errors', 'SELECT * FROM sales_crm.account WHERE name::integer = 1; SELECT * FROM sales_crm.opportunity WHERE name::date IS NULL' ],
	[ 'lets a cursor and a prepared statement do it', 'BEGIN; DECLARE c SCROLL CURSOR WITH HOLD FOR SELECT name FROM sales_crm.opportunity; FETCH ALL FROM c; COMMIT; FETCH BACKWARD ALL FROM c;
		PREPARE p AS SELECT name FROM sales_crm.opportunity WHERE owner_id = $1; EXECUTE p(' . $boss . '); SET plan_cache_mode = force_generic_plan; EXECUTE p(' . $boss . ')' ],
	[ 'asks EXPLAIN ANALYZE', q(EXPLAIN (ANALYZE, VERBOSE, BUFFERS) SELECT name FROM sales_crm.opportunity WHERE name LIKE 'C%') ],
	[ 'reads statistics', q(SELECT tablename, most_common_vals, histogram_bounds FROM pg_stats WHERE schemaname = 'sales_crm'; SELECT * FROM pg_statistic) ],
	[ 'switches row security off', 'SET row_security = off; SELECT name FROM sales_crm.opportunity', qr/query would be affected by row-level security policy/ ],
	[ 'becomes somebody else', 'SET ROLE sales_crm_admin; SET ROLE boss; SET SESSION AUTHORIZATION boss; SET SESSION AUTHORIZATION postgres', qr/(permission denied.*){4}/s ],
	[ 'says to be another member', "SET sales_crm.member_id = $boss; SELECT sales_crm.current_member() = $boss, sales_crm.is_manager(); SELECT name FROM sales_crm.opportunity", qr/^f\|f$/m ],
	[ 'says so for each session to come', "ALTER ROLE mallory SET sales_crm.member_id = '$boss'; \\c -\nSELECT sales_crm.current_member() = $boss; SELECT name FROM sales_crm.opportunity; ALTER ROLE mallory RESET ALL", qr/^f$/m ],
	[ 'makes themselves a manager', q(UPDATE sales_crm.member SET is_manager = true; UPDATE sales_crm.member SET visibility = 'all' WHERE login = 'mallory'; UPDATE sales_crm.company SET visibility = 'all';
		INSERT INTO sales_crm.member (name, login, is_manager) VALUES ('x', 'mallory', true)), qr/(permission denied.*){4}/s ],
	[ 'grants themselves more', q(SELECT sales_crm.grant_access('mallory', 'admin'); GRANT sales_crm_manager TO mallory; ALTER ROLE mallory BYPASSRLS), qr/(permission denied|must be|must have admin).*(must have admin|permission denied).*(permission denied|must be)/s ],
	[ 'puts functions where ours are', q(CREATE FUNCTION sales_crm.sees_owner(integer) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE OR REPLACE FUNCTION sales_crm.sees_owner(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true';
		CREATE TABLE sales_crm.mine (i int); ALTER FUNCTION sales_crm.today() OWNER TO mallory), qr/(permission denied|must be owner)/ ],
	[ 'puts a search_path before the functions that work as owner', q(SET search_path = mallory, pg_catalog, sales_crm; SELECT sales_crm.create_quote(2001); SELECT count(*) FROM sales_crm.search('mine');
		SELECT file_name FROM sales_crm.download_attachment(2001); SELECT name FROM sales_crm.opportunity; UPDATE sales_crm.opportunity SET amount = 101 WHERE opportunity_id = 2001;
		INSERT INTO sales_crm.task (opportunity_id, subject) VALUES (2001, 'x'); SELECT sales_crm.request_discount_approval(2001, 5)) ],
	[ 'shadows tables and functions with temporary ones', q(CREATE TEMP TABLE member (member_id bigint, login text, active boolean, is_manager boolean, visibility text); INSERT INTO member SELECT member_id, 'mallory', true, true, 'all' FROM sales_crm.member;
		CREATE FUNCTION pg_temp.sees_owner(bigint) RETURNS boolean LANGUAGE sql AS 'SELECT true'; CREATE TEMP TABLE opportunity (LIKE sales_crm.opportunity); SET search_path = pg_temp, sales_crm;
		SELECT name FROM sales_crm.opportunity; SELECT sales_crm.is_manager(); SELECT count(*) FROM sales_crm.search('canary')), qr/^f\n0$/m ],
	[ 'hangs a trigger on our tables, changes or drops them', 'CREATE TRIGGER t BEFORE UPDATE ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION mallory.loot(); ALTER TABLE sales_crm.opportunity DISABLE TRIGGER ALL; DROP TABLE sales_crm.note;
		CREATE RULE r AS ON SELECT TO sales_crm.note DO INSTEAD SELECT 1; CREATE INDEX ON sales_crm.opportunity (mallory.lower(name))', qr/(permission denied|must be owner)/ ],
	[ 'hangs our trigger functions on tables of theirs', join(';', map { "CREATE TRIGGER t$_ BEFORE INSERT ON mallory.loot FOR EACH ROW EXECUTE FUNCTION sales_crm.$_()" }
			qw(attachment_forget attachment_guard opportunity_guard opportunity_history product_line_amount task_history discount_approval_follow exchange_rate_guard configuration_invalidate phase_guard)), qr/(permission denied for function.*){10}/s ],
	[ 'asks by a foreign key whether rows are there', 'CREATE TABLE mallory.fk (o bigint REFERENCES sales_crm.opportunity); CREATE TABLE mallory.fk (a bigint REFERENCES sales_crm.account)', qr/(permission denied.*){2}/s ],
	[ 'takes policies away', 'ALTER TABLE sales_crm.opportunity DISABLE ROW LEVEL SECURITY; CREATE POLICY p ON sales_crm.opportunity USING (true); DROP POLICY opportunity_visible ON sales_crm.opportunity', qr/(must be owner.*){3}/s ],
	[ 'sells to hidden accounts in order to see them', 'INSERT INTO sales_crm.opportunity (name, account_id) VALUES (\'x\', 1001); INSERT INTO sales_crm.opportunity (name, account_id, contact_id) VALUES (\'x\', 2001, 1001);
		UPDATE sales_crm.opportunity SET account_id = 1001 WHERE opportunity_id = 2001; UPDATE sales_crm.opportunity SET contact_id = 1001 WHERE opportunity_id = 2001; SELECT name FROM sales_crm.account', qr/(violates foreign key constraint.*Key is not present.*){4}/s ],
	[ 'moves a contact of theirs, or one of others, to where it shows', q(INSERT INTO sales_crm.contact (account_id, name) VALUES (1001, 'x'); UPDATE sales_crm.contact SET account_id = 2001 WHERE contact_id = 1001; SELECT name FROM sales_crm.contact) , qr/violates row-level security policy/],
	[ 'takes opportunities over', "UPDATE sales_crm.opportunity SET owner_id = sales_crm.current_member(); UPDATE sales_crm.opportunity SET name = 'x' WHERE opportunity_id = 1001; SELECT name FROM sales_crm.opportunity" ],
	[ 'writes into opportunities of others', q(INSERT INTO sales_crm.note (opportunity_id, body) VALUES (1001, 'x'); INSERT INTO sales_crm.task (opportunity_id, subject) VALUES (1001, 'x'); INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (1002, 'x', 1);
		INSERT INTO sales_crm.email (opportunity_id, direction) VALUES (1001, 'incoming'); INSERT INTO sales_crm.attachment (opportunity_id, file_name, content) VALUES (1001, 'x', 'x'); INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at) VALUES (1001, 'x', now());
		INSERT INTO sales_crm.discount_approval (opportunity_id, discount_percent) VALUES (1001, 5)), qr/(violates row-level security policy.*){7}/s ],
	[ 'moves what is theirs there', 'UPDATE sales_crm.note SET opportunity_id = 1001 WHERE note_id = 2001; UPDATE sales_crm.attachment SET opportunity_id = 1001 WHERE attachment_id = 2001; UPDATE sales_crm.task SET opportunity_id = 1001 WHERE opportunity_id = 2001;
		UPDATE sales_crm.product_line SET opportunity_id = 1002 WHERE product_line_id = 2001', qr/(violates foreign key constraint.*){3}/s ],
	[ 'learns the currency of a hidden offer from an error', q(UPDATE sales_crm.product SET currency = 'EUR'; INSERT INTO sales_crm.product_line (opportunity_id, product_id) VALUES (1001, 1001)), qr/^(?!.*CHF)/s ],
	[ 'asks the functions', q(SELECT * FROM sales_crm.timeline_page(1001); SELECT * FROM sales_crm.explain_transition(1001, 1); SELECT * FROM sales_crm.forecast_causes(1001); SELECT sales_crm.appointment_ics(1001);
		SELECT sales_crm.calendar_event(1001); SELECT sales_crm.create_quote(1001); SELECT * FROM sales_crm.search('canary'); SELECT sales_crm.change_text('account_id', '1001'); SELECT sales_crm.add_product(1001, 1001); SELECT sales_crm.move_product_line(1001);
		SELECT sales_crm.request_discount_approval(1001, 5); SELECT * FROM sales_crm.find_duplicate_accounts(); SELECT sum(amount) FROM sales_crm.forecast; SELECT sales_crm.preview_quote(1)), qr/(does not exist.*){4}/s ],
	[ 'downloads', "SELECT * FROM sales_crm.download_attachment(1001); SELECT * FROM sales_crm.attachment_content; INSERT INTO sales_crm.attachment (opportunity_id, file_name, sha256) VALUES (2001, 'x', '\\x$hash'); UPDATE sales_crm.attachment SET sha256 = '\\x$hash' WHERE attachment_id = 2001", qr/does not exist.*permission denied.*no content.*cannot be changed/s ],
	[ 'subscribes to the calendar of the boss', "SELECT sales_crm.create_calendar_feed($boss); INSERT INTO sales_crm.calendar_feed (member_id, token_sha256) VALUES ($boss, sha256('x')); SELECT token_sha256 FROM sales_crm.calendar_feed; SELECT sales_crm.calendar_ics($boss, sales_crm.today(), sales_crm.today() + 9)", qr/somebody else's.*permission denied.*permission denied/s ],
	[ 'writes in the name of the boss', "INSERT INTO sales_crm.note (opportunity_id, body, created_by) VALUES (2001, 'x', $boss); INSERT INTO sales_crm.opportunity (name, account_id, created_by) VALUES ('x', 2001, $boss); UPDATE sales_crm.note SET created_by = $boss WHERE note_id = 2001; UPDATE sales_crm.note SET body = 'x' WHERE note_id = 2002; DELETE FROM sales_crm.note WHERE note_id = 2002", qr/(violates row-level security policy.*){2}cannot be changed/s ],
	[ 'makes a customer say something else', q(UPDATE sales_crm.email SET subject = 'I agree' WHERE email_id = 2001; UPDATE sales_crm.email SET body_text = 'I agree'; DELETE FROM sales_crm.email RETURNING 'gone'; SELECT subject FROM sales_crm.email), qr/(what somebody else wrote.*){2}/s ],
	[ 'runs into unique keys', q(INSERT INTO sales_crm.opportunity (name, account_id, external_id) VALUES ('x', 2001, 'opp-hidden') ON CONFLICT (external_id) DO UPDATE SET name = 'x' RETURNING *; INSERT INTO sales_crm.account (name, external_id) VALUES ('x', 'ext-hidden') ON CONFLICT (external_id) DO NOTHING RETURNING *;
		INSERT INTO sales_crm.account (name, external_id) VALUES ('x', 'ext-hidden')), qr/violates row-level security policy.*duplicate key(?!.*already exists)/s ],
	[ 'merges', q(MERGE INTO sales_crm.opportunity o USING (SELECT 1001 AS id) s ON o.opportunity_id = s.id WHEN MATCHED THEN UPDATE SET name = 'x' WHEN NOT MATCHED THEN DO NOTHING; SELECT sales_crm.merge_accounts(2001, 1001)), qr/permission denied/ ],
	[ 'reopens and deletes', q(UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'New') WHERE opportunity_id = 2002; DELETE FROM sales_crm.opportunity; DELETE FROM sales_crm.account; TRUNCATE sales_crm.opportunity CASCADE), qr/only a manager.*(permission denied.*){3}/si ],
	[ 'approves their own discount', q(INSERT INTO sales_crm.discount_approval (opportunity_id, discount_percent, status) VALUES (2001, 90, 'approved'); SELECT sales_crm.request_discount_approval(2001, 90); UPDATE sales_crm.discount_approval SET status = 'approved'; SELECT sales_crm.decide_discount_approval(1, true);
		UPDATE sales_crm.opportunity SET discount_percent = 90 WHERE opportunity_id = 2001), qr/only managers decide.*permission denied.*permission denied/s ],
	[ 'looks for costs', q(SELECT unit_cost FROM sales_crm.product; SELECT p FROM sales_crm.product p; SELECT to_jsonb(l) FROM sales_crm.product_line l; UPDATE sales_crm.product_line SET quantity = 2 WHERE product_line_id = 2001 RETURNING *; SELECT name FROM sales_crm.product WHERE unit_cost > 1;
		SELECT sales_crm.line_cost(2001); SELECT cost, margin FROM sales_crm.product_line_overview; COPY sales_crm.product TO STDOUT; SELECT row_to_json(v) FROM sales_crm.product_performance v), qr/(permission denied.*){6}/s ],
	[ 'calls what is not theirs', q(CALL sales_crm.setup(); SELECT sales_crm.seed_translate('fr'); SELECT sales_crm.reset_access(); SELECT sales_crm.rebuild_forecast(); SELECT sales_crm.compact_forecast(); SELECT sales_crm.housekeeping(); SELECT sales_crm.record_email(subject => 'x', opportunity_id => 1001);
		SELECT sales_crm.sees('opportunity', 1001); SELECT sales_crm.setup_grants('opportunity', 'TABLE'); SELECT * FROM sales_crm.grant_matrix(); SELECT * FROM sales_crm.verify_opportunities()), qr/(permission denied.*){11}/s ],
	[ 'turns sequences, locks and the ledger', q(SELECT setval('sales_crm.opportunity_opportunity_id_seq', 1); SELECT nextval('sales_crm.opportunity_opportunity_id_seq'); BEGIN; LOCK TABLE sales_crm.company IN ACCESS EXCLUSIVE MODE; ROLLBACK; INSERT INTO sales_crm.forecast_ledger SELECT * FROM sales_crm.forecast_ledger;
		DELETE FROM sales_crm.opportunity_change; UPDATE sales_crm.phase_stay SET left_at = now()), qr/(permission denied.*){6}/s ],
	[ 'works through a function of theirs that works as its owner', 'SELECT * FROM mallory.as_owner(); SELECT name FROM mallory.as_owner() AS name WHERE mallory.tell(name)' ],
	[ 'asks for XML, JSON and large objects', q(SELECT query_to_xml('SELECT name FROM sales_crm.opportunity', true, true, ''); SELECT schema_to_xml('mallory', true, true, ''); SELECT json_agg(o.name) FROM sales_crm.opportunity o; SELECT table_to_xml('sales_crm.note', true, true, '')) ],
	[ 'leaves the database', q(COPY sales_crm.opportunity TO PROGRAM 'cat'; COPY sales_crm.opportunity TO '/tmp/loot'; SELECT pg_read_file('postgresql.conf'); CREATE EXTENSION dblink; LOAD 'sales_crm'), qr/(permission denied|must be superuser)/ ],
	[ 'finds a row by locking it', 'BEGIN; SELECT 1 FROM sales_crm.opportunity WHERE opportunity_id = 1001 FOR UPDATE NOWAIT; SELECT count(*) FROM (SELECT 1 FROM sales_crm.opportunity FOR UPDATE) x; COMMIT' ],
	[ 'keeps transition tables, returns and snapshots', q(WITH u AS (UPDATE sales_crm.opportunity SET description = 'x' RETURNING name) SELECT * FROM u; BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT name FROM sales_crm.opportunity; COMMIT; UPDATE sales_crm.opportunity o SET description = a.name FROM sales_crm.account a RETURNING a.name) ],
);
cmp_ok(scalar(@ideas), '>=', 40, scalar(@ideas) . ' ideas');
foreach my $idea (@ideas)
{
	my ($name, $sql, $expected) = @$idea;
	my ($status, $out, $err) = $node->psql('crm', $sql, on_error_stop => 0, extra_params => [ '-U', 'mallory' ], timeout => 60);
	my $said = "$out\n$err";
	unlike($said, qr/CANARY|471147|canary\@|$hash/, "$name: no canary")
	  or diag($said);
	like($said, $expected, "$name: as expected") if defined $expected;
}
is(state_of_others(), $before, 'nothing of others has changed');
is($node->safe_psql('crm', 'SELECT count(*) FROM mallory.loot'), '0', 'there is no loot');

# The same canaries are there for who may see them, so that the test can fail
my ($status, $out, $err) = $node->psql('crm', 'SELECT name, amount FROM sales_crm.opportunity; SELECT unit_cost FROM sales_crm.product', extra_params => [ '-U', 'boss' ]);
like($out, qr/CANARY deal\|471147(?s:.*)^471147$/m, 'the boss sees them');

$node->stop;
done_testing();
