# Promise: sixteen sessions answer quotes at random, several recipients of each at once, with repeated
# requests, viewers, sellers who withdraw, revise and edit, and housekeeping beside
# them: each quote gets one final answer at most, whoever was told of an answer finds it again, the
# chains of events verify, so does the forecast, and nothing deadlocks.
#
# STRESS_SECONDS (default 3) says how much, which may take more or less: twenty answers of each session
# for a second, so that 100 are sixteen times 2,000. STRESS_SEED says which random numbers; a failure
# prints both.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{STRESS_SECONDS} || 3;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
my $quotes = 200 * $seconds;
my $answers = 20 * $seconds;
# Seven tenths of what a session does are answers, and some more for chance
my $transactions = int($answers / 0.7 * 1.1) + 20;
note("STRESS_SECONDS=$seconds STRESS_SEED=$seed");

my $node = crm_node('answer', 'max_connections = 60', 'deadlock_timeout = 100ms');
$node->safe_psql('crm', <<"SQL");
CREATE SCHEMA stress;
INSERT INTO sales_crm.member (name) VALUES ('Sam');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'deal ' || i, 1, 1 FROM generate_series(1, $quotes) i;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 100 FROM sales_crm.opportunity;
-- Every third opportunity has two quotes; each quote has three recipients with known tokens
SELECT count(sales_crm.create_quote(opportunity_id)) FROM sales_crm.opportunity;
SELECT count(sales_crm.create_quote(opportunity_id)) FROM sales_crm.opportunity WHERE opportunity_id % 3 = 0;
SELECT count(sales_crm.send_quote(quote_id)) FROM sales_crm.quote;
INSERT INTO sales_crm.quote_link (quote_id, token_sha256, token_tail, channel, recipient_name)
SELECT quote_id, sales_crm.token_sha256('token ' || quote_id || ' ' || r), 'tail', 'link', 'recipient ' || r FROM sales_crm.quote, generate_series(0, 2) r;
CREATE TABLE stress.told (quote_id bigint, who text, answer text, answered_at timestamptz);
CREATE TABLE stress.refused (code text, is_answer boolean);

-- What a session does; what it was told of an answer is remembered in the same transaction
CREATE FUNCTION stress.work(what int, which int, who int) RETURNS void LANGUAGE plpgsql AS \$\$
DECLARE
	chosen bigint := 1 + which % (SELECT max(quote_id) FROM sales_crm.quote WHERE version = 1);
	token text := 'token ' || chosen || ' ' || who;
	hash bytea := (SELECT snapshot_sha256 FROM sales_crm.quote WHERE quote_id = chosen);
	key text := 'key ' || who;
	given text;
	given_at timestamptz;
BEGIN
	CASE
		WHEN what < 40 THEN
			SELECT s.status, s.answered_at INTO given, given_at FROM sales_crm.sign_quote(token, hash, 'Signer ' || who, request_key => key, consent_text => 'I agree.') s;
			-- The same again at once, as after a lost connection
			IF what < 10 AND given_at <> (SELECT s.answered_at FROM sales_crm.sign_quote(token, hash, 'Signer ' || who, request_key => key, consent_text => 'I agree.') s) THEN
				RAISE EXCEPTION 'another result';
			END IF;
		WHEN what < 55 THEN
			SELECT s.status, s.answered_at INTO given, given_at FROM sales_crm.decline_quote(token, 'no', request_key => key || 'd') s;
		WHEN what < 70 THEN
			SELECT s.status, s.answered_at INTO given, given_at FROM sales_crm.request_change(token, 'blue', request_key => key || 'c') s;
		WHEN what < 80 THEN
			PERFORM sales_crm.record_view(token);
		WHEN what < 84 THEN
			PERFORM sales_crm.withdraw_quote(chosen);
		WHEN what < 88 THEN
			PERFORM sales_crm.revise_quote(chosen);
		WHEN what < 92 THEN
			UPDATE sales_crm.opportunity SET description = 'edited ' || which WHERE opportunity_id = (SELECT opportunity_id FROM sales_crm.quote WHERE quote_id = chosen);
		WHEN what < 96 THEN
			INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'more', 1 FROM sales_crm.quote WHERE quote_id = chosen;
		WHEN what < 97 THEN
			PERFORM sales_crm.housekeeping();
		ELSE
			PERFORM sales_crm.make_quote_link(chosen, 'link', 'recipient x');
	END CASE;
	IF given IS NOT NULL THEN
		INSERT INTO stress.told VALUES (chosen, who, given, given_at);
	END IF;
EXCEPTION
	-- What rules refuse; a deadlock is none of it
	WHEN SQLSTATE 'SC101' OR SQLSTATE 'SC102' OR SQLSTATE 'SC103' OR SQLSTATE 'SC104' OR SQLSTATE 'SC106' OR SQLSTATE 'SC004' THEN
		INSERT INTO stress.refused VALUES (SQLSTATE, what < 70);
END
\$\$;
SQL

my $script = "$PostgreSQL::Test::Utils::tmp_check/answers.sql";
append_to_file($script, "\\set what random(0, 99)\n\\set which random(0, 100000000)\n\\set who random(0, 2)\nSELECT stress.work(:what, :which, :who);\n");
my ($said, $failed) = ('', '');
my $sessions = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '16', '-j', '2', '-t', $transactions, '-M', 'prepared', "--random-seed=$seed", '-f', $script, $node->connstr('crm') ],
	'<', \undef, '>', \$said, '2>', \$failed);
$sessions->finish;
is($failed =~ /ERROR|aborted/ ? $failed : '', '', "no session failed (STRESS_SECONDS=$seconds STRESS_SEED=$seed)");
my $given = $node->safe_psql('crm', 'SELECT (SELECT count(*) FROM stress.told) + (SELECT count(*) FROM stress.refused WHERE is_answer)');
cmp_ok($given, '>=', 16 * $answers, 'as many answers as there were to be');

is($node->safe_psql('crm', <<'SQL'), '0', 'each quote has one final answer at most');
SELECT count(*) FROM sales_crm.quote q
WHERE (SELECT count(*) FROM sales_crm.signature s WHERE s.quote_id = q.quote_id) + (SELECT count(*) FROM sales_crm.change_request r WHERE r.quote_id = q.quote_id)
	+ (SELECT count(*) FROM sales_crm.refusal r WHERE r.quote_id = q.quote_id) > 1
	OR (SELECT count(*) FROM sales_crm.quote_event e WHERE e.quote_id = q.quote_id AND e.kind IN ('signed', 'change_requested', 'declined')) > 1
SQL
is($node->safe_psql('crm', 'SELECT count(*) FROM (SELECT quote_id FROM stress.told GROUP BY quote_id HAVING count(DISTINCT (answer, answered_at, who)) > 1) x'), '0', 'nobody was told of another answer');
is($node->safe_psql('crm', 'SELECT count(*) FROM stress.told t JOIN sales_crm.quote q USING (quote_id) WHERE q.answered_at IS DISTINCT FROM t.answered_at'), '0', 'whoever was told of an answer finds it again');
is($node->safe_psql('crm', "SELECT count(*) FROM sales_crm.quote q WHERE q.status = 'signed' AND NOT EXISTS (SELECT FROM stress.told t WHERE t.quote_id = q.quote_id)"), '0', 'and no answer is there that nobody was told of');
is($node->safe_psql('crm', "SELECT count(*) FROM (SELECT opportunity_id FROM sales_crm.quote WHERE status = 'signed' GROUP BY 1 HAVING count(*) > 1) x"), '0', 'of the quotes of an opportunity one is signed');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_quotes()'), '0', 'quotes verify');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_quote_events()'), '0', 'the chains verify');
my $left = $node->safe_psql('crm', 'SELECT sum(done) FROM sales_crm.housekeeping(); SELECT pending FROM sales_crm.quote_event_head()');
like($left, qr/\n0\z/, 'every event is in a checkpoint');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_quote_events()'), '0', 'which verify, too');
note($node->safe_psql('crm', "SELECT string_agg(answer || ' ' || n, ', ') FROM (SELECT answer, count(*) AS n FROM (SELECT answer FROM stress.told UNION ALL SELECT code FROM stress.refused) x GROUP BY 1 ORDER BY 1) x"));
cmp_ok($node->safe_psql('crm', 'SELECT count(DISTINCT quote_id) FROM stress.told'), '>', $quotes / 20, 'many were answered');
healthy($node, 'crm', 'afterwards');

done_testing();
