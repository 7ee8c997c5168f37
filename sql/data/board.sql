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

	IF sales_crm.setup_lacks('my_open_tasks') THEN
		CREATE VIEW sales_crm.my_open_tasks WITH (security_invoker = true) AS
		SELECT t.task_id, t.subject, t.details, t.due_on,
			CASE WHEN t.due_on < sales_crm.today() THEN 'overdue'
				WHEN t.due_on = sales_crm.today() THEN 'today' ELSE 'later' END AS due,
			t.priority, t.origin, t.opportunity_id, o.name AS opportunity,
			a.account_id, a.name AS account, t.created_at
		FROM sales_crm.task t
		LEFT JOIN sales_crm.opportunity o USING (opportunity_id)
		LEFT JOIN sales_crm.account a ON a.account_id = coalesce(t.account_id, o.account_id)
		WHERE t.assignee_id = (SELECT sales_crm.current_member()) AND t.done_at IS NULL
		ORDER BY t.due_on, array_position(array['high', 'normal', 'low'], t.priority), t.task_id;
		COMMENT ON VIEW sales_crm.my_open_tasks IS
			'Open tasks of current_member(): overdue ones first, then today''s, later ones, those without a date last';
		COMMENT ON COLUMN sales_crm.my_open_tasks.due IS 'overdue, today or later (also without a date), in the company''s time zone';
	END IF;
