# Promise: whatever eight sessions do at once, the forecast is exact after it, for today and for each
# day before; nobody deadlocks; the server's sudden death in the middle changes nothing of that.
#
# Each round eight clients run random statements (single and bulk inserts, updates of every column
# that counts, moves, completions, reopenings, deletions, probabilities of phases, folding, rebuilding,
# savepoints rolled back, errors, also in REPEATABLE READ); then the server is killed, started again
# and verified, the state noted by plain sums, and history moved one day back, so that the next round
# happens on another day. STRESS_SECONDS (default 3) is shared out over the rounds, STRESS_SEED says
# which random numbers; a failure prints both.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes;

my $seconds = $ENV{STRESS_SECONDS} || 3;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
my $rounds = $seconds < 12 ? 3 : int($seconds / 4);
my $each = int($seconds / $rounds) || 1;
note("STRESS_SECONDS=$seconds STRESS_SEED=$seed: $rounds rounds of $each s");

my $node = crm_node('forecast', 'max_connections = 40', 'autovacuum_naptime = 1s', 'restart_after_crash = off');
$node->safe_psql('crm', <<'SQL');
CREATE SCHEMA stress;
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 20) i;
INSERT INTO sales_crm.member (name) SELECT 'Member ' || i FROM generate_series(1, 5) i;
UPDATE sales_crm.phase SET required_fields = '{}';
CREATE FUNCTION stress.pick(anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS
	'SELECT $1[1 + floor(random() * cardinality($1))::int]';
CREATE FUNCTION stress.phase() RETURNS bigint LANGUAGE sql VOLATILE AS
	'SELECT phase_id FROM sales_crm.phase ORDER BY random() LIMIT 1';
-- Up to so many opportunities, locked in the order of their keys
CREATE FUNCTION stress.some(n int, open boolean DEFAULT false) RETURNS SETOF bigint LANGUAGE sql VOLATILE AS $$
	SELECT o.opportunity_id FROM sales_crm.opportunity o
	WHERE o.opportunity_id IN (SELECT x.opportunity_id FROM sales_crm.opportunity x WHERE NOT $2 OR x.closed_at IS NULL ORDER BY random() LIMIT $1)
	ORDER BY o.opportunity_id FOR UPDATE
$$;
CREATE FUNCTION stress.statement(what int, n int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	ids bigint[];
BEGIN
	CASE
	WHEN what < 15 THEN
		INSERT INTO sales_crm.opportunity (name, account_id, owner_id, source_id, amount, currency, expected_on, probability_override, phase_id)
		SELECT 'x', 1 + floor(random() * 20), stress.pick(array[NULL, 1, 2, 3, 4, 5]::bigint[]), stress.pick(array[NULL, 1, 2]::bigint[]),
			stress.pick(array[NULL, round((random() * 1000)::numeric, 2)]), stress.pick(array['EUR', 'USD']),
			stress.pick(array[NULL, date '2030-01-01' + (random() * 90)::int]), stress.pick(array[NULL, NULL, round((random() * 100)::numeric, 2)]),
			stress.pick(array[NULL, stress.phase()]) FROM generate_series(1, n);
	WHEN what < 35 THEN
		SELECT array_agg(i) INTO ids FROM stress.some(n, true) i;
		UPDATE sales_crm.opportunity SET amount = round((random() * 1000)::numeric, 2) WHERE opportunity_id = ANY (ids) AND closed_at IS NULL;
	WHEN what < 45 THEN
		SELECT array_agg(i) INTO ids FROM stress.some(n) i;
		UPDATE sales_crm.opportunity SET expected_on = expected_on + 35 WHERE opportunity_id = ANY (ids);
	WHEN what < 50 THEN
		SELECT array_agg(i) INTO ids FROM stress.some(n) i;
		UPDATE sales_crm.opportunity SET probability_override = stress.pick(array[NULL, round((random() * 100)::numeric, 2)]),
			source_id = stress.pick(array[NULL, 1, 2]::bigint[]) WHERE opportunity_id = ANY (ids);
	WHEN what < 55 THEN
		SELECT array_agg(i) INTO ids FROM stress.some(n, true) i;
		UPDATE sales_crm.opportunity SET owner_id = stress.pick(array[NULL, 1, 2, 3, 4, 5]::bigint[]), currency = stress.pick(array['EUR', 'USD'])
		WHERE opportunity_id = ANY (ids) AND closed_at IS NULL;
	WHEN what < 80 THEN
		SELECT array_agg(i) INTO ids FROM stress.some(n) i;
		UPDATE sales_crm.opportunity SET phase_id = stress.phase() WHERE opportunity_id = ANY (ids);
	WHEN what < 86 THEN
		SELECT array_agg(i) INTO ids FROM stress.some(n) i;
		DELETE FROM sales_crm.opportunity WHERE opportunity_id = ANY (ids);
	WHEN what < 88 THEN
		UPDATE sales_crm.phase SET probability = round((random() * 100)::numeric, 2) WHERE phase_id = 1 + n % 4;
	WHEN what < 96 THEN
		-- A savepoint that is rolled back, with all that it appended and folded
		BEGIN
			PERFORM stress.statement(what - 60, n);
			PERFORM sales_crm.compact_forecast(n);
			RAISE division_by_zero;
		EXCEPTION WHEN division_by_zero THEN NULL;
		END;
	ELSE
		PERFORM sales_crm.compact_forecast(n * 50);
	END CASE;
END
$$;
CREATE VIEW stress.plain AS
SELECT o.phase_id, o.owner_id, o.source_id,
	date_trunc('month', (CASE WHEN o.closed_at IS NULL THEN o.expected_on ELSE (o.closed_at AT TIME ZONE 'UTC')::date END)::timestamp)::date AS month,
	o.currency, count(*) AS opportunities, sum(coalesce(o.amount, 0)) AS amount,
	sum(coalesce(o.amount, 0) * CASE WHEN p.outcome IS NULL THEN coalesce(o.probability_override, p.probability) ELSE p.probability END) / 100 AS weighted_amount
FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id) GROUP BY 1, 2, 3, 4, 5;
CREATE TABLE stress.noted AS SELECT 0 AS round, plain.* FROM stress.plain WITH NO DATA;
CREATE VIEW stress.as_of AS
SELECT d.round, f.phase_id, f.owner_id, f.source_id, f.month, f.currency, f.opportunities, f.amount, f.weighted_amount
FROM (SELECT DISTINCT n.round FROM stress.noted n) d, sales_crm.forecast_as_of(sales_crm.today() - (SELECT max(round) + 1 FROM stress.noted) + d.round) f;
SQL

my $tmp = $PostgreSQL::Test::Utils::tmp_check;
append_to_file("$tmp/one.sql", "\\set what random(0, 99)\n\\set n random(1, 3)\nSELECT stress.statement(:what, :n);\n");
append_to_file("$tmp/many.sql", "\\set what random(0, 99)\n\\set n random(20, 60)\nSELECT stress.statement(:what, :n);\n");
append_to_file("$tmp/several.sql", "\\set what random(0, 85)\n\\set more random(0, 85)\n\\set n random(1, 2)\nBEGIN ISOLATION LEVEL REPEATABLE READ;\n"
	. "SELECT stress.statement(:what, :n);\nCOMMIT;\n");
append_to_file("$tmp/rebuild.sql", "SELECT sales_crm.rebuild_forecast();\n");

my $transactions = 0;
foreach my $round (1 .. $rounds)
{
	my ($said, $failed) = ('', '');
	my $clients = IPC::Run::start(
		[ 'pgbench', '-n', '-c', '8', '-j', '2', '-T', $each + 60, '-M', 'prepared', '-P', '1', "--random-seed=" . ($seed + $round),
			map({ ('-f', $_) } "$tmp/one.sql\@60", "$tmp/many.sql\@10", "$tmp/several.sql\@29", "$tmp/rebuild.sql\@1"), $node->connstr('crm') ],
		'<', \undef, '>', \$said, '2>', \$failed);
	sleep($each);
	is($node->safe_psql('crm', "SELECT deadlocks FROM pg_stat_database WHERE datname = 'crm'"), '0', "round $round: no deadlock");
	$transactions += $node->safe_psql('crm', "SELECT xact_commit FROM pg_stat_database WHERE datname = 'crm'");
	my @processes = split /\n/, $node->safe_psql('crm', 'SELECT pid FROM pg_stat_activity WHERE pid <> pg_backend_pid()');
	push @processes, (slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/);
	$node->kill9;
	eval { $clients->finish };
	unlike($failed, qr/ERROR:  (?!could not serialize)/, "round $round: no client met an error");
	# Processes that have not noticed yet hold the data directory
	for (my $tries = 0; $tries < 600 && grep({ kill 0, $_ } @processes); $tries++) { Time::HiRes::usleep(100_000) }
	$node->start;
	is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_forecast()'), '0', "round $round: verified after the crash")
	  or diag("STRESS_SECONDS=$seconds STRESS_SEED=$seed");
	$node->safe_psql('crm', <<"SQL");
INSERT INTO stress.noted SELECT $round, plain.* FROM stress.plain;
UPDATE sales_crm.forecast_ledger SET at = at - interval '1 day';
UPDATE sales_crm.phase_probability SET at = at - interval '1 day';
UPDATE sales_crm.forecast_day SET day = day - 100000;
UPDATE sales_crm.forecast_day SET day = day + 99999;
SQL
	is($node->safe_psql('crm', '(TABLE stress.as_of EXCEPT TABLE stress.noted) UNION ALL (TABLE stress.noted EXCEPT TABLE stress.as_of)'), '',
		"round $round: forecast_as_of() of each day is what it was then") or diag("STRESS_SECONDS=$seconds STRESS_SEED=$seed");
}
cmp_ok($transactions, '>', 100, "$transactions transactions");
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'opportunities verified');
$node->safe_psql('crm', 'SET client_min_messages = warning; TRUNCATE sales_crm.opportunity CASCADE');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_forecast()'), '0', 'TRUNCATE: verified');
is($node->safe_psql('crm', '(TABLE stress.as_of EXCEPT TABLE stress.noted) UNION ALL (TABLE stress.noted EXCEPT TABLE stress.as_of)'), '', 'and the past is as it was');
healthy($node, 'crm', 'after the stress');

$node->stop;
done_testing();
