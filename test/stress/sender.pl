# Promise: each e-mail that was queued is delivered, whatever breaks: senders and the server are
# killed (-9), the mail server hangs, drops connections and refuses for now, a sender sleeps until
# its leases have ended. None is lost, none is stuck, and at least 99.5 % arrive exactly once: at most
# those twice that were on their way when a sender was killed or put to sleep. What was restored from
# a dump sends nothing before activate_sending().
#
# STRESS_SECONDS (default 1) says how many: 500 each, up to 10,000; STRESS_SEED which random numbers;
# a failure prints both.
use strict;
use warnings FATAL => 'all';

use Mail qw(sender_program mail_node smtp_server sender start_sender end_sender events wait_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'skipped: sales_crm_sender is not installed' unless sender_program();

my $seconds = $ENV{STRESS_SECONDS} || 1;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
my $count = $seconds * 500 < 10000 ? $seconds * 500 : 10000;
my $blows = $count < 2000 ? 4 : 16;
my $parallel = 3;
note("STRESS_SECONDS=$seconds STRESS_SEED=$seed");
srand($seed);

my $node = mail_node('sender');
my $server = smtp_server();
my @arguments = ('--smtp-url', $server->{url}, '--smtp-tls', 'off', '--smtp-timeout', 5, '--parallel', $parallel, '--lease', 3, '--log-level', 'warning');
my $twice = 0;

# One in fifty goes wrong the first time
sub queue
{
	my ($from, $to) = @_;
	return $node->psql('crm', <<"SQL");
SELECT count(sales_crm.queue_email('test', CASE i % 200 WHEN 50 THEN 'drop.once.' WHEN 100 THEN 'rcpt450.once.' WHEN 150 THEN 'data451.once.' WHEN 199 THEN 'rcpt421.once.' ELSE '' END
	|| 'c' || i || '\@example.com', subject => 'x', body => 'x', dedup_key => 'c' || i)) FROM generate_series($from, $to) i
SQL
}
# What has failed waits for 15 s and longer: long enough for a test
sub hurry { return $node->psql('crm', q{UPDATE sales_crm.message SET available_at = clock_timestamp() - interval '1 s' WHERE claimed_by IS NULL AND available_at > clock_timestamp()}); }

my @senders = map { start_sender(@arguments, '--worker', "w$_") } 1, 2;
my $queued = 0;
my $batch = int($count / ($blows + 1)) + 1;
for my $blow (0 .. $blows)
{
	my $to = $queued + $batch < $count ? $queued + $batch : $count;
	# As an application does: again, when it has not heard that it was committed
	while (queue($queued + 1, $to) != 0) { sleep 0.2 }
	$queued = $to;
	last if $blow == $blows;
	sleep(0.2 + rand(0.8));
	my $which = int(rand(2));
	if ($blow % 4 == 0)
	{
		end_sender($senders[$which], 'KILL');
		$senders[$which] = start_sender(@arguments, '--worker', "w$which-$blow");
		$twice += $parallel;
	}
	elsif ($blow % 4 == 1)
	{
		# Backends notice only when they next look
		$node->kill9;
		until ($node->start(fail_ok => 1)) { sleep 0.2; $node->stop('fast', fail_ok => 1) }
	}
	elsif ($blow % 4 == 2)
	{
		# The network is gone: nothing is answered
		$server->{run}->signal('STOP');
		sleep(0.5 + rand(1));
		$server->{run}->signal('CONT');
	}
	else
	{
		# Longer than its leases
		$senders[$which]{run}->signal('STOP');
		sleep 3.5;
		$senders[$which]{run}->signal('CONT');
		$twice += $parallel;
	}
	hurry();
}
ok(wait_until(sub { hurry(); ($node->psql('crm', 'SELECT count(*) FROM sales_crm.message'))[1] eq '0' }, 120), "all of $count leave the outbox") or do {
	diag($node->safe_psql('crm', 'SELECT m.*, b.recipient FROM sales_crm.message m JOIN sales_crm.message_body b USING (message_id) LIMIT 20'));
	diag(map { substr($_->{log}, -2000) } @senders);
};
is(end_sender($_), 0, 'a sender ends well') for @senders;

my %taken;
$taken{$_}++ for map { /c(\d+)\@example/ ? $1 : () } events($server, 'taken');
is(scalar(grep { !$taken{$_} } 1 .. $count), 0, 'none is lost');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.message_dead'), 0, 'none is given up');
is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.message_done'), $count, 'each is done once');
my @more = grep { $taken{$_} > 1 } keys %taken;
note(scalar(@more) . " of $count arrived more than once");
cmp_ok(scalar @more, '<=', $twice, 'twice came at most what was on its way when its sender was hit');
cmp_ok(scalar @more, '<=', $count / 200, 'and 99.5 % exactly once') if $count >= 10000;

# A copy of the database
queue($count + 1, $count + 10);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $node->basedir . '/dump', $node->connstr('crm') ], 'a dump');
$node->safe_psql('postgres', 'CREATE DATABASE copy');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('copy'), $node->basedir . '/dump' ], 'is restored');
my $before = events($server, 'mail');
my ($status, $out, $err) = sender('--once', @arguments, '--database', 'dbname=copy');
like($err, qr/may not send/, 'the copy may not send');
is(scalar events($server, 'mail'), $before, 'and sends nothing');
is($node->safe_psql('copy', 'SELECT count(*) FROM sales_crm.message'), 10, 'but keeps what it would have sent');
$node->safe_psql('copy', 'SELECT sales_crm.activate_sending()');
sender('--once', @arguments, '--database', 'dbname=copy');
is($node->safe_psql('copy', 'SELECT count(*) FROM sales_crm.message'), 0, 'until it is activated');

done_testing();
