-- Promise: amount_range() gives the amounts that 10, 50 and 90 % of the cases do not exceed. Checked
-- against every combination of a few deals, binomial distributions, a simulation and the normal
-- distribution of very many; forecast_range() hands it the right deals. The seed is printed.
BEGIN;
SELECT plan(23);

\if :{?seed}
\else
SELECT extract(epoch FROM clock_timestamp())::bigint % 1000000 AS seed \gset
\endif
SELECT diag('seed ' || :seed);
SELECT setseed(:seed / 1000000.0) IS NULL;

-- Every combination of deals: its sum and probability, then the smallest sums that reach a share
CREATE TEMP TABLE deal (deal_id int, amount numeric, probability numeric);
CREATE FUNCTION pg_temp.brute_force(share numeric) RETURNS numeric LANGUAGE sql AS $$
	WITH RECURSIVE combination AS (
		SELECT 0 AS deal_id, 0::numeric AS total, 1::numeric AS mass
		UNION ALL
		SELECT d.deal_id, c.total + w * d.amount, c.mass * CASE w WHEN 1 THEN d.probability ELSE 100 - d.probability END / 100
		FROM combination c JOIN deal d ON d.deal_id = c.deal_id + 1, generate_series(0, 1) w
	)
	SELECT min(total) FROM (
		SELECT total, sum(mass) OVER (ORDER BY total) AS reached FROM combination WHERE deal_id = (SELECT max(deal_id) FROM deal)) x
	WHERE reached >= share
$$;
CREATE FUNCTION pg_temp.same_as_brute_force(description text) RETURNS text LANGUAGE sql AS $$
	SELECT is((SELECT sales_crm.amount_range(amount, probability) FROM deal)::numeric(30,6)[],
		array[pg_temp.brute_force(0.1), pg_temp.brute_force(0.5), pg_temp.brute_force(0.9), 1]::numeric(30,6)[], description)
$$;
INSERT INTO deal SELECT i, round((random() * 100000)::numeric, 2), 1 + floor(random() * 99) FROM generate_series(1, 12) i;
SELECT pg_temp.same_as_brute_force('twelve deals to the cent');
UPDATE deal SET amount = ceil(amount / 20000) * 500;
SELECT pg_temp.same_as_brute_force('twelve deals with the same sums again and again');
UPDATE deal SET probability = (deal_id % 3) * 50;
SELECT pg_temp.same_as_brute_force('certain, even and impossible ones');
UPDATE deal SET probability = 100 WHERE deal_id > 1;
SELECT pg_temp.same_as_brute_force('all certain but one');
UPDATE deal SET amount = 0 WHERE deal_id % 2 = 0;
SELECT pg_temp.same_as_brute_force('some without amount');
UPDATE deal SET amount = 0.001 * deal_id, probability = 33.33;
SELECT pg_temp.same_as_brute_force('three decimals');

-- Binomial distributions: of n deals of 1, how many are won
CREATE FUNCTION pg_temp.binomial(n int, p float8, share float8) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
	mass float8 := (1 - p) ^ n;
	reached float8 := mass;
	k int := 0;
BEGIN
	WHILE reached < share LOOP
		mass := mass * (n - k) / (k + 1) * p / (1 - p);
		k := k + 1;
		reached := reached + mass;
	END LOOP;
	RETURN k;
END
$$;
SELECT is((SELECT sales_crm.amount_range(i - i + 1, p) FROM generate_series(1, n) i)::int[],
	array[pg_temp.binomial(n, p / 100.0, 0.1), pg_temp.binomial(n, p / 100.0, 0.5), pg_temp.binomial(n, p / 100.0, 0.9), 1], format('binomial, %s deals of %s %%', n, p))
FROM (VALUES (100, 10), (1000, 50), (500, 1), (2000, 7)) v (n, p);

-- What is too much for exactness: against the exact answer of the same deals, blurred by cents that
-- multiply the possible sums, in shares of the standard deviation
CREATE FUNCTION pg_temp.distance(n int, shape text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	exact numeric[];
	blurred numeric[];
	deviation numeric;
BEGIN
	DELETE FROM deal;
	INSERT INTO deal SELECT i, CASE shape WHEN 'even' THEN 100 + floor(random() * 100) WHEN 'skewed' THEN ceil(10 / (random() + 0.001)) WHEN 'round' THEN 100 * ceil(random() * 10) WHEN 'one' THEN CASE i WHEN 1 THEN 5000 ELSE 10 END END * 10,
		-- A large deal of just 10, 50 or 90 % would put the answer at the edge of a gap, where a cent decides
		CASE WHEN shape = 'one' AND i = 1 THEN 30 ELSE 1 + floor(random() * 98) END
	FROM generate_series(1, n) i;
	exact := (SELECT sales_crm.amount_range(amount, probability) FROM deal);
	blurred := (SELECT sales_crm.amount_range(amount + (floor(random() * 99) - 49)::numeric / 10000, probability) FROM deal);
	deviation := (SELECT sqrt(sum(amount * amount * probability * (100 - probability))) / 100 FROM deal);
	IF exact[4] <> 1 OR blurred[4] <> 0 THEN
		RETURN 'NaN';
	END IF;
	RETURN (SELECT max(abs(exact[i] - blurred[i])) / deviation FROM generate_series(1, 3) i);
END
$$;
SELECT cmp_ok(pg_temp.distance(n, shape), '<', bound, format('approximation, %s deals, %s', n, shape))
FROM (VALUES (60, 'even', 0.01), (500, 'even', 0.01), (300, 'skewed', 0.01), (2000, 'round', 0.01), (200, 'one', 0.05)) v (n, shape, bound);

-- A simulation: 2,000 draws of 400 deals; the share of draws below each amount
DELETE FROM deal;
INSERT INTO deal SELECT i, round((1000 / (0.01 + random()))::numeric, 2), 1 + floor(random() * 99) FROM generate_series(1, 400) i;
CREATE TEMP TABLE range AS SELECT sales_crm.amount_range(amount, probability) AS r FROM deal;
CREATE TEMP TABLE draw AS
SELECT (SELECT sum(CASE WHEN random() * 100 < d.probability THEN d.amount ELSE 0 END + 0 * n) FROM deal d) AS total FROM generate_series(1, 2000) n;
-- Five standard errors of a share of 2,000
SELECT cmp_ok(abs((SELECT avg((total <= r[k])::int) FROM draw) - share), '<', 5 * sqrt(share * (1 - share) / 2000), format('simulation, %s %%', share * 100))
FROM range, (VALUES (1, 0.1), (2, 0.5), (3, 0.9)) v (k, share);

-- Very many: the central limit
SELECT ok(abs(r[1] - (m - 1.2815516 * s)) < s * 0.01 AND abs(r[2] - m) < s * 0.01 AND abs(r[3] - (m + 1.2815516 * s)) < s * 0.01, '100,000 deals are as good as normal')
FROM (SELECT sales_crm.amount_range(a, p) AS r, sum(a * p) / 100 AS m, sqrt(sum(a * a * p * (100 - p))) / 100 AS s
	FROM (SELECT round((random() * 10000)::numeric, 2) AS a, round((random() * 100)::numeric, 2) AS p FROM generate_series(1, 100000)) d) x;
SELECT ok(r[3] < 1e30 AND r[1] <= r[2] AND r[2] <= r[3], 'amounts beyond all currencies') FROM (SELECT sales_crm.amount_range(1e14 * i, 50) AS r FROM generate_series(1, 200) i) x;

SELECT throws_ok('SELECT sales_crm.amount_range(1, 101)', '22003', NULL, 'a probability above 100');
SELECT throws_ok($$SELECT sales_crm.amount_range('NaN', 50)$$, '22003', NULL, 'an amount that is no number');

-- The deals of a month: open ones expected in it, won ones closed in it, per currency
INSERT INTO sales_crm.account (name) VALUES ('Acme');
UPDATE sales_crm.company SET time_zone = 'Europe/Brussels';
INSERT INTO sales_crm.opportunity (name, account_id, amount, currency, expected_on, probability_override, phase_id, created_at, phase_since)
SELECT v.name, account_id, v.amount, v.currency, v.expected_on, v.probability, (SELECT phase_id FROM sales_crm.phase WHERE name = v.phase), '2025-01-01', coalesce(v.closed_at, '2025-01-01')
FROM sales_crm.account, (VALUES
	('a', 100, 'EUR', date '2025-03-01', 50, 'New', NULL::timestamptz), ('b', 200, 'EUR', '2025-03-31', 50, 'New', NULL), ('no amount', NULL, 'EUR', '2025-03-31', 50, 'New', NULL),
	('phase', 10, 'USD', '2025-03-15', NULL, 'Quotation signed', NULL), ('before', 7, 'EUR', '2025-02-28', 50, 'New', NULL), ('undated', 7, 'EUR', NULL, 50, 'New', NULL),
	('won', 1000, 'EUR', '2025-01-01', NULL, 'Won', '2025-02-28 23:30+00'), ('next month', 1, 'EUR', '2025-03-01', NULL, 'Won', '2025-03-31 22:30+00')) AS v (name, amount, currency, expected_on, probability, phase, closed_at);
SELECT results_eq($$SELECT currency, opportunities, won_amount::float8, weighted_amount::float8, round(standard_deviation, 2)::float8, p10::float8, p50::float8, p90::float8, exact FROM sales_crm.forecast_range(month => '2025-03-17')$$,
	$$VALUES ('EUR', 3::bigint, 1000::float8, 150::float8, 111.8::float8, 1000::float8, 1100::float8, 1300::float8, true), ('USD', 1, 0, 9, 3, 0, 10, 10, true)$$, 'forecast_range() of a month');

SELECT * FROM finish();
ROLLBACK;
