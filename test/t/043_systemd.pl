# Promise: the units that make install leaves beside the documentation are ones that systemd takes and
# that give the programs few rights; and sales_crm_portal serves the socket that systemd hands over.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use IO::Socket::UNIX;
use Portal qw(portal_company portal_quote portal_write_config http);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Time::HiRes qw(sleep);

my $bin = `pg_config --bindir`;
chomp $bin;
my $dir = PostgreSQL::Test::Utils::tempdir();

# The units
SKIP:
{
	my $units = `pg_config --docdir` =~ s/\n//r . '/extension';
	skip 'skipped: no systemd-analyze', 1 if system('systemd-analyze --version >/dev/null 2>&1') != 0;
	skip 'skipped: no programs are installed', 1 if !-x "$bin/sales_crm_portal" && !-x "$bin/sales_crm_sender";
	foreach my $program ('sales_crm_portal', 'sales_crm_sender')
	{
		next if !-x "$bin/$program";
		my @files = map { "$units/$program.$_" } 'service', $program =~ /portal/ ? 'socket' : ();
		is(join(' ', grep { !-e } @files), '', "$program: units are installed");
		unlike(join('', map { slurp_file($_) } @files), qr/\@bindir\@/, "$program: with the way to the program");
		# Where the system has other broken units, it tells of those, too
		my $said = `systemd-analyze verify --man=no @files 2>&1`;
		is(join("\n", grep { /\Q$program\E/ } split /\n/, $said), '', "$program: systemd takes them");
		# 2.0 of 10 for the service; older ones know nothing of units that are not loaded
		my $review = `systemd-analyze security --offline=true --threshold=20 $units/$program.service 2>&1`;
		my $status = $?;
		SKIP:
		{
			skip 'skipped: systemd is older than 250', 1 if $review =~ /unrecognized option/;
			is($status, 0, "$program: and finds few rights to spare") or diag($review);
		}
	}
}

# The socket
SKIP:
{
	skip 'skipped: no systemd-socket-activate', 1 if system('systemd-socket-activate --version >/dev/null 2>&1') != 0;
	skip 'skipped: sales_crm_portal is built without libsystemd', 1 if !-x "$bin/sales_crm_portal" || `ldd $bin/sales_crm_portal` !~ /libsystemd/;
	my $node = crm_node('activated');
	portal_company($node);
	my (undef, $token) = portal_quote($node);
	# Where to listen says systemd, not the file
	my $config = portal_write_config("$dir/config", $node, listen => '127.0.0.1:1');
	my $notified = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/notify") or die;
	my $activate = sub {
		my @listen = map { "--listen=$_" } @_;
		my $pid = fork() // die;
		return $pid if $pid;
		open STDERR, '>', "$dir/log";
		exec 'systemd-socket-activate', @listen, "--setenv=NOTIFY_SOCKET=$dir/notify", "$bin/sales_crm_portal", '--config', $config or POSIX::_exit(1);
	};
	my $listens = sub {
		for (1 .. 100) { last if slurp_file("$dir/log") =~ /Listening on/; sleep 0.05; }
	};
	my $word = sub { $notified->recv(my $said, 1000); return $said; };

	my $port = PostgreSQL::Test::Cluster::get_free_port();
	append_to_file("$dir/log", '');
	my $pid = $activate->("127.0.0.1:$port");
	$listens->();
	is(http($port, 'GET', "/q/$token")->{status}, 200, 'a port from systemd: the first customer starts the portal and is answered');
	is($word->(), 'READY=1', 'it says that it is ready');
	is(http($port, 'GET', '/healthz')->{body}, "ok\n", 'the next one is, too');
	kill 'TERM', $pid;
	waitpid $pid, 0;
	is($?, 0, 'SIGTERM ends it');
	is($word->(), 'STOPPING=1', 'after a word');

	truncate "$dir/log", 0;
	$pid = $activate->("$dir/socket");
	$listens->();
	my $client = IO::Socket::UNIX->new(Peer => "$dir/socket");
	syswrite $client, "GET /q/$token HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.1\r\nConnection: close\r\n\r\n";
	like(Portal::drain($client), qr{^HTTP/1\.1 200}, 'a UNIX socket from systemd');
	kill 'TERM', $pid;
	waitpid $pid, 0;
	is($?, 0, 'ends, too');
	ok(-e "$dir/socket", 'and leaves the socket, which is not its own');

	truncate "$dir/log", 0;
	my $second = PostgreSQL::Test::Cluster::get_free_port();
	$pid = $activate->("127.0.0.1:$port", "127.0.0.1:$second");
	$listens->();
	http($port, 'GET', '/healthz');
	waitpid $pid, 0;
	is($? >> 8, 71, 'two sockets are one too many');
	like(slurp_file("$dir/log"), qr/systemd hands over 2 sockets, not one that listens/, 'which is said');
	$node->stop;
}
done_testing();
