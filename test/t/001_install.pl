# Promise: CREATE EXTENSION gives a working CRM, to nobody but who may have it; it never takes over
# what somebody else put in its place; DROP EXTENSION loses no data; setup() mends what is missing.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node error_of healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('install');
healthy($node, 'crm', 'a fresh database');

# Somebody else was there first
$node->safe_psql('postgres', 'CREATE ROLE mallory LOGIN');
$node->safe_psql('postgres', 'CREATE DATABASE taken OWNER mallory');
$node->safe_psql('taken', 'SET ROLE mallory; CREATE SCHEMA sales_crm');
like(error_of($node, 'taken', 'CREATE EXTENSION sales_crm'), qr/42P06.*"sales_crm" already exists/, 'a schema made before is not taken over');
$node->safe_psql('taken', <<'SQL');
SET ROLE mallory;
CREATE TABLE sales_crm.opportunity (opportunity_id bigint);
CREATE FUNCTION sales_crm.today() RETURNS date LANGUAGE sql AS 'SELECT current_date';
SQL
like(error_of($node, 'taken', 'CREATE EXTENSION sales_crm'), qr/42P06/, 'nor one with objects of ours in it');
like(error_of($node, 'taken', 'CREATE EXTENSION IF NOT EXISTS sales_crm CASCADE'), qr/42P06/, 'nor with CASCADE');
is($node->safe_psql('taken', "SELECT count(*) FROM pg_extension WHERE extname = 'sales_crm'"), '0', 'nothing is left of the attempts');
$node->safe_psql('taken', 'DROP SCHEMA sales_crm CASCADE; CREATE EXTENSION sales_crm');
healthy($node, 'taken', 'after the schema is gone');

# Who may install, and where
$node->safe_psql('postgres', 'CREATE DATABASE hers OWNER mallory');
like(error_of($node, 'hers', 'SET ROLE mallory; CREATE EXTENSION sales_crm'), qr/42501/, 'only superusers install');
like(error_of($node, 'hers', 'CREATE EXTENSION sales_crm SCHEMA public'), qr/0A000/, 'in its own schema only');

$node->safe_psql('postgres', "CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
like(error_of($node, 'latin', 'CREATE EXTENSION sales_crm'), qr/0A000.*encoding UTF8.*LATIN1.*TEMPLATE template0/s, 'in a database that holds every letter');

# Removing
like(error_of($node, 'crm', 'DROP EXTENSION sales_crm'), qr/2BP01/, 'DROP EXTENSION refuses while there are tables');
like(error_of($node, 'crm', 'DROP SCHEMA sales_crm CASCADE'), qr/2BP01/, 'so does DROP SCHEMA');
$node->safe_psql('crm', 'DROP EXTENSION sales_crm CASCADE');
is($node->safe_psql('crm', "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('sales_crm')"), '0', 'CASCADE removes all');
$node->safe_psql('crm', 'CREATE EXTENSION sales_crm');
healthy($node, 'crm', 'installed again');

# The sign of a restore, where there is none: the NOTICE says what to do, and that is enough
$node->safe_psql('postgres', 'CREATE DATABASE sign');
my ($status, $out, $err) = $node->psql('sign', <<'SQL');
SET row_security = off; SET xmloption = content;
CREATE EXTENSION sales_crm;
SQL
is($status, 0, 'CREATE EXTENSION under the sign of a restore');
like($err, qr/leaves its tables to the dump.*CALL sales_crm\.setup\(\)/s, 'says that it leaves out the tables');
like(error_of($node, 'sign', 'SELECT sales_crm.today()'), qr/55000.*CALL sales_crm\.setup\(\)/s, 'without them, functions say what to do');
$node->safe_psql('sign', 'CALL sales_crm.setup()');
healthy($node, 'sign', 'after CALL setup()');
$node->safe_psql('postgres', 'CREATE DATABASE half');
$node->safe_psql('half', 'SET row_security = off; CREATE EXTENSION sales_crm');
healthy($node, 'half', 'one of the two settings alone is no sign');

# Two sessions set up at once
$node->safe_psql('postgres', 'CREATE DATABASE race');
$node->safe_psql('race', 'SET row_security = off; SET xmloption = content; CREATE EXTENSION sales_crm');
my $said = '';
my @racers = map {
	IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('race'), '-c', 'CALL sales_crm.setup()' ], '<', \undef, '>&', \$said);
} (1 .. 4);
$_->finish foreach @racers;
is($said, '', 'four calls of setup() at once all succeed');
is($node->safe_psql('race', 'SELECT count(*) FROM sales_crm.pipeline'), '1', 'and seed once');
healthy($node, 'race', 'after the race');

# Everything in one transaction, and undone with it
$node->safe_psql('postgres', 'CREATE DATABASE undone');
$node->safe_psql('undone', 'BEGIN; CREATE EXTENSION sales_crm; ROLLBACK');
is($node->safe_psql('undone', "SELECT to_regnamespace('sales_crm') IS NULL"), 't', 'ROLLBACK leaves nothing');

# Objects belong to who installs, and the rest of the extension is shown
is($node->safe_psql('crm', q(SELECT extversion, extrelocatable FROM pg_extension WHERE extname = 'sales_crm')), '1.0|f', 'version');

$node->stop;
done_testing();
