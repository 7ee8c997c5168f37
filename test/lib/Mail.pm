# What the tests of sales_crm_sender share: mail servers, the program, and a database with e-mails.
package Mail;

use strict;
use warnings FATAL => 'all';

use Cwd qw(abs_path);
use Exporter 'import';
use File::Basename qw(dirname);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

use Crm qw(crm_node);

our @EXPORT_OK = qw(sender_program mail_node smtp_server exim sender start_sender end_sender events e_mails wait_until);

my $lib = abs_path(dirname(__FILE__));
my @running;

# sender_program(): the program under test; undef where it is not installed. SENDER names another
# build of it, such as the one with sanitizers.
sub sender_program
{
	my $program = $ENV{SENDER} || 'sales_crm_sender';
	return system("$program --version >/dev/null 2>&1") == 0 ? $program : undef;
}

# mail_node(NAME, SETTING…): a node whose database crm may send; the environment leads to it
sub mail_node
{
	my ($name, @settings) = @_;
	my $node = crm_node($name, @settings);
	$ENV{PGHOST} = $node->host;
	$ENV{PGPORT} = $node->port;
	$ENV{PGDATABASE} = 'crm';
	$node->safe_psql('crm', <<'SQL');
UPDATE sales_crm.company SET name = 'Müller & Söhne', sender_email = 'sales@example.com', bounce_email = 'bounce+%@example.com';
SELECT sales_crm.activate_sending();
SQL
	return $node;
}

# smtp_server(MODE): a scripted mail server, see smtp_server.py
sub smtp_server
{
	my ($mode) = @_;
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $run = IPC::Run::start([ '/usr/bin/python3', "$lib/smtp_server.py", $directory, $mode || () ], '<', \undef, '>', "$directory/out", '2>&1');
	push @running, $run;
	wait_until(sub { -e "$directory/port" }) or die 'the mail server does not start';
	my $port = PostgreSQL::Test::Utils::slurp_file("$directory/port");
	return { directory => $directory, port => $port, url => "smtp://127.0.0.1:$port", run => $run };
}

# exim(): a real mail server that wants STARTTLS and a login (mailer, secret), and delivers every
# e-mail to a Maildir. Runs as whoever runs the test.
sub exim
{
	my $directory = PostgreSQL::Test::Utils::tempdir();
	my $port = PostgreSQL::Test::Cluster::get_free_port();
	my ($user, $group) = (scalar getpwuid($>), scalar getgrgid((split / /, $))[0]));
	mkdir "$directory/$_" for qw(Maildir spool);
	system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost"
		. " -keyout $directory/key.pem -out $directory/cert.pem 2>/dev/null") == 0 or die 'openssl';
	PostgreSQL::Test::Utils::append_to_file("$directory/exim.conf", <<"CONF");
exim_user = $user
exim_group = $group
spool_directory = $directory/spool
log_file_path = $directory/%slog
pid_file_path = $directory/pid
primary_hostname = localhost
local_interfaces = 127.0.0.1
daemon_smtp_ports = $port
tls_advertise_hosts = *
tls_certificate = $directory/cert.pem
tls_privatekey = $directory/key.pem
auth_advertise_hosts = \${if eq{\$tls_in_cipher}{}{}{*}}
acl_smtp_rcpt = acl_rcpt
smtputf8_advertise_hosts = *
deliver_drop_privilege
host_lookup =
keep_environment =
message_size_limit = 2M
begin acl
acl_rcpt:
  deny local_parts = nobody
    message = no such user
  defer local_parts = grey
    message = come back later
  accept authenticated = *
  deny message = log in first
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = $directory/Maildir
  create_directory
  return_path_add
  envelope_to_add
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{\$auth2}{mailer}}{eq{\$auth3}{secret}}}}
  server_set_id = \$auth2
CONF
	my $run = IPC::Run::start([ '/usr/sbin/exim4', '-C', "$directory/exim.conf", '-bdf', '-q1s' ], '<', \undef, '>', "$directory/out", '2>&1');
	push @running, $run;
	wait_until(sub { -e "$directory/mainlog" && PostgreSQL::Test::Utils::slurp_file("$directory/mainlog") =~ /listening/ })
		or die 'exim does not start: ' . PostgreSQL::Test::Utils::slurp_file("$directory/out");
	return { directory => $directory, port => $port, url => "smtp://localhost:$port", run => $run };
}

# sender(ARG…): runs it to its end; exit status, standard output and error
sub sender
{
	my @args = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ sender_program(), @args ], '<', \undef, '>', \$out, '2>', \$err, IPC::Run::timer(120));
	$run->finish;
	return ($run->result(0), $out, $err);
}

# start_sender(ARG…): one that goes on; its handle has what it says in {log}
sub start_sender
{
	my @args = @_;
	my %sender = (log => '');
	$sender{run} = IPC::Run::start([ sender_program(), @args ], '<', \undef, '>', \$sender{log}, '2>&1');
	push @running, $sender{run};
	return \%sender;
}

# end_sender(SENDER, SIGNAL): its exit status, after the signal (TERM)
sub end_sender
{
	my ($sender, $signal) = @_;
	$sender->{run}->signal($signal || 'TERM');
	eval { $sender->{run}->finish };
	@running = grep { $_ != $sender->{run} } @running;
	return $sender->{run}->full_result(0);
}

# events(SERVER, NAME): what its log has of that name, as lines
sub events
{
	my ($server, $name) = @_;
	return grep { /"event": "$name"/ } split /\n/, PostgreSQL::Test::Utils::slurp_file("$server->{directory}/log");
}

# e_mails(DIRECTORY): the bytes of the files in it that are e-mails, by the first word of the recipient
sub e_mails
{
	my ($directory) = @_;
	my %found;
	for my $file (glob "$directory/*")
	{
		next if -d $file || $file =~ /\.json$|\/(port|log|out)$/;
		my $bytes = PostgreSQL::Test::Utils::slurp_file($file);
		push @{ $found{$1} }, $bytes if $bytes =~ /^To: .*?([^\s<"@]+)@/m;
	}
	return \%found;
}

# wait_until(CONDITION, SECONDS): whether it became true
sub wait_until
{
	my ($condition, $seconds) = @_;
	my $end = Time::HiRes::time() + ($seconds || 30);
	while (!$condition->())
	{
		return 0 if Time::HiRes::time() > $end;
		$_->pump_nb for grep { eval { $_->pumpable } } @running;
		sleep 0.05;
	}
	return 1;
}

# Nothing that a test has started outlives it
END
{
	my $status = $?;
	eval { $_->kill_kill(grace => 1) } for @running;
	$? = $status;
}

1;
