CREATE FUNCTION sales_crm.probability_as_of(phase_id bigint, as_of date)
RETURNS numeric LANGUAGE sql STABLE
AS $$
	SELECT coalesce(
		(SELECT h.probability FROM sales_crm.phase_probability h
		 WHERE h.phase_id = $1 AND sales_crm.local_date(h.at) <= $2
		 ORDER BY h.phase_probability_id DESC LIMIT 1),
		(SELECT h.probability FROM sales_crm.phase_probability h
		 WHERE h.phase_id = $1 ORDER BY h.phase_probability_id LIMIT 1))
$$;
COMMENT ON FUNCTION sales_crm.probability_as_of(bigint, date) IS
	'The probability that a phase had at the end of a day, in percent; its first one for days before that';

CREATE FUNCTION sales_crm.forecast_cells_as_of(as_of date,
	OUT phase_id bigint, OUT owner_id bigint, OUT source_id bigint, OUT month date, OUT currency text,
	OUT opportunities bigint, OUT amount numeric, OUT phase_base numeric, OUT override_weighted numeric)
RETURNS SETOF record LANGUAGE sql STABLE
AS $$
	-- Back from the present: what came after is taken off, so that a recent day costs little
	SELECT e.phase_id, e.owner_id, e.source_id, e.month, e.currency,
		sum(e.opportunities), sum(e.amount), sum(e.phase_base), sum(e.override_weighted)
	FROM (
		SELECT c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
			c.opportunities, c.amount, c.phase_base, c.override_weighted
		FROM sales_crm.forecast_cell c
		UNION ALL
		SELECT y.phase_id, y.owner_id, y.source_id, y.month, y.currency,
			-y.opportunities, -y.amount, -y.phase_base, -y.override_weighted
		FROM sales_crm.forecast_day y WHERE y.day > $1
		UNION ALL
		SELECT g.phase_id, g.owner_id, g.source_id, g.month, g.currency,
			g.opportunities, g.amount, g.phase_base, g.override_weighted
		FROM sales_crm.forecast_ledger g WHERE sales_crm.local_date(g.at) <= $1) e
	GROUP BY 1, 2, 3, 4, 5
	HAVING sum(e.opportunities) <> 0
$$;
COMMENT ON FUNCTION sales_crm.forecast_cells_as_of(date) IS
	'The cells of the forecast as they were at the end of a day in the company''s time zone';

CREATE FUNCTION sales_crm.forecast_as_of(as_of date,
	OUT pipeline_id bigint, OUT pipeline text, OUT phase_id bigint, OUT phase text, OUT outcome text,
	OUT forecast_category text, OUT owner_id bigint, OUT owner text, OUT source_id bigint, OUT source text,
	OUT month date, OUT currency text, OUT opportunities bigint, OUT amount numeric, OUT weighted_amount numeric)
RETURNS SETOF record LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT p.pipeline_id, l.name, f.phase_id, p.name, p.outcome, p.forecast_category,
		f.owner_id, m.name, f.source_id, s.name, f.month, f.currency, f.opportunities,
		f.amount::numeric(26,4), (f.phase_base * q.probability + f.override_weighted)::numeric(28,8)
	FROM sales_crm.forecast_cells_as_of(as_of) f
	JOIN sales_crm.phase p USING (phase_id)
	JOIN (SELECT x.phase_id, sales_crm.probability_as_of(x.phase_id, as_of) AS probability
		FROM sales_crm.phase x) q USING (phase_id)
	LEFT JOIN sales_crm.pipeline l USING (pipeline_id)
	LEFT JOIN sales_crm.member m ON m.member_id = f.owner_id
	LEFT JOIN sales_crm.source s USING (source_id)
$$;
COMMENT ON FUNCTION sales_crm.forecast_as_of(date) IS
	'The view forecast as it was at the end of a day in the company''s time zone, with the probabilities of then and the names of now. Says what the database knew: an opportunity counts from the day on which it was recorded';

CREATE FUNCTION sales_crm.forecast_bridge("from" date, "to" date,
	OUT month date, OUT currency text, OUT status text, OUT cause text,
	OUT opportunities bigint, OUT amount numeric, OUT weighted_amount numeric)
RETURNS SETOF record LANGUAGE sql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
	WITH phase AS (
		SELECT p.phase_id, coalesce(p.outcome, 'open') AS status,
			sales_crm.probability_as_of(p.phase_id, "from") AS probability_from,
			sales_crm.probability_as_of(p.phase_id, "to") AS probability_to
		FROM sales_crm.phase p)
	SELECT e.month, e.currency, p.status, e.cause, sum(e.opportunities)::bigint,
		sum(e.amount)::numeric(26,4), sum(e.phase_base * e.probability + e.override_weighted)::numeric(28,8)
	FROM (
		SELECT y.month, y.currency, y.cause, y.phase_id, y.opportunities, y.amount, y.phase_base,
			y.override_weighted, q.probability_to AS probability
		FROM sales_crm.forecast_day y JOIN phase q USING (phase_id)
		WHERE y.day > "from" AND y.day <= "to"
		UNION ALL
		SELECT g.month, g.currency, g.cause, g.phase_id, g.opportunities, g.amount, g.phase_base,
			g.override_weighted, q.probability_to
		FROM sales_crm.forecast_ledger g JOIN phase q USING (phase_id)
		WHERE sales_crm.local_date(g.at) > "from" AND sales_crm.local_date(g.at) <= "to"
		UNION ALL
		-- What was there before counts with another probability now, and nothing else of it changes
		SELECT c.month, c.currency, 'reweighted', c.phase_id, 0, 0, c.phase_base, 0,
			q.probability_to - q.probability_from
		FROM sales_crm.forecast_cells_as_of("from") c JOIN phase q USING (phase_id)
		WHERE q.probability_to <> q.probability_from) e
	JOIN phase p USING (phase_id)
	GROUP BY e.month, e.currency, p.status, e.cause
	HAVING (sum(e.opportunities), sum(e.amount), sum(e.phase_base * e.probability + e.override_weighted)) <> (0, 0, 0)
$$;
COMMENT ON FUNCTION sales_crm.forecast_bridge(date, date) IS
	'Why the forecast at the end of one day differs from that of an earlier one: per month, currency and status (open, won, lost, expired), the change by each cause. The causes of each add up exactly to the difference of forecast_as_of(). Causes are those of forecast_ledger; reweighted is also what another probability of a phase did';
