-- Promise: reading the forecast stays cheap. Writers fold so often that the ledger has a few pages of
-- entries, the plan of the view does not depend on how long it is, sets of cells say what = ANY
-- says, and cells are stored as a reader's arithmetic wants them.
BEGIN;
SELECT plan(15);
DO 'BEGIN PERFORM setseed(0.4711); END';

-- Sets
CREATE TEMP TABLE cells AS
SELECT n, array(SELECT pg_temp.k FROM (SELECT CASE WHEN random() < 0.1 THEN NULL ELSE (random() * 60 - 30)::bigint * CASE n % 3 WHEN 0 THEN 1 WHEN 1 THEN 4294967296 ELSE 9223372036854775807 / 30 END END AS k
	FROM generate_series(1, n / 4)) pg_temp) AS keys
FROM generate_series(0, 400) n;
SELECT is_empty($$
	SELECT n, k FROM cells, generate_series(-31, 31) i, unnest(array[i, i * 4294967296, i::numeric * (9223372036854775807 / 30)::bigint]::numeric[]) v,
		LATERAL (SELECT v::bigint AS k WHERE abs(v) < 9223372036854775807) x
	WHERE sales_crm.forecast_cell_in(k, sales_crm.forecast_cell_set(keys)) IS DISTINCT FROM coalesce(k = ANY (keys), false)
$$, 'a set has the keys that it was made of, and no other');
SELECT ok(bool_and(sales_crm.forecast_cell_in(k, s)), 'also one of many') FROM (SELECT sales_crm.forecast_cell_set(array(SELECT i * 7919 FROM generate_series(-5000, 5000) i)) AS s) x, generate_series(-5000 * 7919, 5000 * 7919, 7919 * 10) k;
SELECT ok(NOT sales_crm.forecast_cell_in(0, sales_crm.forecast_cell_set('{}')) AND NOT sales_crm.forecast_cell_in(1, sales_crm.forecast_cell_set('{NULL}')), 'the empty one has none');
SELECT ok(sales_crm.forecast_cell_set(NULL) IS NULL AND sales_crm.forecast_cell_in(NULL, '') IS NULL AND sales_crm.forecast_cell_in(1, NULL) IS NULL, 'NULLs');
SELECT lives_ok($$SELECT sales_crm.forecast_cell_in(k, decode(repeat(b, n), 'hex')) FROM generate_series(0, 70) n, unnest(array['00', 'ff', '01', 'a5']) b, unnest(array[0, 1, -1]) k$$,
	'and what is no set does no harm');

-- 4,000 cells
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.member (member_id, name) SELECT -i, 'Member ' || i FROM generate_series(1, 200) i;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on)
SELECT i::text, (SELECT account_id FROM sales_crm.account WHERE name = 'Acme'), -1 - i % 200, i, date '2030-01-01' + 31 * (i / 200) FROM generate_series(0, 3999) i;
SELECT sales_crm.compact_forecast(1000000) > 0 AS folded;
ANALYZE sales_crm.forecast_cell, sales_crm.forecast_ledger;
SELECT is_empty('SELECT FROM sales_crm.forecast_cell WHERE pg_column_size(amount) <> pg_column_size(amount + 0) OR pg_column_size(weighted_amount) <> pg_column_size(weighted_amount + 0)
	OR pg_column_size(phase_base) <> pg_column_size(phase_base + 0) OR pg_column_size(override_weighted) <> pg_column_size(override_weighted + 0)', 'the numbers of new cells are stored unpacked');
SET LOCAL plan_cache_mode = force_generic_plan;
PREPARE read AS SELECT owner_id, month, opportunities, amount, weighted_amount FROM sales_crm.forecast WHERE currency = $1;
PREPARE count_out AS SELECT o.owner_id, o.expected_on - extract(day FROM o.expected_on)::int + 1, 1::bigint, o.amount::numeric(26,4), (o.amount * p.probability / 100)::numeric(28,8)
	FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id) WHERE currency = $1;
SELECT bag_eq('EXECUTE read (''EUR'')', 'EXECUTE count_out (''EUR'')', 'read with nothing in the ledger');

-- Single statements, each a writer that may fold
CREATE FUNCTION pg_temp.longest_while(statements int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	longest bigint := 0;
BEGIN
	FOR i IN 1..statements LOOP
		UPDATE sales_crm.opportunity SET amount = amount + 1 WHERE name = ((i * 37) % 4000)::text;
		longest := greatest(longest, (SELECT count(*) FROM sales_crm.forecast_ledger));
	END LOOP;
	RETURN longest;
END
$$;
SELECT ok(n BETWEEN 20 AND 480, format('at most %s entries at once while 2,000 were written', n)) FROM pg_temp.longest_while(2000) n;
SAVEPOINT s;
CREATE INDEX ON sales_crm.forecast_ledger (cause);
SELECT ok(n < 2500, format('by chance where somebody added an index: at most %s of 3,000', n)) FROM pg_temp.longest_while(3000) n;
ROLLBACK TO s;
SELECT is_empty('SELECT FROM sales_crm.forecast_cell WHERE pg_column_size(amount) <> pg_column_size(amount + 0)', 'updated ones are unpacked, too');
SELECT bag_eq('EXECUTE read (''EUR'')', 'EXECUTE count_out (''EUR'')', 'read by the plan of before');

-- Many pages that wait for vacuum, which a planner takes for many entries; and as many entries
CREATE FUNCTION pg_temp.explained() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	lines text := '';
BEGIN
	FOR line IN EXPLAIN (COSTS OFF) SELECT month, phase, sum(amount), sum(weighted_amount) FROM sales_crm.forecast GROUP BY month, phase LOOP
		lines := lines || line || E'\n';
	END LOOP;
	RETURN lines;
END
$$;
INSERT INTO sales_crm.forecast_ledger SELECT now(), 'amount_up', c.cell, c.phase_id, c.owner_id, c.source_id, c.month, c.currency, 0, 1, 0.01, 0 FROM sales_crm.forecast_cell c, generate_series(1, 9);
SELECT matches(pg_temp.explained(), 'forecast_cell_cell_idx', 'cells that the ledger touches are found by the index');
SELECT is(regexp_count(pg_temp.explained(), 'Seq Scan on forecast_cell'), 1, 'all cells are read once');
UPDATE sales_crm.opportunity SET amount = amount + 9;
DELETE FROM sales_crm.forecast_ledger WHERE cause = 'amount_up' AND amount = 9;
SELECT bag_eq('EXECUTE read (''EUR'')', 'EXECUTE count_out (''EUR'')', 'and read with 9 entries per cell');
SELECT is_empty('SELECT * FROM sales_crm.verify_forecast()', 'verified');

SELECT * FROM finish();
ROLLBACK;
