# Promise: a sent quote becomes a PDF, with its title, author, language, embedded fonts and the hash
# of the HTML it was made of; the e-mail that carries it waits for it, and holds its very bytes; a
# signed one gets a PDF with its evidence, sealed where a key is configured, which pdfsig verifies, and called unsealed and tried
# again where the seal fails. The document reaches neither files nor network, and ends at its limits.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use IPC::Run;
use Mail qw(smtp_server);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

foreach ([ 'sales_crm_sender --version', 'sales_crm_sender' ], [ '/usr/bin/python3 -c "import weasyprint"', 'weasyprint' ],
	[ 'pdfinfo -v', 'poppler-utils' ], [ 'certutil -H', 'libnss3-tools' ])
{
	my $status = system("$_->[0] >/dev/null 2>&1");
	plan skip_all => "skipped: $_->[1] is not installed" if $status == -1 || $status >> 8 == 127 || ($status != 0 && $_->[1] ne 'libnss3-tools');
}

my $node = crm_node('pdf');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'crm';
my $folder = PostgreSQL::Test::Utils::tempdir;
sub query { return $node->safe_psql('crm', $_[0]); }

# sender(OPTION…): one run; status and what it said
sub sender
{
	my $err = '';
	IPC::Run::run([ 'sales_crm_sender', @_ ], '<', '/dev/null', '>', "$folder/out", '2>', \$err, IPC::Run::timer(120));
	return ($? >> 8, $err);
}
sub tool { my $out = ''; IPC::Run::run([@_], '<', '/dev/null', '>&', \$out, IPC::Run::timer(60)); return $out; }

# document(QUOTE, PURPOSE): its file, taken out of the database
sub document
{
	my ($quote, $purpose) = @_;
	my $hex = query("SELECT encode(c.content, 'hex') FROM sales_crm.quote_document d JOIN sales_crm.attachment a USING (attachment_id) JOIN sales_crm.attachment_content c ON c.sha256 = a.sha256 WHERE d.quote_id = $quote AND d.purpose = '$purpose'");
	open(my $file, '>:raw', "$folder/$purpose.pdf") or die $!;
	print $file pack('H*', $hex);
	close $file;
	return "$folder/$purpose.pdf";
}

# all_embedded(FILE): whether it has fonts, each of them embedded
sub all_embedded
{
	my (undef, undef, @fonts) = split /\n/, tool('pdffonts', $_[0]);
	return @fonts > 0 && !grep { !/ yes (yes|no) +(yes|no) +\d+ +\d+$/ } @fonts;
}

query(<<'SQL');
SELECT sales_crm.activate_sending();
UPDATE sales_crm.company SET name = 'Café Noir BV', locale = 'nl', sender_email = 'crm@example.com', portal_url = 'https://crm.example.com';
INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Ącme');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Carl', 'carl@acme.example' FROM sales_crm.account;
INSERT INTO sales_crm.opportunity (name, account_id, contact_id) SELECT 'Koffie', a.account_id, c.contact_id FROM sales_crm.account a JOIN sales_crm.contact c USING (account_id);
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT opportunity_id, 'Espresso Ωμέγα', 2, 10.50 FROM sales_crm.opportunity;
SQL
my $quote = query('SELECT sales_crm.create_quote(opportunity_id) FROM sales_crm.opportunity');
is((sender('--render', $quote))[0], 0, 'a draft is laid out by --render');
like(tool('pdftotext', "$folder/out", '-'), qr/Espresso Ωμέγα/, 'as a PDF with its lines');
isnt((sender('--render', 999))[0], 0, 'a quote that does not exist is not');

# Sent
my $token = query("SELECT token FROM sales_crm.send_quote($quote, 'link')");
query("SELECT sales_crm.queue_pdf($quote, 'quote')");
is((sender('--once'))[0], 0, 'a sent quote is laid out');
is(query("SELECT coalesce(sealed, 'no seal') FROM sales_crm.quote_document WHERE quote_id = $quote AND purpose = 'quote'"), 'no seal', 'and stored');
my $file = document($quote, 'quote');
my $info = tool('pdfinfo', '-custom', $file);
my $number = query("SELECT number FROM sales_crm.quote WHERE quote_id = $quote");
like($info, qr/^Title: .*\Q$number\E/m, 'its title');
like($info, qr/^Author: +Café Noir BV$/m, 'its author');
my $html = query("SELECT encode(sha256(convert_to(html, 'UTF8')), 'hex') FROM sales_crm.quote WHERE quote_id = $quote");
like($info, qr/^HtmlSHA256: +$html$/m, 'the hash of the HTML');
like(slurp_file($file), qr{/Lang \(nl\)}, 'its language');
ok(all_embedded($file), 'fonts are embedded');
like(tool('pdftotext', $file, '-'), qr/Espresso Ωμέγα/, 'its text can be read');
is(query("SELECT encode(a.sha256, 'hex') FROM sales_crm.quote_document d JOIN sales_crm.attachment a USING (attachment_id)"), sha256_hex(slurp_file($file)), 'the attachment has its SHA-256');

# Signed, and sealed
mkdir "$folder/nss";
open(my $noise, '>:raw', "$folder/noise") or die $!;
print $noise map { chr int rand 256 } 1 .. 4096;
close $noise;
tool('certutil', '-N', '-d', "sql:$folder/nss", '--empty-password');
tool('certutil', '-S', '-d', "sql:$folder/nss", '-n', 'seal', '-s', 'CN=Seal of Noir,O=Cafe Noir', '-x', '-t', 'P,P,P', '-k', 'rsa', '-g', '2048', '-v', '24',
	'-z', "$folder/noise", '--keyUsage', 'digitalSignature,nonRepudiation');
my @seal = ('--seal-database', "sql:$folder/nss", '--seal-nickname');
query("SELECT sales_crm.sign_quote('$token', q.snapshot_sha256, 'Carl Customer', 'carl\@acme.example', request_key => 'one key for this answer', consent_text => 'I agree') FROM sales_crm.quote q WHERE q.quote_id = $quote");
query("SELECT sales_crm.queue_pdf($quote, 'signed')");
my ($status, $err) = sender('--once', @seal, 'no such certificate');
like($err, qr/unsealed: /, 'a seal that fails is said');
is(query("SELECT d.sealed, (SELECT string_agg(a.outcome, ' ') FROM sales_crm.message_attempt a JOIN sales_crm.message_body b USING (message_id) WHERE b.kind = 'pdf')
	FROM sales_crm.quote_document d WHERE d.purpose = 'signed'"), 'unsealed|retry', 'the document is there, called unsealed, and is tried again');
like(tool('pdfsig', document($quote, 'signed')), qr/does not contain any signatures/, 'and claims nothing');
query("UPDATE sales_crm.message SET available_at = clock_timestamp() WHERE kind = 'pdf'");
($status, $err) = sender('--once', @seal, 'seal', '--seal-reason', 'Signed by the customer');
like(query("SELECT sealed FROM sales_crm.quote_document WHERE purpose = 'signed'"), qr/^sealed by Seal of Noir \((ETSI\.CAdES|adbe\.pkcs7)\.detached\)$/, 'another attempt seals it') or diag $err;
$file = document($quote, 'signed');
my $said = tool('pdfsig', '-nssdir', "sql:$folder/nss", '-no-ocsp', $file);
like($said, qr/Signature is Valid/, 'pdfsig verifies the seal');
like($said, qr/Common Name: Seal of Noir/, 'and whose it is');
like($said, qr/Total document signed/, 'over the whole document');
my $bytes = slurp_file($file);
substr($bytes, 1000, 1) ^= "\x01";
open(my $changed, '>:raw', "$folder/changed.pdf") or die $!;
print $changed $bytes;
close $changed;
unlike(tool('pdfsig', '-nssdir', "sql:$folder/nss", '-no-ocsp', "$folder/changed.pdf"), qr/Signature is Valid/, 'one changed bit breaks it');
like(tool('pdftotext', $file, '-'), qr/Carl Customer/, 'the evidence is on it');
like(tool('pdftotext', $file, '-'), qr/Espresso/, 'behind what was signed');
ok(all_embedded($file), 'fonts are embedded');

# An e-mail that carries its PDF
my $server = smtp_server();
query('UPDATE sales_crm.quote_template SET attach_pdf = true');
my $carried = query("SELECT sales_crm.create_quote(opportunity_id) FROM sales_crm.opportunity");
my $e_mail = query("SELECT message_id FROM sales_crm.send_quote($carried, 'email', email => 'carla\@acme.example')");
is(query("SELECT (SELECT kind FROM sales_crm.message p WHERE p.message_id = m.waits_for), m.available_at FROM sales_crm.message m WHERE m.message_id = $e_mail"), 'pdf|infinity', 'a quote by e-mail waits for its PDF');
is((sender('--once', '--smtp-url', $server->{url}, '--smtp-tls', 'off'))[0], 0, 'which is laid out');
is(query("SELECT count(*) FROM sales_crm.message_done WHERE message_id = $e_mail"), 1, 'and then the e-mail is sent');
my $attached = query("SELECT encode(a.sha256, 'hex') || ' ' || a.file_name FROM sales_crm.quote_document d JOIN sales_crm.attachment a USING (attachment_id) WHERE d.quote_id = $carried AND d.purpose = 'quote'");
my ($envelope) = grep { slurp_file($_) =~ /carla\@acme/ } glob "$server->{directory}/*.json";
is(tool('/usr/bin/python3', '-c', <<'PY', $envelope =~ s/json$/eml/r), "$attached\n", 'with the PDF whose SHA-256 the attachment has');
import email, email.policy, hashlib, sys
m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
for part in m.iter_attachments():
    print(hashlib.sha256(part.get_content()).hexdigest(), part.get_filename())
PY

is((sender('--check', @seal, 'seal'))[0], 0, '--check lays a document out and seals it');
like(slurp_file("$folder/out"), qr/^ok +documents +can be laid out and sealed$/m, 'and says so');
isnt((sender('--check', @seal, 'nobody'))[0], 0, 'and finds a seal that fails');

# A hostile document: a listener that nobody must reach, a file that nobody must read
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Blocking => 0) or die $!;
my $url = 'http://127.0.0.1:' . $listener->sockport;
append_to_file("$folder/secret.svg", '<svg xmlns="http://www.w3.org/2000/svg"><text>SECRET-WORD</text></svg>');
append_to_file("$folder/secret.txt", 'SECRET-WORD');

# lay_out(HTML, OPTION…): queued as a PDF, run once; the note of its last attempt
sub lay_out
{
	my ($document, @options) = @_;
	# No verb would freeze such a document
	query("SET session_replication_role = replica; UPDATE sales_crm.quote SET html = \$html\$$document\$html\$ WHERE quote_id = $quote");
	query("DELETE FROM sales_crm.quote_document WHERE purpose = 'quote'");
	my $id = query("SELECT sales_crm.queue_message('pdf', 'quote.pdf', '{\"quote_id\": $quote, \"purpose\": \"quote\"}', quote_id => $quote)");
	my (undef, $said) = sender('--once', @options);
	diag $said if $said =~ /Sanitizer/;
	return query("SELECT coalesce((SELECT 'done' FROM sales_crm.message_done WHERE message_id = $id), (SELECT reason FROM sales_crm.message_attempt WHERE message_id = $id ORDER BY fence DESC LIMIT 1))");
}
is(lay_out(<<"HTML"), 'done', 'a document that asks for files and network is laid out');
<html lang="en"><head><title>x</title><link rel="stylesheet" href="$url/a.css"><link rel="attachment" href="file://$folder/secret.txt">
<style>\@import url($url/b.css); \@font-face { font-family: f; src: url($url/f.ttf) } p { font-family: f; background: url(file://$folder/secret.svg) }</style></head>
<body><p>VISIBLE</p><img src="$url/i.png"><img src="file://$folder/secret.svg"><img src="$folder/secret.svg"><object data="file://$folder/secret.svg"></object>
<embed src="file://$folder/secret.svg"><img src="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' xmlns:xlink='http://www.w3.org/1999/xlink' width='9' height='9'%3E%3Cimage width='9' height='9' xlink:href='$url/s.png'/%3E%3C/svg%3E">
<img src="data:image/svg+xml,%3C!DOCTYPE svg [%3C!ENTITY x SYSTEM 'file://$folder/secret.txt'%3E]%3E%3Csvg xmlns='http://www.w3.org/2000/svg'%3E%3Ctext%3E&amp;x;%3C/text%3E%3C/svg%3E"></body></html>
HTML
$file = document($quote, 'quote');
is($listener->accept, undef, 'it reaches no network');
like(tool('pdftotext', $file, '-'), qr/VISIBLE/, 'what it holds itself is there');
unlike(tool('pdftotext', $file, '-') . slurp_file($file) . tool('pdfdetach', '-list', $file), qr/SECRET-WORD|secret\.txt/, 'it reads no file');
my $begun = time;
like(lay_out('<html><body>' . '<table><tr><td>' x 400 . '<p>x</p>' x 20000 . '</body></html>', '--pdf-timeout', 3), qr/took too long|signal 9|signal 24|RecursionError/, 'one that takes long is ended');
cmp_ok(time - $begun, '<', 15, 'in time');
like(lay_out('<html><body>' . '<p>memory</p>' x 100000 . '</body></html>', '--pdf-memory', 150), qr/MemoryError|signal \d|status \d|memory|Resource temporarily unavailable/, 'one that takes much memory, too');
is(query('SELECT count(*) FROM sales_crm.verify_outbox()'), '0', 'verified');

$node->stop;
done_testing();
