CREATE FUNCTION sales_crm.amount_range_add(state internal, amount numeric, probability numeric)
RETURNS internal LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_amount_range_add';
COMMENT ON FUNCTION sales_crm.amount_range_add(internal, numeric, numeric) IS
	'Transition function of the aggregate amount_range()';

CREATE FUNCTION sales_crm.amount_range_end(state internal)
RETURNS numeric[] LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_amount_range_end';
COMMENT ON FUNCTION sales_crm.amount_range_end(internal) IS
	'Final function of the aggregate amount_range()';

CREATE AGGREGATE sales_crm.amount_range(amount numeric, probability numeric) (
	SFUNC = sales_crm.amount_range_add,
	STYPE = internal,
	FINALFUNC = sales_crm.amount_range_end,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE sales_crm.amount_range(numeric, numeric) IS
	'What independent deals, each with its amount (at least 0) and probability in percent, bring in all: the amounts that 10, 50 and 90 % of the cases do not exceed, and 1 when they are exact, 0 when they are approximate (doc/range.md says how close). A NULL counts as 0. Errors: 22003 for amounts and probabilities out of range';

CREATE FUNCTION sales_crm.forecast_range(
	pipeline_id bigint DEFAULT NULL, month date DEFAULT NULL,
	OUT currency text, OUT opportunities bigint, OUT won_amount numeric, OUT weighted_amount numeric,
	OUT standard_deviation numeric, OUT p10 numeric, OUT p50 numeric, OUT p90 numeric, OUT exact boolean)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH span AS MATERIALIZED (
		SELECT m.first, (m.first + interval '1 month')::date AS next,
			m.first AT TIME ZONE c.time_zone AS first_at, (m.first + interval '1 month') AT TIME ZONE c.time_zone AS next_at
		FROM sales_crm.company c
		CROSS JOIN LATERAL (SELECT date_trunc('month', coalesce($2, sales_crm.today())::timestamp) AS first) m
		WHERE c.company_id = 1
	), deal AS (
		SELECT o.currency, o.amount,
			sales_crm.effective_probability(p.outcome, p.probability, o.probability_override) AS probability, false AS won
		FROM span s
		JOIN sales_crm.opportunity o ON o.closed_at IS NULL AND o.expected_on >= s.first::date AND o.expected_on < s.next
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		WHERE $1 IS NULL OR o.pipeline_id = $1
		UNION ALL
		SELECT o.currency, o.amount, 100, true
		FROM span s
		JOIN sales_crm.opportunity o ON o.closed_at >= s.first_at AND o.closed_at < s.next_at
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		WHERE p.outcome = 'won' AND ($1 IS NULL OR o.pipeline_id = $1)
	)
	SELECT d.currency, d.opportunities, d.won_amount::numeric(26,4), d.weighted_amount::numeric(26,4),
		d.standard_deviation::numeric(26,4), round(d.range[1], c.minor_units)::numeric(26,4),
		round(d.range[2], c.minor_units)::numeric(26,4), round(d.range[3], c.minor_units)::numeric(26,4), d.range[4] = 1
	FROM (
		SELECT x.currency, count(*) FILTER (WHERE NOT x.won) AS opportunities,
			coalesce(sum(x.amount) FILTER (WHERE x.won), 0) AS won_amount,
			coalesce(sum(x.amount * x.probability / 100) FILTER (WHERE NOT x.won), 0) AS weighted_amount,
			sqrt(coalesce(sum(x.amount::float8 ^ 2 * (x.probability * (100 - x.probability))::float8 / 10000), 0))::numeric AS standard_deviation,
			sales_crm.amount_range(x.amount, x.probability) AS range
		FROM deal x
		GROUP BY x.currency) d
	JOIN sales_crm.currency c ON c.code = d.currency
	ORDER BY d.currency
$$;
COMMENT ON FUNCTION sales_crm.forecast_range(bigint, date) IS
	'How much a month may bring, per currency: what is won in it already, and the open opportunities expected in it, each won independently of the others with its probability. In 10 % of the cases no more than p10, in 50 % no more than p50, in 90 % no more than p90. pipeline_id NULL = all; month = any day of it, NULL = the present one. exact = false where the number of possible sums asks for an approximation';
