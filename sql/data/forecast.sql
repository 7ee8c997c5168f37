	IF sales_crm.setup_lacks('forecast') THEN
		-- Most cells are as they were folded, and are passed on as they are; only those that the ledger
		-- touches are summed up. NOT IN and the join by DISTINCT are quick whether the ledger is empty or
		-- long, even with a plan that was made when it was the other. Joins to names are outer ones, so
		-- that a query which does not ask for them does not pay for them.
		CREATE VIEW sales_crm.forecast WITH (security_invoker = true) AS
		SELECT p.pipeline_id, l.name AS pipeline, f.phase_id, p.name AS phase, p.outcome, p.forecast_category,
			f.owner_id, m.name AS owner, f.source_id, s.name AS source, f.month, f.currency, f.opportunities, f.amount,
			CASE WHEN f.probability = p.probability THEN f.weighted_amount
				ELSE (f.phase_base * p.probability + f.override_weighted)::numeric(28,8) END AS weighted_amount
		FROM (
			SELECT c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
				c.opportunities, c.amount, c.phase_base, c.override_weighted, c.probability, c.weighted_amount
			FROM sales_crm.forecast_cell c
			WHERE c.cell NOT IN (SELECT x.cell FROM sales_crm.forecast_ledger x)
			UNION ALL
			SELECT e.phase_id, e.owner_id, e.source_id, e.month, e.currency,
				sum(e.opportunities)::bigint, sum(e.amount)::numeric(26,4), sum(e.phase_base), sum(e.override_weighted),
				NULL::numeric(5,2), NULL::numeric(28,8)
			FROM (
				SELECT c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
					c.opportunities, c.amount, c.phase_base, c.override_weighted
				FROM (SELECT DISTINCT x.cell FROM sales_crm.forecast_ledger x) t
				JOIN sales_crm.forecast_cell c USING (cell)
				UNION ALL
				SELECT g.phase_id, g.owner_id, g.source_id, g.month, g.currency,
					g.opportunities, g.amount, g.phase_base, g.override_weighted
				FROM sales_crm.forecast_ledger g) e
			GROUP BY e.phase_id, e.owner_id, e.source_id, e.month, e.currency
			HAVING sum(e.opportunities) <> 0) f
		LEFT JOIN sales_crm.phase p USING (phase_id)
		LEFT JOIN sales_crm.pipeline l USING (pipeline_id)
		LEFT JOIN sales_crm.member m ON m.member_id = f.owner_id
		LEFT JOIN sales_crm.source s USING (source_id);
		COMMENT ON VIEW sales_crm.forecast IS
			'Plain and weighted amounts per pipeline, phase, owner, source, month and currency, exact to the last commit; never sums currencies. Reading costs the number of cells, not of opportunities';
		COMMENT ON COLUMN sales_crm.forecast.month IS
			'First day of the month: of expected_on while open (NULL = undated), of closed_at in the company''s time zone when closed';
		COMMENT ON COLUMN sales_crm.forecast.weighted_amount IS
			'Sum of amount × probability / 100, not rounded; the probability is the opportunity''s own, else the phase''s, and the outcome''s when closed';
	END IF;
