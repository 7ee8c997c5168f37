# Promise: after a crash everything committed is there with all its consequences and nothing else;
# prepared transactions survive and can be committed or undone; foreign servers of two-phase commit
# are not in the way.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node sample healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('crash', 'fsync = on', 'checkpoint_timeout = 1h');
sample($node, 'crm', 50);

sub rows
{
	return $node->safe_psql('crm', <<'SQL');
SELECT (SELECT count(*) FROM sales_crm.opportunity), (SELECT count(*) FROM sales_crm.task), (SELECT count(*) FROM sales_crm.phase_stay), (SELECT count(*) FROM sales_crm.opportunity_change)
SQL
}
my $insert = "INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'x' || i, (SELECT min(account_id) FROM sales_crm.account) FROM generate_series(1, 100) i";

# Committed, prepared and unfinished work at the moment of the crash
$node->safe_psql('crm', $insert);
my $committed = rows();
$node->safe_psql('crm', "BEGIN; $insert; PREPARE TRANSACTION 'kept'");
$node->safe_psql('crm', "BEGIN; UPDATE sales_crm.phase SET probability = 11 WHERE name = 'New'; PREPARE TRANSACTION 'rule'");
my ($in, $out) = ("BEGIN; $insert; SELECT 'inserted';\n", '');
my $open = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$in, '>&', \$out, IPC::Run::timer(60));
pump $open until $out =~ /inserted/;
is(rows(), $committed, 'what is not committed is not seen');
$node->stop('immediate');
eval { $open->finish };
$node->start;
is(rows(), $committed, 'after the crash: what was committed, and nothing else');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'verified');

# The prepared transactions: 100 opportunities with a task and a stay each
is($node->safe_psql('crm', 'SELECT count(*) FROM pg_prepared_xacts'), '2', 'both prepared transactions survived');
$node->safe_psql('crm', "COMMIT PREPARED 'kept'");
is(rows(), join('|', map { $_->[0] + $_->[1] } map { my @c = split /\|/, $committed; ([$c[0], 100], [$c[1], 100], [$c[2], 100], [$c[3], 0]) } 1), 'COMMIT PREPARED brings all consequences');

# A change of rules that was prepared counts from its commit on, in sessions that knew the old one
($in, $out) = ("SELECT probability FROM sales_crm.pipeline_board WHERE phase = 'New';\n", '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$in, '>&', \$out, IPC::Run::timer(60));
pump $session until $out =~ /\d/;
is($out, "10.00\n", 'a prepared change of rules does not count');
$node->safe_psql('crm', "COMMIT PREPARED 'rule'");
($in, $out) = ("SELECT probability FROM sales_crm.pipeline_board WHERE phase = 'New';\n\\q\n", '');
$session->finish;
is($out, "11.00\n", 'once committed, it does');
$node->safe_psql('crm', "BEGIN; UPDATE sales_crm.pipeline SET transition_policy = 'forward'; PREPARE TRANSACTION 'undone'");
$node->safe_psql('crm', "ROLLBACK PREPARED 'undone'");
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'verified again');
healthy($node, 'crm', 'after the crash');

$node->stop;
done_testing();
