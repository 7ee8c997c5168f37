# Promise: a backup holds everything and a restore brings exactly it back: data, the user's own
# columns, indexes, triggers, policies and rights, edited and deleted seeds; no trigger of ours
# fires. Checked for psql, pg_restore in all its ways, and pg_dumpall, with a fingerprint of every
# table, sequence and definition.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node sample fingerprint is_same healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('source');
sample($node, 'crm', 1000);
$node->safe_psql('crm', <<'SQL');
CREATE ROLE analyst;
CREATE SCHEMA extra;
ALTER TABLE sales_crm.opportunity ADD colour text DEFAULT 'red', ADD twice numeric GENERATED ALWAYS AS (amount * 2) STORED;
UPDATE sales_crm.opportunity SET colour = 'blue' WHERE opportunity_id % 3 = 0;
ALTER TABLE sales_crm.account ADD gone int;
ALTER TABLE sales_crm.account DROP gone;
CREATE INDEX opportunity_colour ON sales_crm.opportunity (colour);
CREATE TABLE extra.project (opportunity_id bigint REFERENCES sales_crm.opportunity, name text);
INSERT INTO extra.project SELECT opportunity_id, name FROM sales_crm.opportunity LIMIT 10;
CREATE TABLE extra.log (what text);
CREATE FUNCTION extra.note() RETURNS trigger LANGUAGE plpgsql AS
	$$BEGIN INSERT INTO extra.log VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN NULL; END$$;
CREATE TRIGGER user_note AFTER INSERT OR UPDATE ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION extra.note();
CREATE TRIGGER user_note AFTER INSERT OR UPDATE ON sales_crm.task FOR EACH ROW EXECUTE FUNCTION extra.note();
UPDATE sales_crm.opportunity SET colour = 'green' WHERE opportunity_id = 1;
ALTER TABLE sales_crm.task ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON sales_crm.task USING (assignee_id = sales_crm.current_member());
GRANT USAGE ON SCHEMA sales_crm TO analyst;
GRANT SELECT ON sales_crm.forecast, sales_crm.opportunity TO analyst;
GRANT EXECUTE ON FUNCTION sales_crm.today() TO analyst;
UPDATE sales_crm.phase SET name = 'Hello', probability = 12.5 WHERE name = 'New';
UPDATE sales_crm.phase SET name = 'New' WHERE name = 'Hello';
DELETE FROM sales_crm.source WHERE name = 'Trade fair' AND NOT EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.source_id = source.source_id);
DELETE FROM sales_crm.lost_reason WHERE name = 'Not a fit';
DELETE FROM sales_crm.currency WHERE code = 'ZWL';
UPDATE sales_crm.company SET name = 'Élan & Söhne', time_zone = 'Europe/Brussels', currency = 'CHF';
DROP INDEX sales_crm.contact_email_idx;
SQL
my $expected = fingerprint($node, 'crm');
like($expected, qr/sales_crm\.opportunity\|1000 rows/, 'the source has its opportunities');
like($expected, qr/extra\.log\|\d+ rows/, 'and the log of the user');

my $dump = $node->backup_dir . '/crm';
sub run_ok { my ($name, @command) = @_; command_ok([@command], $name); return; }
run_ok('dump as SQL', 'pg_dump', '-d', $node->connstr('crm'), '-f', "$dump.sql");
run_ok('dump as custom', 'pg_dump', '-Fc', '-d', $node->connstr('crm'), '-f', "$dump.custom");
run_ok('dump as directory', 'pg_dump', '-Fd', '-j2', '-d', $node->connstr('crm'), '-f', "$dump.dir");
run_ok('dump with --clean', 'pg_dump', '--clean', '--if-exists', '-d', $node->connstr('crm'), '-f', "$dump.clean.sql");
run_ok('dump the definitions', 'pg_dump', '-Fc', '--schema-only', '-d', $node->connstr('crm'), '-f', "$dump.schema");
run_ok('dump the data', 'pg_dump', '-Fc', '--data-only', '-d', $node->connstr('crm'), '-f', "$dump.data");

sub psql_command { my ($database, @rest) = @_; return ('psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($database), @rest); }
sub restore_command { my ($database, @rest) = @_; return ('pg_restore', '-e', '-d', $node->connstr($database), @rest); }
my %ways = (
	'psql' => sub { run_ok('psql', psql_command($_[0], '-f', "$dump.sql")) },
	'psql -1' => sub { run_ok('psql -1', psql_command($_[0], '-1', '-f', "$dump.sql")) },
	'pg_restore' => sub { run_ok('pg_restore', restore_command($_[0], "$dump.custom")) },
	'pg_restore -1' => sub { run_ok('pg_restore -1', restore_command($_[0], '-1', "$dump.custom")) },
	'pg_restore -j4' => sub { run_ok('pg_restore -j4', restore_command($_[0], '-j4', "$dump.custom")) },
	'pg_restore -j4 from a directory' => sub { run_ok('pg_restore -j4', restore_command($_[0], '-j4', "$dump.dir")) },
	'pg_restore --enable-row-security' => sub { run_ok('pg_restore --enable-row-security', restore_command($_[0], '--enable-row-security', "$dump.custom")) },
	'definitions, then data' => sub {
		run_ok('pg_restore of the definitions', restore_command($_[0], "$dump.schema"));
		run_ok('pg_restore --disable-triggers of the data', restore_command($_[0], '--disable-triggers', "$dump.data"));
	},
	'pg_restore --clean over a living database' => sub {
		over($_[0]);
		run_ok('pg_restore --clean --if-exists', restore_command($_[0], '--clean', '--if-exists', "$dump.custom"));
	},
	'psql of a --clean dump over a living database' => sub {
		over($_[0]);
		run_ok('psql', psql_command($_[0], '-f', "$dump.clean.sql"));
	},
);

# A database in use, with data of its own
sub over
{
	my ($database) = @_;
	$node->safe_psql($database, 'CREATE EXTENSION sales_crm');
	sample($node, $database, 10);
	return;
}

my $n = 0;
foreach my $way (sort keys %ways)
{
	my $database = 'restored' . ++$n;
	$node->safe_psql('postgres', "CREATE DATABASE $database TEMPLATE template0");
	$ways{$way}->($database);
	my $got = fingerprint($node, $database);
	# --disable-triggers ends with ENABLE TRIGGER, which is less than ENABLE ALWAYS; setup() mends it
	$got =~ s/^trigger O (CREATE TRIGGER \w+_90_invalidate )/trigger A $1/mg if $way eq 'definitions, then data';
	is_same(join("\n", sort split /\n/, $got), join("\n", sort split /\n/, $expected), "$way: the same");
	$node->safe_psql($database, 'CALL sales_crm.setup(); DROP INDEX sales_crm.contact_email_idx');
	is_same(fingerprint($node, $database), $expected, "$way: setup() adds nothing but a dropped index");
	healthy($node, $database, $way);
	$node->safe_psql('postgres', "DROP DATABASE $database");
}

# The whole cluster, roles and all
command_ok([ 'pg_dumpall', '-d', $node->connstr('postgres'), '-l', 'postgres', '-f', "$dump.all.sql" ], 'pg_dumpall');
my $other = PostgreSQL::Test::Cluster->new('target');
$other->init(extra => [ '-E', 'UTF8', '--locale=C.UTF-8' ]);
$other->start;
# The superuser exists already, which psql reports and passes over
command_ok([ 'psql', '-Xq', '-d', $other->connstr('postgres'), '-f', "$dump.all.sql" ], 'restore the cluster');
is_same(fingerprint($other, 'crm'), $expected, 'pg_dumpall: the same');
healthy($other, 'crm', 'pg_dumpall');

# A dump of a restored database restores again
command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('crm'), '-f', "$dump.again" ], 'dump once more');
$other->safe_psql('postgres', 'CREATE DATABASE again TEMPLATE template0');
command_ok([ 'pg_restore', '-e', '-d', $other->connstr('again'), "$dump.again" ], 'restore it elsewhere');
is_same(fingerprint($other, 'again'), $expected, 'the second generation is the same');

$other->stop;
$node->stop;
done_testing();
