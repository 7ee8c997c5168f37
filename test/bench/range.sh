# The range of a month: 100,000 open deals to the cent in it, against the plain weighted sum.

psql <<'SQL'
UPDATE sales_crm.follow_up_rule SET active = false;
INSERT INTO sales_crm.account (name) VALUES ('Account');
INSERT INTO sales_crm.opportunity (name, account_id, amount, expected_on, probability_override)
SELECT 'Opportunity ' || i, (SELECT account_id FROM sales_crm.account), i * 7919 % 100000 + i % 89 / 100.0, '2030-06-15', 1 + i * 31 % 99
FROM generate_series(1, 100000) i;
VACUUM ANALYZE;
SQL
for _ in $(seq "$rounds"); do
	timed "SELECT * FROM sales_crm.forecast_range(month => '2030-06-01')" >>"$work/range.ours"
	timed "SELECT sum(o.amount * sales_crm.effective_probability(p.outcome, p.probability, o.probability_override) / 100)
		FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id) WHERE o.expected_on BETWEEN '2030-06-01' AND '2030-06-30' AND o.closed_at IS NULL" >>"$work/range.sum"
done
figure "forecast_range() of 100,000 deals against their weighted sum" "$work/range.ours" "$work/range.sum" ms "< 1000 ms"
psql -c "SELECT format('%s deals, exact %s', opportunities, exact) FROM sales_crm.forecast_range(month => '2030-06-01')"
