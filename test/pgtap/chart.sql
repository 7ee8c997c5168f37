-- Promise: forecast_chart() is a well-formed SVG that shows the right figures: heights of bars in
-- proportion to amounts, stacked without gap or overlap, the line and the target at their heights;
-- whatever names, languages, currencies and emptiness it meets.
BEGIN;
SELECT plan(31);

CREATE FUNCTION pg_temp.chart(VARIADIC text[] DEFAULT '{}') RETURNS xml LANGUAGE plpgsql AS $$
BEGIN
	RETURN xmlparse(DOCUMENT sales_crm.forecast_chart(first_month => '2025-01-01', months => coalesce($1[1], '3')::int, locale => $1[2], currency => $1[3]));
END
$$;
CREATE FUNCTION pg_temp.path(chart xml, path text) RETURNS text[] LANGUAGE sql AS $$
	SELECT xpath(replace(path, '//', '//s:'), chart, array[array['s', 'http://www.w3.org/2000/svg']])::text[]
$$;

-- Nothing to show
SELECT is(pg_temp.path(pg_temp.chart(), '//text[@font-size="15"]/text()'), '{"No opportunities in these months"}', 'an empty database gives an empty chart');

INSERT INTO sales_crm.account (name) VALUES ('Acme');
UPDATE sales_crm.phase SET required_fields = '{}';
UPDATE sales_crm.phase SET name = 'A <"b"> & ''c''' || chr(1) || '</svg>' WHERE name = 'Proposal';
UPDATE sales_crm.company SET name = '<script>alert(1)</script>';
INSERT INTO sales_crm.team (name) VALUES ('All');
INSERT INTO sales_crm.target (team_id, month, currency, amount) SELECT team_id, '2025-02-01', 'EUR', 40000 FROM sales_crm.team;
INSERT INTO sales_crm.opportunity (name, account_id, amount, currency, expected_on, probability_override, phase_id, created_at, phase_since)
SELECT 'x', account_id, v.amount, v.currency, v.expected_on, v.probability, (SELECT phase_id FROM sales_crm.phase WHERE position = v.position), '2024-01-01', coalesce(v.closed_at, '2024-01-01')
FROM sales_crm.account, (VALUES
	(10000, 'EUR', date '2025-01-31', NULL, 1, NULL::timestamptz), (20000, 'EUR', '2025-01-01', NULL, 3, NULL), (20000, 'EUR', '2025-01-01', 25, 3, NULL), (5000, 'EUR', NULL, NULL, 5, '2025-01-15'),
	(9000, 'EUR', NULL, NULL, 6, '2025-01-15'), (8000, 'EUR', '2025-02-01', NULL, 4, NULL), (7777, 'EUR', NULL, NULL, 1, NULL), (100000, 'EUR', '2025-04-01', NULL, 1, NULL)) AS v (amount, currency, expected_on, probability, position, closed_at);

-- January: 5,000 won, 40,000 proposal, 10,000 new; weighted 5,000 + 10,000 + 5,000 + 1,000
SELECT pg_temp.chart() AS chart \gset
CREATE TEMP TABLE bar AS
SELECT n, (b.path)[1]::text AS fill, h::numeric AS height, y::numeric AS y, t AS title
FROM (SELECT xmlparse(DOCUMENT :'chart') AS c) c,
	xmltable(xmlnamespaces('http://www.w3.org/2000/svg' AS s), '//s:rect[s:title]' PASSING c
		COLUMNS n FOR ORDINALITY, f text PATH '@fill', h text PATH '@height', y text PATH '@y', t text PATH 's:title') x, LATERAL (SELECT array[f] AS path) b;
SELECT is(array_agg(title ORDER BY n), array['Won, Jan 2025: €5,000.00', 'A <"b"> & ''c''</svg>, Jan 2025: €40,000.00', 'New, Jan 2025: €10,000.00', 'Quotation signed, Feb 2025: €8,000.00'], 'the bars and what they say') FROM bar;
SELECT is(array_agg(fill ORDER BY n), array['#1e8449', '#d68910', '#7f8c8d', '#7d3c98'], 'in the colours of their phases') FROM bar;
SELECT ok(max(height / amount) - min(height / amount) < 0.00002, 'heights are in proportion') FROM bar, LATERAL (SELECT replace(substring(title FROM '€([0-9,.]+)$'), ',', '')::numeric AS amount) a;
SELECT ok(abs(lag - (y + height)) < 0.15, 'stacked without gap: ' || title) FROM (SELECT *, lag(y) OVER (ORDER BY n) FROM bar WHERE n <= 3) x WHERE lag IS NOT NULL;
CREATE FUNCTION pg_temp.at(chart xml, path text) RETURNS numeric[] LANGUAGE sql AS $$
	SELECT array_agg(x::numeric ORDER BY n) FROM unnest(pg_temp.path(chart, path)) WITH ORDINALITY u (x, n)
$$;
SELECT is(pg_temp.path(:'chart', '//circle/s:title/text()'), array['Won + weighted: €21,000.00', 'Won + weighted: €7,200.00', 'Won + weighted: €0.00'], 'the line and what it says');
SELECT ok(abs((base - (c)[1]) / 21000 - height / 5000) < 0.0001, 'is at its height')
FROM (SELECT y + height AS base, height FROM bar WHERE n = 1) b, (SELECT pg_temp.at(:'chart', '//circle[s:title]/@cy') AS c) c;
SELECT is(pg_temp.path(:'chart', '//path/s:title/text()'), '{"Target: €40,000.00"}', 'the target');
SELECT ok(abs((base - substring((d)[1] FROM ' ([0-9.]+)h')::numeric) / 40000 - height / 5000) < 0.0001, 'is at its height, too')
FROM (SELECT y + height AS base, height FROM bar WHERE n = 1) b, (SELECT pg_temp.path(:'chart', '//path[s:title]/@d') AS d) d;
SELECT ok(:'chart' LIKE '%Won €5,000   ·   Open €58,000   ·   Won + weighted €28,200   ·   Target €40,000%', 'the totals');
SELECT ok(:'chart' LIKE '%without an expected date: €7,777<%', 'and what has no date');
SELECT ok(:'chart' NOT LIKE '%<script%' AND :'chart' !~ '(href|src|url\()', 'nothing in it is run or fetched');
SELECT ok(sales_crm.forecast_chart() = sales_crm.forecast_chart(), 'the same again');

-- Languages and ways of writing numbers
SELECT is(sales_crm.chart_amount(1234567.891, c, l, d), translate(wanted, '_~', chr(160) || chr(8239)), format('%s %s', l, c))
FROM (VALUES ('EUR', 'en', 2, '€1,234,567.89'), ('EUR', 'fr_BE', 2, '1~234~567,89_€'), ('EUR', 'nl', 2, '€_1.234.567,89'), ('EUR', 'de_AT', 0, '1.234.568_€'), ('CHF', 'en', 2, 'CHF_1,234,567.89'), ('CHF', 'it', 1, 'CHF_1,234,567.9')) v (c, l, d, wanted);
SELECT is(sales_crm.chart_amount(0.5, 'EUR', 'de', 2), '0,50' || chr(160) || '€', 'less than one');
SELECT ok(sales_crm.forecast_chart(first_month => '2025-01-01', locale => l) LIKE '%' || wanted || '%', l)
FROM (VALUES ('fr', 'janv.'), ('nl', 'mrt.'), ('de', 'Gewonnen + gewichtet'), ('de', '60' || chr(160) || 'Tsd.' || chr(160) || '€')) v (l, wanted);
SELECT is((SELECT count(*) FROM unnest(array['fr', 'nl', 'de', 'en']) l, unnest(array['title', 'months', 'date', 'undated', 'empty']) w WHERE sales_crm.chart_word(w, l) IS NULL), 0::bigint, 'no word is missing');

-- Other currencies need their rates
SELECT throws_ok($$SELECT sales_crm.forecast_chart(currency => 'JPY')$$, 'P0002', NULL, 'without a rate it does not draw');
INSERT INTO sales_crm.exchange_rate VALUES ('JPY', 'EUR', '2020-01-01', 0.005);
SELECT ok(sales_crm.forecast_chart(first_month => '2025-01-01', currency => 'JPY') LIKE '%Won ¥1,000,000 %', 'with one it does');
SELECT throws_ok($$SELECT sales_crm.forecast_chart(currency => 'XXQ')$$, '22023', NULL, 'an unknown currency');
SELECT throws_ok('SELECT sales_crm.forecast_chart(months => 0)', '22023', NULL, 'no month at all');
SELECT throws_ok('SELECT sales_crm.forecast_chart(-1)', 'P0002', NULL, 'no such pipeline');

SELECT * FROM finish();
ROLLBACK;
