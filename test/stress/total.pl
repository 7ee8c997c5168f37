# Promise: whatever an offer is made of, its parts sum: discounts of rates and of lines to the
# discount, bases to the net total, net and VAT to the gross total; prices that include VAT hit the
# gross total exactly; the order of the lines changes nothing; and method en16931 is, to the cent,
# what an independent implementation in plain SQL computes.
#
# Offers are random: 1 to 12 lines, currencies of 0, 2 and 3 decimals, returns, optional lines, both
# kinds of discount on lines and offers, both methods, prices with and without VAT. 5,000 of them,
# in `make stress` 100,000; STRESS_SEED says which random numbers, a failure prints it.
use strict;
use warnings FATAL => 'all';

use Crm qw(crm_node);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $offers = $ENV{STRESS_SECONDS} ? 100_000 : 5_000;
my $seed = $ENV{STRESS_SEED} || int(rand(1e9));
note("offers=$offers STRESS_SEED=$seed");

my $node = crm_node('total');
$node->safe_psql('crm', slurp_file('lib/plain_totals.sql'));
my $seeded = sprintf '%.9f', $seed / 1e9;
$node->safe_psql('crm', <<"SQL");
SELECT setseed($seeded);
INSERT INTO plain.offer
SELECT i, CASE WHEN random() < 0.4 THEN round((random() * 100)::numeric, (random() * 4)::int) WHEN random() < 0.05 THEN 100 END, NULL,
	(array['JPY', 'EUR', 'KWD'])[1 + i % 3], (array[0, 2, 3])[1 + i % 3], random() < 0.5, CASE WHEN random() < 0.7 THEN 'en16931' ELSE 'per_line' END
FROM generate_series(1, $offers) i;
INSERT INTO plain.line
SELECT o.offer_id, k, CASE WHEN random() < 0.15 THEN -1 ELSE 1 END * (CASE WHEN random() < 0.5 THEN 1 + (random() * 50)::int ELSE 0.000001 + round((random() * 1000)::numeric, (random() * 6)::int) END),
	round((10 ^ (random() * 6))::numeric, (random() * 6)::int), CASE WHEN random() < 0.4 THEN round((random() * 100)::numeric, (random() * 4)::int) END, NULL,
	r.percent, r.category, random() < 0.1
FROM plain.offer o, generate_series(1, 12) k, LATERAL (SELECT (array[21, 6, 0, 0, 5.5, 2.1, 25])[1 + (random() * 6 + k * 0)::int] AS percent) p,
	LATERAL (SELECT p.percent, CASE WHEN p.percent > 0 THEN 'S' WHEN random() < 0.5 THEN 'Z' ELSE 'E' END AS category) r
WHERE k <= 1 + (o.offer_id * 7919) % 12;
UPDATE plain.line l SET discount_amount = d.amount
FROM (SELECT offer_id, line, round(abs(quantity * unit_price) * random()::numeric, minor_units) AS amount, random() < 0.3 AS wanted
	FROM plain.line JOIN plain.offer USING (offer_id)) d, plain.offer o
WHERE d.offer_id = l.offer_id AND d.line = l.line AND o.offer_id = l.offer_id AND d.wanted AND l.discount_percent IS NULL
	AND d.amount <= round(abs(quantity * unit_price), minor_units);
UPDATE plain.offer o SET discount_amount = round(t.amount * random()::numeric, o.minor_units)
FROM plain.total t WHERE t.offer_id = o.offer_id AND t.amount > 0 AND o.discount_percent IS NULL AND random() < 0.5;
UPDATE plain.offer o SET discount_amount = t.amount FROM plain.total t
WHERE t.offer_id = o.offer_id AND o.discount_amount > t.amount;
CREATE TABLE plain.computed AS
SELECT o.offer_id, sales_crm.totals_with_lines(quantity, unit_price, l.discount_percent, l.discount_amount, tax_percent, tax_category, optional,
		o.discount_percent, o.discount_amount, method, currency, prices_include_tax ORDER BY line) AS totals,
	sales_crm.totals(quantity, unit_price, l.discount_percent, l.discount_amount, tax_percent, tax_category, optional,
		o.discount_percent, o.discount_amount, method, currency, prices_include_tax ORDER BY line * 5 % 13) AS shuffled,
	sales_crm.compute_totals(jsonb_agg(jsonb_build_object('quantity', quantity, 'unit_price', unit_price, 'discount_percent', l.discount_percent,
		'discount_amount', l.discount_amount, 'tax_percent', tax_percent, 'tax_category', tax_category, 'optional', optional) ORDER BY line),
		o.discount_percent, o.discount_amount, method, currency, prices_include_tax) AS by_json
FROM plain.offer o JOIN plain.line l USING (offer_id) GROUP BY o.offer_id;
ANALYZE;
SQL

# none(NAME, CONDITION): no computed offer is as it must not be
sub none
{
	my ($name, $condition, $from) = @_;
	$from ||= 'plain.computed c JOIN plain.offer o USING (offer_id)';
	my $found = $node->safe_psql('crm', "SELECT count(*), min(offer_id) FROM $from WHERE $condition");
	like($found, qr/^0\|/, $name) or diag("$found (number, first offer) of $offers, STRESS_SEED=$seed");
	return;
}
sub sum_of { my ($of, $key) = @_; return "(SELECT sum((x ->> '$key')::numeric) FROM jsonb_array_elements(totals -> '$of') x)"; }
sub total { my ($key) = @_; return "(totals ->> '$key')::numeric"; }

is($node->safe_psql('crm', 'SELECT count(*) FROM plain.computed'), $offers, "$offers offers");
none("discounts of rates sum to the discount", sum_of('taxes', 'discount') . ' <> ' . total('discount'));
none("discounts of lines sum to the discount", sum_of('lines', 'discount') . ' <> ' . total('discount'));
none("bases of rates sum to the net total", sum_of('taxes', 'base') . ' <> ' . total('net'));
none("bases of lines sum to the net total", sum_of('lines', 'base') . ' <> ' . total('net'));
none("VAT of rates sums to the VAT", sum_of('taxes', 'vat') . ' <> ' . total('vat'));
none("net and VAT are gross", total('net') . ' + ' . total('vat') . ' <> ' . total('gross'));
none("prices that include VAT hit the gross total", 'o.prices_include_tax AND ' . total('amount') . ' - ' . total('discount') . ' <> ' . total('gross'));
none("a discount of 100 % leaves nothing", 'o.discount_percent = 100 AND ' . total('gross') . ' <> 0');
none("the order of the lines changes nothing", "totals - 'lines' <> shuffled");
none("the same as JSON", 'totals <> by_json');
none("no amount has more decimals than its currency", "EXISTS (SELECT FROM jsonb_array_elements(totals -> 'lines') x, jsonb_each(x) y WHERE scale(y.value::numeric) > o.minor_units)");
none("en16931 is what plain SQL computes",
	"o.method = 'en16931' AND (t.amount, t.discount, t.net, t.vat, t.gross) IS DISTINCT FROM (" . join(', ', map { total($_) } qw(amount discount net vat gross)) . ')',
	'plain.computed c JOIN plain.offer o USING (offer_id) LEFT JOIN plain.total t USING (offer_id)');
none("and so is each rate",
	"o.method = 'en16931' AND t.taxes <> (SELECT jsonb_agg(x - 'net' - 'base' ORDER BY i) FROM jsonb_array_elements(totals -> 'taxes') WITH ORDINALITY y (x, i))",
	'plain.computed c JOIN plain.offer o USING (offer_id) JOIN plain.total t USING (offer_id)');

$node->stop;
done_testing();
