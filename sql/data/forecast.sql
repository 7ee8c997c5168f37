	IF sales_crm.setup_lacks('forecast') THEN
		CREATE VIEW sales_crm.forecast WITH (security_invoker = true) AS
		SELECT f.pipeline_id, l.name AS pipeline, f.phase_id, p.name AS phase, p.outcome,
			f.owner_id, m.name AS owner, f.source_id, s.name AS source, f.month, f.currency,
			f.opportunities, f.amount::numeric(26,4) AS amount,
			f.weighted_amount::numeric(26,4) AS weighted_amount
		FROM (
			SELECT o.pipeline_id, o.phase_id, o.owner_id, o.source_id,
				CASE WHEN o.closed_at IS NULL THEN date_trunc('month', o.expected_on::timestamp)
					ELSE date_trunc('month', sales_crm.local_date(o.closed_at)::timestamp) END::date AS month,
				o.currency,
				count(*) AS opportunities,
				sum(coalesce(o.amount, 0)) AS amount,
				sum(coalesce(o.amount, 0) * sales_crm.effective_probability(q.outcome, q.probability, o.probability_override) / 100) AS weighted_amount
			FROM sales_crm.opportunity o
			JOIN sales_crm.phase q USING (pipeline_id, phase_id)
			GROUP BY 1, 2, 3, 4, 5, 6) f
		JOIN sales_crm.pipeline l USING (pipeline_id)
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		LEFT JOIN sales_crm.member m ON m.member_id = f.owner_id
		LEFT JOIN sales_crm.source s USING (source_id);
		COMMENT ON VIEW sales_crm.forecast IS
			'Plain and weighted amounts per pipeline, phase, owner, source, month and currency; never sums currencies';
		COMMENT ON COLUMN sales_crm.forecast.month IS
			'First day of the month: of expected_on while open (NULL = undated), of closed_at in the company''s time zone when closed';
		COMMENT ON COLUMN sales_crm.forecast.weighted_amount IS
			'Sum of amount × probability / 100; the probability is the opportunity''s own, else the phase''s, and the outcome''s when closed';
	END IF;
