	IF sales_crm.setup_lacks('forecast') THEN
		-- Most cells are as they were folded, and are passed on as they are; only those that the ledger
		-- touches are summed up. This is read all day, so it is written for the executor:
		-- - The condition stands below both arms of UNION ALL, so that the first one is a bare scan.
		-- - What the ledger touches is an array, which planners take for a short one, and a set: the plan does
		--   not depend on how long the ledger was when it was made, nor on the pages that wait for vacuum.
		-- - Numbers compare quicker as integers. coalesce() has them computed per phase, not per cell.
		-- - Joins to names are outer ones, so that a query which does not ask for them does not pay for them.
		CREATE VIEW sales_crm.forecast WITH (security_invoker = true) AS
		SELECT p.pipeline_id, l.name AS pipeline, f.phase_id, p.name AS phase, p.outcome, p.forecast_category,
			f.owner_id, m.name AS owner, f.source_id, s.name AS source, f.month, f.currency, f.opportunities, f.amount,
			CASE WHEN f.basis_points = p.basis_points THEN f.weighted_amount
				ELSE (f.phase_base * p.probability + f.override_weighted)::numeric(28,8) END AS weighted_amount
		FROM (
			SELECT false AS summed, c.cell, c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
				c.opportunities, c.amount, c.phase_base, c.override_weighted, c.basis_points, c.weighted_amount
			FROM sales_crm.forecast_cell c
			UNION ALL
			SELECT true, e.cell, e.phase_id, e.owner_id, e.source_id, e.month, e.currency,
				sum(e.opportunities)::bigint, sum(e.amount)::numeric(26,4), sum(e.phase_base), sum(e.override_weighted),
				NULL::integer, NULL::numeric(28,8)
			FROM (
				SELECT c.cell, c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
					c.opportunities, c.amount, c.phase_base, c.override_weighted
				FROM (SELECT DISTINCT k.cell FROM unnest(ARRAY(SELECT x.cell FROM sales_crm.forecast_ledger x)) AS k (cell)) t
				JOIN sales_crm.forecast_cell c USING (cell)
				UNION ALL
				SELECT g.cell, g.phase_id, g.owner_id, g.source_id, g.month, g.currency,
					g.opportunities, g.amount, g.phase_base, g.override_weighted
				FROM sales_crm.forecast_ledger g) e
			GROUP BY e.cell, e.phase_id, e.owner_id, e.source_id, e.month, e.currency) f
		LEFT JOIN (
			SELECT x.phase_id, x.pipeline_id, x.name, x.outcome, x.forecast_category, x.probability,
				coalesce((x.probability * 100)::integer, 0) AS basis_points
			FROM sales_crm.phase x) p USING (phase_id)
		LEFT JOIN sales_crm.pipeline l USING (pipeline_id)
		LEFT JOIN sales_crm.member m ON m.member_id = f.owner_id
		LEFT JOIN sales_crm.source s USING (source_id)
		WHERE f.opportunities <> 0 AND (f.summed OR NOT sales_crm.forecast_cell_in(f.cell,
			(SELECT sales_crm.forecast_cell_set(ARRAY(SELECT x.cell FROM sales_crm.forecast_ledger x)))));
		COMMENT ON VIEW sales_crm.forecast IS
			'Plain and weighted amounts per pipeline, phase, owner, source, month and currency, exact to the last commit; never sums currencies. Reading costs the number of cells, not of opportunities';
		COMMENT ON COLUMN sales_crm.forecast.month IS
			'First day of the month: of expected_on while open (NULL = undated), of closed_at in the company''s time zone when closed';
		COMMENT ON COLUMN sales_crm.forecast.weighted_amount IS
			'Sum of amount × probability / 100, not rounded; the probability is the opportunity''s own, else the phase''s, and the outcome''s when closed';
	END IF;
