# Promise: webhooks leave as the Standard Webhooks specification says, which a receiver with another
# implementation verifies: several keys, the same bytes and id at every attempt, a fresh timestamp.
# Whatever receivers answer ends within the limits in the outcome that doc/webhook.md names; nothing
# is sent over TLS that does not prove whose it is, along redirects, through proxies of the
# environment, or to addresses that are not of the public internet: there no connection is opened.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Encode ();
use FindBin;
use IPC::Run;
use JSON::PP ();
use MIME::Base64 qw(encode_base64);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'skipped: sales_crm_sender is not installed' if system('sales_crm_sender --version >/dev/null 2>&1') != 0;
plan skip_all => 'skipped: python3-cryptography is not installed' if system('/usr/bin/python3 -c "import cryptography" >/dev/null 2>&1') != 0;

my $node = crm_node('webhook');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'crm';
sub query { return $node->safe_psql('crm', $_[0]); }

# The receiver
my @secrets = ('whsec_' . encode_base64(join('', map { chr } 1 .. 32), ''), 'whsk_' . encode_base64('THIS IS A SEED OF 32 BYTES, YES!', ''));
my $folder = PostgreSQL::Test::Utils::tempdir;
open(my $receiver, '|-', '/usr/bin/python3', "$FindBin::Bin/../lib/webhook_server.py", $folder, @secrets) or die $!;
for (1 .. 200) { last if -e "$folder/ports"; sleep 0.1; }
die 'the receiver does not start' unless -e "$folder/ports";
my $port = JSON::PP::decode_json(slurp_file("$folder/ports"));
sub entries
{
	return map { JSON::PP::decode_json($_) } split /\n/, -e "$folder/log" ? slurp_file("$folder/log") : '';
}
sub requests { my ($path) = @_; return grep { ($_->{path} // '') eq $path && defined $_->{id} } entries(); }

# sender(OPTION…): one run, with what reaches the receiver allowed; what it said
my @reach = ('--webhook-ca-file', "$folder/ca.pem", '--webhook-timeout', 3,
	'--webhook-allow', "hooks.test localhost:$port->{plain}", '--webhook-resolve', join(' ', map { "hooks.test:$port->{$_}:127.0.0.1" } sort keys %$port));
sub sender
{
	my $err = '';
	IPC::Run::run([ 'sales_crm_sender', '--once', '--pdf', 'off', @_ ], '<', '/dev/null', '>', '/dev/null', '2>', \$err, IPC::Run::timer(90))
	  or diag "sender: $err";
	return $err;
}

sub check
{
	my $out = '';
	IPC::Run::run([ 'sales_crm_sender', '--check', '--pdf', 'off', @_ ], '<', '/dev/null', '>', \$out, '2>', '/dev/null', IPC::Run::timer(60));
	return ($?, $out);
}

# webhook(NAME, URL): makes one, with a test on its way
sub webhook
{
	my ($name, $url) = @_;
	return query("WITH w AS (INSERT INTO sales_crm.webhook (name, url, secrets) VALUES ('$name', '$url', '{$secrets[0],$secrets[1]}') RETURNING webhook_id) SELECT webhook_id FROM w");
}
my %message;
sub hook
{
	my ($name, $url) = @_;
	$message{$name} = query('SELECT sales_crm.send_test_webhook(' . webhook($name, $url) . ')');
	return;
}

# outcome(NAME): done, retry or dead, and what is noted of it
sub outcome
{
	my ($name) = @_;
	return query("SELECT coalesce((SELECT 'done ' || response FROM sales_crm.message_done WHERE message_id = $message{$name}),
		(SELECT outcome || ' ' || reason FROM sales_crm.message_attempt WHERE message_id = $message{$name} ORDER BY fence DESC LIMIT 1), 'nothing')");
}
query("UPDATE sales_crm.company SET sender_email = 'crm\@example.com'");
query("INSERT INTO sales_crm.member (name, email, is_manager) VALUES ('Mo', 'mo\@example.com', true)");
query('SELECT sales_crm.activate_sending()');

# What receivers answer
my $base = "https://hooks.test:$port->{good}";
hook($_, "$base/$_") foreach qw(200 204 301 400 404 410 429 500 503 flaky nothing silent slow_status slow_body endless endless_headers);
hook('plain', "http://localhost:$port->{plain}/200/plain");
my $begun = time;
my $log = sender(@reach);
cmp_ok(time - $begun, '<', 30, 'neither slow nor endless answers keep the sender');
my %expected = (
	200 => qr/^done HTTP 200$/,
	204 => qr/^done HTTP 204$/,
	301 => qr/^retry HTTP 301: redirects are not followed/,
	400 => qr/^retry HTTP 400: said +\[31m\x{fffd} by the receiver$/,
	404 => qr/^retry HTTP 404/,
	410 => qr/^dead HTTP 410/,
	429 => qr/^retry HTTP 429/,
	500 => qr/^retry HTTP 500/,
	503 => qr/^retry HTTP 503/,
	flaky => qr/^retry HTTP 500/,
	nothing => qr/^retry Empty reply from server/,
	silent => qr/^retry Operation timed out/,
	slow_status => qr/^retry Operation timed out/,
	slow_body => qr/^done HTTP 200$/,
	endless => qr/^done HTTP 200$/,
	endless_headers => qr/^done HTTP 200$/,
	plain => qr/^done HTTP 200$/,
);
like(Encode::decode('UTF-8', outcome($_)), $expected{$_}, "a receiver that answers $_") foreach sort keys %expected;
is(scalar(grep { $_->{get} || ($_->{path} // '') eq '/moved' } entries()), 0, 'no redirect is followed');
cmp_ok($_->{poured}, '<', 20_000_000, "of $_->{path} no more is read than the limit and what buffers hold") foreach grep { defined $_->{poured} } entries();
is(query("SELECT available_at BETWEEN now() + interval '110 minutes' AND now() + interval '130 minutes' FROM sales_crm.message WHERE message_id = $message{429}"), 't', 'Retry-After is kept');
is(query("SELECT active, disabled_reason FROM sales_crm.webhook WHERE name = '410'"), 'f|The receiver answered 410 Gone.', '410 disables');
is(query("SELECT recipient FROM sales_crm.message_body WHERE event = 'webhook.disabled'"), 'mo@example.com', 'and managers are told');
unlike($log, qr/$_/, 'no secret is logged') foreach map { quotemeta substr($_, 6) } @secrets;

# What they get
my ($request) = requests('/200');
is(join(' ', @{ $request->{names} }), 'webhook-id webhook-signature webhook-timestamp', 'the three headers');
is("@{$request->{secrets}} of $request->{signatures}", '0 1 of 2', 'are signed by both keys, v1 and v1a');
is($request->{type}, 'application/json', 'the body is JSON');
like($request->{id}, qr/^evt_[0-9a-f]{32}$/, 'the id has no full stop');
cmp_ok(abs($request->{now} - $request->{timestamp}), '<', 5, 'the timestamp is that of the attempt');
is(join(' ', sort keys %{ JSON::PP::decode_json($request->{body}) }), 'data timestamp type', 'the body has type, timestamp and data');
is(scalar(grep { "@{$_->{secrets}}" ne '0 1' } grep { $_->{id} } entries()), 0, 'each of ' . scalar(grep { $_->{id} } entries()) . ' requests is verified');

# Another attempt
sleep 1.1;
query("UPDATE sales_crm.message SET available_at = clock_timestamp() WHERE message_id = $message{flaky}");
sender(@reach);
my ($first, $second) = requests('/flaky');
is(outcome('flaky'), 'done HTTP 200', 'another attempt is delivered');
is("$second->{id} $second->{body}", "$first->{id} $first->{body}", 'with the same id and the same bytes');
cmp_ok($second->{timestamp}, '>', $first->{timestamp}, 'a fresh timestamp');
is("@{$second->{secrets}}", '0 1', 'and signatures of its own');
is(query("SELECT failures, failing_since IS NULL FROM sales_crm.webhook WHERE name = 'flaky'"), '0|t', 'which ends the failures');

# TLS that does not prove whose it is; what is to be tried again must not come in between
query('UPDATE sales_crm.webhook SET active = false');
my %wrong = (wrong_name => qr/no alternative certificate subject name matches|does not match/i, expired => qr/certificate has expired/, unknown_issuer => qr/unable to get local issuer|self.signed/i);
hook($_, "https://hooks.test:$port->{$_}/200/$_") foreach sort keys %wrong;
sender(@reach);
foreach (sort keys %wrong)
{
	like(outcome($_), qr/^retry .*$wrong{$_}/, "a certificate with $_ is refused");
	is(scalar(requests("/200/$_")), 0, 'before anything is said');
}

# Addresses that are not public: no connection
query('UPDATE sales_crm.webhook SET active = false');
my $connections = grep { $_->{connection} } entries();
my %resolve = (
	loopback => '127.0.0.1', mapped_loopback => '[::ffff:127.0.0.1]', loopback6 => '[::1]', mapped_private => '[::ffff:10.0.0.1]', private => '10.0.0.1',
	metadata => '169.254.169.254', carrier => '100.64.0.1', unspecified => '0.0.0.0', private12 => '172.31.255.255', private16 => '192.168.1.1', link_local6 => '[fe80::1]',
	unique_local => '[fd00::1]', multicast => '224.0.0.1', broadcast => '255.255.255.255', documentation => '203.0.113.5', nat64 => '[64:ff9b::7f00:1]', sixto4 => '[2002:7f00:1::1]',
	both => '10.0.0.1,127.0.0.1,[::1]');
hook("evil_$_", "https://$_.test:$port->{good}/200/evil") foreach sort keys %resolve;
my %literal = (
	literal => "https://127.0.0.1:$port->{good}/200/evil", decimal => "https://2130706433:$port->{good}/200/evil", hexadecimal => "https://0x7f.1:$port->{good}/200/evil",
	octal => "https://0177.0.0.1:$port->{good}/200/evil", literal6 => "https://[::ffff:127.0.0.1]:$port->{good}/200/evil", not_https => "http://other.test:$port->{plain}/200/evil",
	not_the_port => "http://localhost:$port->{good}/200/evil");
hook("evil_$_", $literal{$_}) foreach sort keys %literal;
hook('evil_localhost', "https://localhost:$port->{good}/200/evil");
sender(@reach[ 0 .. 5 ], '--webhook-resolve', join(' ', "other.test:$port->{plain}:127.0.0.1", map { "$_.test:$port->{good}:$resolve{$_}" } sort keys %resolve));
like(outcome("evil_$_"), qr/^retry the address \S+ of $_\.test is not one of the public internet/, "a name that is $resolve{$_}") foreach sort keys %resolve;
like(outcome("evil_$_"), qr/^dead .*(is not an address of the public internet|does not begin with https)/, "$literal{$_}") foreach sort keys %literal;
like(outcome('evil_localhost'), qr/^retry the address (127\.0\.0\.1|::1) of localhost is not one/, 'localhost');
is(scalar(grep { $_->{connection} } entries()), $connections, 'no connection is opened');

# Proxies: none of the environment, the operator's for all
query('UPDATE sales_crm.webhook SET active = false');
hook('env_proxy', "$base/200/env_proxy");
{
	local @ENV{qw(https_proxy HTTPS_PROXY ALL_PROXY http_proxy)} = ("http://127.0.0.1:$port->{plain}") x 4;
	sender(@reach);
}
is(outcome('env_proxy'), 'done HTTP 200', 'proxies of the environment are not used');
is(scalar(grep { $_->{connect} } entries()), 0, 'at all');
hook('proxy', 'https://elsewhere.example/200/proxy');
hook('proxy_literal', 'https://169.254.169.254/200/proxy');
sender(@reach, '--webhook-proxy', "http://127.0.0.1:$port->{plain}");
is(join(' ', map { $_->{connect} } grep { $_->{connect} } entries()), 'elsewhere.example:443', 'the configured proxy is asked, for names alone');
like(outcome('proxy'), qr/^retry .*403/, 'and may refuse');
like(outcome('proxy_literal'), qr/^dead /, 'plain addresses that are not public are not even asked for');

# --check connects, and says nothing
query('UPDATE sales_crm.webhook SET active = false');
webhook('check_good', "$base/200/check");
my $requests = grep { $_->{id} } entries();
is((check(@reach))[0], 0, '--check is content with one that can be reached');
webhook('check_evil', "https://loopback.test:$port->{good}/200/check");
webhook('check_tls', "https://hooks.test:$port->{expired}/200/check");
my ($status, $out) = check(@reach[ 0 .. 5 ], '--webhook-resolve', "$reach[7] loopback.test:$port->{good}:127.0.0.1");
is($status >> 8, 69, 'and finds those that cannot');
like($out, qr/^ok +webhook +check_good: can be reached$/m, 'one can');
like($out, qr/^FAIL +webhook +check_evil: the address 127\.0\.0\.1 of loopback\.test is not one/m, 'one must not');
like($out, qr/^FAIL +webhook +check_tls: .*expired/m, 'one cannot prove who it is');
is(scalar(grep { $_->{id} } entries()), $requests, 'none is asked anything');

# Five days of failures
my $id = webhook('tired', "$base/500/tired");
query("UPDATE sales_crm.webhook SET failures = 3, failing_since = now() - interval '5 days 1 hour' WHERE webhook_id = $id");
$message{tired} = query("SELECT sales_crm.send_test_webhook($id)");
sender(@reach);
is(query("SELECT active, disabled_reason FROM sales_crm.webhook WHERE webhook_id = $id"), 'f|It failed for five days: HTTP 500: said  [31m' . "\xEF\xBF\xBD by the receiver", 'five days of failures disable');
is(query("SELECT count(*) FROM sales_crm.message_body WHERE event = 'webhook.disabled'"), '2', 'and managers are told');
is(query('SELECT count(*) FROM sales_crm.verify_outbox()'), '0', 'verified');

close $receiver;
$node->stop;
done_testing();
