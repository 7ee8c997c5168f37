# Promise: behind nginx or Caddy, set up as doc/portal.md says, the portal knows its clients, and nobody
# smuggles a request past it.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Portal qw(portal_company portal_quote portal_start portal_stop raw http form_of post);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

$ENV{PATH} .= ':/usr/sbin';
plan skip_all => 'skipped: sales_crm_portal is not installed' if system('sales_crm_portal --version >/dev/null 2>&1') != 0;

my $node = crm_node('proxy');
portal_company($node);
my $manual = slurp_file('../doc/portal.md');

# The recipes, each on another port and without TLS: PORTAL's port, own port, folder for its files;
# gives the command that runs it
sub nginx
{
	my ($portal, $port, $dir) = @_;
	my ($recipe) = $manual =~ /```nginx\n(.*?)```/s;
	$recipe =~ s/listen 443 ssl;/listen 127.0.0.1:$port;/ or die;
	$recipe =~ s/^ *ssl_.*\n//mg;
	$recipe =~ s{/var/log/nginx/}{$dir/} or die;
	$recipe =~ s/127\.0\.0\.1:8080/127.0.0.1:$portal/ or die;
	append_to_file("$dir/nginx.conf", "pid $dir/nginx.pid; error_log $dir/out; worker_processes 1; daemon off;\nevents {}\nhttp {\n"
		. join('', map { "${_}_temp_path $dir/$_;\n" } qw(client_body proxy fastcgi uwsgi scgi)) . "$recipe}\n");
	return ('nginx', '-c', "$dir/nginx.conf", '-p', $dir);
}
sub caddy
{
	my ($portal, $port, $dir) = @_;
	my ($recipe) = $manual =~ /```caddyfile\n(.*?)```/s;
	$recipe =~ s/^quotes\.example\.com \{/http:\/\/:$port {\n\tbind 127.0.0.1/m or die;
	$recipe =~ s/\{\n/{\n\tadmin off\n\tauto_https off\n/ or die;
	$recipe =~ s/127\.0\.0\.1:8080/127.0.0.1:$portal/ or die;
	append_to_file("$dir/Caddyfile", $recipe);
	return ('caddy', 'run', '--config', "$dir/Caddyfile");
}

foreach ([ 'nginx', 'nginx -v', \&nginx ], [ 'caddy', 'caddy version', \&caddy ])
{
	my ($proxy, $version, $recipe) = @$_;
	subtest $proxy => sub {
		plan skip_all => "skipped: no $proxy" if system("$version >/dev/null 2>&1") != 0;
		my $dir = PostgreSQL::Test::Utils::tempdir();
		my $portal = portal_start($node, base_url => 'http://quotes.example.com');
		my $port = PostgreSQL::Test::Cluster::get_free_port();
		my @command = $recipe->($portal->{port}, $port, $dir);
		my $pid = fork() // die;
		if ($pid == 0)
		{
			$ENV{HOME} = $dir;
			open STDERR, '>>', "$dir/out";
			open STDOUT, '>&', \*STDERR;
			exec @command or POSIX::_exit(1);
		}
		for (1 .. 200) { last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port); sleep 0.05; }
		my ($quote, $token) = portal_quote($node);
		check_pages($port, $quote, $token, "$dir/out");
		check_smuggling($port, $token);
		unlike(slurp_file($portal->{log}), qr/ 500 /, 'nothing went wrong inside');
		is(portal_stop($portal), 0, 'the portal ends');
		is(http($port, 'GET', "/q/$token")->{status}, 502, 'which the proxy says');
		kill 'QUIT', $pid;
		waitpid $pid, 0;
		is(system('grep', '-rqF', $token, $dir) >> 8, 1, 'and nowhere has it kept a secret');
		done_testing();
	};
}
$node->stop;
done_testing();

sub check_pages
{
	my ($port, $quote, $token, $log) = @_;
	my $through = { port => $port };
	my $form = form_of($through, $token);
	is($form->{page}{status}, 200, 'the page comes through') or diag(slurp_file($log));
	like($form->{page}{head}{'content-security-policy'}, qr/frame-ancestors 'none'/, 'with its headers');
	is(http($port, 'GET', '/metrics')->{status}, 404, 'metrics do not');
	is(http($port, 'GET', "/q/$token", { 'Accept-Encoding' => 'gzip' })->{head}{'content-encoding'}, 'gzip', 'pages are compressed');
	my %typed = (name => 'Carl', email => 'c@example.com', consent => 'yes');
	is(post($through, $form, 'sign', \%typed, { 'X-Forwarded-For' => '192.0.2.99' })->{head}{location}, "/q/$token", 'signing, too');
	is($node->safe_psql('crm', "SELECT host(ip) FROM sales_crm.signature WHERE quote_id = $quote"), '127.0.0.1', 'the address is what the proxy saw, not what the client says');
	is(http($port, 'POST', "/q/$token/sign", { 'Content-Length' => 2_000_000 }, '')->{status}, 413, 'large bodies end there');
	return;
}

# Smuggling: whatever the two make of it, no answer belongs to a hidden request, and the next one on
# that connection is answered as itself
sub check_smuggling
{
	my ($port, $token) = @_;
	my $before = $node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.quote_event');
	my $hidden = "GET /robots.txt HTTP/1.1\r\nHost: x\r\nX: ";
	my $length = length $hidden;
	my $head = "POST /q/$token/sign HTTP/1.1\r\nHost: quotes.example.com\r\nContent-Type: application/x-www-form-urlencoded\r\n";
	foreach my $framing ("Content-Length: $length\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n1\r\na\r\n0\r\n\r\n", "Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
		"Transfer-Encoding : chunked\r\nContent-Length: 0\r\n\r\n", "Transfer-Encoding:\tchunked\r\nContent-Length: 0\r\n\r\n", "Content-Length: 0\r\nContent-Length: $length\r\n\r\n", "Content-Length: 0 \r\nTransfer-Encoding\r\n : chunked\r\n\r\n",
		"X: y\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\nContent-Length: 0\r\n\r\n", "Content-Length: 0, $length\r\n\r\n", "Transfer-Encoding: \x0bchunked\r\nContent-Length: 0\r\n\r\n",
		"Transfer-Encoding: chunked\r\n\r\n0;x\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n00000000000000000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n")
	{
		my $answer = raw($port, $head . $framing . $hidden . "GET /healthz HTTP/1.1\r\nHost: quotes.example.com\r\nConnection: close\r\n\r\n", 3);
		my $smuggled = () = $answer =~ /User-agent:/g;
		# The proxy itself may well take what follows a whole request as the next one, which is no smuggling:
		# then it is one that it sees and logs. Its own answer, 400, comes where the framing is unclear.
		my $ambiguous = $framing =~ /Content-Length.*Transfer|Transfer.*Content-Length|Content-Length.*Content-Length|, /s;
		ok(!$smuggled || !$ambiguous || $answer =~ m{^HTTP/1\.1 (4|50)}, 'unclear framing: ' . ($framing =~ s/[^ -~]+/ /gr));
		unlike(http($port, 'GET', '/healthz')->{body}, qr/User-agent/, 'and the next client gets its own answer');
	}
	is($node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.quote_event'), $before, 'nothing has happened');
	return;
}
