# What the tests of sales_crm_portal share: quotes with links, a portal of one's own, and requests
# that no HTTP library would send.
package Portal;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IO::Socket::INET;
use PostgreSQL::Test::Utils;
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT_OK = qw(portal_company portal_quote portal_start portal_stop portal_write_config raw http form_of post forget_sockets);

# portal_company(NODE, SQL…): a company that sends quotes, and the login of the portal
sub portal_company
{
	my ($node, @sql) = @_;
	$node->safe_psql('crm', join "\n", <<'SQL', @sql);
CREATE ROLE portal LOGIN IN ROLE sales_crm_portal;
UPDATE sales_crm.company SET name = 'Acme & <b>Co</b>', brand_color = '#1a7f5a', portal_url = 'http://127.0.0.1', sender_email = 'sales@example.com';
INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Customer');
SQL
	return;
}

# portal_quote(NODE, [CHANNEL]): a quote that was sent, its key and its token
sub portal_quote
{
	my ($node, $channel) = @_;
	$channel //= 'link';
	return split /\|/, $node->safe_psql('crm', <<"SQL");
CREATE TEMPORARY TABLE made AS WITH o AS (INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'Deal', account_id, member_id FROM sales_crm.account, sales_crm.member LIMIT 1 RETURNING opportunity_id)
	SELECT * FROM o;
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT opportunity_id, '<i>Work</i>', 2, 100 FROM made;
CREATE TEMPORARY TABLE quote AS SELECT sales_crm.create_quote(opportunity_id) AS quote_id FROM made;
SELECT quote_id, token FROM quote, sales_crm.send_quote(quote_id, '$channel', email => 'carl\@example.com', recipient_name => 'Carl');
SQL
}

sub portal_write_config
{
	my ($file, $node, %settings) = @_;
	%settings = (database => 'host=' . $node->host . ' port=' . $node->port . ' dbname=crm user=portal', log => 'requests',
		map({ $_ => 0 } qw(requests_per_minute answers_per_minute token_requests_per_minute token_answers_per_minute connections_per_address)), %settings);
	open my $out, '>', $file or die "$file: $!";
	print $out map { "$_ = $settings{$_}\n" } sort keys %settings;
	close $out;
	return $file;
}

# portal_start(NODE, NAME => VALUE…): a running portal: port, pid, log, file of settings. PROGRAM is
# another program to run.
sub portal_start
{
	my ($node, %settings) = @_;
	my $program = delete $settings{PROGRAM} // 'sales_crm_portal';
	my $dir = PostgreSQL::Test::Utils::tempdir();
	my $port = $settings{listen} ? 0 : PostgreSQL::Test::Cluster::get_free_port();
	my $portal = { port => $port, log => "$dir/log" };
	$settings{listen} //= "127.0.0.1:$port";
	$settings{base_url} //= "http://127.0.0.1:$port";
	$portal->{base_url} = $settings{base_url};
	$portal->{config} = portal_write_config("$dir/config", $node, %settings);
	append_to_file($portal->{log}, '');
	$portal->{pid} = fork() // die;
	if ($portal->{pid} == 0)
	{
		open STDERR, '>', $portal->{log};
		open STDOUT, '>&', \*STDERR;
		exec $program, '--config', $portal->{config} or POSIX::_exit(1);
	}
	for (1 .. 200)
	{
		last if slurp_file($portal->{log}) =~ /serves/;
		sleep 0.05;
	}
	return $portal;
}

# portal_stop(PORTAL): its exit status
sub portal_stop
{
	my ($portal) = @_;
	kill 'TERM', $portal->{pid};
	waitpid $portal->{pid}, 0;
	return $? >> 8 || $? & 127;
}

# raw(PORT, BYTES, [SECONDS]): what comes back until the connection ends, or the time
sub raw
{
	my ($port, $bytes, $seconds) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 5) or return '';
	local $SIG{PIPE} = 'IGNORE';
	$socket->autoflush(1);
	print $socket $bytes;
	return drain($socket, $seconds);
}

sub drain
{
	my ($socket, $seconds) = @_;
	my $until = time + ($seconds // 10);
	my $all = '';
	while ((my $left = $until - time) > 0)
	{
		my $ready = '';
		vec($ready, fileno $socket, 1) = 1;
		next if select($ready, undef, undef, $left) <= 0;
		my $got = sysread $socket, $all, 65536, length $all;
		last if !$got;
	}
	close $socket;
	return $all;
}

# http(PORT, METHOD, PATH, {HEADER => VALUE}, [BODY]): status, headers by small names, body
sub http
{
	my ($port, $method, $path, $headers, $body) = @_;
	my %headers = (Host => "127.0.0.1:$port", Connection => 'close', %{ $headers // {} });
	$headers{'Content-Length'} //= length $body if defined $body;
	my $answer = raw($port, "$method $path HTTP/1.1\r\n" . join('', map { "$_: $headers{$_}\r\n" } grep { defined $headers{$_} } sort keys %headers) . "\r\n" . ($body // ''));
	my ($head, $content) = split /\r\n\r\n/, $answer, 2;
	my ($first, @lines) = split /\r\n/, $head // '';
	my ($status) = ($first // '') =~ m{^HTTP/1\.1 (\d+)};
	return { status => $status // 0, body => $content // '', head => { map { /^([^:]+): (.*)/ ? (lc $1 => $2) : () } @lines }, first => $first // '' };
}

# form_of(PORTAL, TOKEN, [QUERY]): a page that was opened: its cookie and what its forms carry
sub form_of
{
	my ($portal, $token, $query) = @_;
	my $page = http($portal->{port}, 'GET', "/q/$token" . ($query // ''));
	my ($cookie) = ($page->{head}{'set-cookie'} // '') =~ /^([^;]+)/;
	my %fields = $page->{body} =~ /<input type="hidden" name="([a-z_]+)" value="([^"]*)">/g;
	return { page => $page, cookie => $cookie, token => $token, map { $_ => $fields{$_} } qw(csrf request_key snapshot) };
}

# post(PORTAL, FORM, WHAT, {FIELD => VALUE}, {HEADER => VALUE}): sends a form
sub post
{
	my ($portal, $form, $what, $fields, $headers) = @_;
	my %fields = ((map { $_ => $form->{$_} } grep { defined $form->{$_} } qw(csrf request_key snapshot)), %{ $fields // {} });
	my $body = join '&', map { my $v = $fields{$_}; $v =~ s/([^A-Za-z0-9])/sprintf '%%%02X', ord $1/ge; "$_=$v" } grep { defined $fields{$_} } sort keys %fields;
	return http($portal->{port}, 'POST', "/q/$form->{token}/$what",
		{ 'Content-Type' => 'application/x-www-form-urlencoded', 'Cookie' => $form->{cookie}, %{ $headers // {} } }, $body);
}

1;
