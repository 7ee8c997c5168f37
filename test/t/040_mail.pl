# Promise: e-mails get to people through a real mail server (Exim, with STARTTLS and a login) as they
# were meant, judged by Python's parser: text, HTML, files, names and subjects in any language, the
# seller to answer to, one Message-ID; never without TLS unless that is allowed, and never with a
# header that was smuggled in. And by a local program instead of a server.
use strict;
use warnings FATAL => 'all';

use Mail qw(sender_program mail_node exim sender e_mails wait_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'skipped: sales_crm_sender is not installed' unless sender_program();
plan skip_all => 'skipped: Exim (exim4-daemon-light) is not installed' unless -x '/usr/sbin/exim4';

my $node = mail_node('mail');
my $exim = exim();
my $directory = PostgreSQL::Test::Utils::tempdir();
PostgreSQL::Test::Utils::append_to_file("$directory/password", "secret\n");
my @to_exim = ('--smtp-url', $exim->{url}, '--smtp-user', 'mailer', '--smtp-ca-file', "$exim->{directory}/cert.pem");
my @login = (@to_exim, '--smtp-password-file', "$directory/password");

sub query { return $node->safe_psql('crm', $_[0]); }

# parse(FILE): what Python's parser makes of an e-mail, as lines
sub parse
{
	my ($file) = @_;
	my ($out, $err) = run_command([ '/usr/bin/python3', '-c', <<'PY', $file ]);
import email, email.policy, hashlib, sys
sys.stdout.reconfigure(encoding='utf-8')
m = email.message_from_binary_file(open(sys.argv[1], 'rb'), policy=email.policy.default)
for name in ('From', 'To', 'Reply-To', 'Subject', 'Message-ID', 'In-Reply-To', 'References', 'Auto-Submitted', 'MIME-Version', 'Return-path', 'Envelope-to'):
    print('%s: %s' % (name, m[name]))
print('Date: %s' % (m['Date'].datetime is not None))
for part in m.walk():
    line = part.get_content_type() + ' ' + str(part.get_filename())
    if not part.is_multipart():
        content = part.get_payload(decode=True)
        line += ' ' + hashlib.sha256(content.replace(b'\r\n', b'\n').rstrip() if part.get_content_maintype() == 'text' else content).hexdigest()
    print(line)
print('defects: %s' % [d for part in m.walk() for d in part.defects])
print('seven bits: %s' % (max(open(sys.argv[1], 'rb').read()) < 128))
PY
	return $out . $err;
}

sub digest { my ($text) = @_; return query("SELECT encode(sha256(rtrim(\$t\$$text\$t\$, E'\\n')::bytea), 'hex')"); }

# One with everything in it
query(<<'SQL');
INSERT INTO sales_crm.member (name, email) VALUES ('Séverine Müller', 'severine@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'Deal', a.account_id, m.member_id FROM sales_crm.account a, sales_crm.member m;
INSERT INTO sales_crm.attachment (opportunity_id, file_name, media_type, content)
SELECT opportunity_id, 'Käse "und" Brot.pdf', 'application/pdf', '%PDF-1.7 ' || decode(string_agg(lpad(to_hex(i % 256), 2, '0'), ''), 'hex')
FROM sales_crm.opportunity, generate_series(0, 99999) i GROUP BY opportunity_id;
SELECT sales_crm.record_email(from_address => 'juergen@example.com', subject => 'Frage', body_text => 'Hallo', message_id => 'first@example.com',
	opportunity_id => (SELECT opportunity_id FROM sales_crm.opportunity));
SQL
my $text = "Guten Tag,\n\n.\n.hidden dot\nFrom the beginning of a line\n" . ('long ' x 400) . "\nGrüße, 日本語 🎉\n";
query(<<"SQL");
SELECT sales_crm.queue_email('test', 'juergen\@example.com', 'Jürgen "der Große" Groß', subject => repeat('Angebot für Käse — ', 8), body => \$t\$$text\$t\$,
	opportunity_id => (SELECT opportunity_id FROM sales_crm.opportunity), attachments => (SELECT array_agg(attachment_id) FROM sales_crm.attachment));
SELECT sales_crm.queue_email('test', 'jörg\@bücher.example', 'J', subject => 'Plain', body => 'Hello');
SELECT sales_crm.queue_email('test', 'anna\@bücher.example', 'A', subject => 'Plain', body => 'Grüße aus Köln');
SELECT sales_crm.queue_email('test', 'severine\@example.com', 'S', subject => 'For a member', body => 'Hello', member_id => (SELECT max(member_id) FROM sales_crm.member));
SELECT sales_crm.queue_email('test', 'nobody\@example.com', 'N', subject => 'x', body => 'Hello');
SELECT sales_crm.queue_email('test', 'grey\@example.com', 'N', subject => 'x', body => 'Hello');
SELECT sales_crm.queue_email('test', 'huge\@example.com', 'N', subject => 'x', body => repeat('x', 2200000));
SQL

# Nothing goes without TLS, with a certificate of an unknown issuer, or without the right password
my ($status, $out, $err) = sender('--once', '--smtp-url', $exim->{url}, '--smtp-user', 'mailer', '--smtp-password-file', "$directory/password");
like($err, qr/certificate/, 'a certificate of an unknown issuer is refused');
PostgreSQL::Test::Utils::append_to_file("$directory/wrong", "s3cr3t-but-wrong\n");
query(q{UPDATE sales_crm.message SET available_at = now() - interval '1 s', claimed_by = NULL});
($status, $out, $err) = sender('--once', @to_exim, '--smtp-password-file', "$directory/wrong", '--log-level', 'debug');
like($err, qr/AUTH: 535/, 'a wrong password is told');
unlike($err, qr/s3cr3t|AG1h|czNj/, 'and not logged, in no encoding');
is(query('SELECT count(*) FROM sales_crm.message_dead'), 0, 'neither costs an e-mail');

query(q{UPDATE sales_crm.message SET available_at = now() - interval '1 s', claimed_by = NULL});
($status, $out, $err) = sender('--once', @login);
is($status, 0, 'the program ends well');
ok(wait_until(sub { my @files = glob "$exim->{directory}/Maildir/new/*"; @files >= 4 }), 'the e-mails arrive');
my ($mail) = grep { slurp_file($_) =~ /^Envelope-to: juergen/m } glob "$exim->{directory}/Maildir/new/*";
my $parsed = parse($mail);
my ($id, $tag) = split /\|/, query(q{SELECT payload ->> 'message_id', payload ->> 'envelope_from' FROM sales_crm.message_body WHERE recipient = 'juergen@example.com'});
like($parsed, qr/^From: Müller & Söhne <sales\@example.com>$/m, 'from the company');
like($parsed, qr/^To: "Jürgen \\"der Große\\" Groß" <juergen\@example.com>$/m, 'to somebody with quotes in his name');
like($parsed, qr/^Reply-To: severine\@example.com$/m, 'the seller gets the answer');
like($parsed, qr/^Subject: (Angebot für Käse — ){7}Angebot für Käse —$/m, 'a long subject in German');
like($parsed, qr/^Message-ID: <\Q$id\E>$/m, 'the Message-ID of the outbox');
like($parsed, qr/^In-Reply-To: <first\@example.com>$/m, 'it answers what the customer wrote');
like($parsed, qr/^References: <first\@example.com>$/m, 'in the same conversation');
like($parsed, qr/^Auto-Submitted: None$/m, 'a person wrote it');
like($parsed, qr/^Return-path: <\Q$tag\E>$/m, 'bounces go to an address of their own');
like($parsed, qr/^Date: True$/m, 'it has a date');
like($parsed, qr/^multipart\/mixed None\nmultipart\/alternative None\ntext\/plain None @{[digest($text)]}\ntext\/html None /m, 'text, to the letter, and HTML');
my $file_digest = query(q{SELECT encode(sha256(content), 'hex') FROM sales_crm.attachment_content});
like($parsed, qr/^application\/pdf Käse "und" Brot.pdf $file_digest$/m, 'the file, to the byte, by its name');
like($parsed, qr/^defects: \[\]$/m, 'nothing to complain about');
like($parsed, qr/^seven bits: True$/m, 'every server can take it');

my $all = join "\n", map { parse($_) } glob "$exim->{directory}/Maildir/new/*";
like($all, qr/^To: A <anna\@xn--bcher-kva.example>$/m, 'a domain with umlauts is in ASCII');
like($all, qr/^text\/plain None @{[digest('Grüße aus Köln')]}\n/m, 'a text of Latin letters alone is in UTF-8, as its header says');
like($all, qr/^To: J <jörg\@xn--bcher-kva.example>$/m, 'an address with umlauts, since the server speaks SMTPUTF8');
like($all, qr/^To: S <severine\@example.com>\n.*\n.*\n.*\n.*\n.*\nAuto-Submitted: auto-generated$/m, 'what the program tells members is marked as such');

is(query(q{SELECT recipient, reason FROM sales_crm.message_dead JOIN sales_crm.message_body USING (message_id) ORDER BY 1}),
	"huge\@example.com|MAIL: 552 Message size exceeds maximum permitted\nnobody\@example.com|RCPT: 550 no such user", '5xx is final, with what the server said');
like(query(q{SELECT recipient, (SELECT reason FROM sales_crm.message_attempt a WHERE a.message_id = m.message_id ORDER BY fence DESC LIMIT 1)
	FROM sales_crm.message m JOIN sales_crm.message_body USING (message_id)}), qr/^grey\@example.com\|RCPT: 451 come back later$/, '4xx waits');
is(query(q{SELECT string_agg(DISTINCT state, ',') FROM sales_crm.email WHERE direction = 'outgoing'}), 'sent', 'the opportunity shows its e-mail as sent');

# STARTTLS is wanted, whatever the server offers
my $plain = Mail::smtp_server();
query(q{SELECT sales_crm.queue_email('test', 'tls@example.com', 'T', subject => 'x', body => 'x')});
($status, $out, $err) = sender('--once', '--smtp-url', $plain->{url});
like($err, qr/SSL/, 'a server without STARTTLS is not trusted');
($status, $out, $err) = sender('--once', '--smtp-url', $plain->{url}, '--smtp-tls', 'when_offered', '--smtp-user', 'mailer', '--smtp-password-file', "$directory/password");
is(scalar Mail::events($plain, 'mail'), 0, 'with a password not even where TLS is a matter of taste');

# CR, LF and NUL: refused in SQL, and in C for what got into the table in another way
for my $field (qw(to to_name from from_name reply_to subject envelope_from message_id in_reply_to))
{
	query(<<"SQL");
WITH m AS (SELECT sales_crm.queue_email('test', 'inject\@example.com', 'I', subject => 'x', body => 'x') AS message_id)
UPDATE sales_crm.message_body b SET payload = payload || jsonb_build_object('$field', (payload ->> '$field') || E'a\@example.com\\r\\nBcc: victim\@example.com') FROM m WHERE b.message_id = m.message_id;
UPDATE sales_crm.message_body b SET payload = payload || jsonb_build_object('$field', E'a\@example.com\\nBcc: victim\@example.com', 'x', '$field')
WHERE message_id = (SELECT max(message_id) FROM sales_crm.message);
SQL
}
($status, $out, $err) = sender('--once', '--smtp-url', $plain->{url}, '--smtp-tls', 'off');
is(query(q{SELECT count(*) FROM sales_crm.message_dead WHERE reason LIKE 'a header would hold%'}), 9, 'a line break in any header is refused by the program, too');
is(scalar(grep { /inject|victim/ } Mail::events($plain, 'rcpt')), 0, 'and nothing of it is sent');
like(Crm::error_of($node, 'crm', q{SELECT sales_crm.queue_email('test', E'a@example.com\r\nBcc: b@example.com', subject => 'x', body => 'x')}), qr/22023/, 'as it is in SQL');

# A local program
my $sendmail = "$directory/sendmail";
PostgreSQL::Test::Utils::append_to_file($sendmail, <<"SH");
#!/bin/sh
printf '%s ' "\$@" >>$directory/arguments
case \$5 in full*) echo "no room" >&2; exit 75 ;; never*) exit 67 ;; esac
cat >$directory/given
SH
chmod 0755, $sendmail;
query(qq{SELECT sales_crm.queue_email('test', w || '\@example.com', 'L', subject => 'x', body => E'one\\ntwo') FROM unnest('{-oQlocal,full,never}'::text[]) w});
($status, $out, $err) = sender('--once', '--sendmail', $sendmail);
like(slurp_file("$directory/arguments"), qr/-i -f bounce\+\S+\@example.com -- -oQlocal\@example.com /, 'an address is never taken as an option');
unlike(slurp_file("$directory/given"), qr/\r/, 'the local program gets lines as it likes them');
like($err, qr/status 75: no room/, 'its temporary failure is one');
is(query(q{SELECT count(*) FROM sales_crm.message_dead WHERE reason LIKE '%status 67%'}), 1, 'its final failure, too');

# --check says what is wrong
($status, $out, $err) = sender('--check', @login);
is($status, 0, '--check is content');
like($out, qr/the login is right/, 'and has tried the login');
($status, $out, $err) = sender('--check', @to_exim, '--smtp-password-file', "$directory/wrong");
is($status, 69, '--check finds a wrong password');
like($out, qr/FAIL\s+mail.*535/, 'and says so');

done_testing();
