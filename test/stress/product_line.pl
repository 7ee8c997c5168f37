# Promise: eight sessions add, change, remove and drag lines of the same few opportunities, one by
# one and many at once, and change discounts and rates meanwhile; nothing deadlocks, and every
# amount is what the lines come to.
#
# STRESS_SECONDS (default 3) says how long, STRESS_SEED which random numbers; a failure prints both.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node healthy);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seconds = $ENV{STRESS_SECONDS} || 3;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
note("STRESS_SECONDS=$seconds STRESS_SEED=$seed");

my $node = crm_node('product_line', 'max_connections = 40', 'deadlock_timeout = 100ms');
$node->safe_psql('crm', <<'SQL');
CREATE SCHEMA stress;
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.tax_rate (name, percent) VALUES ('low', 6);
INSERT INTO sales_crm.opportunity (name, account_id, prices_include_tax) SELECT 'deal ' || i, 1, i % 2 = 0 FROM generate_series(1, 10) i;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, tax_rate_id)
SELECT opportunity_id, 'line ' || i, i * 10, 1 + 2 * (i % 2) FROM sales_crm.opportunity, generate_series(1, 5) i;

-- What a seller does with a line or with several opportunities
CREATE FUNCTION stress.work(what int, which int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	deal bigint := 1 + which % 10;
	line bigint := (SELECT product_line_id FROM sales_crm.product_line WHERE opportunity_id = deal ORDER BY random() LIMIT 1);
BEGIN
	CASE
		WHEN what < 25 THEN
			INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price, tax_rate_id) VALUES (deal, 'one', 1 + which % 7, 3.335, 1 + 2 * (which % 2));
		WHEN what < 35 THEN
			INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'many', which % 100 FROM sales_crm.opportunity ORDER BY random() LIMIT 6;
		WHEN what < 55 THEN
			UPDATE sales_crm.product_line SET quantity = 1 + which % 9, discount_percent = nullif(which % 50, 0) WHERE product_line_id = line;
		WHEN what < 75 THEN
			DELETE FROM sales_crm.product_line WHERE product_line_id = line;
		WHEN what < 90 THEN
			PERFORM sales_crm.move_product_line(line, (SELECT product_line_id FROM sales_crm.product_line
				WHERE opportunity_id = deal AND product_line_id <> line ORDER BY random() LIMIT 1));
		ELSE
			UPDATE sales_crm.opportunity SET discount_percent = nullif(which % 30, 0) WHERE opportunity_id = deal;
	END CASE;
EXCEPTION WHEN no_data_found THEN
	NULL; -- another session removed the line
END
$$;
SQL

my $script = "$PostgreSQL::Test::Utils::tmp_check/lines.sql";
append_to_file($script, "\\set what random(0, 99)\n\\set which random(0, 400)\nSELECT stress.work(:what, :which);\n");
my ($said, $failed) = ('', '');
my $writers = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '8', '-j', '2', '-T', $seconds, '-M', 'prepared', "--random-seed=$seed", '-f', $script, $node->connstr('crm') ],
	'<', \undef, '>', \$said, '2>', \$failed);
for my $percent (7 .. 6 + $seconds)
{
	sleep 1 if $percent > 7;
	$node->safe_psql('crm', "UPDATE sales_crm.tax_rate SET percent = $percent % 20 + 1 WHERE name = 'low'");
}
$writers->finish;

my ($transactions) = $said =~ /actually processed: (\d+)/;
cmp_ok($transactions || 0, '>', 100, ($transactions || 0) . ' transactions') or diag($failed);
like($said, qr/number of failed transactions: 0 /, 'none failed') or diag($failed, "\nSTRESS_SECONDS=$seconds STRESS_SEED=$seed");
unlike($failed, qr{ERROR|deadlock}, 'and none complained');
is($node->safe_psql('crm', 'SELECT opportunity_id, problem FROM sales_crm.verify_product_lines()'), '', 'every amount is right')
	or diag("STRESS_SECONDS=$seconds STRESS_SEED=$seed");
is($node->safe_psql('crm', "SELECT count(*) FROM sales_crm.product_line JOIN sales_crm.tax_rate USING (tax_rate_id) WHERE tax_percent <> percent"), '0', 'every line has the present rate');
is($node->safe_psql('crm', "SELECT count(*) FROM sales_crm.product_line WHERE opportunity_id IN (SELECT opportunity_id FROM sales_crm.product_line GROUP BY opportunity_id, position HAVING count(*) > 1)"), '0', 'no two lines share a place');
healthy($node, 'crm', 'after the stress');

$node->stop;
done_testing();
