# Promise: whatever a mail server does (delay, drop in the middle, answer 421, 450, 451, 550 or 552,
# lie about sizes, say nothing at all), each e-mail is delivered, tried again or given up as RFC 5321
# has it, the same bytes every time; a server that does not work at all costs no e-mail, and stops
# nothing else. The sender drains at SIGTERM, reads its configuration again at SIGHUP, survives a
# restart of the database, and works beside others.
use strict;
use warnings FATAL => 'all';

use Mail qw(sender_program mail_node smtp_server sender start_sender end_sender events e_mails wait_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'skipped: sales_crm_sender is not installed' unless sender_program();

my $node = mail_node('smtp');
my $directory = PostgreSQL::Test::Utils::tempdir();
my @plain = ('--smtp-tls', 'off', '--smtp-timeout', 2);

sub query { return $node->safe_psql('crm', $_[0]); }
sub mail { my (@to) = @_; return query("SELECT sales_crm.queue_email('test', w || '\@example.com', subject => 'Käse', body => E'.\\nHello') FROM unnest('{@{[join ',', @to]}}'::text[]) w"); }
sub again { return query(q{UPDATE sales_crm.message SET available_at = clock_timestamp() - interval '1 s', claimed_by = NULL}); }
# what became of an e-mail: done, dead or ready, and why
sub state_of
{
	my ($to) = @_;
	return query(<<"SQL");
SELECT CASE WHEN d.message_id IS NOT NULL THEN 'done' WHEN x.message_id IS NOT NULL THEN 'dead' ELSE 'ready' END || ' ' ||
	coalesce(d.response, x.reason, (SELECT a.reason FROM sales_crm.message_attempt a WHERE a.message_id = b.message_id ORDER BY a.fence DESC LIMIT 1), '')
FROM sales_crm.message_body b LEFT JOIN sales_crm.message_done d USING (message_id) LEFT JOIN sales_crm.message_dead x USING (message_id)
WHERE b.recipient = '$to\@example.com' ORDER BY b.message_id DESC LIMIT 1
SQL
}

my $server = smtp_server();
my @to_server = ('--smtp-url', $server->{url}, @plain);
mail(qw(ok slow rcpt421.once rcpt450 data451 rcpt550 data552 data554 drop.once deaf.once silent));
my ($status, $out, $err) = sender('--once', @to_server);
is(state_of($_->[0]), $_->[1], $_->[2]) for (
	[ 'rcpt450', 'ready RCPT: 450 4.1.1 as you wish', '450 is tried again' ],
	[ 'data451', 'ready DATA: 451 4.3.0 as you wish', '451 after DATA, too' ],
	[ 'rcpt421.once', 'ready RCPT: 421 4.1.1 as you wish', '421, too' ],
	[ 'rcpt550', 'dead RCPT: 550 5.1.1 as you wish', '550 is final' ],
	[ 'data552', 'dead DATA: 552 5.3.0 as you wish', '552 is final' ],
	[ 'data554', 'dead DATA: 554 5.3.0 as you wish', '554 is final' ]);
like(state_of('ok'), qr/^done 250 2.0.0 taken as \d+$/, 'what is taken is done, and what the server said is kept');
like(state_of('slow'), qr/^done /, 'a slow answer is waited for');
like(state_of($_->[0]), qr/^ready \S/, $_->[1]) for (
	[ 'drop.once', 'a connection dropped in the middle of DATA is tried again' ],
	[ 'deaf.once', 'so is an e-mail that was taken without an answer' ],
	[ 'silent', 'and a server that never answers' ]);
again();
($status, $out, $err) = sender('--once', @to_server);
like(state_of($_), qr/^done /, "$_: the second attempt") for qw(drop.once deaf.once rcpt421.once);
my $found = e_mails($server->{directory});
is(scalar @{ $found->{'deaf.once'} }, 2, 'what was taken without an answer arrives twice');
is($found->{'deaf.once'}[0], $found->{'deaf.once'}[1], 'the same, byte for byte');
query('DELETE FROM sales_crm.message');

# Commands in one go, where the server takes them like that, with or without the e-mail; the outcomes are the same
for my $mode (qw(pipelining chunking))
{
	my $fast = smtp_server($mode);
	my $last = $mode eq 'chunking' ? 'BDAT' : 'DATA';
	mail(map { "$mode.$_" } qw(ok rcpt450 data451 rcpt550 data552 drop deaf silent));
	($status, $out, $err) = sender('--once', '--smtp-url', $fast->{url}, @plain);
	like(state_of("$mode.$_->[0]"), $_->[1], "$mode: $_->[0]") for (
		[ 'ok', qr/^done 250 2.0.0 taken as/ ], [ 'rcpt450', qr/^ready RCPT: 450/ ], [ 'data451', qr/^ready $last: 451/ ],
		[ 'rcpt550', qr/^dead RCPT: 550/ ], [ 'data552', qr/^dead $last: 552/ ], [ 'drop', qr/^ready .* after $last/ ],
		[ 'deaf', qr/^ready .* after $last/ ], [ 'silent', qr/^ready .* after RCPT/ ]);
	my @asked = events($fast, 'mail');
	is(scalar(grep { /"followed": true/ } @asked), scalar @asked, "$mode: all is said in one go");
	like(e_mails($fast->{directory})->{"$mode.ok"}[0], qr/\r\n\r\n(\.|=2E)(=\r\n)?\r\nHello(=\r\n)?\r\n/, "$mode: a dot is a dot");
	query(qq{SELECT sales_crm.queue_email('test', '$mode.long\@example.com', subject => 'x', body => repeat('0123456789', 20000))});
	($status, $out, $err) = sender('--once', '--smtp-url', $fast->{url}, @plain);
	cmp_ok(length e_mails($fast->{directory})->{"$mode.long"}[0], '>', 400000, "$mode: a long one arrives whole");
	query('DELETE FROM sales_crm.message');
}
is(scalar(grep { /"followed": true/ } events($server, 'mail')), 0, 'and one by one where the server does not say so');

# A server may close a connection that waits for the next e-mail, with a word or without
mail(qw(bye.1 tired.2 bye.3 tired.4 q.ok));
($status, $out, $err) = sender('--once', '--parallel', 1, @to_server);
like(state_of($_), qr/^done 250/, "$_: the next one gets another connection") for qw(bye.1 tired.2 bye.3 tired.4 q.ok);
is(query(q{SELECT count(*) FROM sales_crm.message_attempt JOIN sales_crm.message_body USING (message_id) WHERE recipient ~ '^(tired|bye|q)[.]'}), 0, 'at its first attempt');

# Servers that do not work at all: nothing is given up, whatever they are
for my $mode (qw(busy closed login mute))
{
	my $bad = smtp_server($mode);
	PostgreSQL::Test::Utils::append_to_file("$directory/$mode", 'secret');
	mail("to-$mode");
	($status, $out, $err) = sender('--once', '--smtp-url', $bad->{url}, @plain, $mode eq 'login' ? ('--smtp-user', 'u', '--smtp-password-file', "$directory/$mode") : ());
	like(state_of("to-$mode"), qr/^ready \S/, "a server that is $mode costs no e-mail");
}
query('DELETE FROM sales_crm.message');
my $gone = PostgreSQL::Test::Cluster::get_free_port();
mail(map { "away$_" } 1 .. 60);
my $resting = start_sender('--smtp-url', "smtp://127.0.0.1:$gone", @plain);
ok(wait_until(sub { $resting->{log} =~ /rest for/ }), 'without a server, e-mails rest');
sleep 3;
is(end_sender($resting), 0, 'SIGTERM ends it while they rest');
is(query('SELECT count(*) FROM sales_crm.message'), 60, 'none is lost');
cmp_ok(query('SELECT max(attempts) FROM sales_crm.message'), '<', 4, 'and hardly one is tried more than once');
cmp_ok(query(q{SELECT count(*) FROM sales_crm.message_attempt JOIN sales_crm.message_body USING (message_id) WHERE recipient LIKE 'away%' AND reason NOT LIKE '%stopped%'}),
	'<', 20, 'most are not tried at all');
query('DELETE FROM sales_crm.message');

# Sizes
for my $mode (qw(small size))
{
	my $bad = smtp_server($mode);
	mail("to-$mode");
	($status, $out, $err) = sender('--once', '--smtp-url', $bad->{url}, @plain);
	like(state_of("to-$mode"), $mode eq 'size' ? qr/^dead DATA: 552/ : qr/^(dead|done)/, "a server that is wrong about sizes ($mode)");
}

# A mute server holds up its own deliveries, not the others
mail('silent', 'ok');
my $running = start_sender(@to_server, '--smtp-timeout', 20, '--worker', 'one', '--log-json', 'on');
my $began = time;
ok(wait_until(sub { state_of('ok') =~ /^done/ }), 'an e-mail beside one that hangs is delivered');
cmp_ok(time - $began, '<', 8, 'at once');
mail(map { "ok$_" } 1 .. 50);
ok(wait_until(sub { query(q{SELECT count(*) FROM sales_crm.message}) == 1 }), 'so are fifty more') or diag(query(q{SELECT m.*, recipient, payload ->> 'to' FROM sales_crm.message m JOIN sales_crm.message_body USING (message_id)}), query('TABLE sales_crm.message_attempt'), $running->{log});
cmp_ok(scalar events($server, 'connect'), '<', 40, 'over connections that are kept');

# SIGHUP
my $other = smtp_server();
my $file = "$directory/sender.conf";
PostgreSQL::Test::Utils::append_to_file($file, "# a comment\nsmtp_url = $server->{url}\nsmtp_tls = off\n");
my $second = start_sender('--config', $file, '--worker', 'two');
mail('before-reload');
ok(wait_until(sub { state_of('before-reload') =~ /^done/ }), 'two senders beside each other');
end_sender($running);
unlike($running->{log}, qr/^[^{]/m, 'every line of the log is JSON');
PostgreSQL::Test::Utils::append_to_file($file, "smtp_url = $other->{url}\n");
$second->{run}->signal('HUP');
wait_until(sub { $second->{log} =~ /reading the configuration/ });
mail('after-reload');
ok(wait_until(sub { e_mails($other->{directory})->{'after-reload'} }), 'SIGHUP: another server');
PostgreSQL::Test::Utils::append_to_file($file, "parallel = many\n");
$second->{run}->signal('HUP');
ok(wait_until(sub { $second->{log} =~ /parallel is to be a whole number.*stays as it was/s }), 'a wrong configuration is refused');
mail('after-mistake');
ok(wait_until(sub { e_mails($other->{directory})->{'after-mistake'} }), 'and the old one goes on');

# The database goes away and comes back, in the middle of a delivery
mail('slow');
wait_until(sub { grep { /slow/ } events($other, 'data') });
$node->restart('immediate');
ok(wait_until(sub { state_of('slow') =~ /^done/ }), 'what was delivered while the database was away is reported when it is back');
is(scalar @{ e_mails($other->{directory})->{slow} }, 1, 'once');
mail('after-restart');
ok(wait_until(sub { state_of('after-restart') =~ /^done/ }), 'and it goes on');

# SIGTERM lets a delivery end
mail('slow');
wait_until(sub { 2 == grep { /slow/ } events($other, 'data') });
is(end_sender($second), 0, 'SIGTERM');
like(state_of('slow'), qr/^done/, 'drains');

# A lease that ends is somebody else's: renewed in time, lost when it was taken
mail('slow');
my $third = start_sender('--smtp-url', $other->{url}, @plain, '--lease', 1, '--worker', 'three');
ok(wait_until(sub { state_of('slow') =~ /^done/ }), 'a delivery that takes longer than its lease keeps it');
is(query(q{SELECT count(*) FROM sales_crm.message_attempt WHERE outcome = 'lease lost'}), 0, 'by renewing it');
end_sender($third);

# What may not send does not
query('SELECT sales_crm.deactivate_sending()');
mail('inactive');
($status, $out, $err) = sender('--once', @to_server);
like($err, qr/may not send.*activate_sending/, 'a database that was not activated sends nothing');
($status, $out, $err) = sender('--check', @to_server);
like($out, qr/FAIL\s+sending/, 'and --check says so');

# The command line
($status, $out, $err) = sender('--parallel', 0);
is($status, 78, 'a wrong value is told');
($status, $out, $err) = sender('--smtp-password', 'x');
is($status, 64, 'no secret on the command line');
($status, $out, $err) = sender('--init-config');
PostgreSQL::Test::Utils::append_to_file("$directory/initial", $out);
($status, $out, $err) = sender('--config', "$directory/initial", '--check', @to_server);
like($out, qr/ok\s+configuration/, 'the initial configuration can be read');
{
	local $ENV{SALES_CRM_SENDER_SMTP_URL} = 'http://example.com';
	($status, $out, $err) = sender('--check');
	is($status, 78, 'the environment counts');
}
PostgreSQL::Test::Utils::append_to_file("$directory/password", "secret\nsecond line\n");
PostgreSQL::Test::Utils::append_to_file("$directory/with_secret", "smtp_password_file = $directory/password\n");
($status, $out, $err) = sender('--config', "$directory/with_secret", '--check');
like($err, qr/smtp_password needs smtp_user/, 'a secret is read from a file of its own');
unlike($err, qr{secret$|second}m, 'and not said');
{
	local $ENV{SALES_CRM_SENDER_SMTP_PASSWORD_FILE} = "$directory/nothing";
	($status, $out, $err) = sender('--check');
	like($err, qr/SALES_CRM_SENDER_SMTP_PASSWORD_FILE: smtp_password_file: \S+nothing: No such file/, 'a file that is not there is told');
}

done_testing();
