	IF sales_crm.setup_lacks('sales_dashboard') THEN
		CREATE VIEW sales_crm.sales_dashboard WITH (security_invoker = true) AS
		WITH day AS MATERIALIZED (
			SELECT c.currency, c.time_zone, t.today, date_trunc('month', t.today::timestamp)::date AS month,
				(date_trunc('year', t.today - s.shift) + s.shift)::date AS year
			FROM sales_crm.company c
			CROSS JOIN LATERAL (SELECT sales_crm.today() AS today) t
			CROSS JOIN LATERAL (SELECT make_interval(months => c.fiscal_year_start_month - 1) AS shift) s
			WHERE c.company_id = 1
		), cell AS MATERIALIZED (
			SELECT f.pipeline_id, f.phase_id, f.phase, f.outcome, f.month, f.currency, sum(f.opportunities)::bigint AS opportunities,
				sum(f.amount) AS amount, sum(f.weighted_amount) AS weighted_amount
			FROM sales_crm.forecast f
			GROUP BY 1, 2, 3, 4, 5, 6
		), forecast AS (
			SELECT coalesce(sum(c.opportunities) FILTER (WHERE c.outcome IS NULL), 0)::bigint AS open_opportunities,
				coalesce(sum(c.opportunities) FILTER (WHERE c.outcome IS NULL AND c.currency <> d.currency), 0)::bigint AS other_currencies,
				sum(c.amount) FILTER (WHERE c.outcome IS NULL AND c.currency = d.currency) AS open_amount,
				sum(c.weighted_amount) FILTER (WHERE c.outcome IS NULL AND c.currency = d.currency) AS weighted_amount,
				sum(c.weighted_amount) FILTER (WHERE c.outcome IS NULL AND c.currency = d.currency AND c.month = d.month) AS weighted_this_month,
				coalesce(sum(c.opportunities) FILTER (WHERE c.outcome = 'won' AND c.month = d.month), 0)::bigint AS won_this_month,
				sum(c.amount) FILTER (WHERE c.outcome = 'won' AND c.currency = d.currency AND c.month = d.month) AS won_amount_this_month,
				sum(c.amount) FILTER (WHERE c.outcome = 'won' AND c.currency = d.currency AND c.month >= d.year) AS won_amount_this_year,
				coalesce(sum(c.opportunities) FILTER (WHERE c.outcome IN ('lost', 'expired') AND c.month = d.month), 0)::bigint AS lost_this_month,
				100.0 * coalesce(sum(c.opportunities) FILTER (WHERE c.outcome = 'won' AND c.month >= d.year), 0)
					/ nullif(sum(c.opportunities) FILTER (WHERE c.outcome IS NOT NULL AND c.month >= d.year), 0) AS win_rate_this_year
			FROM day d LEFT JOIN cell c ON true
		)
		SELECT d.today, d.currency, f.open_opportunities, f.other_currencies,
			coalesce(f.open_amount, 0)::numeric(26,4) AS open_amount,
			coalesce(f.weighted_amount, 0)::numeric(26,4) AS weighted_amount,
			f.won_this_month, f.lost_this_month,
			coalesce(f.won_amount_this_month, 0)::numeric(26,4) AS won_amount_this_month,
			coalesce(f.weighted_this_month, 0)::numeric(26,4) AS weighted_this_month,
			(SELECT a.target_amount FROM sales_crm.target_attainment a WHERE a.level = 'company' AND a.period = 'month'
				AND a.starts_on = d.month AND a.currency = d.currency) AS target_this_month,
			coalesce(f.won_amount_this_year, 0)::numeric(26,4) AS won_amount_this_year,
			(SELECT a.target_amount FROM sales_crm.target_attainment a WHERE a.level = 'company' AND a.period = 'year'
				AND a.starts_on = d.year AND a.currency = d.currency) AS target_this_year,
			f.win_rate_this_year::numeric(5,2) AS win_rate_this_year,
			(SELECT count(*) FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (pipeline_id, phase_id)
				WHERE o.closed_at IS NULL AND o.phase_since < now() - make_interval(days => p.rotting_days)) AS rotting,
			(SELECT count(*) FROM sales_crm.opportunity o WHERE o.closed_at IS NULL AND o.expected_on < d.today) AS past_expected,
			(SELECT count(*) FROM sales_crm.task t WHERE t.done_at IS NULL AND t.due_on < d.today) AS overdue_tasks,
			(SELECT count(*) FROM sales_crm.task t WHERE t.done_at IS NULL AND t.due_on = d.today) AS tasks_today,
			coalesce((SELECT jsonb_agg(jsonb_build_object('month', m.month, 'won_amount', m.won, 'open_amount', m.open,
					'weighted_amount', m.weighted) ORDER BY m.month)
				FROM (SELECT c.month, coalesce(sum(c.amount) FILTER (WHERE c.outcome = 'won'), 0)::numeric(26,4) AS won,
						coalesce(sum(c.amount) FILTER (WHERE c.outcome IS NULL), 0)::numeric(26,4) AS open,
						coalesce(sum(c.weighted_amount) FILTER (WHERE c.outcome IS NULL), 0)::numeric(26,4) AS weighted
					FROM cell c
					WHERE c.currency = d.currency AND (c.outcome IS NULL OR c.outcome = 'won')
						AND c.month >= d.month - interval '5 months' AND c.month < d.month + interval '7 months'
					GROUP BY 1) m), '[]') AS months,
			coalesce((SELECT jsonb_agg(jsonb_build_object('pipeline_id', x.pipeline_id, 'phase_id', x.phase_id, 'phase', x.phase,
					'opportunities', x.opportunities, 'amount', x.amount, 'weighted_amount', x.weighted)
					ORDER BY x.pipeline_position, x.pipeline_id, x.position, x.phase_id)
				FROM (SELECT c.pipeline_id, c.phase_id, c.phase, l.position AS pipeline_position, p.position,
						sum(c.opportunities)::bigint AS opportunities,
						sum(c.amount)::numeric(26,4) AS amount, sum(c.weighted_amount)::numeric(26,4) AS weighted
					FROM cell c
					JOIN sales_crm.pipeline l USING (pipeline_id)
					JOIN sales_crm.phase p USING (pipeline_id, phase_id)
					WHERE c.currency = d.currency AND c.outcome IS NULL
					GROUP BY 1, 2, 3, 4, 5) x), '[]') AS phases
		FROM day d CROSS JOIN forecast f;
		COMMENT ON VIEW sales_crm.sales_dashboard IS
			'One row with what a dashboard shows. Amounts are of opportunities in the company''s currency; the year is the fiscal one';
		COMMENT ON COLUMN sales_crm.sales_dashboard.other_currencies IS 'Open opportunities in other currencies, which the amounts leave out';
		COMMENT ON COLUMN sales_crm.sales_dashboard.lost_this_month IS 'Lost and expired ones';
		COMMENT ON COLUMN sales_crm.sales_dashboard.win_rate_this_year IS 'Percent of those completed this fiscal year that were won';
		COMMENT ON COLUMN sales_crm.sales_dashboard.past_expected IS 'Open opportunities whose expected date has passed';
		COMMENT ON COLUMN sales_crm.sales_dashboard.months IS 'JSON array: the last five months, this one and the next six, those that have something';
		COMMENT ON COLUMN sales_crm.sales_dashboard.phases IS 'JSON array: open phases in order, those that have something';
	END IF;
