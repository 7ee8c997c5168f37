# The forecast: reading it, against a GROUP BY over the opportunities; writing it, against not doing so.

psql <<'SQL'
INSERT INTO sales_crm.member (name) SELECT 'Member ' || i FROM generate_series(1, 200) i;
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 5000) i;
CREATE FUNCTION public.fill(n int) RETURNS void LANGUAGE sql AS $$
	-- 4 phases × 5 months × 200 owners = 4,000 cells, whatever the number of opportunities
	INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on, phase_id)
	SELECT 'Opportunity ' || i, 1 + i % 5000, 1 + i % 200, (i % 100000) / 100.0,
		date '2026-01-01' + 31 * ((i / 200) % 5)::int, p.phase_id
	FROM generate_series(1, n) i JOIN sales_crm.phase p ON p.pipeline_id = 1 AND p.position = 1 + (i / 1000) % 4
$$;
SQL
cat >"$work/forecast.read.sql" <<'SQL'
SELECT month, phase, sum(opportunities), sum(amount), sum(weighted_amount) FROM sales_crm.forecast GROUP BY month, phase;
SQL
cat >"$work/forecast.group.sql" <<'SQL'
SELECT date_trunc('month', coalesce((o.closed_at AT TIME ZONE 'UTC')::date, o.expected_on)::timestamp)::date, p.name,
	count(*), sum(o.amount), sum(o.amount * CASE WHEN p.outcome IS NULL THEN coalesce(o.probability_override, p.probability) ELSE p.probability END) / 100
FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id) GROUP BY 1, 2;
SQL
chmod a+r "$work"/forecast.*.sql
# latency FILE [SECONDS [DATABASE]]: milliseconds that a prepared query takes, warm
latency() {
	as_tester pgbench -n -c 1 -M prepared -T "${2:-2}" -f "$work/forecast.$1.sql" "${3:-bench}" 2>/dev/null |
		sed -n 's/^latency average = \([0-9.]*\).*/\1/p'
}
same() {
	[ "$(psql -f "$work/forecast.read.sql" | sort | awk -F'|' '{printf "%s %s %s %.4f %.4f\n", $1, $2, $3, $4, $5}')" = \
		"$(psql -f "$work/forecast.group.sql" | sort | awk -F'|' '{printf "%s %s %s %.4f %.4f\n", $1, $2, $3, $4, $5}')" ] ||
		{ echo "the forecast differs from the GROUP BY" >&2; exit 1; }
}

psql -c 'SELECT public.fill(10000)' -c 'SELECT sales_crm.compact_forecast(1000000)' -c 'VACUUM ANALYZE' >/dev/null
same
as_tester createdb -T bench bench_small
psql -c 'SELECT public.fill(990000)' -c 'SELECT sales_crm.compact_forecast(1000000)' \
	-c 'CREATE INDEX ON sales_crm.opportunity (phase_id, expected_on, closed_at, probability_override) INCLUDE (amount)' -c 'VACUUM ANALYZE' >/dev/null
same
for _ in $(seq "$rounds"); do
	latency read >>"$work/forecast.read"
	latency read 2 bench_small >>"$work/forecast.small"
	latency group >>"$work/forecast.group"
done
as_tester dropdb bench_small
figure "read at 1,000,000 opportunities against a GROUP BY" "$work/forecast.read" "$work/forecast.group" ms "<= 0.010"
figure "read at 1,000,000 against 10,000, both 4,000 cells" "$work/forecast.read" "$work/forecast.small" ms "<= 1.20"

# An hour's worth of writes: 100,000 changes of amounts, with autovacuum as it comes
setting autovacuum on
setting autovacuum_naptime "'10s'"
cat >"$work/forecast.hour.sql" <<'SQL'
\set id random(1, 1000000)
UPDATE sales_crm.opportunity SET amount = amount + 1 WHERE opportunity_id = :id;
SQL
chmod a+r "$work/forecast.hour.sql"
for _ in $(seq 5); do
	as_tester pgbench -n -c 4 -M prepared -t 5000 -f "$work/forecast.hour.sql" bench >/dev/null 2>&1
	latency read 1 >>"$work/forecast.written"
done
figure "read after each fifth of 100,000 writes against before" "$work/forecast.written" "$work/forecast.read" ms "<= 1.50"
setting autovacuum off
[ "$(psql -c 'SELECT count(*) FROM sales_crm.verify_forecast()')" = 0 ] || { echo "not verified" >&2; exit 1; }

# 16 clients, one owner and month: the ledger, no ledger, and the row that everybody updates
psql <<'SQL'
SET client_min_messages = warning;
TRUNCATE sales_crm.opportunity CASCADE;
SELECT public.fill(20000);
UPDATE sales_crm.opportunity SET owner_id = 1, expected_on = '2026-01-01';
CREATE TABLE public.rollup (phase_id bigint, owner_id bigint, month date, amount numeric, PRIMARY KEY (phase_id, owner_id, month));
CREATE FUNCTION public.roll_up() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.rollup AS r VALUES (NEW.phase_id, NEW.owner_id, date_trunc('month', NEW.expected_on::timestamp), NEW.amount - OLD.amount)
	ON CONFLICT (phase_id, owner_id, month) DO UPDATE SET amount = r.amount + excluded.amount;
	RETURN NULL;
END
$$;
CREATE TRIGGER opportunity_60_roll_up AFTER UPDATE ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION public.roll_up();
VACUUM ANALYZE;
SQL
cat >"$work/forecast.update.sql" <<'SQL'
\set id random(1, 20000)
UPDATE sales_crm.opportunity SET amount = amount + 1 WHERE opportunity_id = (SELECT min(opportunity_id) FROM sales_crm.opportunity) + :id - 1;
SQL
chmod a+r "$work/forecast.update.sql"
side() { psql -c "ALTER TABLE sales_crm.opportunity $1 TRIGGER opportunity_50_ledger_update, $2 TRIGGER opportunity_60_roll_up"; }
for _ in $(seq "$rounds"); do
	side ENABLE DISABLE
	tps "$work/forecast.update.sql" 16 >>"$work/forecast.with"
	side DISABLE DISABLE
	tps "$work/forecast.update.sql" 16 >>"$work/forecast.without"
	side DISABLE ENABLE
	tps "$work/forecast.update.sql" 16 >>"$work/forecast.rollup"
done
side ENABLE DISABLE
figure "UPDATE of amount, 16 clients, one cell, against no ledger" "$work/forecast.with" "$work/forecast.without" tps ">= 0.90"
figure "a rollup row updated by a trigger, against no ledger" "$work/forecast.rollup" "$work/forecast.without" tps "(shown)"
echo "deadlocks: $(psql -c "SELECT deadlocks FROM pg_stat_database WHERE datname = 'bench'"); goal 0"

# Bulk
psql -c 'DROP TRIGGER opportunity_60_roll_up ON sales_crm.opportunity'
for _ in $(seq "$rounds"); do
	for with in ENABLE DISABLE; do
		psql -c 'SET client_min_messages = warning; TRUNCATE sales_crm.opportunity CASCADE' -c CHECKPOINT \
			-c "ALTER TABLE sales_crm.opportunity $with TRIGGER opportunity_50_ledger_insert"
		timed 'SELECT public.fill(100000)' >>"$work/forecast.bulk.$with"
	done
done
figure "INSERT … SELECT of 100,000 with the ledger against without" "$work/forecast.bulk.ENABLE" "$work/forecast.bulk.DISABLE" ms "<= 1.10"
psql -c 'ALTER TABLE sales_crm.opportunity ENABLE TRIGGER opportunity_50_ledger_insert'
