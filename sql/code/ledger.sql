CREATE FUNCTION sales_crm.opportunity_ledger()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_opportunity_ledger';
COMMENT ON FUNCTION sales_crm.opportunity_ledger() IS
	'Statement trigger of opportunity: appends what the statement does to the forecast, per cell and cause, to forecast_ledger';

CREATE FUNCTION sales_crm.phase_ledger()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_phase_ledger';
COMMENT ON FUNCTION sales_crm.phase_ledger() IS
	'Statement trigger of phase: remembers new probabilities in phase_probability, so that a forecast of the past keeps its weights';

CREATE FUNCTION sales_crm.company_ledger()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_company_ledger';
COMMENT ON FUNCTION sales_crm.company_ledger() IS
	'Statement trigger of company: another time zone puts closed opportunities into other months, which it appends to forecast_ledger as corrected';

CREATE FUNCTION sales_crm.forecast_cell_weigh()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_forecast_cell_weigh';
COMMENT ON FUNCTION sales_crm.forecast_cell_weigh() IS
	'Row trigger of forecast_cell: keeps weighted_amount, with the probability that it was weighed with';

CREATE FUNCTION sales_crm.forecast_cell_key(phase_id bigint, owner_id bigint, source_id bigint, month date, currency text)
RETURNS bigint LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_forecast_cell_key';
COMMENT ON FUNCTION sales_crm.forecast_cell_key(bigint, bigint, bigint, date, text) IS
	'A number that is the same for the same cell of the forecast, and seldom for two: tells cells which the ledger touches from the many that it does not';

CREATE FUNCTION sales_crm.forecast_cell_set(cells bigint[])
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_forecast_cell_set';
COMMENT ON FUNCTION sales_crm.forecast_cell_set(bigint[]) IS
	'The set of these keys of cells, NULLs left out, for forecast_cell_in(). It is for the query that made it, not to be kept';

CREATE FUNCTION sales_crm.forecast_cell_in(cell bigint, cells bytea)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_forecast_cell_in';
COMMENT ON FUNCTION sales_crm.forecast_cell_in(bigint, bytea) IS
	'Whether a set made by forecast_cell_set() has this key: what = ANY says, at a small cost that does not grow with the set';

CREATE FUNCTION sales_crm.compact_forecast(entries integer DEFAULT 10000)
RETURNS bigint LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_compact_forecast';
COMMENT ON FUNCTION sales_crm.compact_forecast(integer) IS
	'Folds up to so many entries of forecast_ledger into forecast_day and forecast_cell and returns how many; 0 when there are none, or while another session is at it. Safe beside readers and writers. Errors: 22023 when entries is not positive';

CREATE FUNCTION sales_crm.rebuild_forecast()
RETURNS bigint LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_rebuild_forecast';
COMMENT ON FUNCTION sales_crm.rebuild_forecast() IS
	'Corrects all that verify_forecast() finds, by entries with the cause corrected, and returns how many cells that took. Keeps writers of opportunities waiting until commit';

CREATE FUNCTION sales_crm.forecast_recomputed(
	OUT phase_id bigint, OUT owner_id bigint, OUT source_id bigint, OUT month date, OUT currency text,
	OUT opportunities bigint, OUT amount numeric, OUT phase_base numeric, OUT override_weighted numeric)
RETURNS SETOF record LANGUAGE sql STABLE
AS $$
	SELECT o.phase_id, o.owner_id, o.source_id, o.month, o.currency, count(*),
		sum(o.amount),
		coalesce(sum(o.amount) FILTER (WHERE o.override IS NULL), 0) * 0.01,
		coalesce(sum(o.amount * o.override * 0.01), 0)
	FROM (
		SELECT p.phase_id, p.owner_id, p.source_id, p.currency, coalesce(p.amount, 0) AS amount,
			CASE WHEN p.closed_at IS NULL THEN p.probability_override END AS override,
			pg_catalog.date_trunc('month', (CASE WHEN p.closed_at IS NULL THEN p.expected_on
				ELSE sales_crm.local_date(p.closed_at) END)::pg_catalog.timestamp)::pg_catalog.date AS month
		FROM sales_crm.opportunity p) o
	GROUP BY 1, 2, 3, 4, 5
$$;
COMMENT ON FUNCTION sales_crm.forecast_recomputed() IS
	'The measures of each cell, counted from the opportunities themselves';

CREATE FUNCTION sales_crm.verify_forecast(
	OUT problem text, OUT phase_id bigint, OUT owner_id bigint, OUT source_id bigint, OUT month date, OUT currency text,
	OUT opportunities bigint, OUT amount numeric, OUT phase_base numeric, OUT override_weighted numeric)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT 'the ledger differs from the opportunities', d.phase_id, d.owner_id, d.source_id, d.month, d.currency,
		sum(d.opportunities)::bigint, sum(d.amount), sum(d.phase_base), sum(d.override_weighted)
	FROM (
		SELECT * FROM sales_crm.forecast_recomputed()
		UNION ALL
		SELECT c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
			-c.opportunities, -c.amount, -c.phase_base, -c.override_weighted
		FROM sales_crm.forecast_cell c
		UNION ALL
		SELECT l.phase_id, l.owner_id, l.source_id, l.month, l.currency,
			-l.opportunities, -l.amount, -l.phase_base, -l.override_weighted
		FROM sales_crm.forecast_ledger l) d
	GROUP BY d.phase_id, d.owner_id, d.source_id, d.month, d.currency
	HAVING (sum(d.opportunities), sum(d.amount), sum(d.phase_base), sum(d.override_weighted)) <> (0, 0, 0, 0)
	UNION ALL
	SELECT 'the days differ from the cell', d.phase_id, d.owner_id, d.source_id, d.month, d.currency,
		sum(d.opportunities)::bigint, sum(d.amount), sum(d.phase_base), sum(d.override_weighted)
	FROM (
		SELECT y.phase_id, y.owner_id, y.source_id, y.month, y.currency,
			y.opportunities, y.amount, y.phase_base, y.override_weighted
		FROM sales_crm.forecast_day y
		UNION ALL
		SELECT c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
			-c.opportunities, -c.amount, -c.phase_base, -c.override_weighted
		FROM sales_crm.forecast_cell c) d
	GROUP BY d.phase_id, d.owner_id, d.source_id, d.month, d.currency
	HAVING (sum(d.opportunities), sum(d.amount), sum(d.phase_base), sum(d.override_weighted)) <> (0, 0, 0, 0)
	UNION ALL
	SELECT 'the cell is weighed wrongly', c.phase_id, c.owner_id, c.source_id, c.month, c.currency,
		c.opportunities, c.amount, c.phase_base, c.override_weighted
	FROM sales_crm.forecast_cell c
	WHERE c.weighted_amount <> c.phase_base * c.basis_points * 0.01 + c.override_weighted OR (c.weighted_amount IS NULL) <> (c.basis_points IS NULL)
	UNION ALL
	SELECT 'phase_probability lacks the present probability', p.phase_id, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
	FROM sales_crm.phase p
	WHERE p.probability IS DISTINCT FROM (
		SELECT h.probability FROM sales_crm.phase_probability h
		WHERE h.phase_id = p.phase_id ORDER BY h.phase_probability_id DESC LIMIT 1)
$$;
COMMENT ON FUNCTION sales_crm.verify_forecast() IS
	'Recomputes the forecast from the opportunities, its cells from the days, and returns what differs, with what is missing per measure (negative: too much): never a row, unless rows were written with triggers off. rebuild_forecast() repairs';
