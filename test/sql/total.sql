-- What an offer comes to: the golden cases of accountants, other CRMs' mistakes, bad input.
CREATE FUNCTION test.totals(lines text, discount_percent numeric DEFAULT NULL, discount_amount numeric DEFAULT NULL,
	method text DEFAULT NULL, currency text DEFAULT NULL, prices_include_tax boolean DEFAULT false,
	OUT net numeric, OUT vat numeric, OUT gross numeric, OUT discount numeric, OUT bases numeric[], OUT shares numeric[])
BEGIN ATOMIC
	SELECT (t ->> 'net')::numeric, (t ->> 'vat')::numeric, (t ->> 'gross')::numeric, (t ->> 'discount')::numeric,
		(SELECT array_agg((x ->> 'base')::numeric) FROM jsonb_array_elements(t -> 'taxes') x),
		(SELECT array_agg((x ->> 'discount')::numeric) FROM jsonb_array_elements(t -> 'lines') x)
	FROM sales_crm.compute_totals(lines::jsonb, discount_percent, discount_amount, method, currency, prices_include_tax) t;
END;
-- n lines alike, without braces and quotes
CREATE FUNCTION test.lines(n int, quantity numeric, unit_price numeric, tax_percent numeric, discount_percent numeric DEFAULT NULL, discount_amount numeric DEFAULT NULL)
RETURNS text IMMUTABLE
BEGIN ATOMIC
	SELECT jsonb_agg(jsonb_strip_nulls(jsonb_build_object('quantity', quantity, 'unit_price', unit_price, 'tax_percent', tax_percent,
		'discount_percent', discount_percent, 'discount_amount', discount_amount))) FROM generate_series(1, n);
END;

-- 38 x 541.26 - 2 %: net 20156.52
SELECT net FROM test.totals(test.lines(1, 38, 541.26, 21, 2));
-- 6 lines of 5 x 5.75 - 18 % at 21 %: 141.48, 29.71, 171.19; per line 29.70, 171.18
SELECT net, vat, gross FROM test.totals(test.lines(6, 5, 5.75, 21, 18));
SELECT net, vat, gross FROM test.totals(test.lines(6, 5, 5.75, 21, 18), method => 'per_line');
-- 2 lines of 12.12 x 12.12 at 23 %: 293.78, 67.57, 361.35
SELECT net, vat, gross FROM test.totals(test.lines(2, 12.12, 12.12, 23));
-- 975 - 75 at 24 %: VAT 216.00 (erpnext 8910)
SELECT net, vat FROM test.totals(test.lines(1, 1, 975, 24), discount_amount => 75);
-- 10 off 3 x 100: 3.34, 3.33, 3.33, of lines and of rates (erpnext 58042)
SELECT net, discount, shares FROM test.totals(test.lines(3, 1, 100, 21), discount_amount => 10);
SELECT net, bases FROM test.totals('[{"quantity": 1, "unit_price": 100, "tax_percent": 21}, {"quantity": 1, "unit_price": 100, "tax_percent": 12}, {"quantity": 1, "unit_price": 100, "tax_percent": 6}]', discount_amount => 10);
-- 400 at 25 % and 200 at 15 % with 100 off each: bases 300 and 100
SELECT bases FROM test.totals('[{"quantity": 1, "unit_price": 400, "tax_percent": 25, "discount_amount": 100}, {"quantity": 1, "unit_price": 200, "tax_percent": 15, "discount_amount": 100}]');
-- 299.75, 44.96, -117.77, 1622.84, 592.45
SELECT c.amount, c.percent, t.vat FROM (VALUES (1, 2141.05, 14), (2, 2141.19, 2.1), (3, -2141.19, 5.5), (4, 6491.34, 25), (5, 12342.61, 4.8)) AS c (n, amount, percent),
	test.totals(test.lines(1, sign(c.amount), abs(c.amount), c.percent)) t ORDER BY c.n;
-- 300 gross at 10 % included - 50 %: 136.36 net
SELECT net, vat, gross FROM test.totals(test.lines(1, 1, 300, 10), 50, prices_include_tax => true);
-- 100 % is nothing, everywhere (erpnext 52001)
SELECT m.method, i.included, t.net, t.vat, t.gross, t.bases FROM (VALUES ('en16931'), ('per_line')) AS m (method), (VALUES (false), (true)) AS i (included),
	test.totals(test.lines(3, 7, 3.333333, 21), 100, method => m.method, prices_include_tax => i.included) t ORDER BY 1, 2;
SELECT net, vat, gross FROM test.totals(test.lines(3, 7, 3.333333, 21, 100));
-- VAT per line drifts over 50 lines (OCA 4397)
SELECT m.method, t.net, t.vat FROM (VALUES ('en16931'), ('per_line')) AS m (method), test.totals(test.lines(50, 1, 0.99, 21), method => m.method) t;

-- Currencies of 0, 2 and 3 decimals; unit prices of 6; half away from zero, in both directions
SELECT c.currency, t.net, t.vat, t.gross FROM (VALUES ('JPY'), ('EUR'), ('KWD')) AS c (currency), test.totals(test.lines(1, 3, 33.333333, 10), currency => c.currency) t;
SELECT q.quantity, t.net FROM (VALUES (1), (-1)) AS q (quantity), test.totals(test.lines(1, q.quantity, 0.005, 0)) t;
-- A return beside a sale; optional lines, headings and texts do not count
SELECT net, vat, gross FROM test.totals('[{"quantity": 3, "unit_price": 10, "tax_percent": 21}, {"quantity": -1, "unit_price": 10, "tax_percent": 21}, {"quantity": 1, "unit_price": 99, "tax_percent": 21, "optional": true}, {"kind": "heading"}, {"kind": "text"}]');
SELECT jsonb_pretty(sales_crm.compute_totals('[{"quantity": 1, "unit_price": 121, "tax_percent": 21}, {"kind": "text"}, {"quantity": 1, "unit_price": 50, "tax_percent": 0, "tax_category": "E"}]', 10, prices_include_tax => true));
SELECT net, gross FROM test.totals('[]');
-- A rate of the table
SELECT t.net, t.vat FROM sales_crm.tax_rate r, test.totals(format('[{"quantity": 1, "unit_price": 100, "tax_rate_id": %s}]', r.tax_rate_id)) t WHERE r.is_default;

-- Bad input
\set VERBOSITY default
SELECT sales_crm.compute_totals('{}');
SELECT sales_crm.compute_totals('[1]');
SELECT sales_crm.compute_totals('[{"quantity": "NaN", "unit_price": 1, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"unit_price": 1, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1}]');
SELECT sales_crm.compute_totals('[{"quantity": 0, "unit_price": 1, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": -1, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 0.0000001, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 1e9, "unit_price": 1e12, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 1e300, "unit_price": 1, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 999, "unit_price": 1e12, "tax_percent": 21}, {"quantity": 1, "unit_price": 1e12, "tax_percent": 21}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "discount_percent": 100.01}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "discount_percent": -1}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "discount_amount": 1.01}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "discount_amount": 0.001}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "discount_amount": 1, "discount_percent": 1}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "currency": "USD"}]', currency => 'EUR');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_rate_id": 4711}]');
SELECT sales_crm.compute_totals('[{"quantity": 1, "unit_price": 1, "tax_percent": 21, "tax_category": "Z"}]');
SELECT sales_crm.compute_totals('[]', 101);
SELECT sales_crm.compute_totals('[]', 'NaN');
SELECT sales_crm.compute_totals('[]', discount_amount => 1);
SELECT sales_crm.compute_totals('[]', method => 'other');
SELECT sales_crm.compute_totals('[]', currency => 'XXX');
SELECT sales_crm.totals(1, 1, NULL, NULL, 21, 'S', false, NULL, NULL, NULL, c, false) FROM (VALUES ('EUR'), ('USD')) AS v (c);
DROP FUNCTION test.totals, test.lines;
