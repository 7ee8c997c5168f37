# Promise: sales_crm_sender --bounce reads delivery status notifications from a pipe or a Maildir as
# Postfix, Exim, Exchange and others write them, marks the e-mail and stops further ones to the
# address; delays, full mailboxes and forgeries stop nothing; what is no notification, and 200
# damaged ones, neither crash it nor are kept for ever.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'skipped: sales_crm_sender is not installed' if system('sales_crm_sender --version >/dev/null 2>&1') != 0;

my $node = crm_node('bounce');
$ENV{PGHOST} = $node->host;
$ENV{PGPORT} = $node->port;
$ENV{PGDATABASE} = 'crm';
sub query { return $node->safe_psql('crm', $_[0]); }
query("UPDATE sales_crm.company SET sender_email = 'crm\@example.com', bounce_email = 'bounce+%\@example.com'; SELECT sales_crm.activate_sending()");

# bounce(NOTIFICATION, ARG…): exit status and complaints
sub bounce
{
	my ($message, @args) = @_;
	my $err = '';
	IPC::Run::run([ 'sales_crm_sender', '--bounce', @args ], '<', \$message, '>', '/dev/null', '2>', \$err, IPC::Run::timer(60));
	return ($?, $err);
}

# sent(ADDRESS): an e-mail that was delivered to the server; its Message-ID and envelope sender
sub sent
{
	my ($address) = @_;
	my $id = query("SELECT sales_crm.queue_email('quote.confirmed', '$address', 'Carl', 'en', '{}')");
	query("SELECT sales_crm.complete_message(message_id, fence) FROM sales_crm.claim_messages('test', kinds => '{email}')");
	return split /\|/, query("SELECT payload ->> 'message_id', payload ->> 'envelope_from' FROM sales_crm.message_body WHERE message_id = $id");
}
sub suppressed { return query("SELECT coalesce((SELECT reason || ' ' || detail FROM sales_crm.suppressed_address WHERE address = '$_[0]'), 'no')"); }

# notification(TO, FIELDS, ORIGINAL): as RFC 3464 has it
sub notification
{
	my ($to, $fields, $original) = @_;
	return "Return-Path: <>\r\nFrom: MAILER-DAEMON\@mx.example\r\nTo: $to\r\nSubject: Undelivered Mail Returned to Sender\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
		. "Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary=\"B/mx\"\r\n\r\nThis is a MIME-encapsulated message.\r\n\r\n--B/mx\r\nContent-Type: text/plain\r\n\r\nI'm sorry.\r\n\r\n"
		. "--B/mx\r\nContent-Description: Delivery report\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\nX-Queue-ID: 1\r\n\r\n$fields\r\n--B/mx\r\n$original\r\n--B/mx--\r\n";
}
my $nothing = "Content-Type: text/plain\r\n\r\nnothing";

# By the address that it comes to
my ($id, $from) = sent('one@customer.example');
like($from, qr/^bounce\+\d+\.[0-9a-f]{16}\@example\.com$/, 'each e-mail has a bounce address of its own');
my $postfix = notification($from, "Final-Recipient: rfc822; one\@customer.example\r\nOriginal-Recipient: rfc822;one\@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx\r\n"
		. "Diagnostic-Code: smtp; 550 5.1.1 <one\@customer.example>:\r\n    Recipient address rejected: User unknown\r\n", $nothing);
is((bounce($postfix))[0], 0, 'a notification of Postfix is taken');
like(suppressed('one@customer.example'), qr/^bounced 5\.1\.1 550 5\.1\.1 <one\@customer\.example>: +Recipient address rejected: User unknown$/, 'the address gets no more, and people see why');
is((bounce($postfix))[0], 0, 'once more is no harm');

# By the Message-ID of what comes back, whole or as headers
($id, $from) = sent('two@customer.example');
bounce(notification('crm@example.com', "Final-Recipient: RFC822;two\@customer.example\nAction: Failed\nStatus: 5.0.0 (undefined)\n", "Content-Type: message/rfc822\r\n\r\nMessage-ID: <$id>\r\nSubject: x\r\n\r\nHi"));
like(suppressed('two@customer.example'), qr/^bounced 5\.0\.0$/, 'by the message that comes back');
($id, $from) = sent('three@customer.example');
bounce(notification('crm@example.com', "Final-Recipient: rfc822;three\@customer.example\r\nAction: failed\r\nStatus: 5.7.1\r\n", "Content-Type: text/rfc822-headers\r\n\r\nSubject: x\r\nMessage-ID:\r\n <$id>\r\n"));
like(suppressed('three@customer.example'), qr/^bounced 5\.7\.1/, 'by its headers');
($id, $from) = sent('four@customer.example');
my $utf8 = notification($from, "Final-Recipient: utf-8;four\@customer.example\r\nAction: failed\r\nStatus: 5.1.2\r\n", $nothing);
$utf8 =~ s{message/delivery-status}{message/global-delivery-status};
bounce($utf8);
like(suppressed('four@customer.example'), qr/^bounced 5\.1\.2/, 'one of RFC 6533');

# What stops nothing
($id, $from) = sent('five@customer.example');
bounce(notification($from, "Final-Recipient: rfc822;five\@customer.example\r\nAction: $_\r\nStatus: 4.4.1\r\n", $nothing)) foreach qw(delayed delivered relayed expanded);
is(suppressed('five@customer.example'), 'no', 'a delay, and what was delivered, stop nothing');
bounce(notification($from, "Final-Recipient: rfc822;five\@customer.example\r\nAction: failed\r\nStatus: 5.2.2\r\n", $nothing));
is(suppressed('five@customer.example'), 'no', 'a full mailbox stops nothing');
($id, $from) = sent('six@customer.example');
(my $guess = $from) =~ s/\.[0-9a-f]{16}/.0000000000000000/;
my ($status, $err) = bounce(notification($guess, "Final-Recipient: rfc822;six\@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n", "Content-Type: message/rfc822\r\n\r\nMessage-ID: <guess\@example.com>\r\n\r\n"));
is($status, 0, 'a forged one is taken');
like($err, qr/no e-mail of this database/, 'and told apart');
is(suppressed('six@customer.example'), 'no', 'and stops nothing');
foreach ("From: a\@b.example\nSubject: Out of office\n\nBack on Monday.", "\n", "\0\0", 'x' x 100000)
{
	($status, $err) = bounce($_);
	is("$status $err", "0 sales_crm_sender: The message is no delivery status notification.\n", 'what is no notification is left at that');
}

# Damaged ones
my $seed = $ENV{STRESS_SEED} // 42;
srand($seed);
my @wrong;
foreach my $n (0 .. 199)
{
	my $damaged = $n < 60 ? substr($postfix, 0, int($n * length($postfix) / 60)) : $postfix;
	substr($damaged, int(rand(length $damaged)), 1) = chr(int(rand(256))) foreach 1 .. ($n < 60 ? 0 : 20);
	next if $damaged eq '';
	($status, $err) = bounce($damaged);
	push @wrong, "$n: $status $err" if $status != 0;
}
is(join("\n", @wrong), '', "200 damaged notifications (seed $seed) are taken");

# A Maildir; kept while the database is away
my $maildir = PostgreSQL::Test::Utils::tempdir;
mkdir "$maildir/$_" foreach qw(new cur tmp);
($id, $from) = sent('seven@customer.example');
append_to_file("$maildir/new/1", notification($from, "Final-Recipient: rfc822;seven\@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n", $nothing));
append_to_file("$maildir/new/2", "From: a\@b.example\n\nno notification");
{
	local $ENV{PGPORT} = 1;
	is((bounce('', '--maildir', $maildir))[0] >> 8, 75, 'the database is away: try again later');
	is((bounce($postfix))[0] >> 8, 75, 'for a pipe, too');
}
is((bounce('', '--maildir', $maildir))[0], 0, 'it is back');
like(suppressed('seven@customer.example'), qr/^bounced/, 'the notification is taken');
is(scalar(() = glob("$maildir/new/*")) . scalar(() = glob("$maildir/cur/*:2,S")), '02', 'and all are seen');

$node->stop;
done_testing();
