# Promise: a hot standby answers everything that reads: views and functions; it knows changes of
# rules as they arrive; promoted, it goes on where the primary stopped.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node sample fingerprint is_same error_of healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = crm_node('primary');
sample($primary, 'crm', 200);
my $token = $primary->safe_psql('crm', 'SELECT s.token FROM (SELECT min(opportunity_id) AS id FROM sales_crm.product_line WHERE NOT optional) o, sales_crm.create_quote(o.id) q, sales_crm.send_quote(q) s');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));

is_same(fingerprint($standby, 'crm'), fingerprint($primary, 'crm'), 'the standby has all of it');
foreach my $view (split /\n/, $primary->safe_psql('crm', "SELECT relname FROM pg_class WHERE relnamespace = 'sales_crm'::regnamespace AND relkind = 'v'"))
{
	# Ages grow between the two
	my $rows = $view eq 'outbox_status' ? '(SELECT kind, ready, oldest_ready IS NULL, waiting, in_flight, dead FROM sales_crm.outbox_status)' : "sales_crm.$view";
	my $sql = "SELECT md5(string_agg(v::text, '|' ORDER BY v::text)) FROM $rows v";
	is($standby->safe_psql('crm', $sql), $primary->safe_psql('crm', $sql), "view $view");
}
my @functions = (
	'SELECT sales_crm.current_member()',
	"SET sales_crm.member_id = '1'; SELECT sales_crm.current_member(), count(*) FROM sales_crm.my_open_tasks",
	"SELECT sales_crm.add_working_days('2026-12-24', 1), sales_crm.local_date('2026-12-24 12:00+00')",
	'SELECT * FROM sales_crm.verify_opportunities()',
	'SELECT * FROM sales_crm.verify_forecast()',
	'SELECT * FROM sales_crm.forecast_as_of(sales_crm.today()) ORDER BY phase_id, owner_id, source_id, month, currency',
	'SELECT * FROM sales_crm.forecast_bridge(sales_crm.today() - 1, sales_crm.today()) ORDER BY 1, 2, 3, 4',
	'SELECT o.opportunity_id, c.* FROM sales_crm.opportunity o, sales_crm.forecast_causes(o.opportunity_id) c WHERE o.opportunity_id < 30 ORDER BY 1, 2, 4, 5, 6, 7',
	"SELECT * FROM sales_crm.forecast_in('CHF') ORDER BY 1, 3, 7, 9, 11",
	"SELECT sales_crm.rate_on('EUR', 'USD', '2025-01-01')",
	"SELECT m, r.* FROM generate_series(date '2026-01-01', date '2027-02-01', interval '1 month') m, sales_crm.forecast_range(month => m::date) r ORDER BY 1, 2",
	"SELECT sales_crm.forecast_chart(first_month => '2026-01-01', months => 15)",
	'SELECT * FROM sales_crm.verify_appointments()',
	'SELECT * FROM sales_crm.verify_attachments()',
	'SELECT p.* FROM sales_crm.opportunity o, sales_crm.timeline_page(o.opportunity_id) p ORDER BY o.opportunity_id, 1, 2, 6',
	"SELECT * FROM sales_crm.search('opportunity 10')",
	'SELECT * FROM sales_crm.find_duplicate_accounts()',
	'SELECT md5(sales_crm.appointment_ics(appointment_id)) FROM sales_crm.appointment ORDER BY appointment_id',
	"SELECT member_id, md5(sales_crm.calendar_ics(member_id, '2026-01-01', '2026-12-31')) FROM sales_crm.member ORDER BY 1",
	'SELECT d.* FROM sales_crm.attachment a, sales_crm.download_attachment(a.attachment_id) d ORDER BY a.attachment_id',
	"SELECT * FROM sales_crm.match_email('{m4}', '{customer4\@example.com}')",
	"SELECT * FROM sales_crm.open_quote('$token')",
	"SELECT * FROM sales_crm.quote_pdf('$token')",
	"SELECT o.opportunity_id, p.phase_id, e.rule FROM sales_crm.opportunity o, sales_crm.phase p, sales_crm.explain_transition(o.opportunity_id, p.phase_id) e ORDER BY 1, 2, 3",
);
is($standby->safe_psql('crm', $_), $primary->safe_psql('crm', $_), $_) foreach @functions;
like(error_of($standby, 'crm', "INSERT INTO sales_crm.account (name) VALUES ('x')"), qr/25006/, 'writing is refused');

# A session of the standby's that knows the rules hears of a change
my ($in, $out) = ("SELECT sales_crm.add_working_days('2026-07-20', 1);\n", '');
my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $standby->connstr('crm') ], '<', \$in, '>&', \$out, IPC::Run::timer(60));
pump $session until $out =~ /\n/;
is($out, "2026-07-21\n", 'before the holiday');
$primary->safe_psql('crm', "INSERT INTO sales_crm.holiday VALUES ('2026-07-21', 'National holiday')");
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('write'));
($in, $out) = ("SELECT sales_crm.add_working_days('2026-07-20', 1);\n\\q\n", '');
$session->finish;
is($out, "2026-07-22\n", 'after it');

$primary->stop('immediate');
$standby->promote;
healthy($standby, 'crm', 'the promoted standby');
$standby->stop;
done_testing();
