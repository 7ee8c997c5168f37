CREATE FUNCTION sales_crm.verify_opportunities(
	OUT opportunity_id bigint, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH state AS (
		SELECT o.opportunity_id, o.phase_id, o.phase_since, o.created_at, o.closed_at, p.outcome,
			s.stays, s.current, s.current_phase_id, s.current_since, s.overlapping
		FROM sales_crm.opportunity o
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		LEFT JOIN (
			SELECT x.opportunity_id, count(*) AS stays,
				count(*) FILTER (WHERE x.left_at IS NULL) AS current,
				max(x.phase_id) FILTER (WHERE x.left_at IS NULL) AS current_phase_id,
				max(x.entered_at) FILTER (WHERE x.left_at IS NULL) AS current_since,
				bool_or(x.left_at IS DISTINCT FROM x.next_entered_at) AS overlapping
			FROM (
				SELECT y.opportunity_id, y.phase_id, y.entered_at, y.left_at,
					lead(y.entered_at) OVER (PARTITION BY y.opportunity_id
						ORDER BY y.entered_at, y.left_at, y.phase_stay_id) AS next_entered_at
				FROM sales_crm.phase_stay y) x
			GROUP BY x.opportunity_id) s USING (opportunity_id)
	)
	SELECT s.opportunity_id, c.problem
	FROM state s
	CROSS JOIN LATERAL (VALUES
		(s.outcome IS NOT NULL AND s.closed_at IS NULL, 'in a final phase without closed_at'),
		(s.outcome IS NULL AND s.closed_at IS NOT NULL, 'in an open phase with closed_at'),
		(s.phase_since < s.created_at, 'phase_since before created_at'),
		(s.stays IS NULL, 'no phase stay'),
		(s.stays IS NOT NULL AND s.current <> 1, 'not exactly one current phase stay'),
		(s.current = 1 AND (s.current_phase_id, s.current_since) IS DISTINCT FROM (s.phase_id, s.phase_since),
			'current phase stay is not that of the opportunity'),
		(s.overlapping, 'a phase stay does not end where the next one begins')
	) AS c (holds, problem)
	WHERE c.holds
$$;
COMMENT ON FUNCTION sales_crm.verify_opportunities() IS
	'Recomputes what triggers keep about phases (closed_at, phase_since, phase_stay) and returns each difference: never a row, unless rows were written with triggers off';
