# Promise: sales_crm_sender --inbound files every message, or leaves it with the MTA: 200 malformed
# and hostile ones never crash it, never hang it, and end as a record, marked where parts are
# missing, or as a clear refusal; when the database is away nothing is lost.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'skipped: sales_crm_sender is not installed' if system('sales_crm_sender --version >/dev/null 2>&1') != 0;

my $node = crm_node('inbound');
$node->safe_psql('crm', <<'SQL');
INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Carl', 'carl@acme.example' FROM sales_crm.account;
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Deal', account_id FROM sales_crm.account;
SQL
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'crm';

# inbound(MESSAGE, ARG…): exit status and complaints
sub inbound
{
	my ($message, @args) = @_;
	my ($out, $err) = ('', '');
	my $run = IPC::Run::start([ 'sales_crm_sender', '--inbound', @args ], '<', \$message, '>', \$out, '2>', \$err, IPC::Run::timer(60));
	$run->finish;
	return ($run->full_result(0), $err);
}
sub query { return $node->safe_psql('crm', $_[0]); }

my $mail = <<"MAIL";
From: =?UTF-8?Q?Carl_P=C3=A9ters?= <Carl\@acme.example>
To: sam\@example.com, "Peeters, An" <an\@example.com>
Subject: =?iso-8859-1?Q?R=E9ponse?=
Date: Tue, 24 Nov 2026 10:00:00 +0100
Message-ID: <one\@acme.example>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b

--b
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

Caf=E9
--b
Content-Type: text/html

<p>x</p>
--b
Content-Type: application/pdf; name="../offer.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjc=
--b--
MAIL
is((inbound($mail))[0], 0, 'a message is filed');
is(query(q(SELECT o.name, k.name, from_name, subject, to_addresses, sent_at = '2026-11-24 09:00+00', btrim(body_text, E'\n'), body_html LIKE '<p>x</p>%', problem IS NULL
	FROM sales_crm.email LEFT JOIN sales_crm.opportunity o USING (opportunity_id) LEFT JOIN sales_crm.contact k ON k.contact_id = email.contact_id)),
	'Deal|Carl|Carl Péters|Réponse|{sam@example.com,an@example.com}|t|Café|t|t', 'with all its parts, where it belongs');
is(query('SELECT file_name, media_type, size FROM sales_crm.attachment WHERE opportunity_id IS NOT NULL'), 'offer.pdf|application/pdf|8', 'and its attachment');
is((inbound($mail))[0], 0, 'the same again');
is(query('SELECT count(*) FROM sales_crm.email'), '1', 'is filed once');

# Invitations: the contact answers ours, and invites to theirs
query("INSERT INTO sales_crm.appointment (opportunity_id, subject, starts_at, organiser_id, uid) SELECT opportunity_id, 'Visit', '2026-12-01 10:00+00', 1, 'ours' FROM sales_crm.opportunity");
query('INSERT INTO sales_crm.appointment_attendee (appointment_id, contact_id) SELECT appointment_id, 1 FROM sales_crm.appointment');
sub invitation
{
	my ($id, $method, $uid, $rest) = @_;
	return "From: carl\@acme.example\nMessage-ID: <$id>\nMIME-Version: 1.0\nContent-Type: text/calendar; method=$method\n\nBEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nMETHOD:$method\r\nBEGIN:VEVENT\r\n"
		. "UID:$uid\r\nDTSTAMP:20261124T000000Z\r\n$rest\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";
}
inbound(invitation('i1', 'REPLY', 'ours', 'ATTENDEE;PARTSTAT=DECLINED:mailto:carl@acme.example'));
is(query('SELECT answer FROM sales_crm.appointment_attendee WHERE contact_id = 1'), 'declined', 'a reply is the contact\'s answer');
inbound(invitation('i2', 'CANCEL', 'ours', 'SEQUENCE:9'));
is(query(q(SELECT cancelled_at FROM sales_crm.appointment WHERE uid = 'ours')), '', 'our appointments are not cancelled by mail');
inbound(invitation('i3', 'REQUEST', 'theirs', "DTSTART:20261202T100000Z\r\nDTEND:20261202T113000Z\r\nSUMMARY:Workshop\r\nATTENDEE:mailto:sam\@example.com"));
is(query(q(SELECT o.name, a.subject, a.starts_at = '2026-12-02 10:00+00', ends_at - starts_at, (SELECT count(*) FROM sales_crm.appointment_attendee t WHERE t.appointment_id = a.appointment_id)
	FROM sales_crm.appointment a JOIN sales_crm.opportunity o USING (opportunity_id) WHERE uid = 'theirs')), 'Deal|Workshop|t|01:30:00|2', 'an invitation is an appointment');
inbound(invitation('i4', 'CANCEL', 'theirs', 'SEQUENCE:1'));
is(query(q(SELECT cancelled_at IS NOT NULL FROM sales_crm.appointment WHERE uid = 'theirs')), 't', 'which they can cancel');

# 200 of the worst
my @hostile;
my $seed = $ENV{STRESS_SEED} // 42;
srand($seed);
$mail =~ s/^Message-ID: .*\n//m;
push @hostile, substr($mail, 0, int($_ * length($mail) / 60) + 1) foreach (0 .. 59);                      # cut off anywhere
foreach (1 .. 60)                                                                                          # bytes changed
{
	my $changed = $mail;
	substr($changed, int(rand(length $changed)), 1) = chr(int(rand(256))) foreach (1 .. 20);
	push @hostile, $changed;
}
push @hostile, "From: a\@b.example\nSubject: nul $_\nContent-Type: text/plain\n\nbefore\0after" . ("\0" x $_) foreach (1 .. 10);
push @hostile, "From: a\@b.example\nContent-Type: text/plain; charset=$_\n\n\xff\xfe\x80abc"
	foreach ('nonsense', 'utf-16', 'utf-7', '""', 'x' x 10000, 'iso-2022-jp', 'utf-8', '=?', '%00', "\x01");
push @hostile, "From: a\@b.example\nContent-Type: multipart/mixed; boundary=b\n\n" . ("--b\nContent-Type: text/plain\n\nx\n" x $_) foreach (1, 100, 199, 201, 1000, 10000, 100000);
push @hostile, "From: a\@b.example\n" . ("X-Header-$_: value\n" x $_) . "\nbody" foreach (10, 1000, 100000);
push @hostile, "From: a\@b.example\nSubject: " . ('x' x $_) . "\n\nbody" foreach (1000, 100000, 5000000);
push @hostile, 'To: ' . join(', ', map { "a$_\@b.example" } (1 .. $_)) . "\n\nbody" foreach (10, 5000);
push @hostile, "References: " . ("<a\@b> " x $_) . "\n\nbody" foreach (10, 20000);
push @hostile, join('', map { "Content-Type: multipart/mixed; boundary=b$_\n\n--b$_\n" } (1 .. $_)) . 'x' foreach (10, 100, 4000);
push @hostile, ("Content-Type: message/rfc822\n\n" x $_) . 'x' foreach (10, 1000, 50000);
push @hostile, "From: a\@b.example\nContent-Type: application/octet-stream; name*0=a; name*1=b; name=\"$_\"\nContent-Transfer-Encoding: base64\n\n!!!!====" foreach ('../../etc/passwd', 'a' x 5000, "\xff\xff", '');
push @hostile, "From: $_\n\nx" foreach ('', '<>', '@', 'a' x 100000, '"' x 1000, '(((' x 1000, 'group: a@b.example, c@d.example;', "a\@b.example\r\nBcc: x");
push @hostile, "Date: $_\n\nx" foreach ('never', 'Tue, 99 Foo 99999 99:99:99 +9999', '1', 'Mon, 1 Jan 0000 00:00:00 +0000', 'Mon, 1 Jan 9999999999 00:00:00 +0000');
push @hostile, "Message-ID: <$_>\n\nx" foreach ('', 'x' x 2000, "a\tb", 'a b');
push @hostile, "\n", "\r\n\r\n", ' ', "\0", '-', '--', "From a\n", ':' x 1000, "\n" x 100000;
push @hostile, invitation("h$_", 'REQUEST', "h$_", $_) foreach ('DTSTART:99999999T999999Z', 'DTSTART;TZID=Nowhere:20261201T000000', "SUMMARY:\xff", 'RRULE:FREQ=SECONDLY', 'ATTENDEE:' . 'x' x 10000, 'X' x 100000);
push @hostile, join('', map { chr(int(rand(256))) } (1 .. 2000)) while @hostile < 200;

my $before = query('SELECT count(*) FROM sales_crm.email');
my (%status, @wrong);
foreach my $n (0 .. $#hostile)
{
	my $begun = time;
	my ($status, $err) = inbound($hostile[$n]);
	$status{ $status >> 8 }++;
	push @wrong, "message $n: status $status, $err" if $status & 127 || $status != 0 || time - $begun > 20;
}
is(join("\n", @wrong), '', scalar(@hostile) . " hostile messages (seed $seed): each is filed, none crashes or hangs");
cmp_ok(scalar(@hostile), '>=', 200, 'at least 200');
cmp_ok(query('SELECT count(*) FROM sales_crm.email') - $before, '>', 150, 'they are there');
cmp_ok(query('SELECT count(*) FROM sales_crm.email WHERE problem IS NOT NULL'), '>', 50, 'marked where parts are missing');
is(query(q(SELECT count(*) FROM sales_crm.attachment WHERE file_name ~ '[/\\\\]')), '0', 'no file name is a path');
is(query('SELECT count(*) FROM sales_crm.verify_attachments()'), '0', 'verified');

# A Maildir: filed, moved; kept while the database is away
my $maildir = PostgreSQL::Test::Utils::tempdir;
mkdir "$maildir/$_" foreach qw(new cur tmp);
append_to_file("$maildir/new/$_", "From: a\@b.example\nMessage-ID: <maildir$_>\n\nx") foreach (1 .. 3);
$ENV{PGPORT} = 1;
is((inbound('', '--maildir', $maildir))[0] >> 8, 75, 'the database is away: try again later');
is((inbound($mail))[0] >> 8, 75, 'for a message from the MTA, too');
is(scalar(() = glob("$maildir/new/*")), 3, 'nothing is taken');
$ENV{PGPORT} = $node->port;
is((inbound('', '--maildir', $maildir))[0], 0, 'it is back');
is(scalar(() = glob("$maildir/new/*")) . scalar(() = glob("$maildir/cur/*:2,S")), '03', 'all are filed and seen');
is(query(q(SELECT count(*) FROM sales_crm.email WHERE message_id LIKE 'maildir%')), '3', 'and in the database');
is((inbound('', '--maildir', '/nonexistent'))[0] >> 8, 66, 'no Maildir');
is((inbound('', '--nonsense'))[0] >> 8, 64, 'no such option');
is((inbound(''))[0] >> 8, 66, 'no message');

$node->stop;
done_testing();
