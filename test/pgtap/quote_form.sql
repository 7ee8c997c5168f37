-- Promise: quote_snapshot(), quote_view_data() and readable_color(), which are in C, give to the byte what
-- the SQL below says, whatever a quote has; hashes are those of sha256(); and a snapshot does not depend on the session's settings.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(17);

CREATE FUNCTION pg_temp.readable_color(color text)
RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	-- Relative luminance with a contrast of 5 to white, and so the 4.5 that WCAG 2.2 asks for to a light grey
	allowed CONSTANT float8 := 1.05 / 5 - 0.05;
	linear float8[];
	luminance float8;
BEGIN
	IF color !~ '^#[0-9a-fA-F]{6}$' THEN
		RAISE EXCEPTION 'color "%" is not valid', color
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Write it as #rrggbb.';
	END IF;
	SELECT array_agg(CASE WHEN c <= 0.04045 THEN c / 12.92 ELSE ((c + 0.055) / 1.055) ^ 2.4 END ORDER BY i) INTO linear
	FROM generate_series(0, 2) i, LATERAL (SELECT get_byte(decode(substr(color, 2), 'hex'), i)::float8 / 255 AS c) channel;
	luminance := 0.2126 * linear[1] + 0.7152 * linear[2] + 0.0722 * linear[3];
	IF luminance <= allowed THEN
		RETURN lower(color);
	END IF;
	RETURN (SELECT '#' || string_agg(lpad(to_hex(floor(255 * CASE WHEN c <= 0.0031308 THEN c * 12.92
			ELSE 1.055 * c ^ (1 / 2.4) - 0.055 END)::integer), 2, '0'), '' ORDER BY i)
		FROM unnest(linear) WITH ORDINALITY l (value, i), LATERAL (SELECT value * allowed / luminance AS c) darker);
END
$$;
CREATE FUNCTION pg_temp.quote_view_line(line jsonb, number bigint, currency text, minor_units integer, locale text)
RETURNS jsonb LANGUAGE sql STABLE PARALLEL SAFE
AS $$
	SELECT jsonb_build_object(
		'item', line ->> 'kind' = 'item', 'heading', line ->> 'kind' = 'heading', 'text', line ->> 'kind' = 'text',
		'number', coalesce(line ->> 'number', number::text),
		'name', line ->> 'name',
		'description', nullif(line ->> 'description', ''),
		'extra_description', nullif(line ->> 'extra_description', ''),
		'optional', coalesce((line ->> 'optional')::boolean, false),
		'quantity', sales_crm.format_number((line ->> 'quantity')::numeric, locale),
		'unit', CASE WHEN line ->> 'unit' NOT IN ('C62', 'LS') THEN coalesce(line ->> 'unit_name', line ->> 'unit') END,
		'unit_price', sales_crm.format_amount((line ->> 'unit_price')::numeric, currency, locale, minor_units),
		'discount', coalesce(
			sales_crm.format_percent(nullif((line ->> 'discount_percent')::numeric, 0), locale),
			sales_crm.format_amount(nullif((line ->> 'discount_amount')::numeric, 0), currency, locale, minor_units)),
		'amount', sales_crm.format_amount((line ->> 'amount')::numeric, currency, locale, minor_units),
		'vat_percent', sales_crm.format_percent((line ->> 'tax_percent')::numeric, locale))
$$;
CREATE FUNCTION pg_temp.quote_view_data(snapshot jsonb)
RETURNS jsonb LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	locale CONSTANT text := coalesce(snapshot ->> 'locale', 'en');
	currency CONSTANT text := snapshot ->> 'currency';
	minor CONSTANT integer := snapshot ->> 'minor_units';
	words CONSTANT jsonb := sales_crm.quote_words(locale);
	company CONSTANT jsonb := snapshot -> 'company';
	totals CONSTANT jsonb := snapshot -> 'totals';
	color text := company ->> 'brand_color';
	lines jsonb;
	taxes jsonb;
BEGIN
	IF color IS NULL OR color !~ '^#[0-9a-fA-F]{6}$' THEN
		color := '#1f4e79';
	END IF;
	SELECT jsonb_agg(pg_temp.quote_view_line(l.line, l.number, currency, minor, locale) ORDER BY l.place) INTO lines
	FROM (
		SELECT e.line, e.place, count(*) FILTER (WHERE e.line ->> 'kind' = 'item') OVER (ORDER BY e.place) AS number
		FROM jsonb_array_elements(snapshot -> 'lines') WITH ORDINALITY e (line, place)) l;
	SELECT jsonb_agg(jsonb_build_object(
			'percent', sales_crm.format_percent((t.tax ->> 'percent')::numeric, locale),
			'base', sales_crm.format_amount((t.tax ->> 'base')::numeric, currency, locale, minor),
			'vat', sales_crm.format_amount((t.tax ->> 'vat')::numeric, currency, locale, minor),
			'category', t.tax ->> 'category',
			'note', words ->> ('note_' || (t.tax ->> 'category'))) ORDER BY t.place) INTO taxes
	FROM jsonb_array_elements(totals -> 'taxes') WITH ORDINALITY t (tax, place);
	RETURN jsonb_build_object(
		'locale', locale, 'language', left(locale, 2), 'words', words,
		'number', snapshot ->> 'number',
		'version', CASE WHEN snapshot ->> 'version' <> '1' THEN snapshot ->> 'version' END,
		'draft', snapshot ->> 'sent_on' IS NULL,
		'title', nullif(snapshot ->> 'title', ''),
		'introduction', nullif(snapshot ->> 'introduction', ''),
		'terms', nullif(snapshot ->> 'terms', ''),
		'currency', currency,
		'sent_on', sales_crm.format_date((snapshot ->> 'sent_on')::date, locale),
		'valid_until', sales_crm.format_date((snapshot ->> 'valid_until')::date, locale),
		'company', jsonb_strip_nulls(company) || jsonb_build_object('brand_color', color, 'readable_color', pg_temp.readable_color(color)),
		'seller', jsonb_strip_nulls(snapshot -> 'seller'),
		'customer', jsonb_strip_nulls(snapshot -> 'customer'),
		'prices_include_tax', coalesce((snapshot ->> 'prices_include_tax')::boolean, false),
		'lines', coalesce(lines, '[]'),
		'has_discounts', coalesce(jsonb_path_exists(lines, '$[*] ? (@.discount != null)'), false),
		'has_options', coalesce(jsonb_path_exists(lines, '$[*] ? (@.optional == true)'), false),
		'discount', CASE WHEN (totals ->> 'discount')::numeric <> 0 THEN jsonb_build_object(
			'percent', sales_crm.format_percent(nullif((snapshot ->> 'discount_percent')::numeric, 0), locale),
			'amount', sales_crm.format_amount(-(totals ->> 'discount')::numeric, currency, locale, minor),
			'before', sales_crm.format_amount((totals ->> 'amount')::numeric, currency, locale, minor)) END,
		'taxes', coalesce(taxes, '[]'),
		'net', sales_crm.format_amount((totals ->> 'net')::numeric, currency, locale, minor),
		'vat', sales_crm.format_amount((totals ->> 'vat')::numeric, currency, locale, minor),
		'gross', sales_crm.format_amount((totals ->> 'gross')::numeric, currency, locale, minor));
END
$$;
CREATE FUNCTION pg_temp.quote_snapshot(quote_id bigint, sent_on date DEFAULT NULL)
RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	-- Fetched once, for all its parts
	totals CONSTANT jsonb := (SELECT q.totals || '{}' FROM sales_crm.quote q WHERE q.quote_id = quote_snapshot.quote_id);
	lines jsonb;
	result jsonb;
BEGIN
	SELECT jsonb_agg(jsonb_build_object(
			'position', (l.place)::text, 'kind', l.kind, 'name', l.name, 'description', l.description, 'extra_description', l.extra_description,
			'optional', l.optional,
			'number', CASE WHEN l.kind = 'item' THEN l.number::text END,
			'quantity', trim_scale(l.quantity)::text, 'unit', l.unit, 'unit_name', u.name, 'unit_price', trim_scale(l.unit_price)::text,
			'discount_percent', trim_scale(l.discount_percent)::text, 'discount_amount', trim_scale(l.discount_amount)::text,
			'amount', a.amounts ->> 'amount', 'net', a.amounts ->> 'net',
			'tax_percent', trim_scale(l.tax_percent)::text, 'tax_category', l.tax_category) ORDER BY l.place)
	INTO lines
	FROM (
		SELECT k.kind, k.name, k.description, k.extra_description, k.optional, k.quantity, k.unit, k.unit_price,
			k.discount_percent, k.discount_amount, k.tax_percent, k.tax_category,
			row_number() OVER w AS place, count(*) FILTER (WHERE k.kind = 'item') OVER w AS number
		FROM sales_crm.quote_line k
		WHERE k.quote_id = quote_snapshot.quote_id
		WINDOW w AS (ORDER BY k.position, k.quote_line_id)) l
	LEFT JOIN jsonb_array_elements(totals -> 'lines') WITH ORDINALITY a (amounts, place) ON a.place = l.place
	LEFT JOIN sales_crm.unit u ON u.code = l.unit;
	SELECT jsonb_build_object(
		'schema', 1, 'number', q.number, 'version', q.version::text, 'title', q.title, 'locale', q.locale, 'currency', q.currency,
		'minor_units', c.minor_units::text, 'sent_on', sent_on::text, 'valid_until', q.valid_until::text, 'time_zone', y.time_zone,
		'vat_method', q.vat_method, 'prices_include_tax', q.prices_include_tax, 'introduction', q.introduction, 'terms', q.terms,
		'template', jsonb_build_object('name', t.name, 'sha256', encode(sha256(convert_to(t.body || t.partials::text, 'UTF8')), 'hex')),
		'company', jsonb_build_object('name', y.name, 'address', y.address, 'vat_number', y.vat_number, 'brand_color', y.brand_color, 'email', y.sender_email,
			'logo', 'data:' || sales_crm.media_type_of(y.logo) || ';base64,' || translate(encode(y.logo, 'base64'), E'\n', '')),
		'seller', jsonb_build_object('name', m.name, 'email', m.email, 'phone', NULL),
		'customer', jsonb_build_object('name', q.customer_name, 'address', q.customer_address, 'vat_number', q.customer_vat_number,
			'contact', k.name, 'email', k.email),
		'lines', coalesce(lines, '[]'),
		'discount_percent', trim_scale(q.discount_percent)::text, 'discount_amount', trim_scale(q.discount_amount)::text,
		'totals', jsonb_build_object('list', totals ->> 'list', 'amount', totals ->> 'amount', 'discount', totals ->> 'discount',
			'net', totals ->> 'net', 'vat', totals ->> 'vat', 'gross', totals ->> 'gross',
			'taxes', (SELECT coalesce(jsonb_agg(jsonb_build_object('category', x.tax ->> 'category', 'percent', x.tax ->> 'percent', 'net', x.tax ->> 'net',
					'base', x.tax ->> 'base', 'vat', x.tax ->> 'vat') ORDER BY x.place), '[]')
				FROM jsonb_array_elements(totals -> 'taxes') WITH ORDINALITY x (tax, place))))
	INTO result
	FROM sales_crm.quote q
	JOIN sales_crm.quote_template t USING (quote_template_id)
	JOIN sales_crm.currency c ON c.code = q.currency
	JOIN sales_crm.opportunity o USING (opportunity_id)
	LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
	LEFT JOIN sales_crm.contact k ON k.contact_id = q.contact_id
	CROSS JOIN sales_crm.company y
	WHERE q.quote_id = quote_snapshot.quote_id;
	RETURN result;
END
$$;
CREATE FUNCTION pg_temp.pick(VARIADIC anycompatiblearray) RETURNS anycompatible LANGUAGE sql AS $$ SELECT $1[1 + floor(random() * cardinality($1))::integer] $$;

SELECT is_empty($$
	SELECT c FROM (SELECT '#' || lpad(to_hex((random() * 16777215)::integer), 6, '0') FROM generate_series(1, 5000)
		UNION ALL VALUES ('#ffffff'), ('#000000'), ('#FFff00'), ('#0A0b0C')) x (c)
	WHERE sales_crm.readable_color(c) IS DISTINCT FROM pg_temp.readable_color(c)
$$, 'colours');

-- Drafts with all there may be in them, and without
UPDATE sales_crm.company SET logo = decode('89504e470d0a1a0a0000000d49484452', 'hex') || convert_to(repeat('x', 300), 'UTF8'), sender_email = 'sales@example.com', address = E'Kouter 12\nGent';
INSERT INTO sales_crm.member (name, email) VALUES ('Sam "S" É', 'sam@example.com');
INSERT INTO sales_crm.account (name, city) VALUES ('Acme', 'Ghent');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'An', 'an@example.com' FROM sales_crm.account WHERE name = 'Acme';
INSERT INTO sales_crm.opportunity (name, account_id, contact_id, owner_id, currency)
SELECT 'deal ' || i, account_id, CASE WHEN i % 3 > 0 THEN contact_id END, CASE WHEN i % 4 > 0 THEN member_id END, (array['EUR', 'JPY', 'KWD'])[1 + i % 3]
FROM sales_crm.account JOIN sales_crm.contact USING (account_id), sales_crm.member, generate_series(1, 80) i;
CREATE TEMP TABLE made AS SELECT sales_crm.create_quote(opportunity_id) AS quote_id FROM sales_crm.opportunity;
UPDATE sales_crm.quote SET introduction = pg_temp.pick(text '', E'Hello,\n"you"', NULL), terms = pg_temp.pick(text '', '30 days', NULL), discount_percent = pg_temp.pick(NULL, 0, 12.50, 100),
	prices_include_tax = random() < 0.5, customer_address = pg_temp.pick(text E'a\nb', NULL), customer_vat_number = pg_temp.pick(text 'BE 1', NULL),
	vat_method = pg_temp.pick(text 'en16931', 'per_line'), locale = pg_temp.pick(text 'en', 'fr_BE', 'nl', 'de'), valid_until = current_date + (random() * 1000)::integer;
INSERT INTO sales_crm.quote_line (quote_id, name, description, extra_description, quantity, unit, unit_price, discount_percent, optional, position)
SELECT quote_id, 'Line ' || i, pg_temp.pick(text '', E'é "\\\t', NULL), pg_temp.pick(text '', 'x', NULL), pg_temp.pick(1, 1.50, 0.000001, -2, 1000.0), pg_temp.pick(text 'C62', 'HUR', 'LS'),
	pg_temp.pick(0, 0.10, 12.345600, 5000), pg_temp.pick(NULL, 0, 7.5000), random() < 0.2, random()::numeric
FROM made, generate_series(1, 12) i WHERE quote_id % 8 > 0 AND random() < 0.6;
INSERT INTO sales_crm.quote_line (quote_id, kind, name, position) SELECT quote_id, pg_temp.pick(text 'heading', 'text'), 'note', random()::numeric FROM made, generate_series(1, 3) WHERE quote_id % 7 > 0;
CREATE TEMP TABLE form AS
SELECT quote_id, sent_on, sales_crm.quote_snapshot(quote_id, sent_on) AS got, pg_temp.quote_snapshot(quote_id, sent_on) AS wanted
FROM made, (VALUES (NULL), (date '2026-12-03')) AS day (sent_on);
SELECT is(count(*), 160::bigint, 'snapshots of drafts') FROM form WHERE got IS NOT NULL;
SELECT is_empty($$ SELECT quote_id, got, wanted FROM form WHERE got::text IS DISTINCT FROM wanted::text $$, 'are those of the SQL');
SELECT is_empty($$ SELECT quote_id FROM form WHERE sales_crm.quote_view_data(got)::text IS DISTINCT FROM pg_temp.quote_view_data(wanted)::text $$, 'so are their views');
SELECT is_empty($$ SELECT quote_id FROM form WHERE sales_crm.quote_view_data(got - 'lines')::text IS DISTINCT FROM pg_temp.quote_view_data(wanted - 'lines')::text $$, 'and those of parts');
SELECT is(sales_crm.quote_snapshot(-1), NULL, 'what is not there has none');
SELECT is(sales_crm.quote_snapshot(NULL), NULL, 'nor has NULL');

-- Snapshots that other programs made
CREATE TEMP TABLE strange AS
SELECT jsonb_strip_nulls(jsonb_build_object('number', i, 'version', pg_temp.pick(text '1', '2', NULL), 'title', pg_temp.pick(text '', 'a'), 'locale', pg_temp.pick(text 'fr', 'es', '', NULL), 'currency', pg_temp.pick(text 'EUR', 'XXX', NULL), 'minor_units', pg_temp.pick(text '0', '3'),
	'sent_on', pg_temp.pick(text '2026-12-01', NULL), 'prices_include_tax', pg_temp.pick(true, NULL), 'company', pg_temp.pick(jsonb '{"name": "A", "brand_color": "red", "more": {"x": 1.50, "y": [true, -7, "", {}, []]}}', '{"brand_color": "#ff00aa"}', NULL), 'customer', pg_temp.pick(jsonb '{"name": "C"}', NULL),
	'lines', pg_temp.pick(jsonb '[]', '[{"kind": "other", "number": "7", "quantity": "1e3", "discount_amount": "0.00", "optional": "t"}, {"kind": "item", "unit": "HUR", "unit_price": 12.50, "discount_percent": "0", "discount_amount": "5.0", "tax_percent": 21}, {"kind": "text", "amount": "NaN"}]', NULL),
	'totals', pg_temp.pick(jsonb '{"discount": 5, "net": 7.50, "amount": "3"}', '{"discount": "-3.00", "taxes": [{"category": "AE", "percent": "0"}, {"vat": "2"}]}', NULL))) AS snapshot
FROM generate_series(1, 500) i;
SELECT is_empty($$ SELECT snapshot FROM strange WHERE sales_crm.quote_view_data(snapshot)::text IS DISTINCT FROM pg_temp.quote_view_data(snapshot)::text $$, 'views of what is hardly a snapshot');
SELECT is_empty($$
	SELECT n FROM unnest(array['0', '-0', '0.00', '-0.00', '-0.5', '-12.5', '007', '00', '.5', '5.', '-5.', '+5', ' 5 ', '1e3', '12.3400', '1234567.891', 'NaN', 'infinity', repeat('9', 1500)]) n
	WHERE sales_crm.quote_view_data(jsonb_build_object('lines', jsonb_build_array(jsonb_build_object('quantity', n)))) #>> '{lines,0,quantity}'
		IS DISTINCT FROM sales_crm.format_number(n::numeric, 'en')
$$, 'numbers in any notation');
SELECT throws_ok($$ SELECT sales_crm.quote_view_data('{"lines": {}}') $$, '22023', 'lines of a snapshot are not an array', 'lines are an array');
SELECT throws_ok($$ SELECT sales_crm.quote_view_data('{"minor_units": 2, "currency": "EUR", "lines": [{"amount": "much"}]}') $$, '22P02', NULL, 'amounts are numbers');

-- Hashes, of which the last ones are remembered
-- They are of the text that the server writes
CREATE TEMP TABLE written (value jsonb);
INSERT INTO written VALUES ('{}'), ('[]'), ('null'), ('true'), ('"a"'), ('12.50'), ('-0.000001'), ('1e30'), ('123456789012345678901234567890.5'), ('""'), ('[[]]'), ('[{}, [], 1]'),
	('{"a": {}, "b": [], "c": [1, [2, {"d": [null, true, false]}], "x"], "e": {"f": {"g": 1}}, "h": 2}'), ('[1, {"a": [{}, {}]}, 2, [[1], [2, 3]]]'), ('{"": {"": []}}'),
	('{"a\"b\\c/d": "\b\f\n\r\t\u0001\u001f\u007f é € 😀 <>&''"}'), ('["\\u0041", "\"\"", "\\\\", "\n", "x\n", "\nx", "a\u000bb"]'),
	((SELECT jsonb_agg(overlay(repeat('é', 9) || repeat('~', 9) PLACING c FROM i)) FROM generate_series(1, 18) i, unnest(array['"', '\', E'\x1f', E'\x7f', ' ', '!', E'\x01']) c)),
	((SELECT jsonb_object_agg('key ' || i, CASE i % 5 WHEN 0 THEN to_jsonb(i / 7.0) WHEN 1 THEN to_jsonb(repeat('é', i)) WHEN 2 THEN jsonb_build_object('a', i, 'b', jsonb_build_array(i, '{}'::jsonb)) WHEN 3 THEN 'null' ELSE 'false' END) FROM generate_series(1, 200) i)),
	(jsonb_build_object('long', repeat('x"y', 50000))), ((SELECT jsonb_agg(i) FROM generate_series(1, 500) i));
SELECT is_empty($$ SELECT value FROM written WHERE sales_crm.snapshot_sha256(value) IS DISTINCT FROM sha256(convert_to(value::text, 'UTF8')) $$, 'the text of any jsonb');
SELECT is_empty($$ SELECT got FROM form, generate_series(1, 2) WHERE sales_crm.snapshot_sha256(got) IS DISTINCT FROM sha256(convert_to(got::text, 'UTF8')) $$, 'hashes of snapshots');
SELECT is_empty($$ SELECT d FROM unnest(array['', 'a', 'a', 'b', 'é', repeat('x', 300000), repeat('x', 300000), 'a', 'a ']) d WHERE sales_crm.document_sha256(d) IS DISTINCT FROM sha256(convert_to(d, 'UTF8')) $$, 'and of documents');
CREATE TEMP TABLE other AS SELECT q.quote_id, f.got FROM sales_crm.quote q JOIN form f USING (quote_id) WHERE q.totals IS NOT NULL LIMIT 1;
CREATE FUNCTION pg_temp.freeze(snapshot_hash bytea, html_hash bytea) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sales_crm.quote q SET status = 'sent', sent_at = now(), snapshot = o.got, snapshot_sha256 = snapshot_hash, html = '<p>', html_sha256 = html_hash FROM other o WHERE o.quote_id = q.quote_id;
	RETURN 'done';
EXCEPTION WHEN SQLSTATE 'SC102' THEN
	RETURN 'refused';
END $$;
SELECT is(pg_temp.freeze(sales_crm.snapshot_sha256(got), sales_crm.document_sha256('<q>')) || ' ' || pg_temp.freeze(sales_crm.snapshot_sha256(got || '{"a": 1}'), sales_crm.document_sha256('<p>'))
	|| ' ' || pg_temp.freeze(sha256('x'), sales_crm.document_sha256('<p>')) || ' ' || pg_temp.freeze('\x00', sales_crm.document_sha256('<p>')), 'refused refused refused refused', 'hashes of something else freeze nothing') FROM other;
SELECT is(pg_temp.freeze(sales_crm.snapshot_sha256(got), sales_crm.document_sha256('<p>')), 'done', 'the right ones do') FROM other;

SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL bytea_output = 'escape';
SELECT is_empty($$ SELECT quote_id FROM form WHERE sales_crm.quote_snapshot(quote_id, sent_on)::text IS DISTINCT FROM got::text $$, 'settings change no snapshot');

SELECT * FROM finish();
ROLLBACK;
