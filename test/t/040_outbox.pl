# Promise: a restored or cloned database sends nothing before activate_sending(), and then nothing
# that its original may have sent; a crash loses no message and completes none; a standby shows the
# outbox and gives nothing out, promoted it goes on sending; commits wake senders once each, a prepared transaction
# nobody; applications hear of what live_event has switched on, if it was committed, and such a commit is safe
# before it is acknowledged; what is finished is read by no claim, not even the first one of a session;
# pg_cron can do the housekeeping.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node error_of healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('outbox', 'fsync = on');
my $claim = "SELECT string_agg(recipient, ' ' ORDER BY message_id) FROM sales_crm.claim_messages('test', 1000, kinds => '{email}')";
sub queue { my ($n, $database, @names) = @_; $n->safe_psql($database, join ';', map { "SELECT sales_crm.queue_message('email', 'notification', '{}', recipient => '$_')" } @names); return }

# A sender and nothing else
$node->safe_psql('crm', "CREATE ROLE mailer LOGIN IN ROLE sales_crm_sender");
queue($node, 'crm', 'a', 'b');
sub as_mailer { my ($n, $database, $sql) = @_; return $n->safe_psql($database, $sql, extra_params => [ '-U', 'mailer' ]) }
is(as_mailer($node, 'crm', $claim), '', 'a new database sends nothing before activate_sending()');
$node->safe_psql('crm', 'SELECT sales_crm.activate_sending()');
is(as_mailer($node, 'crm', $claim), 'a b', 'then it does');
is(as_mailer($node, 'crm', 'SELECT sales_crm.complete_message(1, 1)'), '', 'and messages are completed');
like(error_of($node, 'crm', "SET ROLE mailer; SELECT * FROM sales_crm.message"), qr/42501/, 'a sender reads no table');
queue($node, 'crm', 'c');

# Copies: restored, and made from a template
my $dump = $node->backup_dir . '/crm.dump';
command_ok([ 'pg_dump', '-Fc', '-d', $node->connstr('crm'), '-f', $dump ], 'dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
command_ok([ 'pg_restore', '-e', '-d', $node->connstr('restored'), $dump ], 'restore');
$node->safe_psql('postgres', 'CREATE DATABASE cloned TEMPLATE crm');
for my $copy ('restored', 'cloned')
{
	queue($node, $copy, 'later');
	is(as_mailer($node, $copy, $claim), '', "$copy: sends nothing");
	is($node->safe_psql($copy, 'SELECT DISTINCT sending_active FROM sales_crm.outbox_status'), 'f', "$copy: and says so");
	is($node->safe_psql($copy, 'SELECT sales_crm.activate_sending()'), '3', "$copy: activated, it gives up what the original may have sent");
	is(as_mailer($node, $copy, $claim), '', "$copy: sends none of it");
	is($node->safe_psql($copy, q{SELECT count(*), count(DISTINCT reason) FROM sales_crm.message_dead}), '3|1', "$copy: it is in message_dead");
	queue($node, $copy, 'new');
	is(as_mailer($node, $copy, $claim), 'new', "$copy: sends what comes after that");
	is($node->safe_psql($copy, 'SELECT sales_crm.redrive_messages()'), '3', "$copy: the rest by redrive_messages() alone");
	is($node->safe_psql($copy, 'SELECT count(*) FROM sales_crm.verify_outbox()'), '0', "$copy: verified");
}
$node->safe_psql('postgres', 'CREATE DATABASE moved TEMPLATE crm');
is($node->safe_psql('moved', 'SELECT sales_crm.activate_sending(keep_waiting => true)'), '0', 'where the original is gone, what waits can be kept');
is(as_mailer($node, 'moved', $claim), 'c', 'and is sent');

# Crash: claimed and not completed, completed and not committed, queued and not committed
my ($in, $out) = ("BEGIN; SELECT sales_crm.complete_message(2, 1); SELECT sales_crm.queue_message('email', 'notification', '{}', recipient => 'lost'); SELECT 'open';\n", '');
my $open = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$in, '>&', \$out, IPC::Run::timer(60));
pump $open until $out =~ /open/;
$node->stop('immediate');
eval { $open->finish };
$node->start;
is(as_mailer($node, 'crm', $claim), 'c', 'after a crash: what was queued');
$node->safe_psql('crm', "UPDATE sales_crm.message SET available_at = now()");
is(as_mailer($node, 'crm', $claim), 'b c', 'and what was claimed, once its lease has ended');
is($node->safe_psql('crm', 'SELECT string_agg(message_id::text, \' \') FROM sales_crm.message_done'), '1', 'what was completed is done');

# Standby
queue($node, 'crm', 'ready');
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('outbox_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
my $status = 'SELECT kind, ready, in_flight, dead, sending_active FROM sales_crm.outbox_status';
is($standby->safe_psql('crm', $status), $node->safe_psql('crm', $status), 'a standby shows the outbox');
is($standby->safe_psql('crm', 'SELECT count(*) FROM sales_crm.verify_outbox()'), '0', 'and verifies it');
like(error_of($standby, 'crm', $claim), qr/25006/, 'and gives nothing out');

# Waking: one session listens to itself; psql prints what it gets after each command
sub heard
{
	my ($database, $sql, $channel) = @_;
	my ($status, $text, $error) = $node->psql($database, "LISTEN $channel;\n$sql\nSELECT 'end';");
	return join ' ', map { /payload "(.*)" received/ ? $1 : 'woken' } grep { /Asynchronous notification "$channel"/ } split /\n/, "$text\n$error";
}
my $one = "SELECT sales_crm.queue_message('email', 'notification', '{}');";
is(heard('crm', $one, 'sales_crm_outbox'), 'woken', 'a commit that queues wakes');
is(heard('crm', "BEGIN; $one $one SAVEPOINT s; $one ROLLBACK TO s; $one COMMIT;", 'sales_crm_outbox'), 'woken', 'once');
is(heard('crm', "BEGIN; $one ROLLBACK;", 'sales_crm_outbox'), '', 'a rollback does not');
is(heard('crm', "BEGIN; $one PREPARE TRANSACTION 'p'; COMMIT PREPARED 'p';", 'sales_crm_outbox'), '', 'nor a prepared transaction, which is allowed');
is(heard('crm', "SET sales_crm.notify = off; $one", 'sales_crm_outbox'), '', 'nor when it is switched off');
my $gate = "SELECT pg_advisory_lock('sales_crm'::regnamespace::oid::integer, 3); SELECT 'held'";
($in, $out) = ("$gate;\n", '');
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$in, '>&', \$out, IPC::Run::timer(60));
pump $holder until $out =~ /held/;
is(heard('crm', $one, 'sales_crm_outbox'), '', 'nor while another commit is just doing it');
is(heard('crm', "SET sales_crm.notify = always; $one", 'sales_crm_outbox'), 'woken', 'unless always');
$in .= "\\q\n";
$holder->finish;
like(error_of($node, 'crm', 'SELECT sales_crm.database_identity(); SET sales_crm.notify = sometimes'), qr/22023/, 'there are three ways');

# Live events
$node->safe_psql('crm', <<'SQL');
INSERT INTO sales_crm.member (member_id, name) VALUES (101, 'Ann'), (102, 'Bob');
INSERT INTO sales_crm.account (account_id, name) VALUES (1001, 'Acme');
SQL
is(heard('crm', "INSERT INTO sales_crm.opportunity (opportunity_id, name, account_id, owner_id) VALUES (7, 'x', 1001, 101);", 'sales_crm_event'), '', 'a new opportunity is no event');
is(heard('crm', 'UPDATE sales_crm.opportunity SET owner_id = 102;', 'sales_crm_event'), '{"event":"opportunity.assigned","id":7}', 'another owner is');
is(heard('crm', 'BEGIN; SAVEPOINT s; UPDATE sales_crm.opportunity SET owner_id = 101; ROLLBACK TO s; COMMIT;', 'sales_crm_event'), '', 'unless rolled back');
is(heard('crm', 'BEGIN; SAVEPOINT s; UPDATE sales_crm.opportunity SET owner_id = 101; RELEASE s; COMMIT;', 'sales_crm_event'), '{"event":"opportunity.assigned","id":7}', 'a savepoint keeps it');
is(heard('crm', "INSERT INTO sales_crm.task (task_id, subject, assignee_id) VALUES (70, 'Call', 101);", 'sales_crm_event'), '{"event":"task.assigned","id":70}', 'a task for somebody is');
is(heard('crm', "UPDATE sales_crm.live_event SET active = false; UPDATE sales_crm.task SET assignee_id = 102;", 'sales_crm_event'), '', 'switched off, it is not');
$node->safe_psql('crm', "INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (7, 'Lamp', 100); UPDATE sales_crm.live_event SET active = true WHERE event = 'quote.viewed'");
my $quote = $node->safe_psql('crm', 'SELECT sales_crm.create_quote(7)');
my $told = "SELECT sales_crm.queue_event('quote.viewed', $quote);";
is(heard('crm', "$told SELECT sales_crm.queue_event('quote.declined', $quote), sales_crm.queue_event('quote.lost', $quote);", 'sales_crm_event'),
	qq({"event":"quote.viewed","id":$quote}), 'of a quote, what is switched on');
is(heard('crm', "$told UPDATE sales_crm.live_event SET active = false; $told UPDATE sales_crm.live_event SET active = true; $told BEGIN; SAVEPOINT s; UPDATE sales_crm.live_event SET active = false; $told ROLLBACK TO s; $told COMMIT;", 'sales_crm_event'),
	join(' ', (qq({"event":"quote.viewed","id":$quote})) x 3), 'as it is switched on and off in one session');
is(heard('crm', "BEGIN; SAVEPOINT s; $told ROLLBACK TO s; COMMIT;", 'sales_crm_event'), '', 'nothing of what was rolled back');

# Such a commit waits for the disk behind its locks, and before it is acknowledged
$node->safe_psql('crm', "UPDATE sales_crm.live_event SET active = true; ALTER SYSTEM SET wal_writer_delay = '10s'");
$node->reload;
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
is($node->safe_psql('crm', 'UPDATE sales_crm.task SET assignee_id = 101; SHOW synchronous_commit'), 'on', 'after a commit with an event, the setting is as it was');
is($node->safe_psql('crm', "SET synchronous_commit = off; UPDATE sales_crm.task SET assignee_id = 102; SHOW synchronous_commit"), 'off', 'one that need not wait does not');
$node->safe_psql('crm', 'UPDATE sales_crm.task SET assignee_id = 101');
$node->stop('immediate');
$node->start;
is($node->safe_psql('crm', 'SELECT DISTINCT assignee_id FROM sales_crm.task'), '101', 'and a crash right after it takes nothing back');
$node->safe_psql('crm', 'ALTER SYSTEM RESET wal_writer_delay');
$node->reload;

# Promoted, the standby is the database that may send
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
$standby->promote;
queue($standby, 'crm', 'promoted');
like(as_mailer($standby, 'crm', $claim), qr/promoted/, 'promoted, it sends');
$standby->stop;
healthy($node, 'crm', 'in the end');

# Behind an old snapshot, finished messages keep their entries in the index; a new session begins above
# them, and yet below what a transaction that was open for long has queued
sub session
{
	my ($sql) = @_;
	my %session = (in => "$sql; SELECT 'ready';\n", out => '');
	$session{run} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$session{in}, '>&', \$session{out}, IPC::Run::timer(120));
	pump { $session{run} } until $session{out} =~ /ready/;
	return \%session;
}
sub end_session { my ($session, $sql) = @_; $session->{in} .= "$sql;\n\\q\n"; $session->{run}->finish; return }
# how many entries of the index the first claim of a session reads
sub entries
{
	return (split /\n/, $node->safe_psql('crm', "BEGIN; SELECT count(*) FROM sales_crm.claim_messages('new', 1, kinds => '{email}');
		SELECT pg_stat_get_xact_tuples_returned('sales_crm.message_available_at_idx'::regclass); COMMIT"))[1];
}
my $report = session("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM sales_crm.message");
$node->safe_psql('crm', $_) for (
	'DELETE FROM sales_crm.message',
	"SELECT count(sales_crm.queue_message('email', 'notification', '{}')) FROM generate_series(1, 20000)",
	"WITH c AS (SELECT array_agg(message_id) i, array_agg(fence) f FROM sales_crm.claim_messages('test', 10000, kinds => '{email}')) SELECT sales_crm.complete_messages(i, f) FROM c",
	'DELETE FROM sales_crm.message');
# Sessions publish every five seconds, and that much less
my $one_more = sub { queue($node, 'crm', $_[0]); return $node->safe_psql('crm', $claim) };
sleep 6;
is($one_more->('early'), 'early', 'a message behind them is found');
my $writer = session("BEGIN; SELECT sales_crm.queue_message('email', 'notification', '{}', recipient => 'slow')");
cmp_ok(entries(), '<', 100, 'a new session does not read what is finished');
sleep 6;
is($one_more->('quick'), 'quick', 'nor wait for what is not committed');
end_session($writer, 'COMMIT');
is($node->safe_psql('crm', $claim), 'slow', 'but finds what was queued before others began, and committed late');
$node->safe_psql('crm', q{UPDATE sales_crm.message_floor SET swept_at = now() - interval '6 minutes'});
cmp_ok(entries(), '>=', 20000, 'unless nobody has looked at all for five minutes');
end_session($report, 'COMMIT');

# Housekeeping by pg_cron, as doc/outbox.md has it
SKIP:
{
	skip 'pg_cron is not installed (Debian: postgresql-' . $node->pg_version->major . '-cron)', 2
		unless -e $node->config_data('--sharedir') . '/extension/pg_cron.control';
	$node->append_conf('postgresql.conf', "$_\n") for ("shared_preload_libraries = 'pg_cron'", "cron.database_name = 'crm'", 'cron.use_background_workers = on');
	$node->restart;
	$node->safe_psql('crm', "SET timezone = 'UTC'; INSERT INTO sales_crm.task (subject, assignee_id, remind_at) VALUES ('Remember', 101, now())");
	$node->safe_psql('crm', 'CREATE EXTENSION pg_cron');
	my $recipe = (slurp_file('../doc/outbox.md') =~ /^ {4}(SELECT cron\.schedule\(.*\);)$/m)[0];
	ok($recipe, 'the recipe') and $node->safe_psql('crm', $recipe);
	ok($node->poll_query_until('crm', "SELECT reminded_at IS NOT NULL FROM sales_crm.task WHERE subject = 'Remember'"), 'pg_cron runs it within a minute');
}
$node->stop;
done_testing();
