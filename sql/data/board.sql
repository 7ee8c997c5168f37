	IF sales_crm.setup_lacks('pipeline_board') THEN
		CREATE VIEW sales_crm.pipeline_board WITH (security_invoker = true) AS
		SELECT l.pipeline_id, l.name AS pipeline, p.phase_id, p.name AS phase, p.position, p.color,
			p.probability, p.outcome, coalesce(b.currency, c.currency) AS currency,
			coalesce(b.opportunities, 0) AS opportunities,
			coalesce(b.amount, 0)::numeric(26,4) AS amount,
			coalesce(b.weighted_amount, 0)::numeric(26,4) AS weighted_amount,
			coalesce(b.rotting, 0) AS rotting
		FROM sales_crm.pipeline l
		JOIN sales_crm.phase p USING (pipeline_id)
		CROSS JOIN sales_crm.company c
		LEFT JOIN (
			SELECT o.pipeline_id, o.phase_id, o.currency, count(*) AS opportunities,
				sum(coalesce(o.amount, 0)) AS amount,
				sum(coalesce(o.amount, 0) * sales_crm.effective_probability(q.outcome, q.probability, o.probability_override) / 100) AS weighted_amount,
				count(*) FILTER (WHERE o.closed_at IS NULL
					AND o.phase_since < now() - make_interval(days => q.rotting_days)) AS rotting
			FROM sales_crm.opportunity o
			JOIN sales_crm.phase q USING (pipeline_id, phase_id)
			WHERE o.closed_at IS NULL
				OR o.closed_at >= (SELECT date_trunc('month', now(), d.time_zone) FROM sales_crm.company d)
			GROUP BY 1, 2, 3) b USING (pipeline_id, phase_id)
		WHERE l.active AND p.active
		ORDER BY l.position, l.pipeline_id, p.position, p.phase_id, b.currency;
		COMMENT ON VIEW sales_crm.pipeline_board IS
			'The board: each active phase in order, with its open opportunities, per currency; final phases show what this month closed';
		COMMENT ON COLUMN sales_crm.pipeline_board.rotting IS 'Open opportunities that are in the phase longer than its rotting_days';
	END IF;
