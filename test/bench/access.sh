# What row-level security costs: 1,000,000 opportunities of 200 members in 20 teams. A seller's query
# against the owner's that returns the same rows by a condition on owners; milliseconds of one warm
# call, medians of calls in turn. For a seller who sees own rows (5,000), the team's (50,000) and all.
# Without JIT, as doc/access.md recommends for the roles of people.
psql <<'SQL'
INSERT INTO sales_crm.team (name) SELECT 'Team ' || i FROM generate_series(1, 20) i;
INSERT INTO sales_crm.member (name, login, team_id)
SELECT 'Member ' || i, 'bench_' || i, t.team_id FROM generate_series(1, 200) i JOIN sales_crm.team t ON t.name = 'Team ' || (1 + i % 20);
INSERT INTO sales_crm.account (name, owner_id)
SELECT 'Account ' || i, m.member_id FROM generate_series(1, 50000) i JOIN sales_crm.member m ON m.name = 'Member ' || (1 + i % 200);
INSERT INTO sales_crm.opportunity (name, account_id, owner_id, amount, expected_on, source_id)
SELECT 'Opportunity ' || i, a.account_id, a.owner_id, 100 + i % 9000, date '2026-06-01' + i % 700, 1 + i % 6
FROM generate_series(1, 1000000) i JOIN sales_crm.account a ON a.account_id = 1 + i % 50000;
-- So that nobody's open tasks are thousands
UPDATE sales_crm.task SET done_at = now() WHERE task_id % 50 <> 0;
SELECT sales_crm.compact_forecast(10000000);
UPDATE sales_crm.member SET visibility = CASE login WHEN 'bench_1' THEN 'own' WHEN 'bench_2' THEN 'team' ELSE 'all' END WHERE login IN ('bench_1', 'bench_2', 'bench_3');
CREATE ROLE bench_1 LOGIN; CREATE ROLE bench_2 LOGIN; CREATE ROLE bench_3 LOGIN;
SELECT sales_crm.grant_access(('bench_' || i)::regrole, 'seller') FROM generate_series(1, 3) i;
ALTER DATABASE bench SET jit = off;
VACUUM ANALYZE;
-- The owner's views: the same, of the rows of some owners
DO $$
DECLARE
	m record;
BEGIN
	FOR m IN SELECT i, CASE i WHEN 1 THEN format('WHERE owner_id = %s', x.member_id)
			WHEN 2 THEN (SELECT format('WHERE owner_id = ANY (%L::bigint[])', array_agg(y.member_id)) FROM sales_crm.member y WHERE y.team_id = x.team_id) ELSE '' END AS mine
		FROM generate_series(1, 3) i JOIN sales_crm.member x ON x.login = 'bench_' || i
	LOOP
		EXECUTE format('CREATE VIEW bench_board_%s AS %s', m.i, replace(pg_get_viewdef('sales_crm.pipeline_board'), 'FROM (sales_crm.opportunity o', format('FROM ((SELECT * FROM sales_crm.opportunity %s) o', m.mine)));
		EXECUTE format('CREATE VIEW bench_forecast_%s AS %s', m.i, regexp_replace(pg_get_viewdef('sales_crm.forecast'), 'sales_crm\.(forecast_cell|forecast_ledger) ', format('(SELECT * FROM sales_crm.\1 %s) ', m.mine), 'g'));
	END LOOP;
END
$$;
SQL
# compare NAME MEMBER GOAL OWNER_SQL SELLER_SQL: medians of calls in one session, the sides in turn
compare() {
	: >"$work/access.owner"; : >"$work/access.seller"
	for _ in $(seq "$rounds"); do
		for side in owner seller; do
			{
				if [ $side = seller ]; then
					echo "SET SESSION AUTHORIZATION bench_$2;"
				else
					echo "SELECT set_config('sales_crm.member_id', member_id::text, false) FROM sales_crm.member WHERE login = 'bench_$2' \\g /dev/null"
				fi
				echo "PREPARE p AS $([ $side = seller ] && echo "$5" || echo "$4");"
				for _ in 1 2 3 4 5 6; do echo 'EXECUTE p \g /dev/null'; done
				echo '\timing on'
				for _ in $(seq "${calls:-20}"); do echo 'EXECUTE p \g /dev/null'; done
			} >"$work/access.sql"
			chmod a+r "$work/access.sql"
			psql -f "$work/access.sql" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' | median >>"$work/access.$side"
		done
	done
	awk -v n="$1" -v o="$(median <"$work/access.seller")" -v t="$(median <"$work/access.owner")" -v g="$3" \
		'BEGIN {printf "%-58s %10.3f %10.3f ms   %6.2fx  goal %s\n", n, o, t, o / t, g}'
}
for i in 1 2 3; do
	who=$(echo own team all | cut -d' ' -f$i)
	compare "my_open_tasks ($who)" $i '<= 1.15' 'SELECT * FROM sales_crm.my_open_tasks' 'SELECT * FROM sales_crm.my_open_tasks'
	calls=$([ "$i" = 3 ] && echo 5 || echo 20)
	compare "pipeline_board ($who)" $i '<= 1.15' "SELECT * FROM bench_board_$i" 'SELECT * FROM sales_crm.pipeline_board'
	calls=20
	compare "forecast ($who)" $i '<= 1.15' "SELECT * FROM bench_forecast_$i" 'SELECT * FROM sales_crm.forecast'
	key=$(psql -c "SELECT min(opportunity_id) FROM sales_crm.opportunity JOIN sales_crm.member ON member_id = owner_id WHERE login = 'bench_$i'")
	calls=500
	compare "opportunity by id ($who)" $i '<= 1.15' "SELECT * FROM sales_crm.opportunity WHERE opportunity_id = $key" "SELECT * FROM sales_crm.opportunity WHERE opportunity_id = $key"
	calls=300
	account=$(psql -c "SELECT min(account_id) FROM sales_crm.account JOIN sales_crm.member ON member_id = owner_id WHERE login = 'bench_$i'")
	insert="INSERT INTO sales_crm.opportunity (name, account_id, amount, expected_on) VALUES ('New', $account, 10, '2027-01-01')"
	compare "insert ($who)" $i '<= 1.10' "$insert" "$insert"
	unset calls
done
psql -c 'DROP OWNED BY bench_1, bench_2, bench_3' -c 'DROP ROLE bench_1, bench_2, bench_3'
