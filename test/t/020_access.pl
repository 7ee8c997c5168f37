# Promise: identity and rights over real connections. Who logs in is a member by their login; only
# members of sales_crm_app may act for any member, one transaction after the other, and leave nothing
# to the next; each role is refused what it is not for: the portal 60 statements, sender, reader,
# seller and app likewise. Roles that somebody else prepared are not used.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node sample error_of healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('access', 'max_connections = 30');
sample($node, 'crm', 200);
my @levels = qw(reader seller manager admin app sender portal);
$node->safe_psql('crm', "CREATE ROLE $_ LOGIN; SELECT sales_crm.grant_access('$_', '$_')") foreach @levels;
$node->safe_psql('crm', "UPDATE sales_crm.member SET login = 'seller' WHERE name = 'Member 3'; UPDATE sales_crm.member SET login = 'manager' WHERE name = 'Member 1'");
sub as { my ($role, $sql) = @_; my ($status, $out, $err) = $node->psql('crm', $sql, on_error_stop => 0, extra_params => [ '-U', $role ]); return "$out$err"; }

# Identity
my %member = map { split /\|/ } split /\n/, $node->safe_psql('crm', "SELECT name || '|' || member_id FROM sales_crm.member");
is(as('seller', 'SELECT sales_crm.current_member()'), $member{'Member 3'}, 'a seller is the member with their login');
is(as('seller', "SET sales_crm.member_id = $member{'Member 1'}; SELECT sales_crm.current_member(), sales_crm.is_manager()"), "$member{'Member 3'}|f", 'whatever they set');
is(as('reader', "SET sales_crm.member_id = $member{'Member 1'}; SELECT sales_crm.current_member() IS NULL, sales_crm.is_manager()"), 't|f', 'a reader is nobody');
is(as('app', 'SELECT sales_crm.current_member() IS NULL, (SELECT count(*) FROM sales_crm.opportunity)'), 't|0', 'an application without a member sees nothing');
like(as('app', "SET sales_crm.member_id = 999999; SELECT count(*) FROM sales_crm.opportunity"), qr/no active member has the key/, 'an unknown member is an error');
my $own = $node->safe_psql('crm', "SELECT count(*) FROM sales_crm.opportunity o JOIN sales_crm.member m ON m.member_id = o.owner_id WHERE m.name = 'Member 5'");
is(as('app', <<"SQL"), "$member{'Member 5'}|$own\n|0\n$member{'Member 5'}\n\nt", 'an application acts for a member within a transaction, and for nobody after');
BEGIN; SET LOCAL sales_crm.member_id = $member{'Member 5'}; SELECT sales_crm.current_member(), count(*) FROM sales_crm.opportunity; COMMIT;
SELECT sales_crm.current_member(), count(*) FROM sales_crm.opportunity;
BEGIN; SET LOCAL sales_crm.member_id = $member{'Member 5'}; SELECT sales_crm.current_member(); ROLLBACK;
SELECT sales_crm.current_member();
SET sales_crm.member_id = $member{'Member 5'}; DISCARD ALL; SELECT sales_crm.current_member() IS NULL;
SQL

# One connection, many members, prepared statements: plans do not carry rows over
{
	my $sql = "SET plan_cache_mode = force_generic_plan; PREPARE p AS SELECT count(*), coalesce(sum(opportunity_id), 0) FROM sales_crm.opportunity;\n";
	my $expected = '';
	foreach my $name (('Member 5', 'Member 1', 'Member 2', 'Member 5', 'Member 4') x 3)
	{
		$sql .= "BEGIN; SET LOCAL sales_crm.member_id = $member{$name}; EXECUTE p; COMMIT;\n";
		$expected .= $node->safe_psql('crm', <<"SQL") . "\n";
WITH RECURSIVE below AS (SELECT team_id FROM sales_crm.member WHERE member_id = $member{$name} UNION SELECT t.team_id FROM sales_crm.team t JOIN below b ON t.parent_team_id = b.team_id)
SELECT count(*), coalesce(sum(opportunity_id), 0) FROM sales_crm.opportunity
WHERE owner_id IN (SELECT member_id FROM sales_crm.member WHERE team_id IN (TABLE below)) OR owner_id = $member{$name} OR owner_id IS NULL AND (SELECT is_manager FROM sales_crm.member WHERE member_id = $member{$name});
SQL
	}
	chomp $expected;
	is(as('app', $sql), $expected, 'a kept plan gives each member their own rows');
}

# Changes count at once, in sessions that run
{
	my ($in, $out, $err) = ('', '', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-U', 'seller', '-d', $node->connstr('crm') ], '<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(60));
	my $ask = sub { $out = ''; $in .= "SELECT count(*) || '.' FROM sales_crm.opportunity;\n"; $session->pump until $out =~ /\.\n/; $out =~ s/\.\n//; return $out; };
	my $team = $ask->();
	$node->safe_psql('crm', "UPDATE sales_crm.member SET visibility = 'own' WHERE login = 'seller'");
	my $mine = $ask->();
	cmp_ok($mine, '<', $team, 'another visibility counts in the next statement');
	$node->safe_psql('crm', "UPDATE sales_crm.company SET visibility = 'all'; UPDATE sales_crm.member SET visibility = NULL WHERE login = 'seller'");
	is($ask->(), $node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.opportunity'), 'the company\'s, too');
	$node->safe_psql('crm', "UPDATE sales_crm.company SET visibility = 'team'; UPDATE sales_crm.member SET active = false WHERE login = 'seller'");
	is($ask->(), '0', 'who left sees nothing');
	$node->safe_psql('crm', "UPDATE sales_crm.member SET active = true WHERE login = 'seller'");
	is($ask->(), $team, 'who is back sees the same');
	$node->safe_psql('crm', "SELECT sales_crm.grant_access('seller', 'admin')");
	is($ask->(), $node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.opportunity'), 'an admin sees everything');
	$node->safe_psql('crm', "SELECT sales_crm.revoke_access('seller', 'admin')");
	is($ask->(), $team, 'and no more when that is taken away');
	$in .= "\\q\n";
	$session->finish;
}

# Refused statements. Each of them must fail, and for want of a right.
sub refused
{
	my ($role, @statements) = @_;
	my ($status, $out, $err) = $node->psql('crm', "\\set VERBOSITY sqlstate\n\\set ON_ERROR_ROLLBACK off\n" . join("\n", map { "$_;" } @statements), on_error_stop => 0, extra_params => [ '-U', $role ]);
	my @states = $err =~ /ERROR:\s+(\w{5})/g;
	is(scalar(@states), scalar(@statements), "$role: all of " . scalar(@statements) . ' statements fail') or diag("$out\n$err");
	is_deeply([ grep { !/^(42501|SC201)$/ } @states ], [], "$role: for want of a right") or diag($err);
	is($out, '', "$role: without a word");
	return;
}
my @tables = split /\n/, $node->safe_psql('crm', q(SELECT relname FROM pg_class WHERE relnamespace = 'sales_crm'::regnamespace AND relkind IN ('r', 'v') ORDER BY relkind, relname));
my @read = map { "SELECT 1 FROM sales_crm.$_ LIMIT 1" } @tables;
my @write = ("INSERT INTO sales_crm.company (name) VALUES ('x')", 'UPDATE sales_crm.phase SET probability = 1', 'DELETE FROM sales_crm.pipeline', 'UPDATE sales_crm.member SET is_manager = true',
	"INSERT INTO sales_crm.member (name) VALUES ('x')", 'DELETE FROM sales_crm.currency', 'UPDATE sales_crm.product SET unit_price = 1', "UPDATE sales_crm.company SET visibility = 'all'",
	'TRUNCATE sales_crm.opportunity CASCADE', 'TRUNCATE sales_crm.note', 'DELETE FROM sales_crm.forecast_cell', 'UPDATE sales_crm.forecast_ledger SET amount = 0', 'DELETE FROM sales_crm.phase_stay',
	'UPDATE sales_crm.opportunity_change SET new = 1', 'DELETE FROM sales_crm.schema_version', 'UPDATE sales_crm.attachment_content SET content = NULL', 'SELECT * FROM sales_crm.attachment_content',
	'DELETE FROM sales_crm.quote_event', 'UPDATE sales_crm.quote_event SET data = NULL', 'DELETE FROM sales_crm.quote', 'UPDATE sales_crm.quote_counter SET last = 0', 'SELECT token_sha256 FROM sales_crm.quote_link',
	'SELECT token_sha256 FROM sales_crm.calendar_feed', 'CREATE TABLE sales_crm.x (i int)', 'ALTER TABLE sales_crm.opportunity DISABLE ROW LEVEL SECURITY', 'DROP VIEW sales_crm.forecast');
my @call = ('SELECT sales_crm.rebuild_forecast()', "SELECT sales_crm.seed_translate('fr')", 'CALL sales_crm.setup()', 'SELECT sales_crm.reset_access()', 'SELECT sales_crm.setup_roles()',
	"SELECT sales_crm.record_email(subject => 'x')", 'SELECT * FROM sales_crm.verify_forecast()', "SELECT sales_crm.grant_access('seller', 'admin')", "SELECT sales_crm.sees('opportunity', 1)", 'SELECT sales_crm.forecast_recomputed()');
my @also_write = ("INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('x', 1)", 'UPDATE sales_crm.opportunity SET amount = 1', 'DELETE FROM sales_crm.opportunity', "INSERT INTO sales_crm.account (name) VALUES ('x')",
	'DELETE FROM sales_crm.account', "INSERT INTO sales_crm.note (body) VALUES ('x')", 'UPDATE sales_crm.task SET done_at = now()', 'DELETE FROM sales_crm.email', 'UPDATE sales_crm.quote SET status = NULL',
	'SELECT sales_crm.create_quote(1)', 'SELECT sales_crm.add_product(1, 1)', 'SELECT sales_crm.merge_accounts(1, 2)', 'SELECT sales_crm.decide_discount_approval(1, true)', 'SELECT sales_crm.create_calendar_feed(1)');
my @portal = (@write, @call, @also_write, (grep { /opportunity LIMIT|account LIMIT|contact LIMIT|member LIMIT|quote LIMIT|quote_line LIMIT|quote_link LIMIT|company LIMIT|email LIMIT|forecast LIMIT|product LIMIT/ } @read),
	"SELECT sales_crm.search('x')", 'SELECT sales_crm.timeline_page(1)', 'SELECT sales_crm.current_member()', 'SELECT sales_crm.housekeeping()', 'SELECT sales_crm.download_attachment(1)');
cmp_ok(scalar(@portal), '>=', 60, 'there are ' . scalar(@portal) . ' statements for the portal');
refused('portal', @portal);
refused('portal', @read);
refused('sender', @read, @write, @also_write, grep { !/record_email/ } @call);
refused('reader', @write, @call, @also_write);
refused('seller', @write, @call, 'DELETE FROM sales_crm.opportunity', 'DELETE FROM sales_crm.account', 'SELECT sales_crm.merge_accounts(1, 2)', 'SELECT unit_cost FROM sales_crm.product', 'SELECT unit_cost FROM sales_crm.product_line');
refused('app', @write, @call, 'SELECT unit_cost FROM sales_crm.product');
refused('manager', @write, @call);

# What they are for works
is(as('reader', 'SELECT count(*) FROM sales_crm.opportunity'), '200', 'a reader without member reads everything');
is(as('reader', 'SELECT count(*) > 0 FROM sales_crm.forecast'), 't', 'the forecast, too');
like(as('seller', <<'SQL'), qr/^Fresh\|New\|Follow up\nFresh\|Won$/, 'a seller sells');
WITH a AS (INSERT INTO sales_crm.account (name) VALUES ('Fresh') RETURNING account_id) INSERT INTO sales_crm.opportunity (name, account_id, amount) SELECT 'Fresh', account_id, 10 FROM a;
SELECT o.name, o.phase, t.subject FROM sales_crm.opportunity_overview o JOIN sales_crm.my_open_tasks t USING (opportunity_id) WHERE o.name = 'Fresh';
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won') WHERE name = 'Fresh';
SELECT name, phase FROM sales_crm.opportunity_overview WHERE name = 'Fresh';
SQL
is(as('admin', "INSERT INTO sales_crm.source (name) VALUES ('Fair'); DELETE FROM sales_crm.source WHERE name = 'Fair' RETURNING name"), 'Fair', 'an admin configures');
is(as('admin', 'SELECT count(*) FROM sales_crm.verify_forecast(); SELECT count(*) FROM sales_crm.verify_opportunities(); SELECT count(*) FROM sales_crm.verify_attachments(); SELECT count(*) FROM sales_crm.verify_product_lines(); SELECT count(*) FROM sales_crm.verify_appointments()'),
	"0\n0\n0\n0\n0", 'and verifies');
like(as('sender', "SELECT is_new FROM sales_crm.record_email(from_address => 'x\@example.com', subject => 'hello')"), qr/^t$/, 'a sender files e-mails');
is(as('sender', 'SELECT count(*) > 3 FROM sales_crm.housekeeping()'), 't', 'and keeps house');
is(as('manager', 'SELECT count(*) FILTER (WHERE unit_cost IS NOT NULL) > 0 FROM sales_crm.product'), 't', 'a manager sees costs');
is($node->safe_psql('crm', "SELECT string_agg(role || ' ' || levels::text, ', ' ORDER BY role) FROM sales_crm.access_overview WHERE NOT sees_everything"),
	'admin {admin}, app {app}, manager {manager}, portal {portal}, reader {reader}, seller {seller}, sender {sender}', 'access_overview lists all');

# grant_access() and its guards
like(error_of($node, 'crm', "SELECT sales_crm.grant_access('seller', 'king')"), qr/22023.*Known are reader/s, 'levels are known ones');
like(error_of($node, 'crm', "SELECT sales_crm.grant_access('sales_crm_portal', 'admin')"), qr/22023/, 'group roles get none');
$node->safe_psql('crm', "SELECT sales_crm.revoke_access('reader')");
like(as('reader', 'SELECT 1 FROM sales_crm.opportunity'), qr/permission denied for schema/, 'revoke_access() ends it');

# Roles that somebody else prepared
$node->safe_psql('postgres', 'CREATE DATABASE prepared');
$node->safe_psql('crm', 'DROP OWNED BY sales_crm_portal; DROP ROLE sales_crm_portal');
foreach my $danger ('LOGIN', 'SUPERUSER', 'CREATEROLE', 'CREATEDB', 'REPLICATION', 'BYPASSRLS', 'IN ROLE pg_execute_server_program')
{
	$node->safe_psql('postgres', "CREATE ROLE sales_crm_portal $danger");
	like(error_of($node, 'prepared', 'CREATE EXTENSION sales_crm'), qr/42710.*sales_crm_portal.*rename/s, "a prepared role with $danger is not used");
	$node->safe_psql('postgres', 'DROP ROLE sales_crm_portal');
}
$node->safe_psql('prepared', 'CREATE EXTENSION sales_crm');
healthy($node, 'prepared', 'without it');
$node->safe_psql('crm', 'SELECT sales_crm.reset_access()');
is($node->safe_psql('crm', "SELECT has_schema_privilege('sales_crm_portal', 'sales_crm', 'USAGE')"), 't', 'reset_access() gives the new role its rights');

# Two databases of a cluster set up at once
my @racers = map {
	$node->safe_psql('postgres', "CREATE DATABASE race$_");
	$_
} 1 .. 3;
my $said = '';
my @running = map { IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr("race$_"), '-c', 'CREATE EXTENSION sales_crm' ], '<', \undef, '>&', \$said) } @racers;
$_->finish foreach @running;
is($said, '', 'databases set up at once share the roles');

$node->stop;
done_testing();
