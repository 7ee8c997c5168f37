-- The forecast as a picture. Words and the way numbers are written follow a locale; everything else
-- is geometry.

CREATE FUNCTION sales_crm.chart_word(word text, locale text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE left(locale, 2) WHEN 'fr' THEN v.fr WHEN 'nl' THEN v.nl WHEN 'de' THEN v.de ELSE v.en END
	FROM (VALUES
		('title', 'Sales forecast', 'Prévisions de vente', 'Verkoopprognose', 'Umsatzprognose'),
		('as_of', 'as of', 'au', 'stand op', 'Stand'),
		('won', 'Won', 'Gagné', 'Gewonnen', 'Gewonnen'),
		('open', 'Open', 'En cours', 'Open', 'Offen'),
		('weighted', 'Won + weighted', 'Gagné + pondéré', 'Gewonnen + gewogen', 'Gewonnen + gewichtet'),
		('target', 'Target', 'Objectif', 'Doel', 'Ziel'),
		('undated', 'Not shown, without an expected date:', 'Non affiché, sans date prévue :',
			'Niet getoond, zonder verwachte datum:', 'Nicht dargestellt, ohne erwartetes Datum:'),
		('empty', 'No opportunities in these months', 'Aucune opportunité sur ces mois',
			'Geen opportuniteiten in deze maanden', 'Keine Verkaufschancen in diesen Monaten'),
		('months', 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec', 'janv. févr. mars avr. mai juin juil. août sept. oct. nov. déc.',
			'jan. feb. mrt. apr. mei juni juli aug. sep. okt. nov. dec.', 'Jan. Feb. März Apr. Mai Juni Juli Aug. Sept. Okt. Nov. Dez.'),
		('date', 'DD Mon YYYY', 'DD/MM/YYYY', 'DD-MM-YYYY', 'DD.MM.YYYY'),
		('thousand', 'k', ' k', ' k', ' Tsd. '),
		('million', 'M', ' M', ' mln. ', ' Mio. '),
		('billion', 'bn', ' Md', ' mld. ', ' Mrd. ')) AS v (word, en, fr, nl, de)
	WHERE v.word = $1
$$;
COMMENT ON FUNCTION sales_crm.chart_word(text, text) IS
	'A word on the chart in the language of a locale: en, fr, nl or de, English for others';

CREATE FUNCTION sales_crm.chart_amount(amount numeric, currency text, locale text, decimals integer, unit text DEFAULT '')
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	-- Blanks are no-break spaces, narrow ones between groups in French
	SELECT replace(CASE l.language
		WHEN 'en' THEN s.symbol || CASE WHEN s.symbol = $2 THEN ' ' ELSE '' END || n.number || rtrim($5)
		WHEN 'nl' THEN s.symbol || ' ' || n.number || rtrim($5)
		-- French writes 250 k€, German 250 Tsd. €
		ELSE n.number || CASE WHEN $5 = '' THEN ' ' WHEN l.language = 'fr' AND s.symbol = $2 THEN $5 || ' ' ELSE $5 END || s.symbol END,
		' ', chr(160))
	FROM (SELECT CASE WHEN left($3, 2) IN ('fr', 'nl', 'de') THEN left($3, 2) ELSE 'en' END AS language) l
	CROSS JOIN LATERAL (SELECT CASE $2 WHEN 'EUR' THEN '€' WHEN 'USD' THEN '$' WHEN 'GBP' THEN '£' WHEN 'JPY' THEN '¥' ELSE $2 END AS symbol) s
	CROSS JOIN LATERAL (
		SELECT translate(to_char(round($1, $4), 'FM999,999,999,999,999,999,990' || CASE WHEN $4 > 0 THEN '.' || repeat('0', $4) ELSE '' END),
			',.', CASE l.language WHEN 'en' THEN ',.' WHEN 'fr' THEN chr(8239) || ',' ELSE '.,' END) AS number) n
$$;
COMMENT ON FUNCTION sales_crm.chart_amount(numeric, text, text, integer, text) IS
	'An amount as people of a locale write it, with so many decimals; unit is a word of chart_word() that abbreviates thousands or millions';

CREATE FUNCTION sales_crm.chart_text(content text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT replace(replace(replace(replace(
		regexp_replace($1, '[\x01-\x08\x0b\x0c\x0e-\x1f\x7f]', '', 'g'),
		'&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;')
$$;
COMMENT ON FUNCTION sales_crm.chart_text(text) IS 'Text as it may stand in XML';

CREATE FUNCTION sales_crm.chart_short(content text, characters integer)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$SELECT CASE WHEN char_length($1) > $2 THEN left($1, $2 - 1) || '…' ELSE $1 END$$;
COMMENT ON FUNCTION sales_crm.chart_short(text, integer) IS 'The first characters of a text that is too long for its place';

CREATE FUNCTION sales_crm.chart_bars(pipeline_id bigint, first date, months integer, currency text, won text)
RETURNS jsonb LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH span AS (
		SELECT i AS n, ($2 + make_interval(months => i))::date AS month FROM generate_series(0, $3 - 1) i
	), cell AS MATERIALIZED (
		SELECT s.n, f.month, CASE WHEN f.outcome = 'won' THEN $5 ELSE f.phase END AS label, f.outcome,
			p.color, p.probability, f.amount, f.weighted_amount
		FROM sales_crm.forecast_in($4) f
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		LEFT JOIN span s USING (month)
		WHERE (f.outcome IS NULL OR f.outcome = 'won') AND ($1 IS NULL OR f.pipeline_id = $1)
			AND (s.n IS NOT NULL OR f.month IS NULL)
	), layer AS (
		-- Won at the bottom, then the likelier phases first; phases of the same name are one
		SELECT c.label, (array_agg(c.color ORDER BY c.probability DESC, c.color))[1] AS color,
			row_number() OVER (ORDER BY bool_or(c.outcome = 'won') DESC NULLS LAST, max(c.probability) DESC, c.label) AS place
		FROM cell c WHERE c.n IS NOT NULL GROUP BY c.label
	), bar AS (
		SELECT c.n, c.month, l.label, l.color, l.place, sum(c.amount) AS amount
		FROM cell c JOIN layer l USING (label) WHERE c.n IS NOT NULL GROUP BY 1, 2, 3, 4, 5
	)
	SELECT jsonb_build_object(
		'undated', (SELECT coalesce(sum(c.amount), 0) FROM cell c WHERE c.month IS NULL),
		'layers', (SELECT coalesce(jsonb_agg(jsonb_build_object('label', l.label, 'color', l.color) ORDER BY l.place), '[]') FROM layer l),
		'bars', (SELECT coalesce(jsonb_agg(jsonb_build_object('n', b.n, 'month', b.month, 'label', b.label, 'color', b.color,
				'below', b.below, 'amount', b.amount)), '[]')
			FROM (SELECT x.*, sum(x.amount) OVER (PARTITION BY x.n ORDER BY x.place) - x.amount AS below FROM bar x) b),
		'months', (SELECT jsonb_agg(jsonb_build_object('n', s.n, 'month', s.month, 'won', coalesce(c.won, 0),
				'open', coalesce(c.open, 0), 'weighted', coalesce(c.weighted, 0), 'target', t.target_amount) ORDER BY s.n)
			FROM span s
			LEFT JOIN (SELECT x.n, sum(x.amount) FILTER (WHERE x.outcome = 'won') AS won,
					sum(x.amount) FILTER (WHERE x.outcome IS NULL) AS open, sum(x.weighted_amount) AS weighted
				FROM cell x GROUP BY x.n) c USING (n)
			LEFT JOIN sales_crm.target_attainment t ON $1 IS NULL AND t.level = 'company' AND t.period = 'month'
				AND t.starts_on = s.month AND t.currency = $4))
$$;
COMMENT ON FUNCTION sales_crm.chart_bars(bigint, date, integer, text, text) IS
	'The figures of forecast_chart(): its months, the layers of its bars from below, and the bars';

CREATE FUNCTION sales_crm.chart_legend(bars jsonb, weighted text, target text, plot_left numeric, plot_width numeric,
	OUT n integer, OUT line integer, OUT x numeric, OUT shape text, OUT color text, OUT label text)
RETURNS SETOF record LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	item record;
	advance numeric;
BEGIN
	n := 0;
	line := 0;
	x := plot_left;
	FOR item IN
		SELECT 'bar' AS shape, l.value ->> 'color' AS color, l.value ->> 'label' AS label
		FROM jsonb_array_elements(bars -> 'layers') WITH ORDINALITY l (value, place)
		UNION ALL SELECT 'line', '#17202a', weighted
		UNION ALL SELECT 'dash', '#b03a2e', target WHERE target IS NOT NULL
	LOOP
		shape := item.shape;
		color := item.color;
		label := sales_crm.chart_short(item.label, 40);
		advance := 44 + 6.8 * char_length(label);
		IF x > plot_left AND x + advance > plot_left + plot_width THEN
			line := line + 1;
			x := plot_left;
		END IF;
		RETURN NEXT;
		n := n + 1;
		x := x + advance;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.chart_legend(jsonb, text, text, numeric, numeric) IS
	'Where the items of the legend of forecast_chart() stand, broken into lines';

CREATE FUNCTION sales_crm.forecast_chart(
	pipeline_id bigint DEFAULT NULL, first_month date DEFAULT NULL, months integer DEFAULT 12,
	currency text DEFAULT NULL, locale text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	-- Pixels of the viewBox
	width CONSTANT numeric := 960;
	plot_left CONSTANT numeric := 92;
	plot_width CONSTANT numeric := 844;
	plot_height CONSTANT numeric := 300;
	plot_top numeric;
	baseline numeric;
	band numeric;
	company sales_crm.company;
	language text;
	code text;
	minor integer;
	first date;
	pipeline_name text;
	bars jsonb;
	totals record;
	top numeric;
	step numeric;
	unit text := '';
	unit_size numeric := 1;
	tick_decimals integer;
	legend text;
	legend_rows integer;
	body text;
BEGIN
	SELECT * INTO STRICT company FROM sales_crm.company;
	language := coalesce(locale, company.locale);
	code := coalesce(currency, company.currency);
	SELECT c.minor_units INTO minor FROM sales_crm.currency c WHERE c.code = code;
	IF minor IS NULL THEN
		RAISE EXCEPTION 'currency is not known'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('sales_crm.currency has no code "%s".', code),
				HINT = 'Use a code of ISO 4217, such as EUR.';
	END IF;
	IF months IS NULL OR months NOT BETWEEN 1 AND 36 THEN
		RAISE EXCEPTION 'number of months is out of range'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It is %s.', coalesce(months::text, 'NULL')),
				HINT = 'Give a number from 1 to 36.';
	END IF;
	SELECT l.name INTO pipeline_name FROM sales_crm.pipeline l WHERE l.pipeline_id = pipeline_id;
	IF pipeline_id IS NOT NULL AND pipeline_name IS NULL THEN
		RAISE EXCEPTION 'pipeline % does not exist', pipeline_id
			USING ERRCODE = 'no_data_found', HINT = 'SELECT pipeline_id, name FROM sales_crm.pipeline shows those there are.';
	END IF;
	first := date_trunc('month', coalesce(first_month::timestamp, sales_crm.today() - interval '2 months'))::date;

	bars := sales_crm.chart_bars(pipeline_id, first, months, code, sales_crm.chart_word('won', language));
	SELECT coalesce(sum(m.won), 0) AS won, coalesce(sum(m.open), 0) AS open, coalesce(sum(m.weighted), 0) AS weighted,
		sum(m.target) AS target, greatest(max(m.won + m.open), max(m.weighted), max(m.target), 0) AS highest
	INTO totals
	FROM jsonb_to_recordset(bars -> 'months') AS m (won numeric, open numeric, weighted numeric, target numeric);

	-- Between four and six lines, at 1, 2, 2.5 or 5 times a power of ten
	step := CASE WHEN totals.highest > 0 THEN totals.highest ELSE 1000 END / 5;
	step := 10::numeric ^ floor(log(step)) * (
		SELECT min(f) FROM unnest(array[1, 2, 2.5, 5, 10]) f WHERE f * 10::numeric ^ floor(log(step)) >= step);
	top := step * greatest(ceil(totals.highest / step), 1);
	SELECT u.word, u.size INTO unit, unit_size
	FROM (VALUES ('billion', 1e9), ('million', 1e6), ('thousand', 1e3), ('', 1)) AS u (word, size)
	WHERE top >= 2 * u.size ORDER BY u.size DESC LIMIT 1;
	unit_size := coalesce(unit_size, 1);
	unit := coalesce(sales_crm.chart_word(unit, language), '');
	tick_decimals := least(greatest(scale(trim_scale(step / unit_size)), 0), 2);

	SELECT string_agg(format(
			CASE l.shape WHEN 'bar' THEN '<rect x="%1$s" y="%2$s" width="12" height="12" rx="2" fill="%3$s"/>'
				WHEN 'line' THEN '<path d="M%1$s %4$sh16" stroke="%3$s" stroke-width="2.5"/><circle cx="%6$s" cy="%4$s" r="3.5" fill="#fff" stroke="%3$s" stroke-width="2"/>'
				ELSE '<path d="M%1$s %4$sh16" stroke="%3$s" stroke-width="2.5" stroke-dasharray="5 3"/>' END
			|| '<text x="%5$s" y="%7$s">%8$s</text>', l.x, 77 + 20 * l.line, l.color, 83 + 20 * l.line,
			l.x + 20, l.x + 8, 87.5 + 20 * l.line, sales_crm.chart_text(l.label)), E'\n' ORDER BY l.n), max(l.line) + 1
	INTO legend, legend_rows
	FROM sales_crm.chart_legend(bars, sales_crm.chart_word('weighted', language),
		CASE WHEN totals.target IS NOT NULL THEN sales_crm.chart_word('target', language) END, plot_left, plot_width) l;

	plot_top := 86 + 20 * legend_rows;
	baseline := plot_top + plot_height;
	band := plot_width / months;

	-- Lines and labels of the amounts, the present month, bars, month names, target, weighted line
	body := concat_ws(E'\n',
		(SELECT format('<rect x="%s" y="%s" width="%s" height="%s" fill="#1f4e79" fill-opacity="0.07"/>',
				round(plot_left + band * m.n, 1), plot_top, round(band, 1), plot_height)
			FROM jsonb_to_recordset(bars -> 'months') AS m (n integer, month date)
			WHERE m.month = date_trunc('month', sales_crm.today()::timestamp)),
		(SELECT string_agg(format('<path d="M%s %sh%s" stroke="%s"/><text x="%s" y="%s" text-anchor="end">%s</text>',
				plot_left, y.at, plot_width, CASE WHEN i = 0 THEN '#566573' ELSE '#e5e8e8' END, plot_left - 10, y.at + 4,
				sales_crm.chart_amount(i * step / unit_size, code, language, tick_decimals, CASE WHEN i = 0 THEN '' ELSE unit END)), E'\n' ORDER BY i)
			FROM generate_series(0, (top / step)::integer) i
			CROSS JOIN LATERAL (SELECT round(baseline - plot_height * i * step / top, 1) AS at) y),
		(SELECT string_agg(format('<rect x="%s" y="%s" width="%s" height="%s" fill="%s"><title>%s</title></rect>',
				round(plot_left + band * (b.n + 0.19), 1), round(baseline - plot_height * (b.below + b.amount) / top, 1), round(band * 0.62, 1),
				greatest(round(plot_height * b.amount / top, 1), 0.1), b.color,
				sales_crm.chart_text(format('%s, %s %s: %s', b.label,
					split_part(sales_crm.chart_word('months', language), ' ', extract(month FROM b.month)::integer), extract(year FROM b.month),
					sales_crm.chart_amount(b.amount, code, language, minor)))), E'\n' ORDER BY b.n, b.below)
			FROM jsonb_to_recordset(bars -> 'bars') AS b (n integer, month date, label text, color text, below numeric, amount numeric)
			WHERE b.amount > 0),
		(SELECT string_agg(CASE WHEN m.n % ceil(months / 18.0) = 0 THEN format('<text x="%s" y="%s" text-anchor="middle">%s</text>',
				round(plot_left + band * (m.n + 0.5), 1), baseline + 20,
				split_part(sales_crm.chart_word('months', language), ' ', extract(month FROM m.month)::integer)) ELSE '' END
				|| CASE WHEN m.n = 0 OR extract(month FROM m.month) = 1 THEN format(
					'<text x="%s" y="%s" text-anchor="middle" font-weight="600">%s</text>', round(plot_left + band * (m.n + 0.5), 1), baseline + 38,
					extract(year FROM m.month)) ELSE '' END, E'\n' ORDER BY m.n)
			FROM jsonb_to_recordset(bars -> 'months') AS m (n integer, month date)),
		(SELECT string_agg(format('<path d="M%1$s %2$sh%3$s" stroke="#fff" stroke-width="5"/>'
				|| '<path d="M%1$s %2$sh%3$s" stroke="#b03a2e" stroke-width="2.5" stroke-dasharray="5 3"><title>%4$s</title></path>',
				round(plot_left + band * (m.n + 0.06), 1), round(baseline - plot_height * m.target / top, 1), round(band * 0.88, 1),
				sales_crm.chart_text(format('%s: %s', sales_crm.chart_word('target', language), sales_crm.chart_amount(m.target, code, language, minor)))), E'\n' ORDER BY m.n)
			FROM jsonb_to_recordset(bars -> 'months') AS m (n integer, target numeric) WHERE m.target IS NOT NULL),
		CASE WHEN totals.highest > 0 THEN (
			SELECT format('<path d="M%1$s" fill="none" stroke="#fff" stroke-width="5" stroke-linejoin="round"/>'
				|| '<path d="M%1$s" fill="none" stroke="#17202a" stroke-width="2.5" stroke-linejoin="round"/>', string_agg(p.x || ' ' || p.y, 'L' ORDER BY p.n))
				|| string_agg(format(E'\n<circle cx="%s" cy="%s" r="4" fill="#fff" stroke="#17202a" stroke-width="2"><title>%s</title></circle>', p.x, p.y,
					sales_crm.chart_text(format('%s: %s', sales_crm.chart_word('weighted', language), sales_crm.chart_amount(p.weighted, code, language, minor)))), '' ORDER BY p.n)
			FROM (SELECT m.n, m.weighted, round(plot_left + band * (m.n + 0.5), 1) AS x, round(baseline - plot_height * m.weighted / top, 1) AS y
				FROM jsonb_to_recordset(bars -> 'months') AS m (n integer, weighted numeric)) p)
		ELSE format('<text x="%s" y="%s" text-anchor="middle" font-size="15">%s</text>', plot_left + plot_width / 2, plot_top + plot_height / 2,
			sales_crm.chart_word('empty', language)) END,
		CASE WHEN (bars ->> 'undated')::numeric > 0 THEN format('<text x="%s" y="%s">%s %s</text>', plot_left, baseline + 60,
			sales_crm.chart_word('undated', language), sales_crm.chart_amount((bars ->> 'undated')::numeric, code, language, 0)) END);

	RETURN format(
'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %1$s %2$s" width="%1$s" height="%2$s" role="img" lang="%3$s" font-family="system-ui, -apple-system, ''Segoe UI'', ''DejaVu Sans'', Arial, sans-serif" font-size="12" fill="#2c3e50">
<title>%4$s</title>
<rect width="%1$s" height="%2$s" fill="#fff"/>
<text x="24" y="34" font-size="20" font-weight="600">%4$s</text>
<text x="936" y="34" text-anchor="end" fill="#566573">%5$s</text>
<text x="24" y="57" font-size="13">%6$s</text>
%7$s
%8$s
</svg>
',
		width, baseline + CASE WHEN (bars ->> 'undated')::numeric > 0 THEN 76 ELSE 52 END, left(language, 2),
		sales_crm.chart_text(sales_crm.chart_word('title', language) || coalesce(' – ' || sales_crm.chart_short(pipeline_name, 28), '')),
		sales_crm.chart_text(format('%s · %s · %s %s', sales_crm.chart_short(company.name, 36), code, sales_crm.chart_word('as_of', language),
			to_char(sales_crm.today(), sales_crm.chart_word('date', language)))),
		sales_crm.chart_text(concat_ws('   ·   ',
			sales_crm.chart_word('won', language) || ' ' || sales_crm.chart_amount(totals.won, code, language, 0),
			sales_crm.chart_word('open', language) || ' ' || sales_crm.chart_amount(totals.open, code, language, 0),
			sales_crm.chart_word('weighted', language) || ' ' || sales_crm.chart_amount(totals.weighted, code, language, 0),
			sales_crm.chart_word('target', language) || ' ' || sales_crm.chart_amount(totals.target, code, language, 0))),
		legend, body);
END
$$;
COMMENT ON FUNCTION sales_crm.forecast_chart(bigint, date, integer, text, text) IS
	'The forecast as a self-contained SVG: months with what is won and what is open per phase, a line of won plus weighted amount, the company''s target. pipeline_id NULL = all pipelines (targets are shown then only); first_month NULL = two months ago; months 1 to 36; currency NULL = the company''s, others are converted as by forecast_in(); locale NULL = the company''s. Errors: 22023, P0002 when a rate or the pipeline is missing';
