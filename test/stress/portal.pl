# Promise: whatever bytes are sent to the portal, it does not crash, leak, hang or answer 500, and
# nothing is answered by chance.
#
# STRESS_SECONDS (default 3) bounds the time, STRESS_REQUESTS (default 1,000,000) the number, STRESS_SEED
# says which random numbers. Requests are good ones that were changed: bytes, lengths, framing, fields,
# encodings. A build with sanitizers is used where the tests find one.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Portal qw(portal_company portal_quote portal_start portal_stop http form_of);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

plan skip_all => 'skipped: sales_crm_portal is not installed' if system('sales_crm_portal --version >/dev/null 2>&1') != 0;
my $seconds = $ENV{STRESS_SECONDS} || 3;
my $most = $ENV{STRESS_REQUESTS} || 1_000_000;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
note("STRESS_SECONDS=$seconds STRESS_SEED=$seed");
srand($seed);

my $sanitized = '../sales_crm_portal_sanitized';
diag('skipped: the build with sanitizers; the plain one is tested') if !-x $sanitized;
my $node = crm_node('fuzz');
portal_company($node);
my ($quote, $token) = portal_quote($node);
$ENV{ASAN_OPTIONS} = 'exitcode=99:detect_leaks=1';
$ENV{UBSAN_OPTIONS} = 'halt_on_error=1:exitcode=99';
my $portal = portal_start($node, log => 'errors', header_seconds => 2, request_seconds => 5, -x $sanitized ? (PROGRAM => $sanitized) : ());
my $form = form_of($portal, $token);
is($form->{page}{status}, 200, 'it serves');
my $events = 'SELECT count(*), (SELECT status FROM sales_crm.quote) FROM sales_crm.quote_event';
my $before = $node->safe_psql('crm', $events);

my $typed = "csrf=$form->{csrf}&request_key=k&snapshot=$form->{snapshot}&email=a%40b.example&note=%C3%A9&signature=iVBORw0KGgo%3D&code=1";
my @good = (map({ "GET $_ HTTP/1.1\r\nHost: x\r\nCookie: $form->{cookie}\r\nX-Forwarded-For: 192.0.2.1, 127.0.0.1\r\nAccept-Language: fr-BE, en;q=0.5\r\n\r\n" }
		"/q/$token", "/q/$token?lang=de&direct", "/q/$token/document", '/q/x', '/asset/page.css?v=1', '/asset/brand-123456.css', '/robots.txt', '/calendar/x.ics', '/metrics', "/q/$token/quote.pdf"),
	# No name, so that no answer comes about by luck
	map({ "POST /q/$token/$_ HTTP/1.1\r\nHost: x\r\nCookie: $form->{cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " . length($typed) . "\r\n\r\n$typed" } 'sign', 'decline', 'follow'),
	"POST /q/$token/sign HTTP/1.1\r\nHost: x\r\nCookie: $form->{cookie}\r\nContent-Type: multipart/form-data; boundary=bound\r\nTransfer-Encoding: chunked\r\n\r\n5a\r\n--bound\r\nContent-Disposition: form-data; name=\"csrf\"\r\n\r\nabcdefghijklmnopqrst\r\n--bound--\r\n\r\n0\r\n\r\n");
my @bits = ("\r\n", "\n", "\0", '%', '%00', "\xff", '../', '=', '&', ';', ':', ' ', "\t", 'chunked', 'Content-Length: 99999999999', 'Transfer-Encoding: chunked', '-1', 'boundary=', '"', "\r\n\r\n", '?', '#', '0' x 300, 'A' x 5000, "--bound\r\n", '<script>', "\xc0\x80", "\xed\xa0\x80");

sub changed
{
	my $request = $good[ rand @good ];
	for (0 .. rand 6)
	{
		my $at = int(rand(length($request) + 1));
		my $what = int(rand(7));
		if ($what == 0) { substr($request, $at, 1) = chr(int(rand(256))) if $at < length $request; }
		elsif ($what == 1) { substr($request, $at, int(rand(20))) = ''; }
		elsif ($what == 2) { substr($request, $at, 0) = $bits[ rand @bits ]; }
		elsif ($what == 3) { substr($request, $at, 0) = substr($request, int(rand length $request), int(rand 60)); }
		elsif ($what == 4) { substr($request, $at) = '' if rand() < 0.3; }
		elsif ($what == 5) { $request =~ s/(Content-Length: )\d+/$1 . int(rand(3000))/e; }
		else { $request .= $good[ rand @good ]; }
	}
	return $request;
}

my ($count, $errors, %classes) = (0, 0);
my $until = time + $seconds;
my $last;
while ($count < $most && time < $until)
{
	$last = changed();
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $portal->{port}, Timeout => 5) or last;
	local $SIG{PIPE} = 'IGNORE';
	syswrite $socket, $last;
	# What waits for more is to hear that none comes
	shutdown $socket, 1;
	my $answer = Portal::drain($socket, 8);
	$classes{$_}++ foreach $answer =~ m{^HTTP/1\.1 (\d)}mg;
	if ($answer =~ m{^HTTP/1\.1 500}m) { $errors++; note(unpack 'H*', $last); }
	$count++;
}
note("$count requests: " . join ', ', map { "$classes{$_} of ${_}xx" } sort keys %classes);
cmp_ok($count, '>', 20 * $seconds, "$count changed requests are answered");
is($errors, 0, 'none with 500');
is(http($portal->{port}, 'GET', "/q/$token")->{status}, 200, 'it still serves') or diag(unpack 'H*', $last);
is($node->safe_psql('crm', $events), $before, 'and nothing was answered');
is(portal_stop($portal), 0, 'it ends without a leak') or diag(slurp_file($portal->{log}));
unlike(slurp_file($portal->{log}), qr/Sanitizer|runtime error/, 'and without a word of the sanitizers');
$node->stop;
done_testing();
