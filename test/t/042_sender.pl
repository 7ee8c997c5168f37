# Promise: at most parallel_per_host deliveries run at once to one mail server, or through one local
# program, and as many as that do; of several servers the sender finds the one that takes writes, and
# goes on with the standby that was promoted when that one is gone.
use strict;
use warnings FATAL => 'all';

use Mail qw(sender_program mail_node smtp_server sender start_sender end_sender events wait_until);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'skipped: sales_crm_sender is not installed' unless sender_program();

my $node = mail_node('sender');
my $directory = PostgreSQL::Test::Utils::tempdir();
sub mail { my ($on, @to) = @_; return $on->safe_psql('crm', "SELECT count(sales_crm.queue_email('test', w || '\@example.com', subject => 'x', body => 'x')) FROM unnest('{@{[join ',', @to]}}'::text[]) w"); }
sub most { my ($now, $most) = (0, 0); foreach (@_) { $now += $_; $most = $now if $now > $most } return $most }

# Limits: e-mails that take a second each
my $server = smtp_server();
my @to_server = ('--smtp-url', $server->{url}, '--smtp-tls', 'off');
mail($node, map { "slow.$_" } 1 .. 9);
my ($status) = sender('--once', @to_server, '--parallel', 20, '--parallel-per-host', 3);
is($status, 0, 'the sender ends');
is(scalar events($server, 'end'), 9, 'all are delivered');
is(most(map { /"event": "data"/ ? 1 : /"event": "end"/ ? -1 : () } split /\n/, slurp_file("$server->{directory}/log")), 3, 'three at once to a mail server');
is(scalar events($server, 'connect'), 3, 'over three connections');

my $sendmail = "$directory/sendmail";
append_to_file($sendmail, "#!/bin/sh\necho 1 >>$directory/calls\nsleep 0.5\necho -1 >>$directory/calls\n");
chmod 0755, $sendmail;
mail($node, 1 .. 9);
sender('--once', '--sendmail', $sendmail, '--parallel', 20, '--parallel-per-host', 2);
is(most(split /\n/, slurp_file("$directory/calls")), 2, 'two at once through a local program');
mail($node, 10 .. 18);
unlink "$directory/calls";
sender('--once', '--sendmail', $sendmail, '--parallel', 4, '--parallel-per-host', 10);
is(most(split /\n/, slurp_file("$directory/calls")), 4, 'no more than four in all');

# Failover: the standby is the first in the list
$node->backup('backup');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'backup', has_streaming => 1);
$standby->start;
my $running = start_sender(@to_server, '--database', 'host=' . $standby->host . ',' . $node->host . ' port=' . $standby->port . ',' . $node->port . ' dbname=crm');
mail($node, 'before');
sub came { my ($to) = @_; return wait_until(sub { grep { /"$to\@/ } events($server, 'end') }) }
ok(came('before'), 'the sender works where writes are taken, not at the standby');
ok(wait_until(sub { $node->safe_psql('crm', 'SELECT count(*) FROM sales_crm.message') == 0 }), 'and reports there');
$node->wait_for_catchup($standby, 'replay', $node->lsn('write'));
$node->stop('immediate');
$standby->promote;
mail($standby, 'after');
ok(came('after'), 'when it is gone, the sender goes on with the standby that was promoted');
is(end_sender($running), 0, 'and ends well');
is(scalar(grep { /"before\@/ } events($server, 'end')), 1, 'what was delivered before is not delivered again');
$standby->stop;
done_testing();
