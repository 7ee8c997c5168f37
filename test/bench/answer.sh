# Answers among 100,000 quotes of 20 lines and 1,000,000 links: a signature alone, opening by token, and
# twenty signers of different quotes beside one. Milliseconds are medians of single statements, each its
# own commit.
psql <<'SQL'
INSERT INTO sales_crm.member (name, email) SELECT 'Member ' || i, 'member' || i || '@example.com' FROM generate_series(1, 50) i;
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 20000) i;
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'deal ' || i, 1 + i % 20000, 1 + i % 50 FROM generate_series(1, 100000) i;
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT 1, 'Product ' || i, i, 10.25 FROM generate_series(1, 20) i;
SELECT count(s) FROM sales_crm.create_quote(1) q, sales_crm.send_quote(q) s \gset
-- The others are copies of that one, each with its chain of one event and its links
SET session_replication_role = replica;
INSERT INTO sales_crm.quote (quote_id, number, opportunity_id, quote_template_id, status, valid_until, locale, currency, title, introduction, terms, vat_method, prices_include_tax,
	customer_name, totals, snapshot, snapshot_sha256, html, html_sha256, sent_at, created_at)
SELECT i, 'Q-' || i, i, quote_template_id, status, valid_until, locale, currency, title, introduction, terms, vat_method, prices_include_tax,
	customer_name, totals, snapshot, snapshot_sha256, html, html_sha256, sent_at, created_at
FROM sales_crm.quote, generate_series(2, 100000) i WHERE quote_id = 1;
INSERT INTO sales_crm.quote_link (quote_id, token_sha256, token_tail, channel, recipient_name)
SELECT 1 + i % 100000, sha256(convert_to('token ' || i, 'UTF8')), 'tail', 'link', 'recipient ' || i FROM generate_series(1, 1000000) i;
INSERT INTO sales_crm.quote_event (quote_id, position, kind, at, sha256) SELECT i, 1, 'sent', now(), sha256('x') FROM generate_series(2, 100000) i;
RESET session_replication_role;
CREATE SEQUENCE signed START 10;
CREATE TABLE hash AS SELECT snapshot_sha256 AS hash FROM sales_crm.quote WHERE quote_id = 1;
CREATE FUNCTION sign() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	i bigint := nextval('signed');
BEGIN
	PERFORM sales_crm.sign_quote('token ' || i, h.hash, 'An Peeters', 'an@example.com', NULL, '203.0.113.7', 'Browser', 'key ' || i, 'I agree.') FROM hash h;
END
$$;
VACUUM ANALYZE;
SQL
printf 'SELECT sign();\n' >"$work/answer_sign.sql"
printf '\\set i random(1, 1000000)\nSELECT length(html) FROM sales_crm.open_quote(%stoken %s || :i);\n' "'" "'" >"$work/answer_open.sql"
chmod a+r "$work"/answer_*.sql
# latency NAME FILE TRANSACTIONS [GOAL]: the median in milliseconds, one client
latency() {
	(cd "$work" && as_tester pgbench -n -c 1 -M prepared -t "$3" -l --log-prefix="$work/tmp_answer" -f "$2" bench >/dev/null)
	cat "$work"/tmp_answer* | awk 'NR > 50 {print $3 / 1000}' | median | awk -v n="$1" -v g="${4:+; goal <= $4}" '{printf "%-58s %10.2f ms%s\n", n, $1, g}'
	rm -f "$work"/tmp_answer*
}
psql -c 'CREATE TABLE bare (i integer)'
printf 'INSERT INTO bare VALUES (1);\n' >"$work/answer_bare.sql"
chmod a+r "$work/answer_bare.sql"
latency 'answer: sign_quote() at 100,000 quotes' "$work/answer_sign.sql" 2000 1
latency 'answer: of it, what a commit of one bare row takes' "$work/answer_bare.sql" 2000
setting synchronous_commit off
latency 'answer: sign_quote(), not waiting for the disk' "$work/answer_sign.sql" 2000 1
setting synchronous_commit on
latency 'answer: open_quote() by one of 1,000,000 links' "$work/answer_open.sql" 5000 0.5
for _ in $(seq "$rounds"); do
	tps "$work/answer_sign.sql" 1 >>"$work/answer_one"
	tps "$work/answer_sign.sql" 20 >>"$work/answer_twenty"
done
figure 'answer: signatures a second, 20 signers beside 1' "$work/answer_twenty" "$work/answer_one" tps '>= 1.6'
