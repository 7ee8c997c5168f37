-- What compute_totals() does with method en16931, written a second time, in plain SQL numerics: the
-- other side of the property test and of the bench. The view plain.total reads the tables
-- plain.offer and plain.line. Amounts are in minor units where they are divided, so that nothing
-- is rounded but what the rules round. Who has made plain.offer and plain.line keeps them.
CREATE SCHEMA IF NOT EXISTS plain;
CREATE TABLE IF NOT EXISTS plain.offer (offer_id int PRIMARY KEY, discount_percent numeric, discount_amount numeric,
	currency text, minor_units int, prices_include_tax boolean, method text);
CREATE TABLE IF NOT EXISTS plain.line (offer_id int, line int, quantity numeric, unit_price numeric, discount_percent numeric,
	discount_amount numeric, tax_percent numeric, tax_category text, optional boolean);

CREATE VIEW plain.rate AS
SELECT o.offer_id, l.tax_percent, l.tax_category, o.minor_units,
	sum(CASE WHEN l.discount_amount IS NULL
		THEN round(l.quantity * l.unit_price * (1 - coalesce(l.discount_percent, 0) * 0.01), o.minor_units)
		ELSE round(l.quantity * l.unit_price, o.minor_units) - sign(l.quantity) * l.discount_amount END
	) FILTER (WHERE NOT l.optional) AS amount
FROM plain.offer o JOIN plain.line l USING (offer_id)
GROUP BY 1, 2, 3, 4;

CREATE VIEW plain.split AS
SELECT *, floor + (row_number() OVER (PARTITION BY offer_id ORDER BY remainder DESC, tax_percent DESC, tax_category)
	<= discount - sum(floor) OVER (PARTITION BY offer_id))::int AS part
FROM (
	SELECT *, div(numerator, denominator) - (mod(numerator, denominator) < 0)::int AS floor,
		numerator - denominator * (div(numerator, denominator) - (mod(numerator, denominator) < 0)::int) AS remainder
	FROM (
		SELECT s.*, CASE WHEN s.discount_percent IS NULL THEN s.discount * s.amount ELSE s.discount_percent * 10000 * s.amount END AS numerator,
			CASE WHEN s.discount_percent IS NULL THEN greatest(s.total, 1) ELSE 1000000 END AS denominator
		FROM (
			SELECT t.*, CASE WHEN discount_percent IS NULL THEN coalesce(discount_amount, 0) * 10::numeric ^ minor_units
				ELSE round(total * discount_percent * 0.01) END AS discount
			FROM (
				SELECT r.offer_id, r.tax_percent, r.tax_category, r.minor_units, o.prices_include_tax, o.discount_percent, o.discount_amount,
					coalesce(r.amount, 0) * 10::numeric ^ r.minor_units AS amount,
					sum(coalesce(r.amount, 0) * 10::numeric ^ r.minor_units) OVER (PARTITION BY r.offer_id) AS total
				FROM plain.rate r JOIN plain.offer o USING (offer_id)) t) s) n) f;

CREATE VIEW plain.total AS
SELECT offer_id, round(sum(amount) / 10::numeric ^ minor_units, minor_units) AS amount,
	round(max(discount) / 10::numeric ^ minor_units, minor_units) AS discount,
	round(sum(after - CASE WHEN prices_include_tax THEN vat ELSE 0 END) / 10::numeric ^ minor_units, minor_units) AS net,
	round(sum(vat) / 10::numeric ^ minor_units, minor_units) AS vat,
	round(sum(after + CASE WHEN prices_include_tax THEN 0 ELSE vat END) / 10::numeric ^ minor_units, minor_units) AS gross,
	jsonb_agg(jsonb_build_object('category', tax_category, 'percent', tax_percent, 'amount', round(amount / 10::numeric ^ minor_units, minor_units),
		'discount', round(part / 10::numeric ^ minor_units, minor_units), 'vat', round(vat / 10::numeric ^ minor_units, minor_units))
		ORDER BY tax_percent DESC, tax_category) AS taxes
FROM (
	SELECT *, amount - part AS after, round(CASE WHEN prices_include_tax
		THEN ((amount - part) * tax_percent)::numeric(60,20) / (100 + tax_percent)
		ELSE (amount - part) * tax_percent * 0.01 END) AS vat
	FROM plain.split) v
GROUP BY offer_id, minor_units;
