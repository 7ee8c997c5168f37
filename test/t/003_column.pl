# Promise: sessions that have worked with the tables go on working when the tables change under
# them: columns added, dropped and rewritten, VACUUM FULL, CLUSTER, ANALYZE, indexes made and
# dropped, tables created anew in another order of columns. What they cannot work with, they name.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node sample fingerprint is_same healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('column');
sample($node, 'crm', 100);

# One session that stays open, and keeps plans, configuration and column places
my ($in, $out) = ('', '');
my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$in, '>&', \$out, $timer);

sub ask
{
	my ($sql) = @_;
	$out = '';
	$in .= "$sql\n\\echo done\n";
	pump $session until $out =~ s/^done$//m || $timer->is_expired;
	$out =~ s/\s+$//;
	return $out;
}

ask(q(PREPARE work AS WITH o AS (INSERT INTO sales_crm.opportunity (name, account_id, amount)
	SELECT 'work', min(account_id), 5 FROM sales_crm.account RETURNING opportunity_id) SELECT opportunity_id FROM o;));

# Inserts, moves and closes one; says what came of it
sub work
{
	my ($name) = @_;
	my $id = ask('EXECUTE work;');
	like($id, qr/^\d+$/, "$name: insert") or return;
	ask("UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Proposal'), amount = 6 WHERE opportunity_id = $id;");
	ask("UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won') WHERE opportunity_id = $id;");
	is(ask("SELECT status, amount, open_tasks, jsonb_array_length(tasks), jsonb_array_length(phase_stays), (SELECT count(*) FROM sales_crm.opportunity_change WHERE opportunity_id = $id) FROM sales_crm.opportunity_overview WHERE opportunity_id = $id;"),
		'won|6.0000|0|1|3|3', "$name: consequences");
	return;
}

work('before');
my @changes = (
	'added columns' => 'ALTER TABLE sales_crm.opportunity ADD colour text DEFAULT $$red$$, ADD gone int DEFAULT 5',
	'a dropped column' => 'ALTER TABLE sales_crm.opportunity DROP gone',
	'a rewritten table' => 'ALTER TABLE sales_crm.opportunity ADD stamp timestamptz DEFAULT clock_timestamp()',
	'VACUUM FULL' => 'VACUUM FULL sales_crm.opportunity; VACUUM FULL sales_crm.phase; VACUUM FULL sales_crm.task; VACUUM FULL sales_crm.phase_stay',
	'CLUSTER' => 'CLUSTER sales_crm.opportunity USING opportunity_pkey; CLUSTER sales_crm.phase_stay USING phase_stay_pkey',
	'ANALYZE and an index' => 'ANALYZE; CREATE INDEX ON sales_crm.opportunity (colour); DROP INDEX sales_crm.opportunity_expected_on_idx',
	'columns of other tables' => 'ALTER TABLE sales_crm.task ADD colour text; ALTER TABLE sales_crm.phase ADD note text; ALTER TABLE sales_crm.follow_up_rule ADD note text DEFAULT $$x$$; ALTER TABLE sales_crm.company ADD slogan text',
	'another owner' => 'CREATE ROLE keeper; GRANT USAGE ON SCHEMA sales_crm TO keeper; '
	  . 'DO $$DECLARE r regclass;BEGIN FOR r IN SELECT oid FROM pg_class WHERE relnamespace = $n$sales_crm$n$::regnamespace AND relkind IN ($n$r$n$, $n$v$n$) '
	  . 'LOOP EXECUTE format($n$ALTER TABLE %s OWNER TO keeper$n$, r);END LOOP;END$$; '
	  . 'GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sales_crm TO keeper',
	'another configuration' => 'UPDATE sales_crm.phase SET probability = 51 WHERE name = $$Proposal$$',
);
while (my ($name, $sql) = splice @changes, 0, 2)
{
	$node->safe_psql('crm', $_) foreach split /; /, $sql;
	work($name);
}

# The same columns in another order, as a restore into a table of the user's making gives them
$node->safe_psql('crm', <<'SQL');
BEGIN;
ALTER TABLE sales_crm.opportunity DROP COLUMN colour, DROP COLUMN stamp;
CREATE TEMP TABLE kept AS SELECT opportunity_id, name, phase_id FROM sales_crm.opportunity;
ALTER TABLE sales_crm.opportunity DISABLE TRIGGER USER;
ALTER TABLE sales_crm.opportunity DROP CONSTRAINT opportunity_phase_id_fkey;
ALTER TABLE sales_crm.opportunity RENAME name TO name_old;
ALTER TABLE sales_crm.opportunity ALTER name_old DROP NOT NULL;
ALTER TABLE sales_crm.opportunity ADD name text;
ALTER TABLE sales_crm.opportunity RENAME phase_id TO phase_id_old;
ALTER TABLE sales_crm.opportunity ADD phase_id bigint;
UPDATE sales_crm.opportunity SET name = name_old, phase_id = phase_id_old;
ALTER TABLE sales_crm.opportunity DROP name_old CASCADE, DROP phase_id_old CASCADE;
ALTER TABLE sales_crm.opportunity ENABLE TRIGGER USER;
COMMIT;
CALL sales_crm.setup();
SQL
work('columns in another order');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'verified');

# A column of another type is named, not misread
$node->safe_psql('crm', 'DROP VIEW sales_crm.opportunity_overview; ALTER TABLE sales_crm.opportunity ALTER revision TYPE integer');
like(ask('EXECUTE work;'), qr/column "?revision"? .*type/, 'a column of another type is refused by name');
$node->safe_psql('crm', 'ALTER TABLE sales_crm.opportunity ALTER revision TYPE bigint; CALL sales_crm.setup()');
work('the right type again');

$in .= "\\q\n";
$session->finish;
$node->stop;
done_testing();
