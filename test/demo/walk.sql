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
\echo '5. The lines become a quote in one step; a draft is edited by plain SQL. The customer gets it by e-mail.'
\set ECHO queries
SELECT sales_crm.create_quote(:opportunity_id) AS quote_id \gset
UPDATE sales_crm.quote SET introduction = 'Light for warm evenings, as we discussed.' WHERE quote_id = :quote_id;
SELECT link, token FROM sales_crm.send_quote(:quote_id, 'email', recipient_name => 'Anna Peeters', email => 'anna@lumiere.example') \gset
SELECT number, version, status, valid_until, net::numeric(12,2), vat::numeric(12,2), gross::numeric(12,2) FROM sales_crm.quote_overview WHERE quote_id = :quote_id;
\set ECHO none
\echo '   Anna opens it (the page calls these functions), and would like something changed.'
\set ECHO queries
SELECT status, quote_number, gross, valid_until, seller ->> 'name' AS seller, length(html) > 5000 AS document FROM sales_crm.open_quote(:'token');
SELECT sales_crm.record_view(:'token');
SELECT status FROM sales_crm.request_change(:'token', 'Could you do 8 percent?', 'Anna Peeters', 'anna@lumiere.example', request_key => 'anna-1');
\set ECHO none
\echo '   Julien is told at once, has a task with her words, and makes the next version; the old link says so.'
\set ECHO queries
SELECT subject, body FROM sales_crm.my_notifications WHERE event LIKE '%change%';
SELECT subject, details FROM sales_crm.task WHERE opportunity_id = :opportunity_id AND origin = 'change_request';
SELECT sales_crm.revise_quote(:quote_id) AS next_id \gset
UPDATE sales_crm.quote SET discount_percent = 8 WHERE quote_id = :next_id;
SELECT token AS next_token FROM sales_crm.send_quote(:next_id, 'email', recipient_name => 'Anna Peeters', email => 'anna@lumiere.example') \gset
SELECT o.status, o.has_successor FROM sales_crm.open_quote(:'token') o;
\set ECHO none
\echo '   What was sent does not change any more, whoever tries; what she read is what she signs.'
\set ECHO queries
UPDATE sales_crm.quote SET discount_percent = 0 WHERE quote_id = :next_id;
SELECT s.status FROM sales_crm.open_quote(:'next_token') o,
	sales_crm.sign_quote(:'next_token', o.snapshot_sha256, 'Anna Peeters', 'anna@lumiere.example', request_key => 'anna-2', consent_text => 'I accept this quotation.') s;
SELECT phase, probability, amount::numeric(12,2) FROM sales_crm.opportunity_overview WHERE opportunity_id = :opportunity_id;
SELECT quote_number, position, name, quantity::numeric(12,0), base::numeric(12,2) FROM sales_crm.billable_line WHERE opportunity_id = :opportunity_id;
\set ECHO none
\echo '   The proof: each event hashes the one before it, the signature names the hash of what was read, and all of it verifies.'
\set ECHO queries
SELECT position, kind, left(encode(previous_sha256, 'hex'), 12) AS follows, left(encode(sha256, 'hex'), 12) AS sha256, data ->> 'signer_name' AS signer
FROM sales_crm.quote_event WHERE quote_id = :next_id ORDER BY position;
SELECT s.signer_name, s.consent_text, s.snapshot_sha256 = sha256(convert_to(q.snapshot::text, 'UTF8')) AS of_what_was_read, a.file_name
FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id) JOIN sales_crm.attachment a USING (attachment_id) WHERE quote_id = :next_id;
SELECT job, done FROM sales_crm.housekeeping() WHERE job LIKE '%quote%';
SELECT (SELECT count(*) FROM sales_crm.verify_quotes()) AS wrong_quotes, (SELECT count(*) FROM sales_crm.verify_quote_events()) AS wrong_events,
	(SELECT left(encode(sha256, 'hex'), 12) FROM sales_crm.quote_event_head()) AS head_to_write_down;
\set ECHO none

\echo
\echo '6. Another one is lost, with the reason: the opportunity is completed, its follow-up is done.'
SELECT min(opportunity_id) AS lost_id FROM sales_crm.opportunity_overview WHERE status = 'open' AND pipeline = 'Standard' AND opportunity_id <> :opportunity_id AND open_tasks > 0 \gset
\set ECHO queries
UPDATE sales_crm.opportunity SET
	phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Lost'),
	lost_reason_id = (SELECT lost_reason_id FROM sales_crm.lost_reason WHERE name = 'Price')
WHERE opportunity_id = :lost_id;
SELECT name, status, probability, lost_reason, closed_at IS NOT NULL AS closed
FROM sales_crm.opportunity_overview WHERE opportunity_id = :lost_id;
\set ECHO none
\echo '   All that happened to the first one, in one list.'
\set ECHO queries
SELECT line, member FROM sales_crm.timeline_page(:opportunity_id);
\set ECHO none

\echo
\echo '7. The board.'
\set ECHO queries
SELECT pipeline, phase, opportunities, amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted, rotting
FROM sales_crm.pipeline_board;
\set ECHO none

\echo
\echo '8. What Julien has to do.'
\set ECHO queries
SELECT due_on, due, subject, opportunity FROM sales_crm.my_open_tasks LIMIT 8;
\set ECHO none

\echo
\echo '9. The forecast: plain, and weighted by probability; and what this opportunity did to it.'
\set ECHO queries
SELECT month, open_opportunities, open_amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted, won_amount::numeric(12,2)
FROM sales_crm.forecast_by_month WHERE pipeline = 'Standard';
SELECT cause, month, status, opportunities, amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted
FROM sales_crm.forecast_causes(:opportunity_id);
\set ECHO none

\echo
\echo '10. The dashboard, and what next month may bring (10 %, 50 % and 90 % of chances are below).'
\set ECHO queries
SELECT open_opportunities, open_amount::numeric(12,2), weighted_amount::numeric(12,2) AS weighted, won_amount_this_year::numeric(12,2) AS won_this_year,
	win_rate_this_year, rotting, overdue_tasks FROM sales_crm.sales_dashboard;
SELECT opportunities, weighted_amount::numeric(12,2) AS weighted, p10::numeric(12,2), p50::numeric(12,2), p90::numeric(12,2)
FROM sales_crm.forecast_range(month => (date_trunc('month', sales_crm.today()::timestamp) + interval '1 month')::date);
\set ECHO none
