# Promise: rules change while eight sessions write, and no statement works with a rule that is no
# longer there, nothing deadlocks, and every consequence is as it should be.
#
# STRESS_SECONDS (default 3) says how long, STRESS_SEED which random numbers; a failure prints both.
# The administrator closes a phase, makes the pipeline go forward only, requires a field, and each
# time looks for writers that have not heard of it: since a change waits for the writers in
# progress, whatever appears after its commit was decided by an old rule.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{STRESS_SECONDS} || 3;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
note("STRESS_SECONDS=$seconds STRESS_SEED=$seed");

my $node = crm_node('stress', 'max_connections = 40');
$node->safe_psql('crm', <<'SQL');
CREATE SCHEMA stress;
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 100) i;
INSERT INTO sales_crm.phase (pipeline_id, name, position, probability)
SELECT pipeline_id, 'Gate', 2, 30 FROM sales_crm.pipeline;
UPDATE sales_crm.phase SET required_fields = '{}';
CREATE FUNCTION stress.phase(text) RETURNS bigint LANGUAGE sql STABLE
	AS 'SELECT phase_id FROM sales_crm.phase WHERE name = $1';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'start ' || i, account_id
FROM sales_crm.account, generate_series(1, 5) i;

-- What a writer does: refusals are expected, anything else is not
CREATE FUNCTION stress.work(what int, which int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	id bigint := (SELECT opportunity_id FROM sales_crm.opportunity ORDER BY opportunity_id LIMIT 1 OFFSET which);
	somewhere bigint := (SELECT phase_id FROM sales_crm.phase ORDER BY phase_id LIMIT 1 OFFSET which % 8);
BEGIN
	CASE
		WHEN what < 20 THEN
			INSERT INTO sales_crm.opportunity (name, account_id, phase_id, amount)
			SELECT 'new', account_id, somewhere, nullif(which % 3, 0) FROM sales_crm.account ORDER BY account_id LIMIT 1 OFFSET which % 100;
		WHEN what < 30 THEN
			INSERT INTO sales_crm.opportunity (name, account_id, phase_id)
			SELECT 'bulk', account_id, stress.phase('Gate') FROM sales_crm.account ORDER BY account_id LIMIT 20;
		WHEN what < 75 THEN
			UPDATE sales_crm.opportunity SET phase_id = somewhere WHERE opportunity_id = id;
		WHEN what < 85 THEN
			UPDATE sales_crm.opportunity SET phase_id = stress.phase('New') WHERE opportunity_id = id;
		WHEN what < 95 THEN
			UPDATE sales_crm.opportunity SET amount = nullif(which % 5, 0) WHERE opportunity_id = id;
		ELSE
			DELETE FROM sales_crm.opportunity WHERE opportunity_id = id;
	END CASE;
EXCEPTION WHEN SQLSTATE 'SC001' OR SQLSTATE 'SC003' OR SQLSTATE 'SC004' THEN
	NULL;
END
$$;

-- The administrator: each change, a while in which nobody may break it, and back
CREATE PROCEDURE stress.change(until timestamptz, INOUT rounds int DEFAULT 0) LANGUAGE plpgsql AS $$
DECLARE
	before bigint;
	after bigint;
BEGIN
	WHILE clock_timestamp() < until LOOP
		LOCK TABLE sales_crm.opportunity IN SHARE ROW EXCLUSIVE MODE;
		UPDATE sales_crm.opportunity SET phase_id = stress.phase('Contact') WHERE phase_id = stress.phase('Gate');
		UPDATE sales_crm.phase SET active = false WHERE name = 'Gate';
		COMMIT;
		PERFORM pg_sleep(0.02);
		SELECT count(*) INTO after FROM sales_crm.opportunity WHERE phase_id = stress.phase('Gate');
		IF after > 0 THEN RAISE EXCEPTION '% opportunities entered a closed phase', after; END IF;
		COMMIT;
		UPDATE sales_crm.phase SET active = true WHERE name = 'Gate';
		COMMIT;

		UPDATE sales_crm.pipeline SET transition_policy = 'forward';
		COMMIT;
		SELECT count(*) INTO before FROM sales_crm.opportunity_change WHERE rule = 'move';
		COMMIT;
		PERFORM pg_sleep(0.02);
		SELECT count(*) INTO after FROM sales_crm.opportunity_change WHERE rule = 'move';
		IF after > before THEN RAISE EXCEPTION '% moves by the rule of a free pipeline', after - before; END IF;
		COMMIT;
		UPDATE sales_crm.pipeline SET transition_policy = 'free';
		COMMIT;

		UPDATE sales_crm.phase SET required_fields = '{amount}' WHERE name = 'Proposal';
		COMMIT;
		SELECT coalesce(max(opportunity_change_id), 0) INTO before FROM sales_crm.opportunity_change;
		COMMIT;
		PERFORM pg_sleep(0.02);
		SELECT count(*) INTO after FROM sales_crm.opportunity o
		WHERE o.phase_id = stress.phase('Proposal') AND o.amount IS NULL AND EXISTS (
			SELECT FROM sales_crm.opportunity_change c WHERE c.opportunity_id = o.opportunity_id
				AND c.field = 'phase_id' AND c.new = o.phase_id::text AND c.opportunity_change_id > before);
		IF after > 0 THEN RAISE EXCEPTION '% opportunities lack a required field', after; END IF;
		COMMIT;
		UPDATE sales_crm.phase SET required_fields = '{}' WHERE name = 'Proposal';
		COMMIT;
		rounds := rounds + 1;
	END LOOP;
END
$$;
SQL

my $script = "$PostgreSQL::Test::Utils::tmp_check/work.sql";
append_to_file($script, "\\set what random(0, 99)\n\\set which random(0, 400)\nSELECT stress.work(:what, :which);\n");
my ($said, $failed) = ('', '');
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '8', '-j', '2', '-T', $seconds, '-M', 'prepared', "--random-seed=$seed", '-f', $script, $node->connstr('crm') ],
	'<', \undef, '>', \$said, '2>', \$failed);
my ($status, $out, $err) = $node->psql('crm', "CALL stress.change(clock_timestamp() + interval '$seconds seconds' - interval '0.5 seconds')",
	timeout => $seconds + 120);
$writers->finish;

is($status, 0, 'no stale rule was used') or diag($err, "\nSTRESS_SECONDS=$seconds STRESS_SEED=$seed");
cmp_ok($out || 0, '>', 0, 'rules were changed ' . ($out || 0) . ' times');
my ($transactions) = $said =~ /actually processed: (\d+)/;
cmp_ok($transactions || 0, '>', 100, 'while ' . ($transactions || 0) . ' transactions wrote') or diag($failed);
like($said, qr/number of failed transactions: 0 /, 'none failed') or diag($failed);
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'verified');
is($node->safe_psql('crm', <<'SQL'), '0|0', 'one follow-up task for each that began open, none open for closed ones');
SELECT
	(SELECT count(*) FROM (SELECT o.opportunity_id FROM sales_crm.opportunity o LEFT JOIN sales_crm.task t USING (opportunity_id)
		JOIN (SELECT DISTINCT ON (opportunity_id) opportunity_id, outcome FROM sales_crm.phase_stay JOIN sales_crm.phase USING (phase_id)
			ORDER BY opportunity_id, entered_at, left_at, phase_stay_id) s ON s.opportunity_id = o.opportunity_id
		GROUP BY o.opportunity_id, s.outcome HAVING count(t.task_id) <> (s.outcome IS NULL)::int) x),
	(SELECT count(*) FROM sales_crm.task t JOIN sales_crm.opportunity o USING (opportunity_id) WHERE t.done_at IS NULL AND o.closed_at IS NOT NULL)
SQL
healthy($node, 'crm', 'after the stress');

$node->stop;
done_testing();
