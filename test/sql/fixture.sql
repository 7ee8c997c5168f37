-- What the tests after this one share: people, accounts, a second pipeline, short names for keys.
CREATE SCHEMA test;
CREATE FUNCTION test.member(text) RETURNS bigint STABLE
BEGIN ATOMIC SELECT member_id FROM sales_crm.member WHERE name = $1; END;
CREATE FUNCTION test.account(text) RETURNS bigint STABLE
BEGIN ATOMIC SELECT account_id FROM sales_crm.account WHERE name = $1; END;
CREATE FUNCTION test.pipeline(text) RETURNS bigint STABLE
BEGIN ATOMIC SELECT pipeline_id FROM sales_crm.pipeline WHERE name = $1; END;
CREATE FUNCTION test.phase(text, text DEFAULT 'Standard') RETURNS bigint STABLE
BEGIN ATOMIC
	SELECT phase_id FROM sales_crm.phase
	WHERE name = $1 AND pipeline_id = test.pipeline($2);
END;
CREATE FUNCTION test.opportunity(text) RETURNS bigint STABLE
BEGIN ATOMIC SELECT opportunity_id FROM sales_crm.opportunity WHERE name = $1; END;

-- Where an opportunity is, without keys and times
CREATE VIEW test.state AS
SELECT o.name, l.name AS pipeline, p.name AS phase, m.name AS owner, o.amount, o.currency,
	o.closed_at IS NOT NULL AS closed, o.revision
FROM sales_crm.opportunity o
JOIN sales_crm.pipeline l USING (pipeline_id)
JOIN sales_crm.phase p USING (phase_id)
LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id;

INSERT INTO sales_crm.team (name) VALUES ('North');
INSERT INTO sales_crm.member (name, email, team_id, is_manager)
SELECT v.name, v.email, t.team_id, v.is_manager
FROM sales_crm.team t, (VALUES
	('Mia Manager', 'mia@example.com', true),
	('Sam Seller', 'sam@example.com', false),
	('Sue Seller', 'sue@example.com', false)) AS v (name, email, is_manager);
INSERT INTO sales_crm.account (name, city, country) VALUES
	('Acme', 'Ghent', 'BE'), ('Bolt', 'Lyon', 'FR');
INSERT INTO sales_crm.contact (account_id, name, email)
VALUES (test.account('Acme'), 'Carl Contact', 'carl@acme.example');

INSERT INTO sales_crm.pipeline (name) VALUES ('Partners');
INSERT INTO sales_crm.phase (pipeline_id, name, probability, outcome)
SELECT test.pipeline('Partners'), v.name, v.probability, v.outcome
FROM (VALUES ('Talk', 20, NULL), ('Test', 40, NULL), ('Sign', 80, NULL), ('Joined', 100, 'won'),
	('Left', 0, 'lost')) AS v (name, probability, outcome);
SELECT l.name AS pipeline, l.position, l.is_default, p.position, p.name, p.probability, p.outcome,
	p.forecast_category
FROM sales_crm.phase p JOIN sales_crm.pipeline l USING (pipeline_id)
ORDER BY l.position, p.position;
