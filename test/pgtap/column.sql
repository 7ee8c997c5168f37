-- Promise: the tables are the user's. Checked: columns added, dropped, of any type and generated,
-- indexes, triggers, policies and foreign keys of the user's do not confuse the code, and fields of
-- the user's can be required.
BEGIN;
SELECT plan(12);

INSERT INTO sales_crm.account (name) VALUES ('Acme');
CREATE FUNCTION pg_temp.account() RETURNS bigint LANGUAGE sql AS $$SELECT max(account_id) FROM sales_crm.account$$;
CREATE FUNCTION pg_temp.phase(text) RETURNS bigint LANGUAGE sql AS $$SELECT phase_id FROM sales_crm.phase WHERE name = $1$$;
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('before', pg_temp.account());

ALTER TABLE sales_crm.opportunity ADD gone int DEFAULT 5, ADD colour text, ADD size numeric DEFAULT 3,
	ADD doubled numeric GENERATED ALWAYS AS (amount * 2) STORED, ADD place point;
ALTER TABLE sales_crm.opportunity DROP gone;
ALTER TABLE sales_crm.opportunity ALTER description SET DEFAULT 'none';
INSERT INTO sales_crm.opportunity (name, account_id, amount, colour) VALUES ('after', pg_temp.account(), 10, 'red');
SELECT is((SELECT doubled FROM sales_crm.opportunity WHERE name = 'after'), 20.0, 'generated columns work');
UPDATE sales_crm.opportunity SET place = '(1,2)' WHERE name = 'before';
SELECT is((SELECT revision FROM sales_crm.opportunity WHERE name = 'before'), 2::bigint, 'a change of the user''s column counts');
UPDATE sales_crm.opportunity SET colour = colour, place = place;
SELECT is((SELECT max(revision) FROM sales_crm.opportunity), 2::bigint, 'no change does not');
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Won') WHERE name = 'after';
SELECT is((SELECT count(*) FROM sales_crm.phase_stay JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name = 'after'), 2::bigint, 'moves are remembered');

-- The user's fields can be required; a dropped one stops nobody with riddles
UPDATE sales_crm.phase SET required_fields = '{colour}' WHERE name = 'Proposal';
SELECT throws_ok($$UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Proposal') WHERE name = 'before'$$, 'SC003', NULL, 'a field of the user''s is required');
SELECT lives_ok($$UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Proposal'), colour = 'blue' WHERE name = 'before'$$, 'and filled in');
ALTER TABLE sales_crm.opportunity DROP colour;
SELECT throws_ok($$INSERT INTO sales_crm.opportunity (name, account_id, phase_id) VALUES ('x', pg_temp.account(), pg_temp.phase('Proposal'))$$, 'SC003', NULL, 'a dropped field cannot be filled in');
UPDATE sales_crm.phase SET required_fields = '{}' WHERE name = 'Proposal';

-- Triggers before ours see the row first; policies and foreign keys of the user's hold
CREATE FUNCTION pg_temp.prefix() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.name := 'ACME: ' || NEW.name; RETURN NEW; END$$;
CREATE TRIGGER a_user BEFORE INSERT ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION pg_temp.prefix();
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('trigger', pg_temp.account());
SELECT is((SELECT count(*) FROM sales_crm.task JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name = 'ACME: trigger'), 1::bigint, 'triggers of the user''s work with ours');
CREATE TABLE public.pgtap_project AS SELECT opportunity_id FROM sales_crm.opportunity;
ALTER TABLE public.pgtap_project ADD FOREIGN KEY (opportunity_id) REFERENCES sales_crm.opportunity;
SELECT throws_ok('DELETE FROM sales_crm.opportunity', '23503', NULL, 'a foreign key of the user''s holds');

CREATE ROLE pgtap_policy;
GRANT USAGE ON SCHEMA sales_crm TO pgtap_policy;
GRANT SELECT, INSERT, UPDATE ON sales_crm.opportunity TO pgtap_policy;
GRANT SELECT ON sales_crm.phase, sales_crm.account TO pgtap_policy;
GRANT EXECUTE ON FUNCTION sales_crm.sees_owner, sales_crm.sees_unowned, sales_crm.visible_owners TO pgtap_policy;
CREATE POLICY of_user ON sales_crm.opportunity TO pgtap_policy USING (amount IS NULL);
SET LOCAL ROLE pgtap_policy;
UPDATE sales_crm.opportunity SET description = 'seen';
RESET ROLE;
SELECT is((SELECT count(*) FROM sales_crm.opportunity WHERE description = 'seen'), 2::bigint, 'policies of the user''s hold');

DROP TRIGGER a_user ON sales_crm.opportunity;
SELECT lives_ok($$CALL sales_crm.setup()$$, 'setup() leaves all of it alone');
SELECT is_empty('SELECT * FROM sales_crm.verify_opportunities()', 'verify_opportunities() finds nothing');
SELECT * FROM finish();
ROLLBACK;
