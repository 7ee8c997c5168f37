-- Every tracked change is kept with its rule and its author, every stay in a phase with its times.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
CREATE VIEW test.change AS
SELECT o.name, c.field, sales_crm.change_text(c.field, c.old) AS old,
	sales_crm.change_text(c.field, c.new) AS new, c.rule, m.name AS by
FROM sales_crm.opportunity_change c
JOIN sales_crm.opportunity o USING (opportunity_id)
LEFT JOIN sales_crm.member m ON m.member_id = c.by
ORDER BY c.opportunity_change_id;
CREATE VIEW test.stay AS
SELECT o.name, p.name AS phase, s.entered_at = now() AS today,
	s.left_at = s.entered_at AS left_at_once, s.left_at IS NULL AS current, m.name AS by
FROM sales_crm.phase_stay s
JOIN sales_crm.opportunity o USING (opportunity_id)
JOIN sales_crm.phase p ON p.phase_id = s.phase_id
LEFT JOIN sales_crm.member m ON m.member_id = s.by
ORDER BY o.name, s.entered_at, s.left_at, s.phase_stay_id;

SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;
INSERT INTO sales_crm.opportunity (name, account_id, amount, created_at) VALUES ('deal', test.account('Acme'), 10, '2024-01-01');
TABLE test.change;
UPDATE sales_crm.opportunity SET amount = 20.50, expected_on = '2030-12-31', probability_override = 60,
	source_id = (SELECT source_id FROM sales_crm.source WHERE name = 'Referral'),
	contact_id = (SELECT contact_id FROM sales_crm.contact), currency = 'USD', account_id = test.account('Bolt');
UPDATE sales_crm.opportunity SET name = 'big deal', owner_id = test.member('Sue Seller');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Contact');
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Partners');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Joined', 'Partners');
SELECT set_config('sales_crm.member_id', test.member('Mia Manager')::text, true) IS NOT NULL AS as_manager;
UPDATE sales_crm.opportunity SET phase_id = test.phase('Talk', 'Partners');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Left', 'Partners');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Joined', 'Partners');
TABLE test.change;
TABLE test.stay;

-- Values are kept as the same text whatever the session's settings
SET LOCAL datestyle = 'German';
SET LOCAL extra_float_digits = 0;
UPDATE sales_crm.opportunity SET expected_on = '2031-01-02';
SELECT old, new FROM sales_crm.opportunity_change ORDER BY opportunity_change_id DESC LIMIT 1;
RESET datestyle;

-- An import of the past: one stay, closed where the opportunity is
INSERT INTO sales_crm.opportunity (name, account_id, phase_id, created_at, closed_at)
VALUES ('past', test.account('Acme'), test.phase('Won'), '2020-01-02', '2020-03-04');
SELECT * FROM test.stay WHERE name = 'past';
SELECT * FROM sales_crm.verify_opportunities();

-- A row trigger of the user that moves the opportunity on runs before the consequences of the
-- statement that fired it; history and tasks come out right all the same
CREATE FUNCTION test.move_on() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE sales_crm.opportunity SET phase_id = test.phase(CASE NEW.name
		WHEN 'fast' THEN 'Won' ELSE 'Proposal' END)
	WHERE opportunity_id = NEW.opportunity_id AND phase_id = test.phase('Contact');
	RETURN NULL;
END
$$;
CREATE TRIGGER user_move_on AFTER INSERT OR UPDATE ON sales_crm.opportunity
	FOR EACH ROW EXECUTE FUNCTION test.move_on();
INSERT INTO sales_crm.opportunity (name, account_id, phase_id) VALUES
	('fast', test.account('Acme'), test.phase('Contact')), ('quick', test.account('Acme'), test.phase('Contact'));
INSERT INTO sales_crm.opportunity (name, account_id, created_at) VALUES ('slow', test.account('Acme'), '2024-02-03');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Contact') WHERE name = 'slow';
SELECT * FROM test.stay WHERE name IN ('fast', 'quick', 'slow');
SELECT o.name, t.subject, t.done_at IS NOT NULL AS done FROM sales_crm.task t
JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name IN ('fast', 'quick', 'slow') ORDER BY 1;
SELECT * FROM sales_crm.verify_opportunities();

-- verify_opportunities() does find what was written with triggers off
ALTER TABLE sales_crm.opportunity DISABLE TRIGGER USER;
UPDATE sales_crm.opportunity SET phase_id = test.phase('New') WHERE name = 'past';
SELECT o.name, v.problem FROM sales_crm.verify_opportunities() v JOIN sales_crm.opportunity o USING (opportunity_id) ORDER BY 1, 2;
ROLLBACK;
