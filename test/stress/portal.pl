# Promise: whatever bytes are sent to the portal, it does not crash, leak, hang or answer 500, and
# nothing is answered by chance.
#
# STRESS_SECONDS (default 3) bounds the time, STRESS_REQUESTS (default 1,000,000) the number, STRESS_SEED
# says which random numbers. Requests are good ones that fuzz_http.c changes: bytes, lengths, framing, fields,
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
my $dir = PostgreSQL::Test::Utils::tempdir();
is(system("gcc -O2 -Wall -Wextra -Werror -o $dir/fuzz_http stress/fuzz_http.c"), 0, 'the client is built');
my $seconds = $ENV{STRESS_SECONDS} || 3;
my $most = $ENV{STRESS_REQUESTS} || 1_000_000;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));

my $sanitized = '../sales_crm_portal_sanitized';
diag('skipped: the build with sanitizers; the plain one is tested') if !-x $sanitized;
my $node = crm_node('fuzz');
portal_company($node);
my ($quote, $token) = portal_quote($node);
$ENV{ASAN_OPTIONS} = 'exitcode=99:detect_leaks=1';
$ENV{UBSAN_OPTIONS} = 'halt_on_error=1:exitcode=99';
my $portal = portal_start($node, log => 'errors', database_connections => 5, header_seconds => 2, request_seconds => 5, -x $sanitized ? (PROGRAM => $sanitized) : ());
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
append_to_file("$dir/good", join '', map { length($_) . "\n$_" } @good);
my %figures;
my $from = time;
foreach my $line (split /\n/, `$dir/fuzz_http $portal->{port} 16 $seconds $most $seed $dir/good`)
{
	if ($line =~ /^(status \d+|[a-z]+) (\d+)$/) { $figures{$1} = $2; }
	else { note($line); }
}
my $took = time - $from;
my ($count) = $figures{sent} // 0;
note(sprintf 'figures: %d changed requests on %d connections in %.0f s, %d of them cut (seed %s); by status: %s', $count, $figures{connections}, $took, $figures{cut}, $seed,
	join ', ', map { /^status (.*)/ ? "$1: $figures{$_}" : () } sort keys %figures);
cmp_ok($count, '>', $most < 20 * $seconds ? $most - 1 : 20 * $seconds, "$count changed requests are answered");
is($figures{hung}, 0, 'none is kept waiting');
is(join(' ', grep { /^status 5/ && $_ ne 'status 505' } sort keys %figures), '', 'none goes wrong inside (505: not our version of HTTP)') or diag(slurp_file($portal->{log}));
is(http($portal->{port}, 'GET', "/q/$token")->{status}, 200, 'it still serves');
is($node->safe_psql('crm', $events), $before, 'and nothing was answered');
is(portal_stop($portal), 0, 'it ends without a leak') or diag(slurp_file($portal->{log}));
unlike(slurp_file($portal->{log}), qr/Sanitizer|runtime error/, 'and without a word of the sanitizers');
$node->stop;
done_testing();
