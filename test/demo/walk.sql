-- A seller's day, told as it goes.
\set QUIET on
\pset footer off
\pset null ''
\pset linestyle unicode
\pset border 2
\set SHOW_CONTEXT never
\set ECHO none

\echo
\echo '1. An opportunity appears. Julien knows the account (new) and what it is about: that is enough.'
SELECT set_config('sales_crm.member_id', member_id::text, false) IS NOT NULL AS ok FROM sales_crm.member WHERE name = 'Julien Lambert' \gset
\set ECHO queries
WITH a AS (
	INSERT INTO sales_crm.account (name, city, country) VALUES ('Café Lumière', 'Brussels', 'BE') RETURNING account_id)
INSERT INTO sales_crm.opportunity (name, account_id, amount, expected_on)
SELECT 'Terrace lighting', account_id, 4800, sales_crm.today() + 45 FROM a
RETURNING opportunity_id \gset
\set ECHO none

\echo
\echo '2. In the same commit: pipeline, phase, owner, currency, probability, and a task to follow it up.'
\set ECHO queries
SELECT status, pipeline, phase, owner, amount, currency, probability, weighted_amount, next_task_on
FROM sales_crm.opportunity_overview WHERE opportunity_id = :opportunity_id;
SELECT subject, due_on, due, opportunity, account FROM sales_crm.my_open_tasks WHERE opportunity_id = :opportunity_id;
\set ECHO none

\echo
\echo '3. It moves on; the probability comes with the phase.'
\set ECHO queries
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Proposal')
WHERE opportunity_id = :opportunity_id;
SELECT phase, probability, weighted_amount FROM sales_crm.opportunity_overview WHERE opportunity_id = :opportunity_id;
\set ECHO none

\echo
\echo '   Products give it lines: found by their first letters, filled in from the catalogue; the amount follows, to the cent.'
\set ECHO queries
SELECT sku, name, unit_price::numeric(12,2) FROM sales_crm.find_product('wall');
SELECT sales_crm.add_product(:opportunity_id, product_id, 12) IS NOT NULL AS added FROM sales_crm.find_product('wall') LIMIT 1;
SELECT sales_crm.add_product(:opportunity_id, product_id, 25) IS NOT NULL AS added FROM sales_crm.find_product('GL-010') LIMIT 1;
UPDATE sales_crm.opportunity SET discount_percent = 5 WHERE opportunity_id = :opportunity_id;
SELECT position, name, quantity::numeric(12,0), unit_price::numeric(12,2), net::numeric(12,2) FROM sales_crm.product_line_overview WHERE opportunity_id = :opportunity_id;
SELECT net::numeric(12,2), vat::numeric(12,2), gross::numeric(12,2) FROM sales_crm.opportunity_total WHERE opportunity_id = :opportunity_id;
\set ECHO none

\echo
\echo '4. What the process does not allow is refused, and the hint says what to do instead.'
\echo '   Lost asks for a reason; a pipeline that goes forward only does not go back:'
\set ECHO queries
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Lost')
WHERE opportunity_id = :opportunity_id;
UPDATE sales_crm.opportunity o SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'First talk')
WHERE opportunity_id = (SELECT min(opportunity_id) FROM sales_crm.opportunity_overview WHERE phase = 'Contract');
\set ECHO none
\echo '   explain_transition() tells it before:'
\set ECHO queries
SELECT rule, errcode, message, hint FROM sales_crm.explain_transition(:opportunity_id,
	(SELECT phase_id FROM sales_crm.phase WHERE name = 'Lost'));
\set ECHO none

\echo
\echo '5. Lost, with the reason: the opportunity is completed, its follow-up is done.'
\set ECHO queries
UPDATE sales_crm.opportunity SET
	phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Lost'),
	lost_reason_id = (SELECT lost_reason_id FROM sales_crm.lost_reason WHERE name = 'Price')
WHERE opportunity_id = :opportunity_id;
SELECT status, probability, lost_reason, closed_at IS NOT NULL AS closed, open_tasks
FROM sales_crm.opportunity_overview WHERE opportunity_id = :opportunity_id;
SELECT kind, title, old, new, member FROM sales_crm.timeline WHERE opportunity_id = :opportunity_id ORDER BY at, kind <> 'created', record_id;
\set ECHO none

\echo
\echo '6. The board.'
\set ECHO queries
SELECT pipeline, phase, opportunities, amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted, rotting
FROM sales_crm.pipeline_board;
\set ECHO none

\echo
\echo '7. What Julien has to do.'
\set ECHO queries
SELECT due_on, due, subject, opportunity FROM sales_crm.my_open_tasks LIMIT 8;
\set ECHO none

\echo
\echo '8. The forecast: plain, and weighted by probability; and what this opportunity did to it.'
\set ECHO queries
SELECT month, open_opportunities, open_amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted, won_amount::numeric(12,2)
FROM sales_crm.forecast_by_month WHERE pipeline = 'Standard';
SELECT cause, month, status, opportunities, amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted
FROM sales_crm.forecast_causes(:opportunity_id);
\set ECHO none

\echo
\echo '9. The dashboard, and what next month may bring (10 %, 50 % and 90 % of chances are below).'
\set ECHO queries
SELECT open_opportunities, open_amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted, won_amount_this_year::numeric(12,2) AS won_this_year,
	win_rate_this_year, rotting, overdue_tasks FROM sales_crm.sales_dashboard;
SELECT opportunities, weighted_amount::numeric(12,2) AS weighted, p10::numeric(12,2), p50::numeric(12,2), p90::numeric(12,2)
FROM sales_crm.forecast_range(month => (date_trunc('month', sales_crm.today()::timestamp) + interval '1 month')::date);
\set ECHO none
