-- Promise: quotes are written as readers of their locale write: numbers, amounts, percentages, dates
-- and words in en, fr, nl and de, nothing rounded; the default document shows every fact of the
-- snapshot, and escapes it; colours stay readable.
BEGIN;
SELECT plan(50);

-- Numbers. ~ stands for a no-break space, _ for a narrow one
CREATE FUNCTION pg_temp.shown(text) RETURNS text LANGUAGE sql AS $$SELECT replace(replace($1, chr(160), '~'), chr(8239), '_')$$;
SELECT results_eq($$
	SELECT l, pg_temp.shown(sales_crm.format_amount(-1234567.5, 'EUR', l, 2)), pg_temp.shown(sales_crm.format_amount(1234.567800, 'CHF', l, 2)),
		pg_temp.shown(sales_crm.format_number(1234.50, l)), pg_temp.shown(sales_crm.format_percent(5.5000, l)), pg_temp.shown(sales_crm.format_date('2026-03-01', l))
	FROM unnest(array['en', 'fr', 'nl', 'de']) l
$$, $$ VALUES
	('en', '-€1,234,567.50', 'CHF~1,234.5678', '1,234.5', '5.5%', '1~March 2026'),
	('fr', '-1_234_567,50~€', '1_234,5678~CHF', '1_234,5', '5,5~%', '1er~mars 2026'),
	('nl', '€~-1.234.567,50', 'CHF~1.234,5678', '1.234,5', '5,5%', '1~maart 2026'),
	('de', '-1.234.567,50~€', '1.234,5678~CHF', '1.234,5', '5,5~%', '1.~März 2026')
$$, 'amounts, numbers, percentages and dates of four languages');
SELECT is(sales_crm.format_amount(5, 'USD', 'fr_BE', 2), sales_crm.format_amount(5, 'USD', 'fr', 2), 'a locale with a country is its language');
SELECT is(sales_crm.format_amount(5, 'GBP', 'es', 2), '£5.00', 'a language that is not here is English');
SELECT is(sales_crm.format_amount(5, 'GBP', '', 2), '£5.00', 'so is none');
SELECT is(sales_crm.format_amount(1500, 'JPY', 'en'), '¥1,500', 'decimals of the currency: none');
SELECT is(sales_crm.format_amount(1500, 'EUR', 'en'), '€1,500.00', 'decimals of the currency: two');
SELECT is(sales_crm.format_amount(1500, 'KWD', 'en'), 'KWD' || chr(160) || '1,500.000', 'decimals of the currency: three');
SELECT is(sales_crm.format_amount(0.00, 'EUR', 'en', 2), '€0.00', 'nothing');
SELECT is(sales_crm.format_amount(0.005, 'EUR', 'en', 2), '€0.005', 'never rounded');
SELECT is(sales_crm.format_amount(999.9, 'EUR', 'en', 0) || sales_crm.format_amount(1000, 'EUR', 'en', 0), '€999.9€1,000', 'groups begin at a thousand');
SELECT is(sales_crm.format_number(123456789012345678901234567890.123456, 'en'), '123,456,789,012,345,678,901,234,567,890.123456', 'long numbers');
SELECT is(sales_crm.format_number('NaN', 'en') || sales_crm.format_number('-Infinity', 'en'), 'NaN-Infinity', 'no numbers');
SELECT is(sales_crm.format_number(0, 'de', 3), '0,000', 'decimals asked for');
SELECT throws_ok($$SELECT sales_crm.format_number(1, 'en', 31)$$, '22023', 'number of decimals is out of range', 'too many decimals');
SELECT throws_ok($$SELECT sales_crm.format_number(1, 'en', -1)$$, '22023', NULL, 'too few');
SELECT throws_ok($$SELECT sales_crm.format_date('infinity', 'en')$$, '22008', 'date is infinite', 'no day');
SELECT is(sales_crm.format_date('2024-02-29', 'fr'), '29' || chr(160) || 'février 2024', 'only the first is ordinal in French');
-- Every digit comes through, whatever the value: compared with what to_char makes of it
SELECT is_empty($$
	SELECT v FROM (SELECT round((random() * 2 - 1)::numeric * 10::numeric ^ (random() * 14)::integer, (random() * 6)::integer) AS v FROM generate_series(1, 3000)) x
	WHERE sales_crm.format_number(v, 'en', 2) <> rtrim(to_char(trunc(v), 'FM999,999,999,999,999,990'), '.')
			|| substr(to_char(abs(v) % 1, 'FM0.00999999'), 2)
		AND NOT (trunc(v) = 0 AND v < 0)
$$, 'numbers as to_char() writes them');

-- Words: every language has every word
SELECT is_empty($$
	SELECT l, k FROM unnest(array['fr', 'nl', 'de']) l, jsonb_object_keys(sales_crm.quote_words('en')) k WHERE coalesce(sales_crm.quote_words(l) ->> k, '') = ''
	UNION ALL
	SELECT l, k FROM unnest(array['fr', 'nl', 'de']) l, jsonb_object_keys(sales_crm.quote_words(l)) k WHERE sales_crm.quote_words('en') ->> k IS NULL
$$, 'every language has every word');
SELECT isnt(sales_crm.quote_words('de_AT') ->> 'quote', sales_crm.quote_words('en') ->> 'quote', 'a language with a country');
SELECT is(sales_crm.quote_words('es'), sales_crm.quote_words('en'), 'English for others');

-- Colours: contrast computed here on its own, after WCAG 2.2
CREATE FUNCTION pg_temp.luminance(color text) RETURNS float8 LANGUAGE sql AS $$
	SELECT sum((array[0.2126, 0.7152, 0.0722])[i + 1] * CASE WHEN v <= 0.04045 THEN v / 12.92 ELSE power((v + 0.055) / 1.055, 2.4) END)
	FROM generate_series(0, 2) i, LATERAL (SELECT get_byte(decode(substr($1, 2), 'hex'), i) / 255.0::float8 AS v) c
$$;
SELECT is_empty($$
	SELECT c, sales_crm.readable_color(c) FROM (SELECT '#' || lpad(to_hex((random() * 16777215)::integer), 6, '0') AS c FROM generate_series(1, 1000)
		UNION ALL VALUES ('#ffffff'), ('#ffff00'), ('#000000'), ('#00ff00'), ('#FF0000'), ('#0000ff'), ('#808080')) x
	WHERE 1.05 / (pg_temp.luminance(sales_crm.readable_color(c)) + 0.05) < 5
$$, 'text in any colour is readable on white');
SELECT is(sales_crm.readable_color('#1F4E79'), '#1f4e79', 'a dark colour stays');
SELECT isnt(sales_crm.readable_color('#767676'), '#000000', 'a light one is still itself, only darker');
SELECT throws_ok($$SELECT sales_crm.readable_color('red; }')$$, '22023', 'color "red; }" is not valid', 'a colour is nothing else');

-- The view of a snapshot
CREATE TEMP TABLE quote AS SELECT jsonb '{"schema": 1, "number": "Q2026-00042", "version": "2", "title": "Pumps & <pipes>", "locale": "nl", "currency": "EUR", "minor_units": "2",
	"sent_on": "2026-11-24", "valid_until": "2026-12-24", "time_zone": "Europe/Brussels", "vat_method": "en16931", "prices_include_tax": false,
	"introduction": "Beste,\nhier is ze.", "terms": "30 dagen",
	"company": {"name": "Fontaine <BV>", "address": "Kouter 12\n9000 Gent", "vat_number": "BE 1", "brand_color": "#ffd400", "logo": "data:image/png;base64,AAAA", "email": "a@f.example"},
	"seller": {"name": "Sofie", "email": "s@f.example", "phone": null}, "customer": {"name": "Aalst", "address": "Markt 1", "vat_number": null, "contact": "An", "email": null},
	"lines": [{"position": "1", "kind": "heading", "name": "Werk", "description": null, "extra_description": null, "optional": false},
		{"position": "2", "kind": "item", "name": "Pomp", "description": "Zwaar", "extra_description": "Blauw", "quantity": "2.5", "unit": "HUR", "unit_name": "uur", "unit_price": "1000.125", "discount_percent": "10", "discount_amount": null, "amount": "2250.28", "net": "2250.28", "tax_percent": "21.0000", "tax_category": "S", "optional": false},
		{"position": "3", "kind": "text", "name": "Let op", "description": null, "extra_description": null, "optional": false},
		{"position": "4", "kind": "item", "name": "Dienst", "description": null, "extra_description": null, "quantity": "1", "unit": "C62", "unit_name": "stuk", "unit_price": "50", "discount_percent": null, "discount_amount": "5", "amount": "45.00", "net": "45.00", "tax_percent": "0", "tax_category": "AE", "optional": true}],
	"discount_percent": "2", "discount_amount": null,
	"totals": {"list": "2500.31", "amount": "2250.28", "discount": "45.01", "net": "2205.27", "vat": "463.11", "gross": "2668.38",
		"taxes": [{"category": "S", "percent": "21.0000", "net": "2250.28", "base": "2205.27", "vat": "463.11"}, {"category": "AE", "percent": "0.0000", "net": "0.00", "base": "0.00", "vat": "0.00"}]}}' AS snapshot;
CREATE TEMP TABLE view AS SELECT sales_crm.quote_view_data(snapshot) AS v FROM quote;
SELECT is(pg_temp.shown(jsonb_pretty(v -> 'lines' -> 1)), pg_temp.shown(jsonb_pretty(jsonb_build_object('item', true, 'heading', false, 'text', false, 'number', '1', 'name', 'Pomp', 'description', 'Zwaar',
	'extra_description', 'Blauw', 'optional', false, 'quantity', '2,5', 'unit', 'uur', 'unit_price', '€~1.000,125', 'discount', '10%', 'amount', '€~2.250,28', 'vat_percent', '21%'))), 'an item') FROM view;
SELECT is(v #>> '{lines,3,number}', '2', 'items are counted, headings and texts not') FROM view;
SELECT is(v #>> '{lines,3,unit}', NULL, 'pieces are not named') FROM view;
SELECT is(pg_temp.shown(v #>> '{lines,3,discount}'), '€~5,00', 'an amount off the line') FROM view;
SELECT is(pg_temp.shown((v -> 'discount')::text), '{"amount": "€~-45,01", "before": "€~2.250,28", "percent": "2%"}', 'the discount of the whole') FROM view;
SELECT is(pg_temp.shown((v -> 'taxes' -> 0)::text), '{"vat": "€~463,11", "base": "€~2.205,27", "note": null, "percent": "21%", "category": "S"}', 'VAT') FROM view;
SELECT is(v #>> '{taxes,1,note}', 'Btw verlegd: de btw is verschuldigd door de afnemer.', 'VAT that is not charged says why') FROM view;
SELECT is(sales_crm.quote_view_data(snapshot || '{"sent_on": null}') -> 'draft', 'true', 'what was not sent is a draft') FROM quote;
SELECT is(sales_crm.quote_view_data(jsonb_set(snapshot, '{company,brand_color}', '"red;}"')) #>> '{company,brand_color}', '#1f4e79', 'a colour that is none does not reach the style') FROM quote;
SELECT lives_ok($$SELECT sales_crm.render_template(sales_crm.default_quote_body(), sales_crm.quote_view_data('{"locale": "en", "currency": "EUR", "minor_units": "2", "lines": [], "totals": {}}'))$$, 'a quote with hardly anything in it');

-- The document
CREATE TEMP TABLE document AS SELECT sales_crm.render_template(sales_crm.default_quote_body(), v) AS html, v FROM view;
SELECT is_empty($$
	SELECT f FROM document, unnest(array['Offerte', 'Q2026-00042', '24' || chr(160) || 'november 2026', '24' || chr(160) || 'december 2026', 'Pumps &amp; &lt;pipes&gt;', 'Fontaine &lt;BV&gt;', 'Kouter 12', 'BE 1', 'Sofie', 's@f.example', 'Aalst', 'Markt 1', 'An',
		'Beste,', '30 dagen', 'data:image/png;base64,AAAA', '#ffd400', 'Werk', 'Pomp', 'Zwaar', 'Blauw', 'Let op', 'Dienst', 'Optioneel', 'per uur',
		v #>> '{lines,1,unit_price}', v #>> '{lines,1,amount}', v ->> 'net', v ->> 'gross', v #>> '{discount,amount}', v #>> '{taxes,0,vat}', 'Btw verlegd']) f
	WHERE position(f IN html) = 0
$$, 'the default document shows every fact');
SELECT ok(html !~ '<pipes>' AND html !~ '\{\{' AND html !~* 'https?://', 'escaped, filled, and asks nobody for anything') FROM document;
SELECT ok(html LIKE '<!DOCTYPE html>%</html>' || E'\n' AND xmlparse(DOCUMENT regexp_replace(regexp_replace(html, '^<!DOCTYPE html>', ''), '<(meta|img|br)([^>]*)>', '<\1\2/>', 'g')) IS NOT NULL, 'well-formed') FROM document;
SELECT is(jsonb_array_length(to_jsonb(regexp_split_to_array(html, '<tr class="heading">|<tr class="remark">|<td class="position">\d'))), 5, 'a row per line') FROM document;
SELECT ok(sales_crm.render_template(sales_crm.default_quote_body(), sales_crm.quote_view_data(snapshot || '{"prices_include_tax": true}')) LIKE '%Prijzen zijn inclusief btw%waarvan btw 21%', 'prices with VAT say so') FROM quote;
SELECT ok(sales_crm.render_template(sales_crm.default_quote_body(), sales_crm.quote_view_data(snapshot || '{"sent_on": null}')) LIKE '%Concept%', 'a draft says so') FROM quote;

-- The evidence of a signature
SELECT is(pg_temp.shown(sales_crm.format_moment('2026-03-29 01:30:00+00', 'Europe/Brussels', 'de')), '29.~März 2026, 03:30:00', 'a moment, in the hour that summer time begins');
CREATE TEMP TABLE signed AS SELECT d.html, sales_crm.add_evidence(d.html, q.snapshot, 'raw <"snapshot">&', jsonb_build_object('signer_name', 'An </body> Peeters', 'signer_email', 'an@a.example', 'image', 'data:image/png;base64,BBBB',
		'typed', false, 'ip', '203.0.113.7', 'user_agent', 'Mozilla', 'consent_text', 'Ik ga akkoord.', 'signed_at', '2026-11-25 13:00:00+00', 'snapshot_sha256', 'abcdef'),
	'[{"kind": "sent", "at": "2026-11-24T09:00:00Z", "who": "Sofie", "sha256": "0123456789abcdef0000"}, {"kind": "some_thing", "at": "2026-11-25T13:00:00Z", "who": null, "sha256": "ffff"}]') AS whole
FROM document d, quote q;
SELECT ok(left(whole, length(html) - length('</body>' || E'\n</html>\n')) = left(html, length(html) - length('</body>' || E'\n</html>\n')) AND right(whole, 16) = right(html, 16),
	'the frozen quote stays as it is around the evidence') FROM signed;
SELECT is_empty($$
	SELECT f FROM signed, unnest(array['Bewijs van ondertekening', 'An &lt;/body&gt; Peeters', 'an@a.example', 'data:image/png;base64,BBBB', '203.0.113.7', 'Mozilla', 'Ik ga akkoord.',
		'25' || chr(160) || 'november 2026, 14:00:00 (Europe/Brussels)', 'abcdef', 'Verzonden', '24' || chr(160) || 'november 2026, 10:00:00', '>Sofie<', '>0123456789abcdef<', '>some thing<']) f
	WHERE position(f IN whole) = 0
$$, 'the evidence shows every fact');
SELECT ok(whole LIKE '%id="snapshot">raw &lt;&quot;snapshot&quot;&gt;&amp;</pre>%', 'what the hash is of is part of the file, byte by byte once read as HTML') FROM signed;
SELECT ok(sales_crm.add_evidence(html, snapshot, '', '{"signer_name": "An", "typed": true, "signed_at": "2026-11-25 13:00:00+00"}', '[]') LIKE '%Ondertekend door de naam te typen%', 'a typed name') FROM document, quote;
SELECT ok(sales_crm.add_evidence(html, snapshot, '', '{"signer_name": "An", "on_paper": true, "signed_at": "2026-11-25 13:00:00+00"}', '[]') LIKE '%Ondertekend op papier%', 'a signature on paper') FROM document, quote;
SELECT ok(sales_crm.add_evidence('plain text', snapshot, '', '{"signer_name": "An", "signed_at": "2026-11-25 13:00:00+00"}', '[]') LIKE 'plain text<style>%', 'a template without an end') FROM quote;
SELECT ok(sales_crm.add_evidence('a</body>b</body>c', snapshot, '', '{"signer_name": "An", "signed_at": "2026-11-25 13:00:00+00"}', '[]') LIKE 'a</body>b<style>%</section>' || E'\n</body>c', 'a template with two ends') FROM quote;
-- What setup() seeds
SELECT is((SELECT string_agg(locale || ':' || name, ' ' ORDER BY locale) FROM sales_crm.seed_quote_templates() WHERE sales_crm.check_template(body)), 'de:Angebot en:Quotation fr:Devis nl:Offerte', 'a template per language');

SELECT * FROM finish();
ROLLBACK;
