# Quotes: the way from lines to the signed document, on one connection, each step a transaction.

opportunities=500
psql <<SQL
SET client_min_messages = warning;
INSERT INTO sales_crm.member (name) VALUES ('Seller');
INSERT INTO sales_crm.account (name, street, postal_code, city, country) VALUES ('Acme', 'Main Street 1', '9000', 'Ghent', 'BE');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'Opportunity ' || i, account_id, member_id FROM sales_crm.account, sales_crm.member, generate_series(1, $opportunities) i;
INSERT INTO sales_crm.product_line (opportunity_id, name, description, quantity, unit_price, discount_percent)
SELECT opportunity_id, 'Line ' || i, 'What it is, in a few words', 1 + i % 9, i * 12.34, CASE i % 4 WHEN 0 THEN 5 END FROM sales_crm.opportunity, generate_series(1, 20) i;
-- Quotes of one opportunity pile up here; they are not to supersede each other
UPDATE sales_crm.company SET signing_supersedes_others = false;
VACUUM ANALYZE;
SQL
cat >"$work/quote_create.sql" <<SQL
\set id random(1, $opportunities)
SELECT sales_crm.create_quote(:id);
SQL
cat >"$work/quote_all.sql" <<SQL
\set id random(1, $opportunities)
SELECT sales_crm.create_quote(:id) AS quote_id \gset
SELECT token FROM sales_crm.send_quote(:quote_id) \gset
SELECT status FROM sales_crm.sign_quote(:token, (SELECT snapshot_sha256 FROM sales_crm.quote WHERE quote_id = :quote_id), 'Anna Peeters', request_key => 'key', consent_text => 'I agree');
SQL
chmod a+r "$work"/quote_*.sql

# Three commits of a bare row each: what the disk alone takes of the three
printf '%s\n' 'INSERT INTO bare VALUES (1);' 'INSERT INTO bare VALUES (1);' 'INSERT INTO bare VALUES (1);' >"$work/quote_bare.sql"
chmod a+r "$work/quote_bare.sql"
psql -c 'CREATE TABLE bare (i integer)'

# one FILE: transactions a second on one connection; \gset needs more than one round trip
one() {
	as_tester pgbench -n -c 1 -M prepared -T "$seconds" -f "$1" bench 2>/dev/null | sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
for commit in on off; do
	setting synchronous_commit $commit
	rm -f "$work/quote_create" "$work/quote_all" "$work/quote_commits"
	for _ in $(seq "$rounds"); do
		one "$work/quote_create.sql" >>"$work/quote_create"
		one "$work/quote_all.sql" >>"$work/quote_all"
		one "$work/quote_bare.sql" >>"$work/quote_commits"
	done
	printf '%-58s %10.1f /s\n' "create a quote of 20 lines, synchronous_commit = $commit" "$(median <"$work/quote_create")"
	printf '%-58s %10.1f /s   goal >= 300\n' "create, send and sign it" "$(median <"$work/quote_all")"
	printf '%-58s %10.1f /s\n' "three commits of a bare row" "$(median <"$work/quote_commits")"
done
setting synchronous_commit on

# Where the time goes, of each function alone
setting track_functions "'all'"
psql -c 'SELECT pg_stat_reset()' >/dev/null
one "$work/quote_all.sql" >/dev/null
sleep 1
psql -c "SELECT format('  %s of %s ms', rpad(funcname, 40), round((f.self_time / q.calls)::numeric, 3)) FROM pg_stat_user_functions f,
	(SELECT calls FROM pg_stat_user_functions WHERE funcname = 'create_quote') q ORDER BY f.self_time DESC LIMIT 8"
setting track_functions "'none'"

[ "$(psql -c 'SELECT (SELECT count(*) FROM sales_crm.verify_quotes()) + (SELECT count(*) FROM sales_crm.verify_quote_events())')" = 0 ] ||
	{ echo "quotes do not verify" >&2; exit 1; }
