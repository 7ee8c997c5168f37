	IF sales_crm.setup_lacks('forecast_by_month') THEN
		CREATE VIEW sales_crm.forecast_by_month WITH (security_invoker = true) AS
		SELECT f.month, f.pipeline_id, f.pipeline, f.currency,
			coalesce(sum(f.opportunities) FILTER (WHERE f.outcome IS NULL), 0)::bigint AS open_opportunities,
			coalesce(sum(f.amount) FILTER (WHERE f.outcome IS NULL), 0)::numeric(26,4) AS open_amount,
			coalesce(sum(f.weighted_amount) FILTER (WHERE f.outcome IS NULL), 0)::numeric(26,4) AS weighted_amount,
			coalesce(sum(f.opportunities) FILTER (WHERE f.outcome = 'won'), 0)::bigint AS won_opportunities,
			coalesce(sum(f.amount) FILTER (WHERE f.outcome = 'won'), 0)::numeric(26,4) AS won_amount,
			coalesce(sum(f.opportunities) FILTER (WHERE f.outcome IN ('lost', 'expired')), 0)::bigint AS lost_opportunities,
			coalesce(sum(f.amount) FILTER (WHERE f.outcome IN ('lost', 'expired')), 0)::numeric(26,4) AS lost_amount,
			sum(f.weighted_amount)::numeric(26,4) AS expected_amount
		FROM sales_crm.forecast f
		GROUP BY 1, 2, 3, 4
		ORDER BY f.month, f.pipeline_id, f.currency;
		COMMENT ON VIEW sales_crm.forecast_by_month IS
			'The forecast per month, pipeline and currency: what is open, won and lost';
		COMMENT ON COLUMN sales_crm.forecast_by_month.lost_opportunities IS 'Lost and expired ones';
		COMMENT ON COLUMN sales_crm.forecast_by_month.expected_amount IS 'Won plus weighted open amount';
	END IF;

	IF sales_crm.setup_lacks('forecast_by_category') THEN
		CREATE VIEW sales_crm.forecast_by_category WITH (security_invoker = true) AS
		SELECT c.month, c.pipeline_id, c.pipeline, c.owner_id, c.owner, c.currency,
			c.omitted_amount::numeric(26,4) AS omitted_amount, c.pipeline_amount::numeric(26,4) AS pipeline_amount,
			c.best_case_amount::numeric(26,4) AS best_case_amount, c.commit_amount::numeric(26,4) AS commit_amount,
			c.closed_amount::numeric(26,4) AS closed_amount,
			(c.commit_amount + c.closed_amount)::numeric(26,4) AS commit_forecast,
			(c.best_case_amount + c.commit_amount + c.closed_amount)::numeric(26,4) AS best_case_forecast,
			(c.pipeline_amount + c.best_case_amount + c.commit_amount + c.closed_amount)::numeric(26,4) AS pipeline_forecast,
			(c.pipeline_amount + c.best_case_amount + c.commit_amount)::numeric(26,4) AS open_pipeline
		FROM (
			SELECT f.month, f.pipeline_id, f.pipeline, f.owner_id, f.owner, f.currency,
				coalesce(sum(f.amount) FILTER (WHERE f.forecast_category = 'omitted'), 0) AS omitted_amount,
				coalesce(sum(f.amount) FILTER (WHERE f.forecast_category = 'pipeline'), 0) AS pipeline_amount,
				coalesce(sum(f.amount) FILTER (WHERE f.forecast_category = 'best_case'), 0) AS best_case_amount,
				coalesce(sum(f.amount) FILTER (WHERE f.forecast_category = 'commit'), 0) AS commit_amount,
				coalesce(sum(f.amount) FILTER (WHERE f.forecast_category = 'closed'), 0) AS closed_amount
			FROM sales_crm.forecast f
			GROUP BY 1, 2, 3, 4, 5, 6) c
		ORDER BY c.month, c.pipeline_id, c.owner_id, c.currency;
		COMMENT ON VIEW sales_crm.forecast_by_category IS
			'Plain amounts by forecast_category of the phase, per month, pipeline, owner and currency: each category alone, and the cumulative forecasts';
		COMMENT ON COLUMN sales_crm.forecast_by_category.omitted_amount IS 'Also what is lost or expired';
		COMMENT ON COLUMN sales_crm.forecast_by_category.closed_amount IS 'Won';
		COMMENT ON COLUMN sales_crm.forecast_by_category.commit_forecast IS 'Closed and commit';
		COMMENT ON COLUMN sales_crm.forecast_by_category.best_case_forecast IS 'Closed, commit and best case';
		COMMENT ON COLUMN sales_crm.forecast_by_category.pipeline_forecast IS 'Closed, commit, best case and pipeline';
		COMMENT ON COLUMN sales_crm.forecast_by_category.open_pipeline IS 'Commit, best case and pipeline: what is still open';
	END IF;

	IF sales_crm.setup_lacks('win_rate') THEN
		CREATE VIEW sales_crm.win_rate WITH (security_invoker = true) AS
		SELECT w.month, w.pipeline_id, w.pipeline, w.owner_id, w.owner, w.currency, w.won, w.lost, w.expired,
			(100.0 * w.won / (w.won + w.lost + w.expired))::numeric(5,2) AS win_rate,
			w.won_amount::numeric(26,4) AS won_amount, w.closed_amount::numeric(26,4) AS closed_amount,
			(100 * w.won_amount / nullif(w.closed_amount, 0))::numeric(5,2) AS win_rate_by_amount
		FROM (
			SELECT f.month, f.pipeline_id, f.pipeline, f.owner_id, f.owner, f.currency,
				coalesce(sum(f.opportunities) FILTER (WHERE f.outcome = 'won'), 0)::bigint AS won,
				coalesce(sum(f.opportunities) FILTER (WHERE f.outcome = 'lost'), 0)::bigint AS lost,
				coalesce(sum(f.opportunities) FILTER (WHERE f.outcome = 'expired'), 0)::bigint AS expired,
				coalesce(sum(f.amount) FILTER (WHERE f.outcome = 'won'), 0) AS won_amount,
				sum(f.amount) AS closed_amount
			FROM sales_crm.forecast f
			WHERE f.outcome IS NOT NULL
			GROUP BY 1, 2, 3, 4, 5, 6) w
		ORDER BY w.month, w.pipeline_id, w.owner_id, w.currency;
		COMMENT ON VIEW sales_crm.win_rate IS
			'Won, lost and expired opportunities per month of closing, pipeline, owner and currency';
		COMMENT ON COLUMN sales_crm.win_rate.win_rate IS 'Percent of the completed ones that were won; expired ones were not';
		COMMENT ON COLUMN sales_crm.win_rate.closed_amount IS 'Amount of all completed ones';
	END IF;

	IF sales_crm.setup_lacks('source_performance') THEN
		CREATE VIEW sales_crm.source_performance WITH (security_invoker = true) AS
		SELECT x.source_id, s.name AS source, x.currency, x.opportunities, x.open, x.won, x.lost, x.expired,
			(100.0 * x.won / nullif(x.won + x.lost + x.expired, 0))::numeric(5,2) AS win_rate,
			x.amount::numeric(26,4) AS amount, x.open_amount::numeric(26,4) AS open_amount,
			x.won_amount::numeric(26,4) AS won_amount, x.days_to_win::numeric(12,2) AS days_to_win
		FROM (
			SELECT o.source_id, o.currency, count(*) AS opportunities,
				count(*) FILTER (WHERE p.outcome IS NULL) AS open,
				count(*) FILTER (WHERE p.outcome = 'won') AS won,
				count(*) FILTER (WHERE p.outcome = 'lost') AS lost,
				count(*) FILTER (WHERE p.outcome = 'expired') AS expired,
				coalesce(sum(o.amount), 0) AS amount,
				coalesce(sum(o.amount) FILTER (WHERE p.outcome IS NULL), 0) AS open_amount,
				coalesce(sum(o.amount) FILTER (WHERE p.outcome = 'won'), 0) AS won_amount,
				avg(extract(epoch FROM o.closed_at - o.created_at) / 86400) FILTER (WHERE p.outcome = 'won') AS days_to_win
			FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (pipeline_id, phase_id)
			GROUP BY 1, 2) x
		LEFT JOIN sales_crm.source s USING (source_id)
		ORDER BY s.position, x.source_id, x.currency;
		COMMENT ON VIEW sales_crm.source_performance IS
			'What each source brings, per currency; source_id NULL = opportunities without a source';
		COMMENT ON COLUMN sales_crm.source_performance.win_rate IS 'Percent of the completed ones that were won; NULL when none is completed';
		COMMENT ON COLUMN sales_crm.source_performance.days_to_win IS 'Average days from created_at to closed_at of the won ones';
	END IF;

	IF sales_crm.setup_lacks('sales_cycle') THEN
		CREATE VIEW sales_crm.sales_cycle WITH (security_invoker = true) AS
		SELECT CASE WHEN x.by_owner = 0 THEN 'owner' ELSE 'pipeline' END AS level,
			x.pipeline_id, l.name AS pipeline, x.owner_id, m.name AS owner, x.outcome, x.opportunities,
			x.average_days::numeric(12,2) AS average_days, x.median_days::numeric(12,2) AS median_days, x.p90_days::numeric(12,2) AS p90_days
		FROM (
			SELECT grouping(o.owner_id) AS by_owner, o.pipeline_id, o.owner_id, p.outcome, count(*) AS opportunities,
				avg(extract(epoch FROM o.closed_at - o.created_at) / 86400) AS average_days,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM o.closed_at - o.created_at)::float8) / 86400 AS median_days,
				percentile_cont(0.9) WITHIN GROUP (ORDER BY extract(epoch FROM o.closed_at - o.created_at)::float8) / 86400 AS p90_days
			FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (pipeline_id, phase_id)
			WHERE o.closed_at IS NOT NULL
			GROUP BY GROUPING SETS ((o.pipeline_id, p.outcome), (o.pipeline_id, p.outcome, o.owner_id))) x
		JOIN sales_crm.pipeline l USING (pipeline_id)
		LEFT JOIN sales_crm.member m ON m.member_id = x.owner_id
		ORDER BY 1 DESC, l.position, x.pipeline_id, x.outcome DESC, x.owner_id;
		COMMENT ON VIEW sales_crm.sales_cycle IS
			'Days from created_at to closed_at of completed opportunities, per pipeline and outcome, and the same per owner';
		COMMENT ON COLUMN sales_crm.sales_cycle.level IS 'pipeline or owner; medians of owners do not add up to that of the pipeline';
	END IF;

	IF sales_crm.setup_lacks('phase_conversion') THEN
		CREATE VIEW sales_crm.phase_conversion WITH (security_invoker = true) AS
		SELECT p.pipeline_id, l.name AS pipeline, p.phase_id, p.name AS phase, p.position,
			coalesce(x.entered, 0) AS entered, coalesce(x.opportunities, 0) AS opportunities,
			coalesce(x.advanced, 0) AS advanced, coalesce(x.went_back, 0) AS went_back, coalesce(x.lost, 0) AS lost,
			coalesce(x.expired, 0) AS expired, coalesce(x.moved_away, 0) AS moved_away, coalesce(x.present, 0) AS present,
			(100.0 * x.advanced / nullif(x.entered - x.present, 0))::numeric(5,2) AS conversion
		FROM sales_crm.phase p
		JOIN sales_crm.pipeline l USING (pipeline_id)
		LEFT JOIN (
			SELECT s.phase_id, count(*) AS entered, count(DISTINCT s.opportunity_id) AS opportunities,
				count(*) FILTER (WHERE n.pipeline_id = q.pipeline_id
					AND (n.outcome = 'won' OR n.outcome IS NULL AND (n.position, n.phase_id) > (q.position, q.phase_id))) AS advanced,
				count(*) FILTER (WHERE n.pipeline_id = q.pipeline_id
					AND n.outcome IS NULL AND (n.position, n.phase_id) <= (q.position, q.phase_id)) AS went_back,
				count(*) FILTER (WHERE n.pipeline_id = q.pipeline_id AND n.outcome = 'lost') AS lost,
				count(*) FILTER (WHERE n.pipeline_id = q.pipeline_id AND n.outcome = 'expired') AS expired,
				count(*) FILTER (WHERE n.pipeline_id <> q.pipeline_id) AS moved_away,
				count(*) FILTER (WHERE n.phase_id IS NULL) AS present
			FROM (
				SELECT y.phase_id, y.opportunity_id, lead(y.phase_id) OVER (PARTITION BY y.opportunity_id
					ORDER BY y.entered_at, y.left_at, y.phase_stay_id) AS next_phase_id
				FROM sales_crm.phase_stay y) s
			JOIN sales_crm.phase q USING (phase_id)
			LEFT JOIN sales_crm.phase n ON n.phase_id = s.next_phase_id
			GROUP BY s.phase_id) x USING (phase_id)
		WHERE p.outcome IS NULL
		ORDER BY l.position, p.pipeline_id, p.position, p.phase_id;
		COMMENT ON VIEW sales_crm.phase_conversion IS
			'Where opportunities go from each open phase. entered = advanced + went_back + lost + expired + moved_away + present';
		COMMENT ON COLUMN sales_crm.phase_conversion.entered IS 'Stays in the phase; one opportunity may enter it again';
		COMMENT ON COLUMN sales_crm.phase_conversion.opportunities IS 'Different opportunities among them';
		COMMENT ON COLUMN sales_crm.phase_conversion.advanced IS 'Went on to a later phase of the pipeline, or were won';
		COMMENT ON COLUMN sales_crm.phase_conversion.moved_away IS 'Went to another pipeline';
		COMMENT ON COLUMN sales_crm.phase_conversion.present IS 'Are in it now';
		COMMENT ON COLUMN sales_crm.phase_conversion.conversion IS 'Percent of those that left the phase that advanced; NULL when none left';
	END IF;

	IF sales_crm.setup_lacks('phase_duration') THEN
		CREATE VIEW sales_crm.phase_duration WITH (security_invoker = true) AS
		SELECT p.pipeline_id, l.name AS pipeline, p.phase_id, p.name AS phase, p.position,
			coalesce(x.stays, 0) AS stays, x.average_days::numeric(12,2) AS average_days,
			x.median_days::numeric(12,2) AS median_days, x.p90_days::numeric(12,2) AS p90_days,
			coalesce(x.present, 0) AS present, x.present_median_days::numeric(12,2) AS present_median_days
		FROM sales_crm.phase p
		JOIN sales_crm.pipeline l USING (pipeline_id)
		LEFT JOIN (
			SELECT d.phase_id, count(*) FILTER (WHERE d.left_it) AS stays, avg(d.days) FILTER (WHERE d.left_it) AS average_days,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY d.days) FILTER (WHERE d.left_it) AS median_days,
				percentile_cont(0.9) WITHIN GROUP (ORDER BY d.days) FILTER (WHERE d.left_it) AS p90_days,
				count(*) FILTER (WHERE NOT d.left_it) AS present,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY d.days) FILTER (WHERE NOT d.left_it) AS present_median_days
			FROM (
				SELECT y.phase_id, y.left_at IS NOT NULL AS left_it,
					(extract(epoch FROM coalesce(y.left_at, now()) - y.entered_at) / 86400)::float8 AS days
				FROM sales_crm.phase_stay y) d
			GROUP BY d.phase_id) x USING (phase_id)
		WHERE p.outcome IS NULL
		ORDER BY l.position, p.pipeline_id, p.position, p.phase_id;
		COMMENT ON VIEW sales_crm.phase_duration IS 'How many days opportunities stay in each open phase';
		COMMENT ON COLUMN sales_crm.phase_duration.stays IS 'Finished stays, which the days before present are of';
		COMMENT ON COLUMN sales_crm.phase_duration.p90_days IS 'Nine in ten stays ended within so many days';
		COMMENT ON COLUMN sales_crm.phase_duration.present IS 'Opportunities in it now';
		COMMENT ON COLUMN sales_crm.phase_duration.present_median_days IS 'How long those have been in it';
	END IF;

	IF sales_crm.setup_lacks('phase_calibration') THEN
		CREATE VIEW sales_crm.phase_calibration WITH (security_invoker = true) AS
		SELECT w.pipeline_id, w.pipeline, w.phase_id, w.phase, w.position, w.probability,
			coalesce(w.opportunities, 0) AS opportunities, coalesce(w.won, 0) AS won,
			(100 * w.share)::numeric(5,2) AS won_share,
			(100 * greatest(w.middle - w.half, 0))::numeric(5,2) AS won_share_low,
			(100 * least(w.middle + w.half, 1))::numeric(5,2) AS won_share_high,
			CASE WHEN w.opportunities IS NULL THEN 'unknown'
				WHEN w.probability / 100 > w.middle + w.half THEN 'too high'
				WHEN w.probability / 100 < w.middle - w.half THEN 'too low'
				ELSE 'plausible' END AS verdict
		FROM (
			SELECT p.pipeline_id, l.name AS pipeline, p.phase_id, p.name AS phase, p.position, p.probability,
				l.position AS pipeline_position, n.opportunities, n.won, s.share,
				-- Wilson's interval for 95 %: z = 1.959964, z² = 3.841459
				(s.share + 3.841459 / (2.0 * n.opportunities)) / (1 + 3.841459 / n.opportunities) AS middle,
				1.959964 * sqrt(s.share * (1 - s.share) / n.opportunities + 3.841459 / (4.0 * n.opportunities * n.opportunities))
					/ (1 + 3.841459 / n.opportunities) AS half
			FROM sales_crm.phase p
			JOIN sales_crm.pipeline l USING (pipeline_id)
			LEFT JOIN (
				SELECT e.phase_id, count(*) AS opportunities, count(*) FILTER (WHERE f.outcome = 'won') AS won
				FROM (SELECT DISTINCT y.phase_id, y.opportunity_id FROM sales_crm.phase_stay y) e
				JOIN sales_crm.opportunity o USING (opportunity_id)
				JOIN sales_crm.phase f ON f.phase_id = o.phase_id
				WHERE o.closed_at IS NOT NULL
				GROUP BY e.phase_id) n USING (phase_id)
			CROSS JOIN LATERAL (SELECT n.won::numeric / n.opportunities AS share) s
			WHERE p.outcome IS NULL) w
		ORDER BY w.pipeline_position, w.pipeline_id, w.position, w.phase_id;
		COMMENT ON VIEW sales_crm.phase_calibration IS
			'Which percentages lie: the probability of each open phase beside the share that was really won of the completed opportunities that entered it, with its 95 % interval after Wilson';
		COMMENT ON COLUMN sales_crm.phase_calibration.probability IS 'Percent that the phase says';
		COMMENT ON COLUMN sales_crm.phase_calibration.opportunities IS 'Completed ones that entered the phase, each once';
		COMMENT ON COLUMN sales_crm.phase_calibration.won_share IS 'Percent of them that were won; NULL when there is none';
		COMMENT ON COLUMN sales_crm.phase_calibration.verdict IS
			'too high or too low: the probability lies outside the interval; plausible: within; unknown: nothing to compare with';
	END IF;

	IF sales_crm.setup_lacks('rotting_opportunity') THEN
		CREATE VIEW sales_crm.rotting_opportunity WITH (security_invoker = true) AS
		SELECT o.opportunity_id, o.name, o.account_id, a.name AS account, o.owner_id, m.name AS owner,
			o.pipeline_id, o.phase_id, p.name AS phase, o.phase_since,
			sales_crm.today() - sales_crm.local_date(o.phase_since) AS days_in_phase, p.rotting_days,
			o.amount::numeric(22,4) AS amount, o.currency, o.expected_on,
			(SELECT min(t.due_on) FROM sales_crm.task t
				WHERE t.opportunity_id = o.opportunity_id AND t.done_at IS NULL) AS next_task_on
		FROM sales_crm.opportunity o
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		JOIN sales_crm.account a USING (account_id)
		LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
		WHERE o.closed_at IS NULL AND o.phase_since < now() - make_interval(days => p.rotting_days)
		ORDER BY o.phase_since, o.opportunity_id;
		COMMENT ON VIEW sales_crm.rotting_opportunity IS
			'Open opportunities that are in their phase longer than its rotting_days, the oldest first';
		COMMENT ON COLUMN sales_crm.rotting_opportunity.days_in_phase IS 'Calendar days since phase_since in the company''s time zone';
		COMMENT ON COLUMN sales_crm.rotting_opportunity.next_task_on IS 'Earliest due date of its open tasks';
	END IF;
