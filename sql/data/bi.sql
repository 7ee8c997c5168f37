	-- A star for BI tools: one fact, and dimensions whose key 0 (or day 1900-01-01) stands for "none"
	IF sales_crm.setup_lacks('bi_opportunity') THEN
		CREATE VIEW sales_crm.bi_opportunity WITH (security_invoker = true) AS
		SELECT o.opportunity_id, o.name, o.phase_id, o.account_id,
			coalesce(o.owner_id, 0) AS member_id, coalesce(o.source_id, 0) AS source_id,
			sales_crm.local_date(o.created_at) AS created_on,
			coalesce(o.expected_on, date '1900-01-01') AS expected_on,
			coalesce(sales_crm.local_date(o.closed_at), date '1900-01-01') AS closed_on,
			coalesce(sales_crm.local_date(o.closed_at), o.expected_on, date '1900-01-01') AS forecast_on,
			coalesce(p.outcome, 'open') AS status, o.currency, 1 AS opportunities,
			(p.outcome IS NULL)::integer AS open, (p.outcome IS NOT DISTINCT FROM 'won')::integer AS won,
			(p.outcome IS NOT DISTINCT FROM 'lost')::integer AS lost, (p.outcome IS NOT DISTINCT FROM 'expired')::integer AS expired,
			coalesce(o.amount, 0)::numeric(22,4) AS amount,
			(coalesce(o.amount, 0) * e.probability / 100)::numeric(22,4) AS weighted_amount,
			CASE WHEN p.outcome = 'won' THEN coalesce(o.amount, 0) ELSE 0 END::numeric(22,4) AS won_amount,
			e.probability::numeric(5,2) AS probability,
			(coalesce(sales_crm.local_date(o.closed_at), sales_crm.today()) - sales_crm.local_date(o.created_at))::integer AS age_days
		FROM sales_crm.opportunity o
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		CROSS JOIN LATERAL (
			SELECT sales_crm.effective_probability(p.outcome, p.probability, o.probability_override) AS probability) e;
		COMMENT ON VIEW sales_crm.bi_opportunity IS
			'Fact of the star: one row per opportunity, with keys that are never NULL to bi_phase, bi_account, bi_member, bi_source and bi_date';
		COMMENT ON COLUMN sales_crm.bi_opportunity.member_id IS 'The owner; 0 = nobody';
		COMMENT ON COLUMN sales_crm.bi_opportunity.expected_on IS '1900-01-01 = undated';
		COMMENT ON COLUMN sales_crm.bi_opportunity.closed_on IS '1900-01-01 = still open';
		COMMENT ON COLUMN sales_crm.bi_opportunity.forecast_on IS 'The day by which the forecast counts it: closed_on, else expected_on';
		COMMENT ON COLUMN sales_crm.bi_opportunity.status IS 'open, won, lost or expired';
		COMMENT ON COLUMN sales_crm.bi_opportunity.amount IS 'In currency: filter or group by it before summing';
		COMMENT ON COLUMN sales_crm.bi_opportunity.age_days IS 'Days from created_on to closed_on, or to today';
	END IF;

	IF sales_crm.setup_lacks('bi_phase') THEN
		CREATE VIEW sales_crm.bi_phase WITH (security_invoker = true) AS
		SELECT p.phase_id, p.name AS phase, p.position, p.pipeline_id, l.name AS pipeline, l.position AS pipeline_position,
			p.probability::numeric(5,2) AS probability, coalesce(p.outcome, 'open') AS status, p.forecast_category, p.color, p.active
		FROM sales_crm.phase p JOIN sales_crm.pipeline l USING (pipeline_id);
		COMMENT ON VIEW sales_crm.bi_phase IS 'Dimension of the star: phases with their pipelines';
		COMMENT ON COLUMN sales_crm.bi_phase.status IS 'open, won, lost or expired';
	END IF;

	IF sales_crm.setup_lacks('bi_member') THEN
		CREATE VIEW sales_crm.bi_member WITH (security_invoker = true) AS
		SELECT m.member_id, m.name AS member, coalesce(m.team_id, 0) AS team_id, coalesce(t.name, '-') AS team,
			coalesce(u.team_id, t.team_id, 0) AS upper_team_id, coalesce(u.name, t.name, '-') AS upper_team, m.active
		FROM sales_crm.member m
		LEFT JOIN sales_crm.team t USING (team_id)
		LEFT JOIN sales_crm.team u ON u.team_id = t.parent_team_id
		UNION ALL
		SELECT 0, '-', 0, '-', 0, '-', false;
		COMMENT ON VIEW sales_crm.bi_member IS 'Dimension of the star: owners with their teams; key 0 for opportunities that nobody owns';
		COMMENT ON COLUMN sales_crm.bi_member.upper_team IS 'The team of which the team is a part, else the team itself';
	END IF;

	IF sales_crm.setup_lacks('bi_account') THEN
		CREATE VIEW sales_crm.bi_account WITH (security_invoker = true) AS
		SELECT a.account_id, a.name AS account, a.kind, coalesce(a.city, '-') AS city, coalesce(a.country, '-') AS country,
			sales_crm.local_date(a.created_at) AS created_on
		FROM sales_crm.account a;
		COMMENT ON VIEW sales_crm.bi_account IS 'Dimension of the star: accounts';
	END IF;

	IF sales_crm.setup_lacks('bi_source') THEN
		CREATE VIEW sales_crm.bi_source WITH (security_invoker = true) AS
		SELECT s.source_id, s.name AS source, s.position, s.active FROM sales_crm.source s
		UNION ALL
		SELECT 0, '-', 0, false;
		COMMENT ON VIEW sales_crm.bi_source IS 'Dimension of the star: sources; key 0 for opportunities without one';
	END IF;

	IF sales_crm.setup_lacks('bi_date') THEN
		CREATE VIEW sales_crm.bi_date WITH (security_invoker = true) AS
		WITH used AS MATERIALIZED (
			SELECT o.expected_on AS day FROM sales_crm.opportunity o WHERE o.expected_on IS NOT NULL
			UNION SELECT sales_crm.local_date(o.created_at) FROM sales_crm.opportunity o
			UNION SELECT sales_crm.local_date(o.closed_at) FROM sales_crm.opportunity o WHERE o.closed_at IS NOT NULL
			UNION SELECT sales_crm.today()
		), day AS (
			-- Whole years around the days that make sense, and each day beyond that a typing error made
			SELECT generate_series(date_trunc('year', min(u.day)::timestamp),
				date_trunc('year', max(u.day)::timestamp) + interval '1 year - 1 day', interval '1 day')::date AS day
			FROM used u WHERE u.day BETWEEN '1990-01-01' AND sales_crm.today() + 7305
			UNION SELECT u.day FROM used u
			UNION SELECT date '1900-01-01'
		)
		SELECT d.day AS date_on, extract(year FROM d.day)::integer AS year, extract(quarter FROM d.day)::integer AS quarter,
			extract(month FROM d.day)::integer AS month, extract(day FROM d.day)::integer AS day,
			date_trunc('month', d.day::timestamp)::date AS month_on, date_trunc('quarter', d.day::timestamp)::date AS quarter_on,
			date_trunc('week', d.day::timestamp)::date AS week_on, extract(isoyear FROM d.day)::integer AS iso_year,
			extract(week FROM d.day)::integer AS iso_week, extract(isodow FROM d.day)::integer AS weekday,
			extract(year FROM f.fiscal_start + interval '1 year - 1 day')::integer AS fiscal_year,
			extract(quarter FROM d.day - f.shift)::integer AS fiscal_quarter,
			extract(isodow FROM d.day) < 6 AND NOT EXISTS (
				SELECT FROM sales_crm.holiday h WHERE h.holiday_on = d.day) AS working_day,
			d.day > date '1900-01-01' AS dated
		FROM day d
		CROSS JOIN (SELECT make_interval(months => c.fiscal_year_start_month - 1) AS shift FROM sales_crm.company c WHERE c.company_id = 1) s
		CROSS JOIN LATERAL (SELECT s.shift, date_trunc('year', d.day - s.shift) + s.shift AS fiscal_start) f;
		COMMENT ON VIEW sales_crm.bi_date IS
			'Dimension of the star: every day of the years in which opportunities lie; 1900-01-01 for "no date"';
		COMMENT ON COLUMN sales_crm.bi_date.week_on IS 'Monday of the week (ISO 8601)';
		COMMENT ON COLUMN sales_crm.bi_date.weekday IS '1 = Monday to 7 = Sunday';
		COMMENT ON COLUMN sales_crm.bi_date.fiscal_year IS 'The calendar year in which the fiscal year ends';
		COMMENT ON COLUMN sales_crm.bi_date.working_day IS 'Monday to Friday without holidays';
		COMMENT ON COLUMN sales_crm.bi_date.dated IS 'False for 1900-01-01 alone';
	END IF;
