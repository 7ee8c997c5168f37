-- Promise: each view of the analysis, the targets, the conversion of currencies and the BI star say
-- what a plain computation over the tables says, on random data: 1,500 opportunities in three
-- pipelines and currencies, of members in teams three deep and in none, moved about, closed,
-- reopened, undated, without amount, owner or source. The seed is printed.
BEGIN;
SELECT plan(34);

\if :{?seed}
\else
SELECT extract(epoch FROM clock_timestamp())::bigint % 1000000 AS seed \gset
\endif
SELECT diag('seed ' || :seed);
SELECT setseed(:seed / 1000000.0) IS NULL;

-- A number from 1 to n
CREATE FUNCTION pg_temp.any(n bigint) RETURNS bigint VOLATILE LANGUAGE sql AS 'SELECT 1 + floor(random() * n)::bigint';
CREATE FUNCTION pg_temp.any_of(keys bigint[]) RETURNS bigint VOLATILE LANGUAGE sql AS 'SELECT keys[pg_temp.any(cardinality(keys))]';

UPDATE sales_crm.company SET time_zone = 'Pacific/Auckland', currency = 'EUR', fiscal_year_start_month = 4;
UPDATE sales_crm.phase SET required_fields = '{}';
INSERT INTO sales_crm.pipeline (name) VALUES ('Second'), ('Third');
INSERT INTO sales_crm.phase (pipeline_id, name, probability, outcome, forecast_category, rotting_days)
SELECT l.pipeline_id, v.name || ' ' || l.name, v.probability, v.outcome, v.category, v.rotting
FROM sales_crm.pipeline l, (VALUES ('A', 5, NULL, 'omitted', 3), ('B', 35, NULL, 'best_case', NULL), ('C', 66.67, NULL, 'commit', 40),
	('W', 100, 'won', 'closed', NULL), ('L', 0, 'lost', 'omitted', NULL)) AS v (name, probability, outcome, category, rotting)
WHERE l.name IN ('Second', 'Third');
INSERT INTO sales_crm.team (name) VALUES ('World'), ('Alone');
INSERT INTO sales_crm.team (name, parent_team_id) SELECT v.name, t.team_id FROM sales_crm.team t, (VALUES ('East'), ('West')) v (name) WHERE t.name = 'World';
INSERT INTO sales_crm.team (name, parent_team_id) SELECT 'Far East', team_id FROM sales_crm.team WHERE name = 'East';
INSERT INTO sales_crm.member (name, team_id)
SELECT 'Member ' || i, (SELECT team_id FROM sales_crm.team WHERE name = (array['World', 'Alone', 'East', 'West', 'Far East', NULL])[1 + i % 6])
FROM generate_series(1, 11) i;
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 30) i;
INSERT INTO sales_crm.exchange_rate (from_currency, to_currency, valid_on, rate)
SELECT v.a, v.b, d::date, round((0.5 + random())::numeric, 6)
FROM (VALUES ('USD', 'EUR'), ('EUR', 'JPY'), ('EUR', 'USD')) v (a, b),
	generate_series(sales_crm.today() - 1000, sales_crm.today(), interval '1 day') d
WHERE random() < 0.1 OR d = sales_crm.today() - 1000;

INSERT INTO sales_crm.opportunity (name, account_id, owner_id, source_id, phase_id, amount, currency, expected_on, probability_override, created_at, phase_since)
SELECT 'Opportunity ' || i, (SELECT min(account_id) FROM sales_crm.account) + pg_temp.any(30) - 1,
	CASE WHEN random() < 0.9 THEN (SELECT min(member_id) FROM sales_crm.member) + pg_temp.any(11) - 1 END,
	CASE WHEN random() < 0.9 THEN (SELECT min(source_id) FROM sales_crm.source) + pg_temp.any(6) - 1 END,
	pg_temp.any_of((SELECT array_agg(phase_id) FROM sales_crm.phase)),
	CASE WHEN random() < 0.9 THEN pg_temp.any(5000) * 10 END, (array['EUR', 'EUR', 'USD', 'JPY'])[pg_temp.any(4)],
	CASE WHEN random() < 0.9 THEN sales_crm.today() - 100 + pg_temp.any(500)::int END,
	CASE WHEN random() < 0.2 THEN pg_temp.any(100) END,
	now() - interval '500 days' + i * interval '6 hours', now() - interval '500 days' + i * interval '6 hours' + random() * interval '30 days'
FROM generate_series(1, 1500) i;
-- Each moves at least once within its pipeline, half of them again, later each time
DO $$
BEGIN
	FOR round IN 1 .. 4 LOOP
		UPDATE sales_crm.opportunity o
		SET phase_id = x.phase_id, phase_since = o.phase_since + (now() - o.phase_since) * random() / 3
		FROM (SELECT o.opportunity_id, pg_temp.any_of((SELECT array_agg(p.phase_id) FROM sales_crm.phase p
				WHERE p.pipeline_id = o.pipeline_id)) AS phase_id
			FROM sales_crm.opportunity o WHERE round = 1 OR random() < 0.5) x
		WHERE x.opportunity_id = o.opportunity_id AND x.phase_id <> o.phase_id;
	END LOOP;
	UPDATE sales_crm.opportunity o SET pipeline_id = (SELECT pipeline_id FROM sales_crm.pipeline WHERE name = 'Third')
	WHERE o.closed_at IS NULL AND random() < 0.1;
END
$$;
INSERT INTO sales_crm.target (member_id, month, currency, amount)
SELECT m.member_id, s::date, 'EUR', pg_temp.any(100000)
FROM sales_crm.member m, generate_series('2025-01-01', '2026-12-01', interval '1 month') s WHERE random() < 0.7;
INSERT INTO sales_crm.target (team_id, month, currency, amount)
SELECT t.team_id, s::date, c, pg_temp.any(100000)
FROM sales_crm.team t, generate_series('2025-01-01', '2026-12-01', interval '1 month') s, unnest(array['EUR', 'USD']) c WHERE random() < 0.3;

-- What the plain computations start from: one row per opportunity, with its day in Auckland
CREATE TEMP TABLE o AS
SELECT o.*, p.outcome, p.forecast_category, p.position, p.probability, p.rotting_days, coalesce(o.amount, 0) AS value,
	coalesce(o.amount, 0) * CASE p.outcome WHEN 'won' THEN 100 WHEN 'lost' THEN 0 WHEN 'expired' THEN 0
		ELSE coalesce(o.probability_override, p.probability) END / 100 AS weight,
	(o.closed_at AT TIME ZONE 'Pacific/Auckland')::date AS closed_on,
	to_char(coalesce(o.closed_at AT TIME ZONE 'Pacific/Auckland', o.expected_on::timestamp), 'YYYY-MM') AS month
FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id);
SELECT ok((SELECT count(*) > 30 FROM o WHERE outcome = 'won') AND (SELECT count(*) > 30 FROM o WHERE outcome = 'lost')
	AND (SELECT count(*) > 100 FROM o WHERE outcome IS NULL), 'the data have something of all');

-- The rows of two queries are the same, each as often
CREATE FUNCTION pg_temp.same(ours text, plain text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	different record;
	shown int := 0;
	same boolean := true;
BEGIN
	FOR different IN EXECUTE format('SELECT ''ours'' AS side, x::text FROM (%1$s EXCEPT ALL %2$s) x UNION ALL SELECT ''plain'', x::text FROM (%2$s EXCEPT ALL %1$s) x',
		'(' || ours || ')', '(' || plain || ')')
	LOOP
		same := false;
		shown := shown + 1;
		EXIT WHEN shown > 20;
		RETURN NEXT diag(different.side || ' only: ' || different.x);
	END LOOP;
	RETURN NEXT ok(same, description);
END
$$;

-- By month and category
SELECT pg_temp.same($$
	SELECT to_char(month, 'YYYY-MM'), pipeline_id, currency, open_opportunities, open_amount::numeric, weighted_amount::numeric, won_opportunities, won_amount::numeric,
		lost_opportunities, lost_amount::numeric, expected_amount::numeric FROM sales_crm.forecast_by_month
$$, $$
	SELECT month, pipeline_id, currency, count(CASE WHEN outcome IS NULL THEN 1 END), sum(CASE WHEN outcome IS NULL THEN value ELSE 0 END),
		sum(CASE WHEN outcome IS NULL THEN weight ELSE 0 END), count(CASE outcome WHEN 'won' THEN 1 END), sum(CASE outcome WHEN 'won' THEN value ELSE 0 END),
		count(CASE WHEN outcome IN ('lost', 'expired') THEN 1 END), sum(CASE WHEN outcome IN ('lost', 'expired') THEN value ELSE 0 END), sum(weight)
	FROM o GROUP BY 1, 2, 3
$$, 'forecast_by_month');
SELECT pg_temp.same($$
	SELECT to_char(month, 'YYYY-MM'), pipeline_id, owner_id, currency, omitted_amount::numeric, pipeline_amount::numeric, best_case_amount::numeric, commit_amount::numeric, closed_amount::numeric
	FROM sales_crm.forecast_by_category
$$, $$
	SELECT month, pipeline_id, owner_id, currency, sum(CASE forecast_category WHEN 'omitted' THEN value ELSE 0 END), sum(CASE forecast_category WHEN 'pipeline' THEN value ELSE 0 END),
		sum(CASE forecast_category WHEN 'best_case' THEN value ELSE 0 END), sum(CASE forecast_category WHEN 'commit' THEN value ELSE 0 END), sum(CASE forecast_category WHEN 'closed' THEN value ELSE 0 END)
	FROM o GROUP BY 1, 2, 3, 4
$$, 'forecast_by_category: each alone');
SELECT pg_temp.same($$
	SELECT to_char(month, 'YYYY-MM'), currency, sum(commit_forecast), sum(best_case_forecast), sum(pipeline_forecast), sum(open_pipeline) FROM sales_crm.forecast_by_category GROUP BY 1, 2
$$, $$
	SELECT month, currency, sum(CASE WHEN forecast_category IN ('closed', 'commit') THEN value ELSE 0 END), sum(CASE WHEN forecast_category IN ('closed', 'commit', 'best_case') THEN value ELSE 0 END),
		sum(CASE WHEN forecast_category <> 'omitted' THEN value ELSE 0 END), sum(CASE WHEN forecast_category NOT IN ('omitted', 'closed') THEN value ELSE 0 END)
	FROM o GROUP BY 1, 2
$$, 'forecast_by_category: cumulative');

-- Rates and days
SELECT pg_temp.same($$
	SELECT to_char(month, 'YYYY-MM'), pipeline_id, owner_id, currency, won, lost, expired, win_rate::numeric, won_amount::numeric, closed_amount::numeric, win_rate_by_amount::numeric FROM sales_crm.win_rate
$$, $$
	SELECT month, pipeline_id, owner_id, currency, sum((outcome = 'won')::int), sum((outcome = 'lost')::int), sum((outcome = 'expired')::int), round(avg((outcome = 'won')::int) * 100, 2),
		sum(value * (outcome = 'won')::int), sum(value), CASE WHEN sum(value) > 0 THEN round(100 * sum(value * (outcome = 'won')::int) / sum(value), 2) END
	FROM o WHERE outcome IS NOT NULL GROUP BY 1, 2, 3, 4
$$, 'win_rate');
SELECT pg_temp.same($$
	SELECT source_id, currency, opportunities, open, won, lost, expired, win_rate::numeric, amount::numeric, open_amount::numeric, won_amount::numeric, days_to_win::numeric FROM sales_crm.source_performance
$$, $$
	SELECT s.source_id, s.currency, (SELECT count(*) FROM o WHERE (o.source_id, o.currency) IS NOT DISTINCT FROM (s.source_id, s.currency)), sum((outcome IS NULL)::int),
		sum((outcome IS NOT DISTINCT FROM 'won')::int), sum((outcome IS NOT DISTINCT FROM 'lost')::int), sum((outcome IS NOT DISTINCT FROM 'expired')::int),
		round(100 * avg((outcome = 'won')::int), 2), sum(value), sum(value * (outcome IS NULL)::int), sum(value * (outcome IS NOT DISTINCT FROM 'won')::int),
		round(avg(CASE outcome WHEN 'won' THEN extract(epoch FROM closed_at) - extract(epoch FROM created_at) END) / 86400, 2)
	FROM o s GROUP BY 1, 2
$$, 'source_performance');

-- The k-th of n values, with what lies between two in proportion
CREATE FUNCTION pg_temp.quantile(days numeric[], share numeric) RETURNS numeric LANGUAGE sql AS $$
	SELECT round(v[floor(at)::int + 1] + (at - floor(at)) * (v[least(floor(at)::int + 2, cardinality(v))] - v[floor(at)::int + 1]), 2)
	FROM (SELECT array_agg(d ORDER BY d) AS v, share * (count(*) - 1) AS at FROM unnest(days) d) x
$$;
SELECT pg_temp.same($$
	SELECT level, pipeline_id, owner_id, outcome, opportunities, average_days::numeric, median_days::numeric, p90_days::numeric FROM sales_crm.sales_cycle
$$, $$
	WITH d AS (SELECT pipeline_id, owner_id, outcome, (extract(epoch FROM closed_at) - extract(epoch FROM created_at)) / 86400 AS days FROM o WHERE outcome IS NOT NULL)
	SELECT 'pipeline', pipeline_id, NULL::bigint, outcome, count(*), round(avg(days), 2), pg_temp.quantile(array_agg(days), 0.5), pg_temp.quantile(array_agg(days), 0.9) FROM d GROUP BY 2, 4
	UNION ALL
	SELECT 'owner', pipeline_id, owner_id, outcome, count(*), round(avg(days), 2), pg_temp.quantile(array_agg(days), 0.5), pg_temp.quantile(array_agg(days), 0.9) FROM d GROUP BY 2, 3, 4
$$, 'sales_cycle');

-- Phases: the way of each opportunity, followed in a loop
CREATE TEMP TABLE step (phase_id bigint, opportunity_id bigint, went text, days numeric);
DO $$
DECLARE
	stay record;
	former record;
BEGIN
	SELECT NULL::bigint AS opportunity_id INTO former;
	FOR stay IN
		SELECT s.opportunity_id, s.phase_id, s.entered_at, s.left_at, s.phase_stay_id, p.pipeline_id, p.outcome, p.position FROM sales_crm.phase_stay s JOIN sales_crm.phase p USING (phase_id)
		UNION ALL SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
		ORDER BY opportunity_id NULLS LAST, entered_at, left_at, phase_stay_id
	LOOP
		IF former.opportunity_id IS NOT NULL THEN
			INSERT INTO step SELECT former.phase_id, former.opportunity_id, CASE
				WHEN former.opportunity_id IS DISTINCT FROM stay.opportunity_id THEN 'present'
				WHEN stay.pipeline_id <> former.pipeline_id THEN 'away'
				WHEN stay.outcome = 'won' THEN 'advanced'
				WHEN stay.outcome IS NOT NULL THEN stay.outcome
				WHEN stay.position > former.position THEN 'advanced' ELSE 'back' END,
				extract(epoch FROM CASE WHEN former.opportunity_id = stay.opportunity_id THEN stay.entered_at ELSE now() END - former.entered_at) / 86400;
		END IF;
		former := stay;
	END LOOP;
END
$$;
CREATE TEMP VIEW open_phase AS SELECT * FROM sales_crm.phase WHERE outcome IS NULL;
SELECT pg_temp.same($$
	SELECT phase_id, entered, opportunities, advanced, went_back, lost, expired, moved_away, present, conversion::numeric FROM sales_crm.phase_conversion
$$, $$
	SELECT p.phase_id, count(s.went), count(DISTINCT s.opportunity_id), coalesce(sum((went = 'advanced')::int), 0), coalesce(sum((went = 'back')::int), 0), coalesce(sum((went = 'lost')::int), 0),
		coalesce(sum((went = 'expired')::int), 0), coalesce(sum((went = 'away')::int), 0), coalesce(sum((went = 'present')::int), 0), round(100 * avg(CASE WHEN went <> 'present' THEN (went = 'advanced')::int END), 2)
	FROM open_phase p LEFT JOIN step s USING (phase_id) GROUP BY 1
$$, 'phase_conversion');
SELECT is_empty('SELECT * FROM sales_crm.phase_conversion WHERE entered <> advanced + went_back + lost + expired + moved_away + present', 'its columns add up');
SELECT ok(sum(advanced) > 100 AND sum(went_back) > 50 AND sum(lost) > 20 AND sum(moved_away) > 5, 'and all of them have something') FROM sales_crm.phase_conversion;
SELECT pg_temp.same($$
	SELECT phase_id, stays, average_days::numeric, median_days::numeric, p90_days::numeric, present, present_median_days::numeric FROM sales_crm.phase_duration
$$, $$
	SELECT p.phase_id, count(CASE WHEN went <> 'present' THEN 1 END), round(avg(days) FILTER (WHERE went <> 'present'), 2), pg_temp.quantile(array_agg(days) FILTER (WHERE went <> 'present'), 0.5),
		pg_temp.quantile(array_agg(days) FILTER (WHERE went <> 'present'), 0.9), count(CASE went WHEN 'present' THEN 1 END), pg_temp.quantile(array_agg(days) FILTER (WHERE went = 'present'), 0.5)
	FROM open_phase p LEFT JOIN step s USING (phase_id) GROUP BY 1
$$, 'phase_duration');
SELECT pg_temp.same($$
	SELECT phase_id, opportunities, won FROM sales_crm.phase_calibration
$$, $$
	SELECT p.phase_id, (SELECT count(*) FROM o WHERE closed_at IS NOT NULL AND EXISTS (SELECT FROM step s WHERE s.opportunity_id = o.opportunity_id AND s.phase_id = p.phase_id)),
		(SELECT count(*) FROM o WHERE outcome = 'won' AND EXISTS (SELECT FROM step s WHERE s.opportunity_id = o.opportunity_id AND s.phase_id = p.phase_id))
	FROM open_phase p
$$, 'phase_calibration: counts');
-- The ends of Wilson's interval are the shares x for which (share - x)² = z² x (1 - x) / n
SELECT is_empty($$
	SELECT * FROM (SELECT c.*, x / 100 AS x, won::float8 / opportunities AS share FROM sales_crm.phase_calibration c, unnest(array[won_share_low, won_share_high]) x WHERE opportunities > 0) e
	WHERE abs((share - x) ^ 2 - 1.959964 ^ 2 * x * (1 - x) / opportunities) > 0.0003
$$, 'phase_calibration: the ends of the interval solve its equation');
SELECT is_empty($$
	SELECT * FROM sales_crm.phase_calibration WHERE verdict <> CASE WHEN opportunities = 0 THEN 'unknown' WHEN probability > won_share_high THEN 'too high' WHEN probability < won_share_low THEN 'too low' ELSE 'plausible' END
$$, 'phase_calibration: the verdict follows from it');
SELECT pg_temp.same($$
	SELECT opportunity_id, days_in_phase, rotting_days FROM sales_crm.rotting_opportunity
$$, $$
	SELECT opportunity_id, (now() AT TIME ZONE 'Pacific/Auckland')::date - (phase_since AT TIME ZONE 'Pacific/Auckland')::date, rotting_days
	FROM o WHERE outcome IS NULL AND extract(epoch FROM now() - phase_since) > rotting_days * 86400
$$, 'rotting_opportunity');
SELECT is(sum(rotting), (SELECT count(*)::numeric FROM sales_crm.rotting_opportunity), 'as many as on the board') FROM sales_crm.pipeline_board;

-- Targets: each unit's month by walking down from it
CREATE FUNCTION pg_temp.team_target(unit bigint, of_month date, of_currency text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	found numeric;
BEGIN
	SELECT amount INTO found FROM sales_crm.target t WHERE t.team_id = unit AND t.month = of_month AND t.currency = of_currency;
	IF found IS NULL THEN
		SELECT sum(x) INTO found FROM (
			SELECT t.amount FROM sales_crm.target t JOIN sales_crm.member m USING (member_id) WHERE m.team_id = unit AND t.month = of_month AND t.currency = of_currency
			UNION ALL SELECT pg_temp.team_target(c.team_id, of_month, of_currency) FROM sales_crm.team c WHERE c.parent_team_id = unit) y (x);
	END IF;
	RETURN found;
END
$$;
CREATE FUNCTION pg_temp.within(unit bigint) RETURNS SETOF bigint LANGUAGE sql AS $$
	SELECT member_id FROM sales_crm.member WHERE team_id = unit
	UNION ALL SELECT pg_temp.within(t.team_id) FROM sales_crm.team t WHERE t.parent_team_id = unit
$$;
SELECT pg_temp.same($$
	SELECT team_id, starts_on, currency, target_amount::numeric FROM sales_crm.target_attainment WHERE level = 'team' AND period = 'month' AND target_amount IS NOT NULL
$$, $$
	SELECT * FROM (SELECT t.team_id, s::date, c, pg_temp.team_target(t.team_id, s::date, c) AS target
		FROM sales_crm.team t, generate_series('2025-01-01', '2026-12-01', interval '1 month') s, unnest(array['EUR', 'USD']) c) x WHERE target IS NOT NULL
$$, 'target_attainment: targets of teams');
SELECT pg_temp.same($$
	SELECT starts_on, currency, target_amount::numeric FROM sales_crm.target_attainment WHERE level = 'company' AND period = 'month' AND target_amount IS NOT NULL
$$, $$
	SELECT s, c, sum(target) FROM (
		SELECT s::date, c, pg_temp.team_target(t.team_id, s::date, c) AS target
		FROM sales_crm.team t, generate_series('2025-01-01', '2026-12-01', interval '1 month') s, unnest(array['EUR', 'USD']) c WHERE t.parent_team_id IS NULL
		UNION ALL SELECT month, currency, amount FROM sales_crm.target JOIN sales_crm.member m USING (member_id) WHERE m.team_id IS NULL) x
	WHERE target IS NOT NULL GROUP BY 1, 2
$$, 'target_attainment: target of the company');
SELECT pg_temp.same($$
	SELECT member_id, to_char(starts_on, 'YYYY-MM'), currency, target_amount::numeric FROM sales_crm.target_attainment WHERE level = 'member' AND period = 'month' AND target_amount IS NOT NULL
$$, $$SELECT member_id, to_char(month, 'YYYY-MM'), currency, amount FROM sales_crm.target WHERE member_id IS NOT NULL$$, 'target_attainment: targets of members');
SELECT pg_temp.same($$
	SELECT team_id, to_char(starts_on, 'YYYY-MM'), currency, won_amount::numeric, open_amount::numeric, weighted_amount::numeric
	FROM sales_crm.target_attainment WHERE level = 'team' AND period = 'month' AND (won_amount, open_amount, weighted_amount) <> (0, 0, 0)
$$, $$
	SELECT * FROM (
		SELECT t.team_id, o.month, o.currency, sum(value * (outcome IS NOT NULL)::int) AS won, sum(value * (outcome IS NULL)::int) AS open, sum(weight * (outcome IS NULL)::int) AS weighted
		FROM sales_crm.team t CROSS JOIN LATERAL pg_temp.within(t.team_id) w JOIN o ON o.owner_id = w AND o.month IS NOT NULL AND (outcome IS NULL OR outcome = 'won') GROUP BY 1, 2, 3) x
	WHERE (won, open, weighted) <> (0, 0, 0)
$$, 'target_attainment: amounts of teams with their sub-teams');
SELECT pg_temp.same($$
	SELECT level, member_id, team_id, period, starts_on, ends_on, fiscal_year, currency, target_amount::numeric, won_amount::numeric FROM sales_crm.target_attainment WHERE period <> 'month'
$$, $$
	SELECT level, member_id, team_id, q.period, make_date(q.year, q.first, 1), (make_date(q.year, q.first, 1) + make_interval(months => q.length) - interval '1 day')::date,
		q.fiscal, currency, sum(target_amount), sum(won_amount)
	FROM (SELECT *, extract(year FROM starts_on)::int AS y, extract(month FROM starts_on)::int AS m FROM sales_crm.target_attainment WHERE period = 'month') a
	CROSS JOIN LATERAL (VALUES
		('quarter', y, CASE WHEN m < 4 THEN 1 WHEN m < 7 THEN 4 WHEN m < 10 THEN 7 ELSE 10 END, 3, CASE WHEN m < 4 THEN y ELSE y + 1 END),
		('year', CASE WHEN m < 4 THEN y - 1 ELSE y END, 4, 12, CASE WHEN m < 4 THEN y ELSE y + 1 END)) AS q (period, year, first, length, fiscal)
	GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
$$, 'target_attainment: quarters and fiscal years are the sums of their months');
SELECT is_empty($$
	SELECT * FROM sales_crm.target_attainment WHERE gap_amount IS DISTINCT FROM target_amount - won_amount
		OR attainment IS DISTINCT FROM CASE WHEN target_amount > 0 THEN round(won_amount / target_amount * 100, 2) END
		OR coverage IS DISTINCT FROM CASE WHEN target_amount - won_amount > 0 THEN round(open_amount / (target_amount - won_amount), 2) END
$$, 'target_attainment: gap, attainment and coverage');
SELECT pg_temp.same($$SELECT currency, sum(won_amount), sum(open_amount) FROM sales_crm.target_attainment WHERE level = 'company' AND period = 'year' GROUP BY 1$$,
	$$SELECT currency, sum(value * (outcome IS NOT NULL)::int), sum(value * (outcome IS NULL)::int) FROM o WHERE month IS NOT NULL AND (outcome = 'won' OR outcome IS NULL) GROUP BY 1$$,
	'target_attainment: the company has all that is dated');

-- Currencies: each opportunity alone, at the rate found by looking through all
CREATE FUNCTION pg_temp.rate(a text, b text, at date) RETURNS numeric LANGUAGE sql AS $$
	SELECT CASE WHEN a = b THEN 1 ELSE (
		SELECT CASE WHEN from_currency = a THEN rate ELSE 1::numeric(48,30) / rate END FROM sales_crm.exchange_rate
		WHERE valid_on <= at AND (from_currency, to_currency) IN ((a, b), (b, a)) ORDER BY valid_on DESC, from_currency = a DESC LIMIT 1) END
$$;
SELECT pg_temp.same(format($$
	SELECT to_char(month, 'YYYY-MM'), pipeline_id, phase_id, forecast_category, owner_id, source_id, opportunities, amount::numeric, weighted_amount::numeric
	FROM sales_crm.forecast_in('EUR', %1$L)
$$, d), format($$
	SELECT month, pipeline_id, phase_id, forecast_category, owner_id, source_id, count(*), round(sum(value * r), 4), round(sum(weight * r), 4)
	FROM (SELECT o.*, pg_temp.rate(currency, 'EUR', coalesce(closed_on, %1$L)) AS r FROM o) x GROUP BY 1, 2, 3, 4, 5, 6
$$, d), 'forecast_in() of ' || CASE d WHEN sales_crm.today() THEN 'today' ELSE 'another day' END)
FROM unnest(array[sales_crm.today(), sales_crm.today() - 77]) d;
SELECT is((SELECT sum(amount) FROM sales_crm.forecast_in('EUR', sales_crm.today() - 77) WHERE outcome IS NOT NULL), (SELECT sum(amount) FROM sales_crm.forecast_in('EUR') WHERE outcome IS NOT NULL),
	'closed ones count the same whatever the day');
SELECT isnt((SELECT sum(amount) FROM sales_crm.forecast_in('EUR', sales_crm.today() - 77) WHERE outcome IS NULL), (SELECT sum(amount) FROM sales_crm.forecast_in('EUR') WHERE outcome IS NULL), 'open ones do not');

-- The star
CREATE TEMP VIEW star AS
SELECT b.*, d.month_on, f.fiscal_year FROM sales_crm.bi_opportunity b
JOIN sales_crm.bi_phase USING (phase_id) JOIN sales_crm.bi_account USING (account_id) JOIN sales_crm.bi_member USING (member_id) JOIN sales_crm.bi_source USING (source_id)
JOIN sales_crm.bi_date d ON d.date_on = b.forecast_on JOIN sales_crm.bi_date f ON f.date_on = b.closed_on
JOIN sales_crm.bi_date c ON c.date_on = b.created_on JOIN sales_crm.bi_date e ON e.date_on = b.expected_on;
SELECT is((SELECT count(*) FROM star), (SELECT count(*) FROM o), 'every fact finds each of its dimensions once');
SELECT pg_temp.same($$SELECT to_char(nullif(month_on, '1900-01-01'), 'YYYY-MM'), member_id, status, currency, sum(opportunities), sum(amount), sum(weighted_amount), sum(won_amount) FROM star GROUP BY 1, 2, 3, 4$$,
	$$SELECT month, coalesce(owner_id, 0), coalesce(outcome, 'open'), currency, count(*), sum(value), sum(weight), sum(CASE outcome WHEN 'won' THEN value ELSE 0 END) FROM o GROUP BY 1, 2, 3, 4$$, 'its sums are those of the forecast');
SELECT is_empty($$SELECT * FROM sales_crm.bi_date WHERE (to_char(date_on, 'YYYY-Q-MM-DD-IYYY-IW-ID')) <> to_char(date_on, 'YYYY') || format('-%s-%s-%s-%s-%s-%s', quarter, lpad(month::text, 2, '0'), lpad(day::text, 2, '0'), iso_year, lpad(iso_week::text, 2, '0'), weekday)
	OR fiscal_year <> year + (month > 3)::int OR fiscal_quarter <> 1 + (quarter + 2) % 4 OR week_on <> date_on - weekday + 1$$, 'the calendar is right');
SELECT is(count(*), count(DISTINCT date_on), 'and has each day once') FROM sales_crm.bi_date;
CREATE FUNCTION pg_temp.nulls(relation text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	n bigint;
BEGIN
	EXECUTE format('SELECT count(*) FROM sales_crm.%I x WHERE NOT x IS NOT NULL', relation) INTO n;
	RETURN n;
END
$$;
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'sales_crm'::regnamespace AND relname LIKE 'bi\_%' AND pg_temp.nulls(relname) > 0$$, 'nothing in the star is NULL');

-- The dashboard
SELECT is(format('%s %s %s %s %s %s', open_opportunities, open_amount::float8, weighted_amount::float8, rotting, past_expected, overdue_tasks + tasks_today),
	format('%s %s %s %s %s %s', (SELECT count(*) FROM o WHERE outcome IS NULL), (SELECT sum(value)::float8 FROM o WHERE outcome IS NULL AND currency = 'EUR'),
		(SELECT sum(weight)::float8 FROM o WHERE outcome IS NULL AND currency = 'EUR'), (SELECT count(*) FROM sales_crm.rotting_opportunity),
		(SELECT count(*) FROM o WHERE outcome IS NULL AND expected_on < sales_crm.today()), (SELECT count(*) FROM sales_crm.task WHERE done_at IS NULL AND due_on <= sales_crm.today())),
	'sales_dashboard: the present') FROM sales_crm.sales_dashboard;
SELECT is(format('%s %s %s %s', won_this_month, lost_this_month, won_amount_this_year::float8, win_rate_this_year),
	(SELECT format('%s %s %s %s', count(*) FILTER (WHERE outcome = 'won' AND this_month), count(*) FILTER (WHERE outcome <> 'won' AND this_month),
		coalesce(sum(value) FILTER (WHERE outcome = 'won' AND currency = 'EUR' AND this_year), 0)::float8, round(100 * avg((outcome = 'won')::int) FILTER (WHERE this_year), 2))
		FROM (SELECT o.*, month = to_char(sales_crm.today(), 'YYYY-MM') AS this_month, closed_on >= (SELECT max(s) FROM generate_series('2000-04-01', sales_crm.today(), interval '1 year') s) AS this_year
			FROM o WHERE outcome IS NOT NULL) x),
	'sales_dashboard: what is closed') FROM sales_crm.sales_dashboard;

SELECT * FROM finish();
ROLLBACK;
