CREATE FUNCTION sales_crm.exchange_rate_guard()
RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	frozen bigint;
	zone text := (SELECT c.time_zone FROM sales_crm.company c);
	until date := sales_crm.today();
BEGIN
	IF TG_OP = 'TRUNCATE' THEN
		SELECT count(*) INTO frozen
		FROM sales_crm.opportunity o, sales_crm.company c
		WHERE o.closed_at IS NOT NULL AND o.currency <> c.currency;
	ELSIF TG_OP = 'UPDATE' AND NEW IS NOT DISTINCT FROM OLD THEN
		RETURN NEW;
	ELSE
		until := least(until, (SELECT min(r.valid_on) FROM sales_crm.exchange_rate r
			WHERE r.from_currency = OLD.from_currency AND r.to_currency = OLD.to_currency AND r.valid_on > OLD.valid_on));
		SELECT count(*) INTO frozen
		FROM sales_crm.opportunity o
		WHERE o.currency IN (OLD.from_currency, OLD.to_currency)
			AND o.closed_at >= OLD.valid_on::timestamp AT TIME ZONE zone
			AND o.closed_at < until::timestamp AT TIME ZONE zone;
	END IF;
	IF frozen > 0 THEN
		RAISE EXCEPTION 'exchange rate is frozen'
			USING ERRCODE = 'restrict_violation', SCHEMA = 'sales_crm', TABLE = 'exchange_rate',
				DETAIL = CASE WHEN TG_OP = 'TRUNCATE' THEN format('Closed opportunities are counted with these rates: %s.', frozen)
					ELSE format('Opportunities closed on a past day and counted with the rate from %s to %s of %s: %s.',
						OLD.from_currency, OLD.to_currency, to_char(OLD.valid_on, 'YYYY-MM-DD'), frozen) END,
				HINT = format('INSERT the rate of another day. To correct a mistake, the owner of the table does ALTER TABLE sales_crm.exchange_rate DISABLE TRIGGER %I, and ENABLE TRIGGER afterwards.', TG_NAME);
	END IF;
	RETURN CASE TG_OP WHEN 'UPDATE' THEN NEW WHEN 'DELETE' THEN OLD END;
END
$$;
COMMENT ON FUNCTION sales_crm.exchange_rate_guard() IS
	'Trigger of exchange_rate: a rate with which opportunities closed on a past day are counted does not change. Errors: 23001';

CREATE FUNCTION sales_crm.rate_on(from_currency text, to_currency text, on_date date)
RETURNS numeric LANGUAGE plpgsql STABLE STRICT
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found numeric;
BEGIN
	IF from_currency = to_currency THEN
		RETURN 1;
	END IF;
	-- The pair itself comes before its inverse on the same day
	SELECT x.rate INTO found
	FROM (
		(SELECT r.rate, r.valid_on, 1 AS choice FROM sales_crm.exchange_rate r
		WHERE r.from_currency = $1 AND r.to_currency = $2 AND r.valid_on <= $3
		ORDER BY r.valid_on DESC LIMIT 1)
		UNION ALL
		(SELECT 1::numeric(48,30) / r.rate, r.valid_on, 2 FROM sales_crm.exchange_rate r
		WHERE r.from_currency = $2 AND r.to_currency = $1 AND r.valid_on <= $3
		ORDER BY r.valid_on DESC LIMIT 1)) x
	ORDER BY x.valid_on DESC, x.choice LIMIT 1;
	IF found IS NULL THEN
		RAISE EXCEPTION 'no exchange rate from % to % on %', from_currency, to_currency, to_char(on_date, 'YYYY-MM-DD')
			USING ERRCODE = 'no_data_found',
				DETAIL = 'sales_crm.exchange_rate has none at or before that day, nor one for the inverse.',
				HINT = format('INSERT INTO sales_crm.exchange_rate (from_currency, to_currency, valid_on, rate) VALUES (%L, %L, %L, …).',
					from_currency, to_currency, to_char(on_date, 'YYYY-MM-DD'));
	END IF;
	RETURN found;
END
$$;
COMMENT ON FUNCTION sales_crm.rate_on(text, text, date) IS
	'What one unit of a currency is worth in another on a day: the latest rate at or before it, of the pair or of its inverse; 1 for the same currency. Errors: P0002 when there is none';

CREATE FUNCTION sales_crm.forecast_in(
	currency text, on_date date DEFAULT NULL,
	OUT pipeline_id bigint, OUT pipeline text, OUT phase_id bigint, OUT phase text, OUT outcome text, OUT forecast_category text,
	OUT owner_id bigint, OUT owner text, OUT source_id bigint, OUT source text, OUT month date,
	OUT opportunities bigint, OUT amount numeric, OUT weighted_amount numeric)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	-- Closed ones in another currency count by their closing day, which cells do not have
	WITH cell AS (
		SELECT f.pipeline_id, f.phase_id, f.owner_id, f.source_id, f.month, f.currency,
			coalesce($2, sales_crm.today()) AS day, f.opportunities, f.amount, f.weighted_amount
		FROM sales_crm.forecast f
		WHERE f.outcome IS NULL OR f.currency = $1
		UNION ALL
		SELECT c.pipeline_id, c.phase_id, c.owner_id, c.source_id, date_trunc('month', c.day::timestamp)::date, c.currency,
			c.day, count(*), sum(c.amount), sum(CASE p.outcome WHEN 'won' THEN c.amount ELSE 0 END)
		FROM (
			SELECT o.pipeline_id, o.phase_id, o.owner_id, o.source_id, sales_crm.local_date(o.closed_at) AS day,
				o.currency, coalesce(o.amount, 0) AS amount
			FROM sales_crm.opportunity o
			WHERE o.closed_at IS NOT NULL AND o.currency <> $1) c
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		GROUP BY 1, 2, 3, 4, 5, 6, 7
	), rate AS MATERIALIZED (
		SELECT d.currency, d.day, sales_crm.rate_on(d.currency, $1, d.day) AS rate
		FROM (SELECT DISTINCT c.currency, c.day FROM cell c ORDER BY 1, 2) d
	)
	SELECT x.pipeline_id, l.name, x.phase_id, p.name, p.outcome, p.forecast_category,
		x.owner_id, m.name, x.source_id, s.name, x.month, x.opportunities,
		x.amount::numeric(26,4), x.weighted_amount::numeric(26,4)
	FROM (
		SELECT c.pipeline_id, c.phase_id, c.owner_id, c.source_id, c.month, sum(c.opportunities)::bigint AS opportunities,
			sum(c.amount * r.rate) AS amount, sum(c.weighted_amount * r.rate) AS weighted_amount
		FROM cell c JOIN rate r USING (currency, day)
		GROUP BY 1, 2, 3, 4, 5) x
	JOIN sales_crm.pipeline l USING (pipeline_id)
	JOIN sales_crm.phase p USING (pipeline_id, phase_id)
	LEFT JOIN sales_crm.member m ON m.member_id = x.owner_id
	LEFT JOIN sales_crm.source s USING (source_id)
$$;
COMMENT ON FUNCTION sales_crm.forecast_in(text, date) IS
	'The forecast in one currency: open opportunities at the rate of on_date (NULL = today), closed ones at the rate of the day on which each was closed, whatever on_date. One row per pipeline, phase, owner, source and month. Errors: P0002 when a rate is missing, naming the pair and the day';
