-- A small believable company: Lumen & Oak, offices and their light, with half a year of business.
-- Everything is told in days before today, so that the demo looks the same on every day.
UPDATE sales_crm.company SET name = 'Lumen & Oak', address = E'Rue de la Loi 12\n1000 Brussels',
	vat_number = 'BE0123456749', time_zone = 'Europe/Brussels', brand_color = '#2d6a4f', sender_email = 'sales@lumen.example',
	portal_url = coalesce(portal_url, 'https://quotes.lumen.example');
INSERT INTO sales_crm.holiday (holiday_on, name)
SELECT make_date(y, 12, 25), 'Christmas' FROM generate_series(2025, 2035) y
UNION ALL SELECT make_date(y, 7, 21), 'National holiday' FROM generate_series(2025, 2035) y;

INSERT INTO sales_crm.team (name) VALUES ('Sales'), ('Partners');
INSERT INTO sales_crm.team (name, parent_team_id)
SELECT 'Projects', team_id FROM sales_crm.team WHERE name = 'Sales';
INSERT INTO sales_crm.member (name, email, team_id, is_manager)
SELECT v.name, lower(split_part(v.name, ' ', 1)) || '@lumen-oak.example', t.team_id, v.is_manager
FROM (VALUES ('Hanne Maes', 'Sales', true), ('Julien Lambert', 'Sales', false), ('Sofie Peeters', 'Sales', false),
	('Karim Haddad', 'Projects', false), ('Lena Vogt', 'Partners', false)) AS v (name, team, is_manager)
JOIN sales_crm.team t ON t.name = v.team;

INSERT INTO sales_crm.pipeline (name, transition_policy) VALUES ('Partners', 'forward');
INSERT INTO sales_crm.phase (pipeline_id, name, probability, outcome, color, forecast_category)
SELECT l.pipeline_id, v.name, v.probability, v.outcome, v.color, v.category
FROM sales_crm.pipeline l, (VALUES (1, 'First talk', 15, NULL, '#2e86c1', 'pipeline'), (2, 'Pilot', 45, NULL, '#d68910', 'best_case'),
	(3, 'Contract', 80, NULL, '#7d3c98', 'commit'), (4, 'Partner', 100, 'won', '#1e8449', 'closed'),
	(5, 'No partner', 0, 'lost', '#c0392b', 'omitted')) AS v (n, name, probability, outcome, color, category)
WHERE l.name = 'Partners' ORDER BY v.n;

INSERT INTO sales_crm.account (name, kind, city, country, email, owner_id)
SELECT v.name, v.kind, v.city, v.country, 'office@' || regexp_replace(lower(v.name), '[^a-z]+', '-', 'g') || '.example', m.member_id
FROM (SELECT x.*, row_number() OVER () AS n FROM (VALUES
	('Banque du Parc', 'organisation', 'Brussels', 'BE'), ('De Wever Advocaten', 'organisation', 'Ghent', 'BE'),
	('Clinique Saint-Luc', 'organisation', 'Namur', 'BE'), ('Atelier Fontaine', 'organisation', 'Lille', 'FR'),
	('Noord Logistiek', 'organisation', 'Antwerp', 'BE'), ('Hotel Zonneveld', 'organisation', 'Ostend', 'BE'),
	('Bakkerij Claes', 'organisation', 'Leuven', 'BE'), ('Studio Brandt', 'organisation', 'Aachen', 'DE'),
	('Ecole Montessori', 'organisation', 'Wavre', 'BE'), ('Gemeente Lier', 'organisation', 'Lier', 'BE'),
	('Pharma Delta', 'organisation', 'Waterloo', 'BE'), ('Van Dijk & Zonen', 'organisation', 'Breda', 'NL'),
	('Marie Dupont', 'person', 'Mons', 'BE'), ('Librairie Molière', 'organisation', 'Ixelles', 'BE'),
	('Tandem Coworking', 'organisation', 'Liège', 'BE'), ('Oak Partners', 'organisation', 'Luxembourg', 'LU')
) AS x (name, kind, city, country)) AS v
JOIN sales_crm.member m ON m.member_id = 2 + v.n % 4;
INSERT INTO sales_crm.contact (account_id, name, job_title, locale)
SELECT a.account_id, v.first || ' ' || v.last, v.title, v.locale
FROM sales_crm.account a
JOIN (VALUES (0, 'Claire', 'Renard', 'Office manager', 'fr'), (1, 'Pieter', 'Janssens', 'Buyer', 'nl'),
	(2, 'Amina', 'Benali', 'Director', 'fr'), (3, 'Thomas', 'Keller', 'Facility manager', 'de')) AS v (n, first, last, title, locale)
	ON v.n = a.account_id % 4
WHERE a.kind = 'organisation';

INSERT INTO sales_crm.product (sku, name, description, unit_price, unit_cost)
VALUES ('DL-100', 'Desk lamp Aurora', 'LED, oak foot', 124.00, 61.00), ('DL-200', 'Desk lamp Vesper', 'LED, brass', 189.50, 102.00),
	('GL-010', 'Garland 10 m', 'outdoor, warm white', 96.00, 38.50), ('WL-300', 'Wall light Terrace', 'outdoor, IP65', 210.00, 118.00);

-- 90 opportunities that began in the last 180 days and have moved on since
INSERT INTO sales_crm.opportunity (name, account_id, contact_id, owner_id, source_id, pipeline_id, amount, expected_on, created_at)
SELECT w.what || ' for ' || a.name, a.account_id, c.contact_id, a.owner_id, 1 + (i * 7) % 6, l.pipeline_id,
	w.price * (1 + i % 5), sales_crm.today() - 180 + i * 2 + 40 + (i * 13) % 70, now() - make_interval(days => 180 - i * 2)
FROM generate_series(0, 89) i
JOIN sales_crm.account a ON a.account_id = 1 + (i * 5) % 16
LEFT JOIN sales_crm.contact c USING (account_id)
JOIN (VALUES (0, 'Desk lamps', 1240), (1, 'Meeting room', 6850), (2, 'Reception desk', 4300), (3, 'Acoustic panels', 2975.50),
	(4, 'Office chairs', 3480), (5, 'Lighting plan', 1950), (6, 'Shelves', 860)) AS w (n, what, price) ON w.n = i % 7
JOIN sales_crm.pipeline l ON l.name = CASE WHEN i % 9 = 4 THEN 'Partners' ELSE 'Standard' END;

-- One move after the other, as many as the age of an opportunity lets one expect; the older ones are decided
CREATE PROCEDURE pg_temp.move(steps int) LANGUAGE sql AS $$
	UPDATE sales_crm.opportunity o
	SET phase_id = p.phase_id, phase_since = o.phase_since + make_interval(days => 4 + (o.opportunity_id * 3)::int % 9)
	FROM sales_crm.phase p
	WHERE p.pipeline_id = o.pipeline_id AND p.position = steps + 1 AND p.outcome IS NULL
		AND (o.opportunity_id * 7) % 5 >= steps AND o.phase_since < now() - interval '13 days'
$$;
CALL pg_temp.move(1);
CALL pg_temp.move(2);
CALL pg_temp.move(3);
UPDATE sales_crm.opportunity o
SET phase_id = p.phase_id, phase_since = o.phase_since + make_interval(days => 8 + (o.opportunity_id * 11)::int % 25),
	lost_reason_id = CASE WHEN p.outcome = 'lost' THEN 1 + o.opportunity_id % 5 END
FROM sales_crm.phase p
WHERE p.pipeline_id = o.pipeline_id AND o.phase_since < now() - interval '33 days' AND o.opportunity_id % 7 <> 3
	AND p.outcome = CASE WHEN o.opportunity_id % 5 IN (0, 2) THEN 'won'
		WHEN o.opportunity_id % 11 = 1 AND p.pipeline_id = 1 THEN 'expired' ELSE 'lost' END;
-- Some of the follow-up has been done, some is overdue
UPDATE sales_crm.task SET due_on = sales_crm.today() - 6 + (task_id * 5)::int % 17,
	done_at = CASE WHEN task_id % 3 = 1 THEN now() - interval '1 day' END
WHERE done_at IS NULL;
