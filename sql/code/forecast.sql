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
		sum(e.opportunities)::bigint, sum(e.amount), sum(e.phase_base), sum(e.override_weighted)
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

CREATE FUNCTION sales_crm.forecast_step(at timestamptz, before jsonb, after jsonb,
	OUT month date, OUT currency text, OUT status text, OUT opportunities bigint, OUT amount numeric, OUT weighted_amount numeric)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT s.month, s.currency, s.status, sum(s.sign), sum(s.sign * s.amount)::numeric(26,4),
		sum(s.sign * s.amount * s.probability * 0.01)::numeric(28,8)
	FROM (
		SELECT v.sign, v.state ->> 'currency' AS currency, coalesce(p.outcome, 'open') AS status,
			date_trunc('month', (v.state ->> CASE WHEN p.outcome IS NULL THEN 'expected_on' ELSE 'closed_on' END)::timestamp)::date AS month,
			coalesce((v.state ->> 'amount')::numeric, 0) AS amount,
			CASE WHEN p.outcome IS NULL AND v.state ->> 'probability_override' IS NOT NULL THEN (v.state ->> 'probability_override')::numeric
				ELSE sales_crm.probability_as_of(p.phase_id, sales_crm.local_date(forecast_step.at)) END AS probability
		FROM (VALUES (-1, before), (1, after)) AS v (sign, state)
		JOIN sales_crm.phase p ON p.phase_id = (v.state ->> 'phase_id')::bigint) s
	GROUP BY s.month, s.currency, s.status
	HAVING (sum(s.sign), sum(s.sign * s.amount), sum(s.sign * s.amount * s.probability)) <> (0, 0, 0)
	ORDER BY sum(s.sign)
$$;
COMMENT ON FUNCTION sales_crm.forecast_step(timestamptz, jsonb, jsonb) IS
	'The difference that an opportunity makes to the forecast between two of its states, for forecast_causes()';

CREATE FUNCTION sales_crm.forecast_causes(opportunity_id bigint,
	OUT at timestamptz, OUT member_id bigint, OUT cause text, OUT month date, OUT currency text, OUT status text,
	OUT opportunities bigint, OUT amount numeric, OUT weighted_amount numeric)
RETURNS SETOF record LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fields CONSTANT text[] := array['amount', 'currency', 'expected_on', 'probability_override', 'owner_id', 'source_id', 'phase_id'];
	field text;
	change record;
	steps jsonb[];
	causes text[];
	here jsonb;
	before jsonb;
	here_phase sales_crm.phase;
	before_phase sales_crm.phase;
BEGIN
	SELECT jsonb_build_object('amount', o.amount, 'currency', o.currency, 'expected_on', o.expected_on,
			'probability_override', o.probability_override, 'owner_id', o.owner_id, 'source_id', o.source_id,
			'phase_id', o.phase_id, 'closed_on', sales_crm.local_date(o.closed_at), 'created_at', o.created_at,
			'created_by', o.created_by)
	INTO here
	FROM sales_crm.opportunity o WHERE o.opportunity_id = $1;

	-- Back from the present, statement by statement; within one, the fields are in the order in which the ledger takes it apart
	FOR change IN
		SELECT c.at AS changed_at, c.by AS changed_by, jsonb_object_agg(c.field, c.old) AS old
		FROM (
			SELECT d.*, count(*) FILTER (WHERE d.begins) OVER (ORDER BY d.opportunity_change_id) AS statement
			FROM (
				SELECT h.*, (h.at, h.rule, h.by) IS DISTINCT FROM (lag(h.at) OVER w, lag(h.rule) OVER w, lag(h.by) OVER w)
					OR array_position(fields, h.field) <= lag(array_position(fields, h.field)) OVER w AS begins
				FROM sales_crm.opportunity_change h
				WHERE h.opportunity_id = $1 AND h.field = ANY (fields)
				WINDOW w AS (ORDER BY h.opportunity_change_id)) d) c
		GROUP BY c.statement, c.at, c.by
		ORDER BY c.statement DESC
	LOOP
		before := here || change.old;
		SELECT * INTO here_phase FROM sales_crm.phase p WHERE p.phase_id = (here ->> 'phase_id')::bigint;
		SELECT * INTO before_phase FROM sales_crm.phase p WHERE p.phase_id = (before ->> 'phase_id')::bigint;
		IF change.old ? 'phase_id' THEN
			before := before || jsonb_build_object('closed_on', CASE WHEN before_phase.outcome IS NOT NULL THEN (
				SELECT sales_crm.local_date(max(s.entered_at)) FROM sales_crm.phase_stay s
				WHERE s.opportunity_id = $1 AND s.phase_id = before_phase.phase_id AND s.left_at <= change.changed_at) END);
		END IF;
		steps := array[before];
		causes := '{}';
		FOREACH field IN ARRAY fields LOOP
			CONTINUE WHEN NOT change.old ? field
				OR field IN ('expected_on', 'probability_override') AND (here_phase.outcome IS NULL) <> (before_phase.outcome IS NULL);
			causes := causes || CASE field
				WHEN 'amount' THEN CASE WHEN coalesce((here ->> 'amount')::numeric, 0) > coalesce((before ->> 'amount')::numeric, 0)
					THEN 'amount_up' ELSE 'amount_down' END
				WHEN 'expected_on' THEN 'slipped'
				WHEN 'probability_override' THEN 'reweighted'
				WHEN 'phase_id' THEN coalesce(here_phase.outcome, CASE WHEN before_phase.outcome IS NOT NULL THEN 'reopened'
					WHEN before_phase.pipeline_id <> here_phase.pipeline_id THEN 'pipeline'
					WHEN here_phase.position >= before_phase.position THEN 'advanced' ELSE 'back' END)
				ELSE replace(field, '_id', '') END;
			steps := steps || CASE field WHEN 'phase_id' THEN here
				ELSE steps[cardinality(steps)] || jsonb_build_object(field, here -> field) END;
		END LOOP;
		FOR i IN REVERSE cardinality(causes)..1 LOOP
			RETURN QUERY SELECT change.changed_at, change.changed_by,
				CASE WHEN causes[i] <> 'slipped' THEN causes[i] WHEN s.opportunities > 0 THEN 'slipped_in' ELSE 'slipped_out' END,
				s.month, s.currency, s.status, s.opportunities, s.amount, s.weighted_amount
			FROM sales_crm.forecast_step(change.changed_at, steps[i], steps[i + 1]) s;
		END LOOP;
		here := before;
	END LOOP;
	RETURN QUERY SELECT (here ->> 'created_at')::timestamptz, (here ->> 'created_by')::bigint, 'created',
		s.month, s.currency, s.status, s.opportunities, s.amount, s.weighted_amount
	FROM sales_crm.forecast_step((here ->> 'created_at')::timestamptz, NULL, here) s;
END
$$;
COMMENT ON FUNCTION sales_crm.forecast_causes(bigint) IS
	'What an opportunity has done to the forecast, newest first, from its tracked changes: by which cause how much came to or went from a month, currency and status, weighted with the probability of that day. No row for an unknown opportunity';
