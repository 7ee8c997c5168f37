# Promise: 8,800 real opportunities come in through COPY and INSERT … SELECT alone, and come out
# right: counts, amounts, tasks, stays, and each team's won amount per quarter, compared with plain
# sums over the files.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node healthy);
use Cwd qw(abs_path);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::Local ();

my $data = abs_path('../../shared/data/crm_sales_opportunities');
plan skip_all => 'skipped: no ../shared/data/crm_sales_opportunities beside the checkout'
  unless defined $data && -e "$data/sales_pipeline.csv";

my $node = crm_node('real');
$node->safe_psql('crm', <<"SQL");
CREATE SCHEMA staging;
CREATE TABLE staging.account (account text, sector text, year_established int, revenue numeric, employees int, office_location text, subsidiary_of text);
CREATE TABLE staging.product (product text, series text, sales_price numeric);
CREATE TABLE staging.team (sales_agent text, manager text, regional_office text);
CREATE TABLE staging.deal (opportunity_id text, sales_agent text, product text, account text, deal_stage text, engage_date date, close_date date, close_value numeric);
\\copy staging.account FROM '$data/accounts.csv' (FORMAT csv, HEADER)
\\copy staging.product FROM '$data/products.csv' (FORMAT csv, HEADER)
\\copy staging.team FROM '$data/sales_teams.csv' (FORMAT csv, HEADER)
\\copy staging.deal FROM '$data/sales_pipeline.csv' (FORMAT csv, HEADER)
SQL

# The company as it is: regions, a team per manager, agents, accounts, one pipeline
$node->safe_psql('crm', <<'SQL');
UPDATE sales_crm.company SET name = 'GTX', currency = 'USD';
WITH retired AS (UPDATE sales_crm.pipeline SET is_default = false)
INSERT INTO sales_crm.pipeline (name, is_default) VALUES ('GTX', true);
INSERT INTO sales_crm.phase (pipeline_id, name, probability, outcome)
SELECT l.pipeline_id, v.name, v.probability, v.outcome
FROM sales_crm.pipeline l, (VALUES (1, 'Prospecting', 10, NULL), (2, 'Engaging', 40, NULL), (3, 'Won', 100, 'won'), (4, 'Lost', 0, 'lost'))
	AS v (n, name, probability, outcome)
WHERE l.name = 'GTX' ORDER BY v.n;
INSERT INTO sales_crm.team (name) SELECT DISTINCT regional_office FROM staging.team;
INSERT INTO sales_crm.team (name, parent_team_id)
SELECT DISTINCT s.manager, t.team_id FROM staging.team s JOIN sales_crm.team t ON t.name = s.regional_office;
INSERT INTO sales_crm.member (name, team_id, is_manager)
SELECT s.sales_agent, t.team_id, false FROM staging.team s JOIN sales_crm.team t ON t.name = s.manager
UNION ALL
SELECT DISTINCT s.manager, t.team_id, true FROM staging.team s JOIN sales_crm.team t ON t.name = s.manager;
INSERT INTO sales_crm.account (name, external_id, country, custom)
SELECT account, account, CASE office_location WHEN 'United States' THEN 'US' END,
	jsonb_build_object('revenue', revenue, 'sector', CASE sector WHEN 'technolgy' THEN 'technology' ELSE sector END)
FROM staging.account
UNION ALL SELECT 'No account', 'none', NULL, '{}';

-- The deals: engaged is created, closed is closed; the catalogue writes 'GTX Pro'
INSERT INTO sales_crm.opportunity (external_id, name, account_id, owner_id, phase_id, amount, created_at, closed_at, custom)
SELECT d.opportunity_id, concat_ws(' for ', p.product, d.account), a.account_id, m.member_id, f.phase_id, d.close_value,
	d.engage_date::timestamp AT TIME ZONE 'UTC', d.close_date::timestamp AT TIME ZONE 'UTC', jsonb_build_object('product', p.product)
FROM staging.deal d
JOIN staging.product p ON replace(p.product, ' ', '') = replace(d.product, ' ', '')
JOIN sales_crm.account a ON a.external_id = coalesce(d.account, 'none')
JOIN sales_crm.member m ON m.name = d.sales_agent
JOIN sales_crm.phase f ON f.name = d.deal_stage
JOIN sales_crm.pipeline l ON l.pipeline_id = f.pipeline_id AND l.name = 'GTX';
SQL

# The files read without a database
my (%stage, $won, %quarter, %manager, %region, %agent, %region_year);
open my $teams, '<', "$data/sales_teams.csv" or die $!;
while (<$teams>) { s/\r?\n//; my ($agent, $manager, $region) = split /,/; $manager{$agent} = $manager; $region{$agent} = $region; }
open my $deals, '<', "$data/sales_pipeline.csv" or die $!;
<$deals>;
while (<$deals>)
{
	s/\r?\n//;
	my (undef, $agent, undef, undef, $stage, $engaged, $closed, $value) = split /,/, $_, -1;
	$stage{$stage}++;
	push @{ $agent{$agent}{$stage} }, (day_number($closed) - day_number($engaged)) if $closed;
	next unless $stage eq 'Won';
	$won += $value;
	my ($year, $month) = $closed =~ /^(\d+)-(\d+)/;
	$quarter{ sprintf '%s|%d-Q%d', $manager{$agent}, $year, ($month + 2) / 3 } += $value;
	$region_year{"$region{$agent}|$year"} += $value;
}

# day_number(YYYY-MM-DD): days since the epoch
sub day_number { my ($y, $m, $d) = split /-/, $_[0]; return Time::Local::timegm(0, 0, 0, $d, $m - 1, $y) / 86400; }
sub median { my @v = sort { $a <=> $b } @_; return ($v[$#v / 2] + $v[ @v / 2 ]) / 2; }
# A little more than it is, so that halves are rounded up as in SQL
sub average { my $sum = 0; $sum += $_ foreach @_; return $sum / @_ + 1e-9; }

sub query { return $node->safe_psql('crm', $_[0]); }
is("$stage{Won} $won $stage{Lost} " . ($stage{Engaging} + $stage{Prospecting}), '4238 10005534 2473 2089', 'the files are the ones we know');
is(query('SELECT count(*) FROM sales_crm.opportunity'), '8800', '8,800 opportunities');
is(query('SELECT count(*), sum(amount) FROM sales_crm.opportunity_overview WHERE status = $$won$$'), '4238|10005534.0000', '4,238 won, worth 10,005,534');
is(query('SELECT count(*) FROM sales_crm.opportunity_overview WHERE status = $$lost$$'), '2473', '2,473 lost');
is(query('SELECT count(*), count(DISTINCT o.opportunity_id) FROM sales_crm.task t JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.closed_at IS NULL AND t.done_at IS NULL'),
	'2089|2089', '2,089 open, each with exactly one open task');
is(query('SELECT count(*) FROM sales_crm.task'), '2089', 'and no task for closed ones');
is(query('SELECT count(*) FROM sales_crm.member WHERE NOT is_manager'), '35', '35 agents');
is(query('SELECT count(*) FROM sales_crm.account'), '86', '85 accounts and the one of deals without');
is(query('SELECT count(*) FROM sales_crm.opportunity WHERE custom ->> $$product$$ = $$GTX Pro$$'), query('SELECT count(*) FROM staging.deal WHERE product = $$GTXPro$$'), 'GTXPro is GTX Pro');
is(query('SELECT count(*) FROM sales_crm.phase_stay s JOIN sales_crm.opportunity o USING (opportunity_id, phase_id) WHERE s.left_at IS NULL AND s.entered_at = coalesce(o.closed_at, o.created_at)'),
	'8800', 'each is in its phase since it was closed, or else engaged');
is(query('SELECT count(*) FROM sales_crm.opportunity o JOIN staging.deal d ON d.opportunity_id = o.external_id
	WHERE (o.created_at AT TIME ZONE $$UTC$$)::date = d.engage_date AND ((o.closed_at AT TIME ZONE $$UTC$$)::date = d.close_date OR o.closed_at IS NULL AND d.close_date IS NULL)'),
	query('SELECT count(*) FROM staging.deal WHERE engage_date IS NOT NULL'), 'dates are those of the file');
is(query(q(
SELECT t.name, to_char(f.month, 'YYYY-"Q"Q'), sum(f.amount)::bigint FROM sales_crm.forecast f
JOIN sales_crm.member m ON m.member_id = f.owner_id JOIN sales_crm.team t USING (team_id)
WHERE f.outcome = 'won' GROUP BY 1, 2 ORDER BY t.name COLLATE "C", 2)),
	join("\n", map { "$_|$quarter{$_}" } sort keys %quarter), 'won amount per team and quarter');
is(query('SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'verified');

# Analysis: win rate, days to close, and targets that are what was won, per agent and region
is(query(q(SELECT owner, sum(won), sum(lost), round(100.0 * sum(won) / sum(won + lost), 2) FROM sales_crm.win_rate GROUP BY 1 ORDER BY owner COLLATE "C")),
	join("\n", map { my ($w, $l) = map { scalar @$_ } @{ $agent{$_} }{qw(Won Lost)}; sprintf '%s|%d|%d|%.2f', $_, $w, $l, 100 * $w / ($w + $l) } grep { $agent{$_} } sort keys %agent), 'win rate per agent');
is(query(q(SELECT owner, opportunities, average_days, median_days FROM sales_crm.sales_cycle WHERE level = 'owner' AND outcome = 'won' ORDER BY owner COLLATE "C")),
	join("\n", map { my @d = @{ $agent{$_}{Won} }; sprintf '%s|%d|%.2f|%.2f', $_, scalar @d, average(@d), median(@d) } grep { $agent{$_} } sort keys %agent), 'days to win per agent');
is(query(q(SELECT outcome, opportunities, average_days, median_days FROM sales_crm.sales_cycle WHERE level = 'pipeline' ORDER BY 1)),
	join("\n", map { my $o = $_; my @d = map { @{ $agent{$_}{$o} } } keys %agent; sprintf '%s|%d|%.2f|%.2f', lc $o, scalar @d, average(@d), median(@d) } qw(Lost Won)), 'days to close in all');
query(q(INSERT INTO sales_crm.target (member_id, month, currency, amount)
SELECT m.member_id, date_trunc('month', d.close_date::timestamp), 'USD', sum(d.close_value) FROM staging.deal d JOIN sales_crm.member m ON m.name = d.sales_agent WHERE d.deal_stage = 'Won' GROUP BY 1, 2));
is(query(q(SELECT a.name, a.fiscal_year, a.target_amount::bigint, a.won_amount::bigint, a.attainment FROM sales_crm.target_attainment a JOIN sales_crm.team t USING (team_id)
	WHERE a.period = 'year' AND t.parent_team_id IS NULL ORDER BY a.name COLLATE "C", 2)),
	join("\n", map { "$_|$region_year{$_}|$region_year{$_}|100.00" } sort keys %region_year), 'targets and won amounts of regions with their teams');
is(query(q(SELECT sum(amount)::bigint, sum(won) FROM sales_crm.bi_opportunity JOIN sales_crm.bi_member USING (member_id) JOIN sales_crm.bi_date ON date_on = closed_on WHERE status = 'won' AND year = 2017)),
	query(q(SELECT sum(close_value)::bigint, count(*) FROM staging.deal WHERE deal_stage = 'Won' AND extract(year FROM close_date) = 2017)), 'the star');

# Life goes on: the board shows the open ones, and a prospect can be engaged and won
is(query(q(SELECT string_agg(phase || ' ' || opportunities, ', ' ORDER BY position) FROM sales_crm.pipeline_board WHERE pipeline = 'GTX')),
	'Prospecting 500, Engaging 1589, Won 0, Lost 0', 'the board');
query(q(UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Engaging') WHERE phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Prospecting')));
query(q(UPDATE sales_crm.opportunity o SET phase_id = p.phase_id, amount = 100 FROM sales_crm.phase p JOIN sales_crm.pipeline l USING (pipeline_id)
	WHERE p.name = 'Won' AND l.name = 'GTX' AND o.closed_at IS NULL));
is(query('SELECT count(*) FROM sales_crm.task WHERE done_at IS NULL'), '0', 'all won: no task is open');
is(query('SELECT count(*), count(left_at) FROM sales_crm.phase_stay'), (8800 + 500 + 2089) . '|' . (500 + 2089), 'and their stays follow each other');
is(query(q(SELECT phase, entered, advanced, present, conversion FROM sales_crm.phase_conversion WHERE pipeline = 'GTX' ORDER BY position)), "Prospecting|500|500|0|100.00\nEngaging|2089|2089|0|100.00", 'conversion of the moves');
is(query('SELECT count(*) FROM sales_crm.verify_opportunities()'), '0', 'verified again');

$node->stop;
done_testing();
