# Opportunities: what their consequences cost, against the same written by hand.

bulk=100000
psql -f "$bench/hand.sql" -f "$bench/twin.sql"
psql <<'SQL'
INSERT INTO sales_crm.member (name) SELECT 'Member ' || i FROM generate_series(1, 50) i;
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 5000) i;
CREATE TABLE public.input AS
SELECT 'Opportunity ' || i AS name, 1 + i % 5000 AS account_id, 1 + i % 50 AS owner_id, (i % 100000) / 100.0 AS amount,
	date '2026-01-01' + i % 365 AS expected_on
FROM generate_series(1, 100000) i;
VACUUM ANALYZE;
SQL
phase=$(psql -c "SELECT phase_id FROM sales_crm.phase WHERE name = 'New'")
due=$(psql -c "SELECT sales_crm.add_working_days(sales_crm.today(), 1)")

# hand_insert SOURCE: the statement that a careful application would write
hand_insert() {
	cat <<SQL
WITH o AS (
	INSERT INTO hand.opportunity (name, account_id, pipeline_id, phase_id, owner_id, amount, currency,
		expected_on, phase_since, created_at, updated_at)
	$1
	RETURNING opportunity_id, phase_id, phase_since, owner_id, expected_on, currency, amount),
s AS (INSERT INTO hand.phase_stay (opportunity_id, phase_id, entered_at)
	SELECT opportunity_id, phase_id, phase_since FROM o),
l AS (INSERT INTO hand.forecast_ledger (cause, cell, phase_id, owner_id, month, currency, opportunities, amount, phase_base, override_weighted)
	SELECT 'created', 0, phase_id, owner_id, date_trunc('month', expected_on::timestamp)::date, currency, count(*), sum(amount), sum(amount) * 0.01, 0
	FROM o GROUP BY phase_id, owner_id, 5, currency)
INSERT INTO hand.task (opportunity_id, assignee_id, follow_up_rule_id, subject, due_on, origin)
SELECT opportunity_id, owner_id, 1, 'Follow up', '$due', 'follow_up' FROM o;
SQL
}
empty() { psql -c 'SET client_min_messages = warning; TRUNCATE sales_crm.opportunity, hand.opportunity, twin.opportunity CASCADE' -c CHECKPOINT; }

# 1 and 2: bulk
for _ in $(seq "$rounds"); do
	for side in sales_crm hand twin; do
		empty
		case $side in
			hand) sql=$(hand_insert "SELECT name, account_id, 1, $phase, owner_id, amount, 'EUR', expected_on, now(), now(), now() FROM public.input") ;;
			*) sql="INSERT INTO $side.opportunity (name, account_id, owner_id, amount, expected_on) SELECT name, account_id, owner_id, amount, expected_on FROM public.input" ;;
		esac
		timed "$sql" >>"$work/bulk.$side"
		psql -c "SELECT format('%s %s %s', (SELECT count(*) FROM $side.opportunity), (SELECT count(*) FROM $side.phase_stay), (SELECT count(*) FROM $side.task))" >>"$work/rows"
	done
done
[ "$(sort -u "$work/rows")" = "$bulk $bulk $bulk" ] || { echo "the sides wrote other rows:" >&2; sort "$work/rows" | uniq -c >&2; exit 1; }
figure "INSERT … SELECT of $bulk against hand-written SQL" "$work/bulk.sales_crm" "$work/bulk.hand" ms "<= 1.10"
figure "INSERT … SELECT of $bulk against a PL/pgSQL twin" "$work/bulk.sales_crm" "$work/bulk.twin" ms "<= 0.50"

# 3: single INSERT + commit
{
	echo '\set account random(1, 5000)'
	echo '\set owner random(1, 50)'
} >"$work/random"
{
	cat "$work/random"
	echo "INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on) VALUES ('single', :account, :owner, 99.50, '2026-07-01');"
} >"$work/single.sales_crm.sql"
{
	cat "$work/random"
	hand_insert "VALUES ('single', :account::bigint, 1, $phase, :owner::bigint, 99.50, 'EUR', date '2026-07-01', now(), now(), now())"
} >"$work/single.hand.sql"

# 4: phase move + commit
psql -c 'SET client_min_messages = warning; TRUNCATE sales_crm.opportunity, hand.opportunity RESTART IDENTITY CASCADE'
psql -c "INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on) SELECT name, account_id, owner_id, amount, expected_on FROM public.input" \
	-c "$(hand_insert "SELECT name, account_id, 1, $phase, owner_id, amount, 'EUR', expected_on, now(), now(), now() FROM public.input")" \
	-c 'VACUUM ANALYZE'
next="CASE phase_id WHEN $phase THEN $((phase + 1)) WHEN $((phase + 1)) THEN $((phase + 2)) ELSE $phase END"
cat >"$work/move.sales_crm.sql" <<SQL
\set id random(1, $bulk)
UPDATE sales_crm.opportunity SET phase_id = $next WHERE opportunity_id = :id;
SQL
cat >"$work/move.hand.sql" <<SQL
\set id random(1, $bulk)
WITH was AS (SELECT opportunity_id, phase_id FROM hand.opportunity WHERE opportunity_id = :id FOR UPDATE),
o AS (UPDATE hand.opportunity o SET phase_id = CASE o.phase_id ${next#CASE phase_id}, phase_since = now(), updated_at = now(), revision = revision + 1
	FROM was WHERE o.opportunity_id = was.opportunity_id
	RETURNING o.opportunity_id, was.phase_id AS old, o.phase_id AS new, o.owner_id, o.expected_on, o.currency, o.amount),
f AS (INSERT INTO hand.forecast_ledger (cause, cell, phase_id, owner_id, month, currency, opportunities, amount, phase_base, override_weighted)
	SELECT 'advanced', 0, v.phase_id, owner_id, date_trunc('month', expected_on::timestamp)::date, currency, v.sign, v.sign * amount, v.sign * amount * 0.01, 0
	FROM o, LATERAL (VALUES (-1, old), (1, new)) AS v (sign, phase_id)),
l AS (UPDATE hand.phase_stay s SET left_at = now() FROM o WHERE s.opportunity_id = o.opportunity_id AND s.left_at IS NULL),
e AS (INSERT INTO hand.phase_stay (opportunity_id, phase_id, entered_at) SELECT opportunity_id, new, now() FROM o)
INSERT INTO hand.opportunity_change (opportunity_id, field, old, new, rule)
SELECT opportunity_id, 'phase_id', old::text, new::text, 'move' FROM o;
SQL
chmod a+r "$work"/*.sql
for commit in on off; do
	setting synchronous_commit $commit
	for what in single move; do
		rm -f "$work/$what.sales_crm" "$work/$what.hand"
		for _ in $(seq "$rounds"); do
			for side in sales_crm hand; do
				tps "$work/$what.$side.sql" >>"$work/$what.$side"
			done
		done
	done
	figure "single INSERT, 4 clients, synchronous_commit = $commit" "$work/single.sales_crm" "$work/single.hand" tps ">= 0.95"
	figure "phase move, 4 clients, synchronous_commit = $commit" "$work/move.sales_crm" "$work/move.hand" tps ">= 0.95"
done
[ "$(psql -c 'SELECT count(*) FROM sales_crm.verify_opportunities()')" = 0 ] || { echo "not verified" >&2; exit 1; }

# 5: the guard alone
psql <<'SQL'
SET client_min_messages = warning;
TRUNCATE sales_crm.opportunity CASCADE;
ALTER TABLE sales_crm.opportunity DISABLE TRIGGER USER;
DO $$
DECLARE
	made record;
BEGIN
	FOR made IN SELECT conname FROM pg_constraint WHERE conrelid = 'sales_crm.opportunity'::regclass AND contype IN ('f', 'c')
	LOOP EXECUTE format('ALTER TABLE sales_crm.opportunity DROP CONSTRAINT %I', made.conname); END LOOP;
	FOR made IN SELECT indexrelid::regclass AS name FROM pg_index WHERE indrelid = 'sales_crm.opportunity'::regclass AND NOT indisprimary AND NOT indisunique
	LOOP EXECUTE format('DROP INDEX %s', made.name); END LOOP;
END
$$;
CREATE FUNCTION public.untouched() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER untouched_insert BEFORE INSERT ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION public.untouched();
CREATE TRIGGER untouched_update BEFORE UPDATE ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SQL
for _ in $(seq "$rounds"); do
	for trigger in opportunity_10_guard untouched; do
		psql -c 'SET client_min_messages = warning; TRUNCATE sales_crm.opportunity CASCADE' -c CHECKPOINT \
			-c 'ALTER TABLE sales_crm.opportunity DISABLE TRIGGER USER'
		for full in $(psql -c "SELECT tgname FROM pg_trigger WHERE tgrelid = 'sales_crm.opportunity'::regclass AND tgname LIKE '$trigger%'"); do
			psql -c "ALTER TABLE sales_crm.opportunity ENABLE TRIGGER $full"
		done
		timed "INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id, phase_id, owner_id, amount, currency, expected_on, phase_since, created_at, updated_at)
			SELECT name, account_id, 1, $phase, owner_id, amount, 'EUR', expected_on, now(), now(), now() FROM public.input" >>"$work/insert.$trigger"
		timed 'UPDATE sales_crm.opportunity SET expected_on = expected_on + 1' >>"$work/update.$trigger"
		timed 'UPDATE sales_crm.opportunity SET amount = amount + 1' >>"$work/amount.$trigger"
	done
done
for what in insert update amount; do
	awk -v w="$what" -v g="$(median <"$work/$what.opportunity_10_guard")" -v u="$(median <"$work/$what.untouched")" -v n=$bulk \
		'BEGIN {printf "%-58s %10.2f us per row more than a trigger that returns NEW; goal <= 2\n", "the guard alone, " (w == "amount" ? "UPDATE of amount, looking for lines" : toupper(w)), (g - u) * 1000 / n}'
done
setting synchronous_commit on
