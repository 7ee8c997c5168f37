# Money: totals of many opportunities against plain SQL, a line's consequences against its bare
# INSERT, and finding a product.

opportunities=10000
# The other side reads the same tables
psql <<SQL
SET client_min_messages = warning;
CREATE SCHEMA plain;
CREATE VIEW plain.offer AS SELECT opportunity_id AS offer_id, discount_percent, discount_amount, currency, 2 AS minor_units, prices_include_tax, vat_method AS method FROM sales_crm.opportunity;
CREATE VIEW plain.line AS SELECT opportunity_id AS offer_id, product_line_id AS line, quantity, unit_price, discount_percent, discount_amount, tax_percent, tax_category, optional
	FROM sales_crm.product_line WHERE kind = 'item';
\i $work/tree/test/lib/plain_totals.sql
INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 100) i;
INSERT INTO sales_crm.tax_rate (name, percent, category) VALUES ('6 %', 6, 'S'), ('12 %', 12, 'S');
INSERT INTO sales_crm.opportunity (name, account_id, discount_percent)
SELECT 'Opportunity ' || i, 1 + i % 100, CASE i % 3 WHEN 0 THEN 7.5 END FROM generate_series(1, $opportunities) i;
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price, discount_percent, tax_rate_id)
SELECT opportunity_id, 'Line ' || i, 1 + i % 9, (opportunity_id * i % 100000) / 100.0, CASE i % 4 WHEN 0 THEN i END, 1 + i % 4
FROM sales_crm.opportunity, generate_series(1, 20) i;
CREATE TABLE public.bare (LIKE sales_crm.product_line INCLUDING ALL);
INSERT INTO public.bare SELECT * FROM sales_crm.product_line;
ALTER TABLE public.bare ADD FOREIGN KEY (opportunity_id) REFERENCES sales_crm.opportunity, ADD FOREIGN KEY (unit) REFERENCES sales_crm.unit,
	ADD FOREIGN KEY (tax_rate_id) REFERENCES sales_crm.tax_rate, ADD FOREIGN KEY (product_id) REFERENCES sales_crm.product;
VACUUM ANALYZE;
SQL

# 1: totals of all, on both sides the same numbers from the same numbers
[ "$(psql -c 'SELECT count(*) FROM sales_crm.opportunity_total t JOIN plain.total p ON p.offer_id = t.opportunity_id WHERE (t.net, t.vat, t.gross) = (p.net, p.vat, p.gross)')" = $opportunities ] ||
	{ echo "the sides compute other totals" >&2; exit 1; }
for _ in $(seq "$rounds"); do
	timed 'SELECT sum(net), sum(vat), sum(gross), sum(discount), count(taxes) FROM sales_crm.opportunity_total' >>"$work/money_totals.sales_crm"
	timed 'SELECT sum(net), sum(vat), sum(gross), sum(discount), count(taxes) FROM plain.total' >>"$work/money_totals.plain"
done
figure "totals of $opportunities × 20 lines against plain SQL" "$work/money_totals.sales_crm" "$work/money_totals.plain" ms "<= 0.33"

# 2: one line more on an opportunity that has 20, and commit, against a bare INSERT of that line
cat >"$work/money_line.sales_crm.sql" <<SQL
\set id random(1, $opportunities)
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price, tax_rate_id) VALUES (:id, 'One more', 2, 12.34, 1);
SQL
cat >"$work/money_line.bare.sql" <<SQL
\set id random(1, $opportunities)
INSERT INTO public.bare (product_line_id, opportunity_id, position, name, quantity, unit, unit_price, tax_rate_id, tax_percent, tax_category)
VALUES (nextval('sales_crm.product_line_product_line_id_seq'), :id, 100, 'One more', 2, 'C62', 12.34, 1, 21, 'S');
SQL
chmod a+r "$work"/money_*.sql
for commit in on off; do
	setting synchronous_commit $commit
	rm -f "$work/money_line.sales_crm" "$work/money_line.bare"
	for _ in $(seq "$rounds"); do
		for side in sales_crm bare; do
			tps "$work/money_line.$side.sql" >>"$work/money_line.$side"
		done
	done
	figure "one line more, 4 clients, synchronous_commit = $commit" "$work/money_line.sales_crm" "$work/money_line.bare" tps ">= 0.70"
done
setting synchronous_commit on
[ "$(psql -c 'SELECT count(*) FROM sales_crm.verify_product_lines()')" = 0 ] || { echo "not verified" >&2; exit 1; }

# 3: 10,000 lines on one opportunity cost ten times what 1,000 do
psql -c "INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('1000', 1), ('10000', 1)"
for _ in $(seq "$rounds"); do
	for lines in 1000 10000; do
		psql -c "DELETE FROM sales_crm.product_line l USING sales_crm.opportunity o WHERE o.opportunity_id = l.opportunity_id AND o.name = '$lines'"
		timed "INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price, tax_rate_id) SELECT opportunity_id, 'Line', i, 1 + i % 4 FROM sales_crm.opportunity o, generate_series(1, $lines) i WHERE o.name = '$lines'" >>"$work/money_many.$lines"
	done
done
figure "10,000 lines on one opportunity against 1,000" "$work/money_many.10000" "$work/money_many.1000" ms "<= 12"

# 4: finding a product by its first letters among 100,000
psql <<'SQL'
INSERT INTO sales_crm.product (sku, name, description, unit_price)
SELECT 'SKU-' || i, (array['Chair', 'Table', 'Lamp', 'Shelf', 'Cabinet', 'Board', 'Screen', 'Cable'])[1 + i % 8] || ' ' || md5(i::text),
	'Made of ' || (array['oak', 'steel', 'glass', 'paper', 'leather'])[1 + i % 5] || ' ' || md5((i * 7)::text), i % 1000
FROM generate_series(1, 100000) i;
VACUUM ANALYZE sales_crm.product;
SQL
for text in c chair SKU-99 'cabinet 1a' 4d1b; do
	for _ in $(seq "$rounds"); do
		psql -c "SELECT count(*) FROM sales_crm.find_product('$text')" -c '\timing on' -c "SELECT count(*) FROM sales_crm.find_product('$text')" |
			sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p' >>"$work/money_find.$(echo "$text" | tr -d ' ')"
	done
	printf '%-58s %10.1f ms   goal <= 5\n' "find_product('$text') among 100,000, warm" "$(median <"$work/money_find.$(echo "$text" | tr -d ' ')")"
done
