# Promise: an answer to a quote counts once, however the connection ends. Where the server dies under
# a client after the commit, before it has heard of it, the same request later gets the first result,
# and nothing is done twice; where it dies before the commit, nothing was done, and the request does it.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node error_of healthy);
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = crm_node('replay', 'restart_after_crash = on');
sub query { return $node->safe_psql('crm', $_[0]) }

query(<<'SQL');
INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
UPDATE sales_crm.company SET sender_email = 'us@example.com';
SQL

# A sent quote: its key, token and hash
sub offer
{
	return split /\|/, query(<<'SQL');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'Deal', a.account_id, m.member_id FROM sales_crm.account a, sales_crm.member m;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT max(opportunity_id), 'Lamp', 100 FROM sales_crm.opportunity;
CREATE TEMP TABLE sent AS SELECT q.quote_id, s.token
FROM (SELECT sales_crm.create_quote(max(opportunity_id)) AS quote_id FROM sales_crm.opportunity) q, sales_crm.send_quote(q.quote_id) s;
SELECT quote_id, token, encode(snapshot_sha256, 'hex') FROM sent JOIN sales_crm.quote USING (quote_id);
SQL
}

# The rest that an answer leaves: rows, task, event, notification, messages
sub traces
{
	my ($quote) = @_;
	return query(<<"SQL");
SELECT q.status, (SELECT count(*) FROM sales_crm.signature s WHERE s.quote_id = q.quote_id), (SELECT count(*) FROM sales_crm.change_request r WHERE r.quote_id = q.quote_id),
	(SELECT count(*) FROM sales_crm.refusal r WHERE r.quote_id = q.quote_id), (SELECT count(*) FROM sales_crm.quote_answer a WHERE a.quote_id = q.quote_id),
	(SELECT count(*) FROM sales_crm.attachment a WHERE a.opportunity_id = q.opportunity_id), (SELECT count(*) FROM sales_crm.task t WHERE t.opportunity_id = q.opportunity_id AND t.origin = 'change_request'),
	(SELECT string_agg(e.kind, ' ' ORDER BY e.position) FROM sales_crm.quote_event e WHERE e.quote_id = q.quote_id),
	(SELECT count(*) FROM sales_crm.notification n WHERE n.quote_id = q.quote_id), (SELECT count(*) FROM sales_crm.message_body b WHERE b.quote_id = q.quote_id AND b.kind = 'email')
FROM sales_crm.quote q WHERE q.quote_id = $quote
SQL
}

# One message to the server: it answers when the whole is done, so that the client has heard nothing
# while it sleeps. Its backend is killed there.
sub lose
{
	my ($sql, $committed, $name) = @_;
	my ($in, $out) = (($committed ? "BEGIN\\; $sql\\; COMMIT\\; SELECT pg_sleep(3600);\n" : "BEGIN\\; $sql\\; SELECT pg_sleep(3600);\n"), '');
	my $client = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('crm') ], '<', \$in, '>&', \$out, IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default));
	$client->pump_nb;
	$node->poll_query_until('crm', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'") or die "$name: $out";
	my $pid = query("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
	kill 'KILL', $pid;
	eval { $client->finish };
	like($out, qr/server closed the connection unexpectedly/, "$name: the connection is lost");
	unlike($out, qr/signed|change_requested|declined/, "$name: and with it the result");
	$node->poll_query_until('crm', 'SELECT true') or die 'the server did not come back';
	return;
}

my %answer = (
	signed => [ "SELECT * FROM sales_crm.sign_quote('%s', '\\x%s', '%s', 'an\@example.com', request_key => '%s', consent_text => 'I agree.')", 'An', 'Somebody Else' ],
	change_requested => [ "SELECT * FROM sales_crm.request_change('%s', '%3\$s', 'An', request_key => '%4\$s')", 'Blue', 'Red' ],
	declined => [ "SELECT * FROM sales_crm.decline_quote('%s', '%3\$s', request_key => '%4\$s')", 'Too much', 'Too late' ]);

for my $status (sort keys %answer)
{
	my ($form, $said, $other) = @{ $answer{$status} };
	no warnings 'redundant';
	my ($quote, $token, $hash) = offer();
	my $request = sprintf $form, $token, $hash, $said, 'key';

	my $before = traces($quote);
	lose($request, 0, "$status, before the commit");
	is(traces($quote), $before, 'nothing was done');

	lose($request, 1, "$status, after the commit");
	my $done = traces($quote);
	like($done, qr/^$status\|/, 'it was done');
	my $first = query("SELECT status, answered_at FROM sales_crm.quote_answer WHERE quote_id = $quote");
	is(query($request), $first, 'the same request gets the first result');
	is(query("BEGIN; $request; $request; COMMIT"), "$first\n$first", 'as often as it comes');
	like(error_of($node, 'crm', sprintf $form, $token, $hash, $other, 'key'), qr/SC107: request_key was used for another answer/, 'another payload with that key is an error');
	like(error_of($node, 'crm', sprintf $form, $token, $hash, $said, 'key 2'), qr/SC106: /, 'so is the same with another key');
	is(traces($quote), $done, 'and nothing is done twice');
}
is(query('SELECT count(*) FROM sales_crm.quote_answer'), '3', 'three answers to three quotes');
healthy($node, 'crm', 'after six lost connections');

$node->stop;
done_testing();
