-- Promise: what other CRMs got wrong about phases, probabilities and forecasts is right here. Each
-- test names the story it comes from.
BEGIN;
SELECT plan(17);

INSERT INTO sales_crm.account (name) VALUES ('Acme');
CREATE FUNCTION pg_temp.account() RETURNS bigint LANGUAGE sql AS $$SELECT max(account_id) FROM sales_crm.account$$;
CREATE FUNCTION pg_temp.phase(text) RETURNS bigint LANGUAGE sql AS $$SELECT phase_id FROM sales_crm.phase WHERE name = $1$$;
CREATE FUNCTION pg_temp.probability(text) RETURNS numeric LANGUAGE sql AS $$SELECT probability FROM sales_crm.opportunity_overview WHERE name = $1$$;
UPDATE sales_crm.phase SET required_fields = '{}';
INSERT INTO sales_crm.opportunity (name, account_id, amount) SELECT 'deal ' || i, pg_temp.account(), 100 FROM generate_series(1, 5) i;

-- A mass update skipped the probability rule (espocrm 2119)
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Proposal');
SELECT is(count(*), 5::bigint, 'a mass update gives all the probability of the phase') FROM sales_crm.opportunity_overview WHERE probability = 50;

-- A manual probability was overwritten by a phase change (espocrm 3294)
UPDATE sales_crm.opportunity SET probability_override = 35 WHERE name = 'deal 1';
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Contact') WHERE name = 'deal 1';
SELECT is(pg_temp.probability('deal 1'), 35.00, 'a manual probability survives a change of phase');
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Won') WHERE name = 'deal 1';
SELECT is(pg_temp.probability('deal 1'), 100.00, 'but a final phase pins it');

-- Editing the tags of a lost deal revived its probability (odoo 67617)
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Lost') WHERE name = 'deal 2';
UPDATE sales_crm.opportunity SET custom = '{"tags": ["late"]}', probability_override = 80 WHERE name = 'deal 2';
SELECT is(pg_temp.probability('deal 2'), 0.00, 'editing a lost deal leaves it lost');
SELECT ok(closed_at IS NOT NULL, 'and closed') FROM sales_crm.opportunity WHERE name = 'deal 2';

-- Lost deals weighted at 100 % in a forecast (Frappe CRM)
SELECT is(sum(weighted_amount), 0::numeric, 'lost deals weigh nothing') FROM sales_crm.forecast WHERE outcome = 'lost';
SELECT is(sum(weighted_amount), 100::numeric, 'won deals weigh all') FROM sales_crm.forecast WHERE outcome = 'won';

-- Mixed currencies summed (OCA/crm 640)
UPDATE sales_crm.opportunity SET currency = 'JPY' WHERE name = 'deal 3';
SELECT is_empty($$SELECT FROM sales_crm.forecast GROUP BY pipeline_id, phase_id, owner_id, source_id, month, currency HAVING count(*) > 1$$, 'one row per cell');
SELECT is(count(DISTINCT currency), 2::bigint, 'and each currency has its own') FROM sales_crm.forecast WHERE phase = 'Proposal';

-- Rotting counted from creation, not from the phase (Krayin)
INSERT INTO sales_crm.opportunity (name, account_id, created_at) VALUES ('old', pg_temp.account(), now() - interval '100 days');
SELECT ok(rotting, 'an old deal in its first phase rots') FROM sales_crm.opportunity_overview WHERE name = 'old';
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Contact') WHERE name = 'old';
SELECT ok(NOT rotting, 'moved today, it does not') FROM sales_crm.opportunity_overview WHERE name = 'old';

-- A nightly expiry job overwrote Lost and Ordered (erpnext 25248)
INSERT INTO sales_crm.member (name, login) VALUES ('Job', current_user);
SELECT throws_ok($$UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Expired')$$, 'SC201', NULL, 'a careless job cannot overwrite outcomes');
SELECT is(count(*), 1::bigint, 'won stays won') FROM sales_crm.opportunity_overview WHERE status = 'won';

-- VAT summed per line drifts over 50 lines (OCA 4397)
SELECT is((sales_crm.compute_totals((SELECT jsonb_agg('{"quantity": 1, "unit_price": 0.99, "tax_percent": 21}'::jsonb) FROM generate_series(1, 50))) ->> 'vat')::numeric, 10.40, 'VAT is rounded once per rate');
-- 975 - 75 at 24 % must give 216.00 (erpnext 8910)
SELECT is((sales_crm.compute_totals('[{"quantity": 1, "unit_price": 975, "tax_percent": 24}]', discount_amount => 75) ->> 'vat')::numeric, 216.00, 'VAT is on the discounted base');
-- 10 off 3 x 100 must split into parts that sum to 10 (erpnext 58042)
SELECT is((SELECT sum((l ->> 'discount')::numeric) FROM jsonb_array_elements(sales_crm.compute_totals('[{"quantity": 1, "unit_price": 100, "tax_percent": 21}, {"quantity": 1, "unit_price": 100, "tax_percent": 21}, {"quantity": 1, "unit_price": 100, "tax_percent": 21}]', discount_amount => 10) -> 'lines') l), 10.00, 'parts of a discount sum');
-- 100 % discount must be 0 (erpnext 52001)
SELECT is((sales_crm.compute_totals('[{"quantity": 3, "unit_price": 33.333333, "tax_percent": 21}]', 100) ->> 'gross')::numeric, 0.00, '100 % discount leaves 0');

SELECT * FROM finish();
ROLLBACK;
