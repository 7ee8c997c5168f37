# Promise: the customer's page works and is safe from the network's side: every header on every route,
# limits that hold, no answer by a robot or another site, none lost or doubled when the database dies.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Digest::SHA qw(hmac_sha256_hex);
use IO::Socket::UNIX;
use MIME::Base64;
use Portal qw(portal_company portal_quote portal_start portal_stop portal_write_config raw http form_of post);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

plan skip_all => 'skipped: sales_crm_portal is not installed' if system('sales_crm_portal --version >/dev/null 2>&1') != 0;

my $node = crm_node('portal');
portal_company($node);
sub query { return $node->safe_psql('crm', $_[0]); }
my $dir = PostgreSQL::Test::Utils::tempdir();

# The program's own commands
command_like([ 'sales_crm_portal', '--help' ], qr/--check/, '--help');
command_like([ 'sales_crm_portal', '--version' ], qr/^sales_crm_portal 1\.0$/, '--version');
{
	my $sample = `sales_crm_portal --init-config`;
	like($sample, qr/^#listen = 127\.0\.0\.1:8080$/m, '--init-config tells defaults');
	$sample =~ s/^#(\w+ = )/$1/mg;
	append_to_file("$dir/sample", $sample);
	command_fails_like([ 'sales_crm_portal', '--config', "$dir/sample", '--check' ], qr/\S/, 'all of them can be read, though that database is not there');
	my $config = portal_write_config("$dir/good", $node);
	command_ok([ 'sales_crm_portal', '--config', $config, '--check' ], '--check: all is good');
	$config = portal_write_config("$dir/super", $node, database => 'host=' . $node->host . ' port=' . $node->port . ' dbname=crm');
	command_fails_like([ 'sales_crm_portal', '--config', $config, '--check' ], qr/superuser.*may read tables/, '--check finds a login with more rights');
	append_to_file("$dir/bad", "listen = 127.0.0.1:1\nnonsense = 1\nconnections = many\nbase_url\n");
	command_fails_like([ 'sales_crm_portal', '--config', "$dir/bad" ], qr/line 2: no key is named "nonsense".*\n.*line 3: connections is to be a whole number.*\n.*line 4/, 'what is wrong is said with its line');
	command_fails_like([ 'sales_crm_portal', '--config', portal_write_config("$dir/base", $node, base_url => 'ftp://x') ], qr/base_url/, 'so is a wrong base URL');
	command_fails_like([ 'sales_crm_portal', '--config', portal_write_config("$dir/networks", $node, trusted_proxies => '10.0.0.0/8, ::1/129') ], qr/trusted_proxies/, 'a network that is none');
	command_fails_like([ 'sales_crm_portal', '--config', portal_write_config("$dir/loud", $node, log => 'loud') ], qr/line \d+: log is to be one of errors\|requests/, 'and a word that is no choice');
	command_fails_like([ 'sales_crm_portal', '--config', $dir ], qr/\Q$dir\E: Is a directory/, 'or a file that cannot be read');
}

my $portal = portal_start($node, secret_file => "$dir/secret");
my $port = $portal->{port};
my ($quote, $token) = portal_quote($node);
my $events = sub { query("SELECT status, (SELECT count(*) FROM sales_crm.quote_event e WHERE e.quote_id = q.quote_id) FROM sales_crm.quote q WHERE quote_id = $quote") };
my $untouched = $events->();

# Every header on every route
my %always = (
	'x-content-type-options' => qr/^nosniff$/, 'referrer-policy' => qr/^no-referrer$/, 'x-robots-tag' => qr/^noindex/,
	'cross-origin-opener-policy' => qr/^same-origin$/, 'cross-origin-resource-policy' => qr/^same-origin$/, 'permissions-policy' => qr/camera=\(\)/,
	'content-security-policy' => qr/^default-src 'none';.*base-uri 'none'/, 'x-frame-options' => qr/^(DENY|SAMEORIGIN)$/, 'content-type' => qr{^[a-z]+/}, 'cache-control' => qr/./);
my $calendar = query('SELECT sales_crm.create_calendar_feed(member_id) FROM sales_crm.member');
my @routes = (
	[ "/q/$token", 200, 'text/html' ], [ "/q/$token/document", 200, 'text/html' ], [ "/calendar/$calendar.ics", 200, 'text/calendar' ], [ '/calendar/x.ics', 404, 'text/html' ],
	[ '/robots.txt', 200, 'text/plain' ], [ '/asset/page.css', 200, 'text/css' ], [ '/asset/page.js', 200, 'text/javascript' ], [ '/asset/brand-1a7f5a.css', 200, 'text/css' ],
	[ '/asset/brand-zzzzzz.css', 404, 'text/html' ], [ '/thanks', 200, 'text/html' ], [ '/healthz', 200, 'text/plain' ], [ '/metrics', 200, 'text/plain' ],
	[ '/q/unknown', 404, 'text/html' ], [ '/', 404, 'text/html' ], [ "/q/$token/sign", 405, 'text/html' ]);
foreach my $method ('GET', 'HEAD')
{
	foreach my $route (@routes)
	{
		my ($path, $status, $type) = @$route;
		my $answer = http($port, $method, $path);
		my @wrong = grep { ($answer->{head}{$_} // '') !~ $always{$_} } sort keys %always;
		push @wrong, 'body' if $method eq 'HEAD' && $answer->{body} ne '';
		push @wrong, 'csp' if $answer->{head}{'content-security-policy'} =~ /script-src[^;]*(unsafe|\*)/ || ($path !~ /document$/ && $answer->{head}{'content-security-policy'} !~ /frame-ancestors 'none'/);
		(my $shown = $path) =~ s/\Q$token\E|\Q$calendar\E/TOKEN/;
		is("$answer->{status} @wrong", "$status ", "$method $shown");
		like($answer->{head}{'content-type'}, qr/^\Q$type\E/, "$method $shown: type");
		is($answer->{head}{'cache-control'}, 'no-store', "$method $shown: not stored") if $path =~ m{^/(q|calendar)/};
	}
}
like(http($port, 'GET', "/q/$token/document")->{head}{'content-security-policy'}, qr/script|default-src 'none'.*sandbox allow-same-origin$/, 'no script runs in the document');
like(http($port, 'GET', "/q/$token")->{head}{'set-cookie'}, qr/^sales_crm=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Lax$/, 'the cookie');
{
	my ($versioned) = http($port, 'GET', "/q/$token")->{body} =~ m{href="(/asset/page\.css\?v=\w+)"};
	like(http($port, 'GET', $versioned)->{head}{'cache-control'}, qr/immutable/, 'a versioned asset is kept');
	my $page = http($port, 'GET', "/q/$token")->{body};
	unlike($page, qr{(src|href)="(?!/q/\Q$token\E|/asset/|data:|mailto:|#|tel:)}, 'nothing from elsewhere');
	unlike($page, qr/<style|style="|<script>|onclick=|javascript:/, 'no inline style or script');
	like($page, qr/Acme &amp; &lt;b&gt;Co/, 'what users wrote is escaped, once');
	unlike($page, qr/&amp;amp;|&amp;lt;/, 'and not twice');
}

# Wrong methods, and GET of what is posted
foreach my $method ('POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'CONNECT', 'get', 'PROPFIND', 'X' x 300)
{
	my $answer = http($port, $method, "/q/$token", $method eq 'POST' ? { 'Content-Length' => 0 } : {});
	like($answer->{status}, qr/^(405|400)$/, substr($method, 0, 20) . ' is not allowed');
	is($answer->{head}{allow}, 'GET, HEAD', 'and what is, is said') if $answer->{status} == 405;
}
is(http($port, 'GET', "/q/$token/$_")->{head}{allow}, 'POST', "GET $_ is not allowed") foreach ('viewed', 'sign', 'change', 'decline', 'code', 'follow');

# Unknown, revoked and malformed links answer alike
{
	my $revoked = query("SELECT token FROM sales_crm.make_quote_link($quote, recipient_name => 'Old')");
	query("SELECT sales_crm.revoke_quote_link(max(quote_link_id)) FROM sales_crm.quote_link");
	$untouched = $events->();
	my $unknown = 'A' x 43;
	my @bad = ($unknown, $revoked, 'x', 'x' x 100, '%00', '%2e%2e', "$token%00", $token . 'A', substr($token, 1), '..', '*', "'", 'x' x 5000);
	my %seen;
	my %time;
	foreach my $round (1 .. 20)
	{
		foreach my $bad (@bad)
		{
			my $from = time;
			my $answer = http($port, 'GET', "/q/$bad");
			push @{ $time{$bad} }, time - $from;
			delete @{ $answer->{head} }{'date'};
			$seen{ join '|', $answer->{status}, $answer->{body}, map { "$_=$answer->{head}{$_}" } sort keys %{ $answer->{head} } } = 1;
		}
	}
	is(scalar keys %seen, 1, 'unknown, revoked and malformed links get the same answer to the byte') or diag(map { substr($_, 0, 300) . "\n" } keys %seen);
	my @medians = map { (sort { $a <=> $b } @{ $time{$_} })[10] } ($unknown, $revoked);
	cmp_ok(abs($medians[0] - $medians[1]), '<', 0.003, 'in the same time');
	foreach my $path (map({ "/q/$_/document" } $unknown, $revoked, 'x'), map({ "/q/$_/quote.pdf" } $unknown, $revoked, 'x')) { is(http($port, 'GET', $path)->{status}, 404, 'their documents, too'); }
}

# Path tricks
foreach my $path ('/q', '/q/', "/q//$token", "/q/$token/", "/q/$token/../$token", "/q/$token/sign/", "//q/$token", '/asset/../../etc/passwd', '/asset/%2e%2e/page.css', '/asset/', '/asset/page.css/',
	'/asset//page.css', "/q/$token/document%00", "/q/$token\%2fdocument", "/Q/$token", '/robots.txt%0a', '/healthz;x', '\\robots.txt', '/calendar/.ics', '/calendar/x.ics.ics/..', '/metrics/')
{
	is(http($port, 'GET', $path)->{status}, 404, 'no way by ' . ($path =~ s/\Q$token\E/TOKEN/gr));
}
is(http($port, 'GET', "http://evil.example/q/$token")->{status}, 404, 'nor by an absolute address');
is(http($port, 'GET', "/q/$token?" . 'x' x 400)->{status}, 200, 'a query that says nothing does nothing');

# The Host header is not believed
foreach my $host ('evil.example', "127.0.0.1:$port\@evil.example", 'evil.example:80, x', '')
{
	my $answer = http($port, 'GET', "/q/$token", { Host => $host, 'X-Forwarded-Host' => 'evil.example', Forwarded => 'host=evil.example' });
	unlike(join('', $answer->{body}, values %{ $answer->{head} }), qr/evil/, "Host \"$host\" comes back nowhere");
}
is(raw($port, "GET /robots.txt HTTP/1.1\r\nConnection: close\r\n\r\n") =~ m{^HTTP/1.1 400}, 1, 'a request without Host is refused');
is($events->(), $untouched, 'all of that has changed nothing');

# A mail scanner: HEAD, GET, and every form it finds, posted without typing, with the cookie and all
{
	my $form = form_of($portal, $token);
	http($port, $_, "/q/$token") foreach ('HEAD', 'GET', 'OPTIONS');
	my @forms = $form->{page}{body} =~ /<form id="(\w+)"/g;
	is("@forms", 'sign change decline', 'there are three forms');
	is(post($portal, $form, $_)->{status}, 422, "posting $_ without typing answers nothing") foreach (@forms);
	is($events->(), $untouched, 'a scanner has changed nothing');
}

# CSRF: missing, of another browser, of another link, old; and what browsers say of the sender
{
	my $form = form_of($portal, $token);
	my $other = form_of($portal, $token);
	my (undef, $token2) = portal_quote($node);
	my $link2 = form_of($portal, $token2);
	my %typed = (name => 'Carl', email => 'carl@example.com', consent => 'yes');
	is(post($portal, $form, 'sign', { %typed, csrf => undef })->{status}, 403, 'no token: refused');
	is(post($portal, $form, 'sign', { %typed, csrf => $other->{csrf} })->{status}, 403, 'that of another browser');
	is(post($portal, $form, 'sign', { %typed, csrf => post($portal, $form, 'sign')->{body} =~ /name="csrf" value="([^"]+)/ && $link2->{csrf} })->{status}, 403, 'that of another link');
	is(post($portal, $form, 'sign', \%typed, { Cookie => undef })->{status}, 403, 'no cookie');
	is(post($portal, $form, 'sign', \%typed, { Cookie => 'sales_crm=x' })->{status}, 403, 'a wrong one');
	is(post($portal, { %$form, csrf => substr($form->{csrf}, 0, 9) . '0' x 64 }, 'sign', \%typed)->{status}, 403, 'a forged one');
	my $at = sprintf '%08x', time - 13 * 3600;
	my ($cookie) = $form->{cookie} =~ /=(.*)/;
	my $old = hmac_sha256_hex(join('', map { pack('L', length $_) . $_ } 'csrf', $cookie, $token, $at), slurp_file("$dir/secret"));
	my $answer = post($portal, { %$form, csrf => "$at.$old" }, 'change', { note => 'Please <b>green</b>', name => 'Carl', email => 'c@example.com' });
	is($answer->{status}, 403, 'an old one');
	like($answer->{body}, qr/Please &lt;b&gt;green/, 'but what was typed is kept');
	is(post($portal, $form, 'sign', \%typed, { 'Sec-Fetch-Site' => $_ })->{status}, 403, "Sec-Fetch-Site: $_") foreach ('cross-site', 'same-site');
	is(post($portal, $form, 'sign', \%typed, { Origin => $_ })->{status}, 403, "Origin: $_") foreach ('http://evil.example', "http://127.0.0.1:$port.evil.example", 'https://127.0.0.1');
	is(post($portal, $form, 'viewed', { csrf => 'x' })->{status}, 403, 'a view needs one, too');
	is($events->(), $untouched, 'all of that has changed nothing');
	is(post($portal, $form, 'viewed', undef, { Origin => "http://127.0.0.1:$port", 'Sec-Fetch-Site' => 'same-origin' })->{status}, 204, 'a person looks');
	is(query("SELECT status, views FROM sales_crm.quote JOIN sales_crm.quote_link USING (quote_id) WHERE quote_id = $quote ORDER BY quote_link_id LIMIT 1"), 'viewed|1', 'which is recorded');
}

# Forms: problems beside fields, what was typed is kept; one answer whatever is repeated
{
	my $form = form_of($portal, $token);
	my $answer = post($portal, $form, 'sign', { name => '"><script>alert(1)</script>', email => 'nobody', signature => '!!!' });
	is($answer->{status}, 422, 'wrong fields');
	like($answer->{body}, qr/value="&quot;&gt;&lt;script&gt;alert/, 'what was typed comes back escaped');
	like($answer->{body}, qr/id="sign-$_-problem"/, "a problem beside $_") foreach ('email', 'consent', 'drawing');
	like($answer->{body}, qr/name="request_key" value="\Q$form->{request_key}\E"/, 'the form stays the same answer');
	is(post($portal, $form, 'sign', { name => "\xff\xfe", email => 'a@b.example' })->{status}, 400, 'text that is none');
	is(post($portal, $form, 'sign', { name => "a\0b", email => 'a@b.example' })->{status}, 400, 'a NUL');
	like(post($portal, $form, 'sign', { name => 'x' x 201, email => 'a@b.example', consent => 'yes' })->{body}, qr/sign-name-problem/, 'a name that is too long');
	my %typed = (name => 'Carl Péters', email => 'carl@example.com', consent => 'yes');
	is(post($portal, $form, 'sign', { %typed, signature => encode_base64('GIF89a', '') })->{status}, 422, 'the database refuses what is no PNG');
	is(post($portal, $form, 'sign', { %typed, snapshot => '0' x 64 })->{status}, 409, 'what was read is not what is there');
	is(http($port, 'POST', "/q/$token/sign", { Cookie => $form->{cookie}, 'Content-Type' => $_ }, 'x=1')->{status}, 415, "$_: no form") foreach ('application/json', 'text/plain');
	my $signed = post($portal, $form, 'sign', \%typed);
	is("$signed->{status} $signed->{head}{location}", "303 /q/$token", 'signed: the browser is sent on');
	is(post($portal, $form, 'sign', \%typed)->{status}, 303, 'the same again: the first result');
	is(post($portal, $form, 'sign', { %typed, name => 'Other' })->{status}, 409, 'the same key for another answer: refused');
	is(post($portal, { %$form, request_key => 'k2' }, 'sign', \%typed)->{status}, 409, 'once more with another key: too late');
	is(post($portal, { %$form, request_key => 'k3' }, 'decline', { confirm => 'yes' })->{status}, 409, 'nor declined');
	is(query("SELECT signer_name, host(ip), consent_text ~ 'Acme & <b>Co</b>' FROM sales_crm.signature WHERE quote_id = $quote"), 'Carl Péters|127.0.0.1|t', 'one signature, with what was agreed to');
	my $page = http($port, 'GET', "/q/$token")->{body};
	like($page, qr/Carl Péters/, 'the page says so');
	unlike($page, qr/<form id="sign"/, 'and asks no more');
}
{
	my (undef, $change) = portal_quote($node);
	my $form = form_of($portal, $change, '?lang=fr');
	like($form->{page}{body}, qr/<html lang="fr">/, 'in French');
	is(post($portal, $form, 'change', { note => ' ', name => 'Carl', email => 'c@example.com' })->{status}, 422, 'a change of nothing');
	is(post($portal, $form, 'change', { note => "Two\r\nlines & more", name => 'Carl', email => 'c@example.com' })->{status}, 303, 'a change is asked for');
	is(query(q(SELECT note FROM sales_crm.change_request ORDER BY 1 DESC LIMIT 1)), "Two\nlines & more", 'in the customer\'s words');
	my (undef, $no) = portal_quote($node);
	$form = form_of($portal, $no);
	is(post($portal, $form, 'decline', { reason => 'x' })->{status}, 422, 'declining wants a tick');
	is(post($portal, $form, 'decline', { reason => 'Too dear', confirm => 'yes' })->{status}, 303, 'declined');
	is(query("SELECT string_agg(DISTINCT status, ' ' ORDER BY status) FROM sales_crm.quote"), 'change_requested declined sent signed', 'the answers are there');
}

# On the seller's tablet: no way back
{
	my (undef, $direct) = portal_quote($node, 'direct');
	my $form = form_of($portal, $direct, '?direct');
	my $answer = post($portal, $form, 'sign?direct', { name => 'Carl', email => 'c@example.com', consent => 'yes' });
	is("$answer->{status} $answer->{head}{location}", '303 /thanks', 'signed on the tablet: a page that shows nothing');
	my ($mark) = $answer->{head}{'set-cookie'} =~ /^([^;]+)/;
	my $thanks = http($port, 'GET', '/thanks', { Cookie => $mark });
	unlike($thanks->{body}, qr{/q/|Customer|Deal}, 'and leads nowhere');
	is(http($port, 'GET', "/q/$direct$_", { Cookie => $mark })->{head}{location}, '/thanks', "nor does going back to $_") foreach ('?direct', '', '/document');
	is(http($port, 'GET', "/q/$direct")->{status}, 200, 'the link itself works elsewhere');
}

# A code by e-mail
{
	my ($with_code, $code_token) = portal_quote($node);
	query('UPDATE sales_crm.quote_template SET code_above = 1');
	my %typed = (name => 'Carl', email => 'carl@example.com', consent => 'yes');
	my $form = form_of($portal, $code_token);
	is(post($portal, $form, 'sign', \%typed)->{status}, 422, 'without a code nobody signs');
	my $sent = post($portal, $form, 'code', \%typed);
	is($sent->{status}, 200, 'a code is asked for');
	like($sent->{body}, qr/name="code".*/, 'there is a field for it');
	like($sent->{body}, qr/value="carl\@example.com"/, 'and what was typed is kept');
	my $code = query("SELECT substring(payload->>'subject' FROM '[0-9]{6}') FROM sales_crm.message_body JOIN sales_crm.message USING (message_id) WHERE event = 'quote.code'");
	my $wrong = $code eq '000000' ? '000001' : '000000';
	is(post($portal, $form, 'sign', { %typed, code => $wrong })->{status}, 422, 'a wrong one') foreach (1 .. 4);
	is(query('SELECT count(*) FROM sales_crm.signing_code_attempt'), '4', 'costs an attempt each time, though signing rolled back');
	is(post($portal, $form, 'sign', { %typed, code => $code })->{status}, 303, 'the right one signs');
	is(query("SELECT status FROM sales_crm.quote WHERE quote_id = $with_code"), 'signed', 'so it is');
	my (undef, $spent) = portal_quote($node);
	$form = form_of($portal, $spent);
	post($portal, $form, 'code', \%typed);
	my $right = query("SELECT substring(payload->>'subject' FROM '[0-9]{6}') FROM sales_crm.message_body JOIN sales_crm.message USING (message_id) WHERE event = 'quote.code' ORDER BY message_id DESC LIMIT 1");
	post($portal, $form, 'sign', { %typed, code => $right eq '000000' ? '000001' : '000000' }) foreach (1 .. 5);
	is(post($portal, $form, 'sign', { %typed, code => $right })->{status}, 422, 'after five wrong ones the right one does not');
	is(query("SELECT count(*) FROM sales_crm.message_body WHERE payload::text LIKE '%$right%'") > 0, 1, 'though it was sent');
	query('UPDATE sales_crm.quote_template SET code_above = NULL');
}

# Framing that two readers could understand differently, and what is malformed
my ($fresh_quote, $fresh) = portal_quote($node);
my $host = "Host: 127.0.0.1\r\n";
foreach my $head ("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", "Content-Length: 3\r\nContent-Length: 5\r\n", "Content-Length: -1\r\n", "Content-Length: +3\r\n", "Content-Length: 0x3\r\n",
	"Content-Length: 3, 3\r\n", "Transfer-Encoding: identity\r\n", "Transfer-Encoding: chunked, identity\r\n", "Transfer-Encoding: xchunked\r\n", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
	"Transfer-Encoding : chunked\r\n")
{
	my $answer = raw($port, "POST /q/$fresh/sign HTTP/1.1\r\n$host${head}Content-Type: application/x-www-form-urlencoded\r\n\r\n3\r\na=b\r\n0\r\n\r\nGET /robots.txt HTTP/1.1\r\n$host\r\n", 2);
	like($answer, qr{^HTTP/1\.1 4|^$}, 'refused: ' . ($head =~ s/\r\n/; /gr));
	unlike($answer, qr/User-agent/, 'and nothing behind it is served');
}
foreach my $bytes ("\r\n\r\n", "\0" x 100, "GET\r\n\r\n", "GET / HTTP/9.9\r\n$host\r\n", "GET  / HTTP/1.1\r\n$host\r\n", "GET /\r\n\r\n", ': ' x 1000 . "\r\n\r\n", "GET / HTTP/1.1\r\n$host" . ("A: b\r\n" x 20000) . "\r\n",
	"GET /" . 'a' x 100000 . " HTTP/1.1\r\n$host\r\n", "GET / HTTP/1.1\r\n${host}X: " . 'a' x 100000 . "\r\n\r\n", "GET / HTTP/1.1\r\n$host\r\n" . 'x' x 1000, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
{
	unlike(raw($port, $bytes, 1), qr{^HTTP/1\.[01] (2|5(?!05))}, 'malformed: ' . (substr($bytes, 0, 20) =~ s/[^ -~]/./gr));
}
# What the library answers by itself has not our headers: it is fixed text, and the last on its connection
foreach my $bytes ("GET /<mark> HTTP/9.9\r\n$host\r\n", "GET /<mark> HTTP/1.1\r\nX: <mark>\r\n\r\n", "GET / HTTP/1.1\r\n$host<mark>\r\n\r\n", "POST /q/$fresh/sign HTTP/1.1\r\n${host}Content-Length: -1<mark>\r\n\r\n",
	"GET /<mark>" . 'a' x 100000 . " HTTP/1.1\r\n$host\r\n", "GET / HTTP/1.1\r\n${host}X: <mark>" . 'a' x 100000 . "\r\n\r\n", "POST /q/$fresh/sign HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n<mark>\r\n")
{
	my $from = time;
	my $answer = raw($port, $bytes . "GET /robots.txt HTTP/1.1\r\n$host\r\n", 5);
	my $shown = substr($bytes, 0, 100) =~ s/\Q$fresh\E|\Q$host\E|[^ -~]//gr;
	cmp_ok(time - $from, '<', 4, "$shown: the connection ends");
	unlike($answer, qr/mark|User-agent/, 'and nothing that was sent comes back, or is served');
	like($answer, qr{^HTTP/1\.1 (400|413|414|431|505) .*?^Connection: close}ms, 'which the answer says');
}
is(http($port, 'GET', '/robots.txt')->{status}, 200, 'and it goes on');
is(http($port, 'POST', "/q/$fresh/sign", { 'Content-Length' => 2_000_000_000 }, '')->{status}, 413, 'a body that is said to be too large');
is(http($port, 'POST', "/q/$fresh/sign", { 'Content-Length' => '9' x 30 }, '')->{status} =~ /^4/, 1, 'or larger than numbers');
is(raw($port, "POST /q/$fresh/sign HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n" . ("10000\r\n" . 'a' x 65536 . "\r\n") x 30, 3) !~ /HTTP\/1.1 [235]/, 1, 'or one that does not say so is cut');
is(http($port, 'GET', "/q/$fresh", {}, 'body')->{status}, 400, 'GET with a body');
like(raw($port, "GET /robots.txt HTTP/1.1\r\n$host\r\nGET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n", 5), qr/User-agent.*HTTP\/1\.1 200.*\r\n\r\nok\n$/s, 'pipelined requests are answered in order');
{
	my $form = form_of($portal, $fresh);
	my $body = join('', map { "--bound\r\nContent-Disposition: form-data; name=\"$_->[0]\"\r\n\r\n$_->[1]\r\n" } ([ csrf => $form->{csrf} ], [ request_key => 'm' ], [ snapshot => $form->{snapshot} ], [ name => 'Carl' ], [ email => 'c@example.com' ], [ consent => 'yes' ])) . "--bound--\r\n";
	is(http($port, 'POST', "/q/$fresh/sign", { Cookie => $form->{cookie}, 'Content-Type' => 'multipart/form-data; boundary=bound' }, substr($body, 0, -60))->{status} =~ /^4/, 1, 'a multipart body that is cut off');
	is(http($port, 'POST', "/q/$fresh/sign", { Cookie => $form->{cookie}, 'Content-Type' => 'multipart/form-data; boundary=bound' }, $body)->{status}, 303, 'and one that is whole');
}

# Metrics, and for whom
like(http($port, 'GET', '/metrics')->{body}, qr/sales_crm_portal_requests_total\{route="\/q\/TOKEN",status="2xx"\} \d+\n/, 'metrics');
is(http($port, 'GET', '/metrics', { 'X-Forwarded-For' => '192.0.2.1' })->{status}, 404, 'not through a proxy');

# The log has no token
{
	my $log = slurp_file($portal->{log});
	like($log, qr{GET /q/TOKEN \Q@{[substr $token, 0, 4]}\E 200}, 'a request is logged with the beginning of its token');
	unlike($log, qr/\Q$token\E|\Q@{[substr $token, 0, 12]}\E|$calendar/, 'and no more of it');
	unlike($log, qr/ 500 /, 'nothing went wrong inside');
}
is(portal_stop($portal), 0, 'SIGTERM ends it');

# Limits: rates, connections, time; addresses through trusted proxies alone
{
	my (undef, $limited) = portal_quote($node);
	$portal = portal_start($node, requests_per_minute => 5, header_seconds => 1, request_seconds => 2, idle_seconds => 2);
	my $from = sub { http($portal->{port}, 'GET', "/q/$limited", { 'X-Forwarded-For' => $_[0] })->{status} };
	is(join(' ', map { $from->('192.0.2.7') } 1 .. 7), '200 200 200 200 200 429 429', 'five a minute from one address');
	is($from->('192.0.2.8'), 200, 'others are not kept waiting');
	is($from->('192.0.2.7, 192.0.2.9'), 200, 'the nearest proxy\'s word counts, not what the client says');
	is(join(' ', map { $from->("2001:db8::$_") } 1 .. 6), '200 200 200 200 200 429', 'an IPv6 network is one');
	my $limit = http($portal->{port}, 'GET', "/q/$limited", { 'X-Forwarded-For' => '192.0.2.7' });
	is($limit->{head}{'retry-after'}, 30, 'with word when to come back');
	like(http($portal->{port}, 'GET', '/metrics', { 'X-Forwarded-For' => undef })->{body}, qr/limited_total [1-9]/, 'it is counted');
	foreach my $case ([ 'a head that drips', "GET / HT", 1.9 ], [ 'a body that drips', "POST /q/$limited/sign HTTP/1.1\r\n${host}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na", 3.4 ],
		[ 'silence', '', 1.9 ], [ 'nothing after a request', "GET /robots.txt HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.66\r\n\r\n", 3.4 ])
	{
		my ($name, $bytes, $most) = @$case;
		my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $portal->{port});
		my $start = time;
		local $SIG{PIPE} = 'IGNORE';
		syswrite $socket, $bytes if $bytes ne '';
		while (time - $start < 8)
		{
			my $ready = '';
			vec($ready, fileno $socket, 1) = 1;
			if (select($ready, undef, undef, 0.2) > 0) { last if !sysread $socket, my $got, 65536; }
			syswrite $socket, 'x' if $name =~ /drips/;
		}
		cmp_ok(time - $start, '<', $most, "$name is cut off");
	}
	portal_stop($portal);

	$portal = portal_start($node, token_requests_per_minute => 3, answers_per_minute => 2);
	is(join(' ', map { http($portal->{port}, 'GET', "/q/$limited", { 'X-Forwarded-For' => "192.0.2.$_" })->{status} } 1 .. 4), '200 200 200 429', 'three a minute for one link, from wherever');
	is(join(' ', map { http($portal->{port}, 'POST', "/q/other$_/sign", { 'X-Forwarded-For' => '192.0.2.77', 'Content-Type' => 'application/x-www-form-urlencoded' }, 'a=b')->{status} } 1 .. 3), '403 403 429', 'two answers a minute from one address');
	portal_stop($portal);

	$portal = portal_start($node, connections_per_address => 3, trusted_proxies => '192.0.2.1', requests_per_minute => 4);
	my @open = map { my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $portal->{port}); syswrite $s, "GET /healthz HTTP/1.1\r\n${host}\r\n"; sysread $s, my $got, 1000; $s } 1 .. 3;
	is(raw($portal->{port}, "GET /healthz HTTP/1.1\r\n${host}\r\n", 1), '', 'a fourth connection from one address is refused');
	close $_ foreach @open;
	sleep 0.3;
	is(http($portal->{port}, 'GET', '/healthz', { 'X-Forwarded-For' => '192.0.2.5' })->{status}, 200, 'until others end');
	is(http($portal->{port}, 'GET', '/healthz', { 'X-Forwarded-For' => '192.0.2.6' })->{status}, 429, 'a client that is no proxy is not believed');
	portal_stop($portal);

	$portal = portal_start($node, connections => 2);
	@open = map { my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $portal->{port}); syswrite $s, "GET /healthz HTTP/1.1\r\n${host}\r\n"; sysread $s, my $got, 1000; $s } 1 .. 2;
	is(raw($portal->{port}, "GET /healthz HTTP/1.1\r\n${host}\r\n", 1), '', 'nor one more than there may be in all');
	portal_stop($portal);
}

# Behind https: cookies that no neighbour can set, and HSTS
{
	my (undef, $secure) = portal_quote($node);
	$portal = portal_start($node, base_url => 'https://quotes.example.com');
	my $page = http($portal->{port}, 'GET', "/q/$secure");
	like($page->{head}{'set-cookie'}, qr/^__Host-sales_crm=[0-9a-f]{64}; Path=\/; HttpOnly; SameSite=Lax; Secure$/, '__Host- cookie');
	like($page->{head}{'strict-transport-security'}, qr/^max-age=31536000/, 'HSTS');
	my $form = form_of($portal, $secure);
	is(post($portal, $form, 'viewed', undef, { Origin => 'https://quotes.example.com' })->{status}, 204, 'its own Origin is the configured one');
	portal_stop($portal);
	SKIP:
	{
		skip 'skipped: no openssl or curl', 2 if system('openssl version >/dev/null 2>&1') != 0 || system('curl --version >/dev/null 2>&1') != 0;
		system_or_bail('sh', '-c', "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout $dir/key -out $dir/cert -days 2 -subj /CN=localhost >/dev/null 2>&1");
		$portal = portal_start($node, base_url => 'https://localhost', tls_certificate => "$dir/cert", tls_key => "$dir/key");
		is(`curl -sk -o /dev/null -w '%{http_code}' https://127.0.0.1:$portal->{port}/q/$secure`, 200, 'TLS of its own');
		isnt(system("curl -sk --tls-max 1.1 -o /dev/null https://127.0.0.1:$portal->{port}/robots.txt"), 0, 'not an old one');
		portal_stop($portal);
	}
}

# A UNIX socket
{
	$portal = portal_start($node, listen => "$dir/socket", base_url => 'http://localhost');
	my $socket = IO::Socket::UNIX->new(Peer => "$dir/socket");
	syswrite $socket, "GET /healthz HTTP/1.1\r\n${host}Connection: close\r\n\r\n";
	like(Portal::drain($socket), qr/ok\n$/, 'a UNIX socket');
	is(portal_stop($portal), 0, 'ends');
	ok(!-e "$dir/socket", 'and takes its socket away');
}

# SIGTERM drains: what is under way is answered
{
	my ($slow_quote, $slow) = portal_quote($node);
	$portal = portal_start($node, statement_seconds => 30);
	my $form = form_of($portal, $slow);
	my $blocker = $node->background_psql('crm');
	$blocker->query_safe('BEGIN');
	$blocker->query_safe("SELECT FROM sales_crm.opportunity JOIN sales_crm.quote USING (opportunity_id) WHERE quote_id = $slow_quote FOR UPDATE OF opportunity");
	pipe my $reader, my $writer;
	my $client = fork() // die;
	if ($client == 0)
	{
		syswrite $writer, post($portal, $form, 'sign', { name => 'Carl', email => 'c@example.com', consent => 'yes' })->{status};
		POSIX::_exit(0);
	}
	$node->poll_query_until('crm', q(SELECT count(*) > 0 FROM pg_stat_activity WHERE usename = 'portal' AND wait_event_type = 'Lock'));
	kill 'TERM', $portal->{pid};
	sleep 0.3;
	ok(!IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $portal->{port}), 'SIGTERM: nobody new is let in');
	$blocker->query_safe('COMMIT');
	$blocker->quit;
	sysread $reader, my $status, 10;
	is($status, 303, 'but who was in is answered');
	waitpid $client, 0;
	waitpid $portal->{pid}, 0;
	is($?, 0, 'then it ends');
}

# The database gives fewer connections than the portal may open: those that there are do
{
	my (undef, $crowded) = portal_quote($node);
	query('ALTER ROLE portal CONNECTION LIMIT 1');
	$portal = portal_start($node);
	is(http($portal->{port}, 'GET', "/q/$crowded")->{status}, 200, 'one connection');
	my @clients = map {
		my $client = fork() // die;
		if ($client == 0)
		{
			POSIX::_exit(scalar grep { http($portal->{port}, 'GET', "/q/$crowded")->{status} != 200 } 1 .. 20);
		}
		$client;
	} 1 .. 4;
	my $failed = 0;
	foreach (@clients) { waitpid $_, 0; $failed += $? >> 8; }
	is($failed, 0, 'serves all, if one after the other');
	like(slurp_file($portal->{log}), qr/too many connections for role/, 'and the log tells why');
	query('ALTER ROLE portal CONNECTION LIMIT -1');
	portal_stop($portal);
}

# The database dies and comes back: a page that says so, recovery by itself, no answer lost or doubled
{
	my @quotes = map { [ portal_quote($node) ] } 1 .. 12;
	$portal = portal_start($node);
	my @forms = map { form_of($portal, $_->[1]) } @quotes;
	$node->stop('immediate');
	my $page = http($portal->{port}, 'GET', "/q/$quotes[0][1]");
	is($page->{status}, 503, 'the database is away: 503');
	is($page->{head}{'retry-after'}, 5, 'come back soon');
	like($page->{body}, qr/<h1>/, 'in words');
	is(http($portal->{port}, 'GET', '/healthz')->{status}, 503, '/healthz says so');
	is(post($portal, $forms[0], 'sign', { name => 'Carl', email => 'c@example.com', consent => 'yes' })->{status}, 503, 'nothing is pretended');
	$node->start;
	sleep 1.1;
	is(http($portal->{port}, 'GET', "/q/$quotes[0][1]")->{status}, 200, 'it comes back by itself');
	my @clients;
	foreach my $form (@forms)
	{
		my $client = fork() // die;
		push @clients, $client;
		next if $client;
		# As a browser whose user tries again, with the same form
		for (1 .. 300)
		{
			POSIX::_exit(0) if post($portal, $form, 'sign', { name => 'Carl', email => 'c@example.com', consent => 'yes' })->{status} == 303;
			sleep 0.1;
		}
		POSIX::_exit(1);
	}
	for (1 .. 3)
	{
		sleep 0.3;
		$node->stop('immediate');
		$node->start;
	}
	my $failed = 0;
	foreach (@clients) { waitpid $_, 0; $failed++ if $?; }
	is($failed, 0, 'all get their answer through, whatever dies');
	my $keys = join ',', map { $_->[0] } @quotes;
	is(query("SELECT count(*), count(DISTINCT quote_id) FROM sales_crm.signature WHERE quote_id IN ($keys)"), '12|12', 'none is lost or doubled');
	is(query('SELECT (SELECT count(*) FROM sales_crm.verify_quotes()) + (SELECT count(*) FROM sales_crm.verify_quote_events())'), '0', 'and all verifies');
	portal_stop($portal);
}

$node->stop;
done_testing();
