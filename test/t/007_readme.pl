# Promise: the README's tour works to the letter, with the one error that it shows, and the README
# lists each SQLSTATE of ours that the code can raise.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $readme = slurp_file('../README.md');
my ($tour) = $readme =~ /^## A tour\n(.*?)^## /ms;
my $sql = join "\n", map { /^    (.*)/ ? $1 : () } split /\n/, $tour;
my ($error, $hint) = $sql =~ /^-- ERROR: (.*?) — HINT: (.*)$/m;
ok($error && $hint, 'the tour ends with an error and its hint');

my $node = crm_node('readme');
my ($status, $out, $err) = $node->psql('crm', $sql, on_error_stop => 0);
like($err, qr/^psql:<stdin>:\d+: ERROR:  \Q$error\E\nDETAIL:  .*\nHINT:  \Q$hint\E$/, 'nothing else is refused');
like($out, qr/^Follow up\|\d{4}-\d\d-\d\d\|Terrace lighting$/m, 'the task appears');
like($out, qr/\|Proposal\|.*\|4800\.0000\|EUR\|2027-01-15\|50\.00\|/, 'the overview shows the move');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.opportunity_overview WHERE status = $$open$$'), '1', 'and it is open still');

# error.h is not beside the tests of an installed extension; the code says in its COMMENTs what it raises
my %listed = map { $_ => 1 } $readme =~ /^\| (SC\d{3}) \|/mg;
my %raised = map { $_ => 1 } split /\n/, $node->safe_psql('crm', <<'SQL');
SELECT DISTINCT m[1] FROM pg_description, regexp_matches(description, 'SC\d{3}', 'g') m
UNION SELECT DISTINCT errcode FROM sales_crm.transition_rule WHERE errcode IS NOT NULL
SQL
is(join(' ', grep { !$listed{$_} } sort keys %raised), '', 'every SQLSTATE that functions announce is listed');

$node->stop;
done_testing();
