-- Promise: the forecast of each past day is what it was then, the bridge between any two days adds up
-- exactly, per month and in total, an opportunity can be followed into its causes, and folding changes
-- nothing of that. Checked over twelve days of random statements, with states noted at each day's end
-- by plain sums over the opportunities. The days are made by moving the history back.
BEGIN;
SELECT plan(14);
DO 'BEGIN PERFORM setseed(0.4711); END';

INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.member (member_id, name) SELECT -i, 'Member ' || i FROM generate_series(1, 3) i;
INSERT INTO sales_crm.pipeline (name) VALUES ('Second');
INSERT INTO sales_crm.phase (pipeline_id, name, probability, outcome) SELECT pipeline_id, v.* FROM sales_crm.pipeline,
	(VALUES ('A', 15, NULL), ('B', 55.5, NULL), ('C', 100, 'won'), ('D', 0, 'lost')) AS v (name, probability, outcome) WHERE pipeline.name = 'Second';
UPDATE sales_crm.phase SET required_fields = '{}';
CREATE FUNCTION pg_temp.pick(anyarray) RETURNS anyelement LANGUAGE sql VOLATILE AS $$SELECT $1[1 + floor(random() * cardinality($1))::int]$$;

-- The state by plain sums, as the view has it
CREATE TEMP VIEW plain AS
SELECT o.phase_id, o.owner_id, o.source_id,
	date_trunc('month', (CASE WHEN o.closed_at IS NULL THEN o.expected_on ELSE (o.closed_at AT TIME ZONE 'UTC')::date END)::timestamp)::date AS month,
	o.currency, count(*) AS opportunities, sum(coalesce(o.amount, 0)) AS amount,
	sum(coalesce(o.amount, 0) * CASE WHEN p.outcome = 'won' THEN 100 WHEN p.outcome IS NOT NULL THEN 0
		ELSE coalesce(o.probability_override, p.probability) END) / 100 AS weighted_amount
FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id) GROUP BY 1, 2, 3, 4, 5;
CREATE TEMP TABLE noted AS SELECT 0 AS n, plain.* FROM plain WITH NO DATA;

CREATE FUNCTION pg_temp.statement(what int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	share float := random() * 0.2;
BEGIN
	CASE what
	WHEN 0 THEN INSERT INTO sales_crm.opportunity (name, account_id, owner_id, source_id, amount, currency, expected_on, probability_override, phase_id)
		SELECT 'x', (SELECT max(account_id) FROM sales_crm.account), pg_temp.pick(array[NULL, -1, -2, -3]::bigint[]), pg_temp.pick(array[NULL, 1, 2]::bigint[]),
			pg_temp.pick(array[NULL, round((random() * 1000)::numeric, 2)]), pg_temp.pick(array['EUR', 'USD']),
			pg_temp.pick(array[NULL, date '2030-01-01' + (random() * 90)::int]), pg_temp.pick(array[NULL, NULL, round((random() * 100)::numeric, 2)]),
			(SELECT phase_id FROM sales_crm.phase WHERE i > 0 ORDER BY random() LIMIT 1)
		FROM generate_series(1, 20) i;
	WHEN 1 THEN UPDATE sales_crm.opportunity SET amount = amount + round((random() * 100 - 30)::numeric, 2) WHERE random() < share AND closed_at IS NULL AND amount > 30;
	WHEN 2 THEN UPDATE sales_crm.opportunity SET expected_on = coalesce(expected_on + 40, '2030-02-01') WHERE random() < share;
	WHEN 3 THEN UPDATE sales_crm.opportunity SET probability_override = pg_temp.pick(array[NULL, round((random() * 100)::numeric, 2)]) WHERE random() < share;
	WHEN 4 THEN UPDATE sales_crm.opportunity SET owner_id = pg_temp.pick(array[NULL, -1, -2, -3]::bigint[]), source_id = pg_temp.pick(array[NULL, 1, 2]::bigint[]) WHERE random() < share AND closed_at IS NULL;
	WHEN 5 THEN UPDATE sales_crm.opportunity o SET phase_id = (SELECT p.phase_id FROM sales_crm.phase p WHERE p.pipeline_id = o.pipeline_id ORDER BY random() LIMIT 1)
		WHERE random() < share;
	WHEN 6 THEN UPDATE sales_crm.opportunity o SET phase_id = (SELECT p.phase_id FROM sales_crm.phase p WHERE p.pipeline_id = o.pipeline_id ORDER BY random() LIMIT 1),
		amount = round((random() * 1000)::numeric, 2), expected_on = expected_on + 35, probability_override = NULL, currency = pg_temp.pick(array['EUR', 'USD']) WHERE random() < share AND closed_at IS NULL;
	WHEN 7 THEN UPDATE sales_crm.opportunity o SET pipeline_id = (SELECT l.pipeline_id FROM sales_crm.pipeline l WHERE l.pipeline_id <> o.pipeline_id LIMIT 1)
		WHERE random() < share AND closed_at IS NULL;
	WHEN 8 THEN UPDATE sales_crm.phase SET probability = round((random() * 100)::numeric, 2) WHERE outcome IS NULL AND random() < 0.3;
	WHEN 9 THEN PERFORM sales_crm.compact_forecast(1 + (random() * 30)::int);
	END CASE;
END
$$;
CREATE FUNCTION pg_temp.end_of_day(day int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO noted SELECT day, plain.* FROM plain;
	UPDATE sales_crm.forecast_ledger SET at = at - interval '1 day';
	UPDATE sales_crm.phase_probability SET at = at - interval '1 day';
	UPDATE sales_crm.forecast_day SET day = forecast_day.day - 100000;
	UPDATE sales_crm.forecast_day SET day = forecast_day.day + 99999;
END
$$;
DO $$
BEGIN
	FOR day IN 1..12 LOOP
		PERFORM pg_temp.statement(0);
		FOR i IN 1..12 LOOP
			PERFORM pg_temp.statement(floor(random() * 10)::int);
		END LOOP;
		PERFORM pg_temp.end_of_day(day);
	END LOOP;
END
$$;

SELECT is_empty('SELECT * FROM sales_crm.verify_forecast()', 'verified');
SELECT ok((SELECT count(*) FROM sales_crm.forecast_ledger) + (SELECT count(*) FROM sales_crm.forecast_day) > 1000, 'much has happened');
SELECT ok(count(*) > 100, 'and some of it is folded') FROM sales_crm.forecast_day;
SELECT set_eq('SELECT phase_id, owner_id, source_id, month, currency, opportunities, amount, weighted_amount FROM sales_crm.forecast',
	'SELECT * FROM plain', 'the view is the plain sums');

-- Day 12 ended yesterday
CREATE TEMP VIEW as_of AS
SELECT d.n, f.phase_id, f.owner_id, f.source_id, f.month, f.currency, f.opportunities, f.amount, f.weighted_amount
FROM generate_series(1, 12) AS d (n), sales_crm.forecast_as_of(sales_crm.today() - 13 + d.n) f;
SELECT set_eq('TABLE as_of', 'TABLE noted', 'forecast_as_of() of each day is what was noted then');
SELECT is_empty('SELECT * FROM sales_crm.forecast_as_of(sales_crm.today() - 13)', 'before the first day there was nothing');
SELECT bag_eq('SELECT * FROM sales_crm.forecast_as_of(sales_crm.today())', 'SELECT * FROM sales_crm.forecast', 'today it is the view');

-- The bridge between each two days
CREATE TEMP VIEW bridge AS
SELECT a.n AS "from", b.n AS "to", x.month, x.currency, x.status, sum(x.opportunities) AS opportunities, sum(x.amount) AS amount, sum(x.weighted_amount) AS weighted_amount
FROM generate_series(1, 12) a (n) JOIN generate_series(1, 12) b (n) ON a.n < b.n,
	sales_crm.forecast_bridge(sales_crm.today() - 13 + a.n, sales_crm.today() - 13 + b.n) x
GROUP BY 1, 2, 3, 4, 5 HAVING (sum(x.opportunities), sum(x.amount), sum(x.weighted_amount)) <> (0, 0, 0);
CREATE TEMP VIEW difference AS
SELECT a.n AS "from", b.n AS "to", x.month, x.currency, coalesce(p.outcome, 'open') AS status, sum(x.sign * x.opportunities) AS opportunities,
	sum(x.sign * x.amount) AS amount, sum(x.sign * x.weighted_amount) AS weighted_amount
FROM generate_series(1, 12) a (n) JOIN generate_series(1, 12) b (n) ON a.n < b.n
CROSS JOIN LATERAL (SELECT -1 AS sign, noted.* FROM noted WHERE noted.n = a.n UNION ALL SELECT 1, noted.* FROM noted WHERE noted.n = b.n) x
JOIN sales_crm.phase p USING (phase_id)
GROUP BY 1, 2, 3, 4, 5 HAVING (sum(x.sign * x.opportunities), sum(x.sign * x.amount), sum(x.sign * x.weighted_amount)) <> (0, 0, 0);
SELECT set_eq('TABLE bridge', 'TABLE difference', 'the causes add up to the difference, per month, currency and status');
SELECT ok(count(DISTINCT cause) >= 13, 'with causes of many kinds: ' || string_agg(DISTINCT cause, ', ')) FROM sales_crm.forecast_bridge(sales_crm.today() - 13, sales_crm.today());

-- All opportunities followed into their causes are the ledger: nothing was deleted
SELECT set_eq($$
	SELECT c.cause, c.month, c.currency, c.status, sum(c.opportunities) AS opportunities, sum(c.amount) AS amount
	FROM sales_crm.opportunity o, sales_crm.forecast_causes(o.opportunity_id) c
	GROUP BY 1, 2, 3, 4 HAVING (sum(c.opportunities), sum(c.amount)) <> (0, 0) $$, $$
	SELECT l.cause, l.month, l.currency, coalesce(p.outcome, 'open'), sum(l.opportunities) AS opportunities, sum(l.amount) AS amount
	FROM (SELECT cause, phase_id, month, currency, opportunities, amount FROM sales_crm.forecast_day
		UNION ALL SELECT cause, phase_id, month, currency, opportunities, amount FROM sales_crm.forecast_ledger) l
	JOIN sales_crm.phase p USING (phase_id)
	GROUP BY 1, 2, 3, 4 HAVING (sum(l.opportunities), sum(l.amount)) <> (0, 0) $$, 'the causes of all opportunities together are those of the ledger');

-- Folding changes nothing
CREATE TEMP TABLE before AS TABLE as_of;
CREATE TEMP TABLE bridge_before AS TABLE bridge;
SELECT sales_crm.compact_forecast(1000000) > 0 AS folded;
SELECT is_empty('TABLE sales_crm.forecast_ledger', 'all folded');
SELECT set_eq('TABLE as_of', 'TABLE before', 'the past is as before');
SELECT set_eq('TABLE bridge', 'TABLE bridge_before', 'and so are its bridges');
SELECT is_empty('SELECT * FROM sales_crm.verify_forecast()', 'verified again');

SELECT * FROM finish();
ROLLBACK;
