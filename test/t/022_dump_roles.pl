# Promise: a dump brings rights and policies back whether or not the cluster has the group roles:
# CREATE EXTENSION makes them before the dump grants anything to them. What a dump of one database
# cannot hold are the people's roles and their memberships: pg_dumpall --roles-only, or
# grant_access() again. A dump without rights gets those of the matrix from setup().
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node sample fingerprint is_same healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('source');
sample($node, 'crm', 300);
$node->safe_psql('crm', <<'SQL');
CREATE ROLE sue LOGIN;
SELECT sales_crm.grant_access('sue', 'seller');
UPDATE sales_crm.member SET login = 'sue', visibility = 'own' WHERE name = 'Member 3';
-- A right that the DBA took away, and one that they gave
REVOKE SELECT ON sales_crm.target FROM sales_crm_seller;
GRANT EXECUTE ON FUNCTION sales_crm.verify_forecast() TO sales_crm_reader;
SQL
my $expected = fingerprint($node, 'crm');
my $seen = 'SELECT count(*), coalesce(sum(amount), 0) FROM sales_crm.opportunity';
my $hers = $node->safe_psql('crm', $seen, extra_params => [ '-U', 'sue' ]);
like($hers, qr/^[1-9]/, 'a seller sees rows of theirs');
my $dump = $node->backup_dir . '/crm';
command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('crm'), '-f', $dump ], 'pg_dump');
command_ok([ 'pg_dump', '-Fc', '--no-privileges', '-d', $node->connstr('crm'), '-f', "$dump.bare" ], 'pg_dump --no-privileges');
command_ok([ 'pg_dumpall', '--roles-only', '-d', $node->connstr('postgres'), '-f', "$dump.roles" ], 'pg_dumpall --roles-only');

sub target
{
	my ($name) = @_;
	my $target = PostgreSQL::Test::Cluster->new($name);
	$target->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
	$target->start;
	$target->safe_psql('postgres', 'CREATE DATABASE crm TEMPLATE template0');
	return $target;
}

# A cluster that has never seen sales_crm
my $fresh = target('fresh');
is($fresh->safe_psql('postgres', q(SELECT count(*) FROM pg_roles WHERE rolname LIKE 'sales\_crm\_%')), '0', 'the cluster has no role of ours');
command_ok([ 'pg_restore', '-e', '-d', $fresh->connstr('crm'), $dump ], 'pg_restore without the roles');
is_same(fingerprint($fresh, 'crm'), $expected, 'rights and policies are the same');
$fresh->safe_psql('crm', "CREATE ROLE sue LOGIN; SELECT sales_crm.grant_access('sue', 'seller')");
is($fresh->safe_psql('crm', $seen, extra_params => [ '-U', 'sue' ]), $hers, 'with grant_access() the seller sees the same');
healthy($fresh, 'crm', 'fresh');

# The same cluster: the roles are there by now
$fresh->safe_psql('postgres', 'CREATE DATABASE again TEMPLATE template0');
command_ok([ 'pg_restore', '-e', '-d', $fresh->connstr('again'), $dump ], 'pg_restore with the roles');
is_same(fingerprint($fresh, 'again'), $expected, 'rights and policies are the same again');
is($fresh->safe_psql('again', $seen, extra_params => [ '-U', 'sue' ]), $hers, 'the seller sees the same');

# Without rights: those of the matrix
$fresh->safe_psql('postgres', 'CREATE DATABASE bare TEMPLATE template0');
command_ok([ 'pg_restore', '-e', '-d', $fresh->connstr('bare'), "$dump.bare" ], 'pg_restore of a dump without rights');
my ($status, $out, $err) = $fresh->psql('bare', $seen, extra_params => [ '-U', 'sue' ]);
like($err, qr/permission denied for table opportunity/, 'nobody has any right on the tables');
$fresh->safe_psql('bare', 'CALL sales_crm.setup()');
is($fresh->safe_psql('bare', $seen, extra_params => [ '-U', 'sue' ]), $hers, 'setup() gives them those of the matrix');
$fresh->safe_psql('postgres', 'CREATE DATABASE new');
$fresh->safe_psql('new', 'CREATE EXTENSION sales_crm');
my $rights = sub { return join "\n", grep { /^(relation|column|function|policy|schema) / } split /\n/, fingerprint($fresh, $_[0]) };
is_same($rights->('bare'), $rights->('new'), 'which are those of a new database');

# People's roles and their memberships, from pg_dumpall
my $moved = target('moved');
command_ok([ 'psql', '-Xq', '-d', $moved->connstr('postgres'), '-f', "$dump.roles" ], 'roles first');
command_ok([ 'pg_restore', '-e', '-d', $moved->connstr('crm'), $dump ], 'then the database');
is_same(fingerprint($moved, 'crm'), $expected, 'everything is the same');
is($moved->safe_psql('crm', $seen, extra_params => [ '-U', 'sue' ]), $hers, 'the seller may log in and sees the same');

$_->stop foreach $node, $fresh, $moved;
done_testing();
