-- Pipelines and phases are the user's; what is in use stays, and one pipeline is always the default.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
INSERT INTO sales_crm.opportunity (name, account_id, phase_id) VALUES
	('open', test.account('Acme'), test.phase('Contact')), ('won', test.account('Acme'), test.phase('Won'));

-- The default
DELETE FROM sales_crm.pipeline WHERE name = 'Partners' OR is_default;
DELETE FROM sales_crm.pipeline WHERE name = 'Partners';
INSERT INTO sales_crm.pipeline (name) VALUES ('Partners');
UPDATE sales_crm.pipeline SET is_default = true;
UPDATE sales_crm.pipeline SET is_default = false;
INSERT INTO sales_crm.pipeline (name, is_default) VALUES ('Second default', true);
UPDATE sales_crm.pipeline SET is_default = (name = 'Partners');
SELECT name, position, is_default FROM sales_crm.pipeline ORDER BY position;
UPDATE sales_crm.pipeline SET active = false WHERE name = 'Partners';
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('no phases', test.account('Acme'));
UPDATE sales_crm.pipeline SET is_default = (name = 'Standard');

-- What is in use
DELETE FROM sales_crm.phase WHERE name = 'Contact';
UPDATE sales_crm.phase SET active = false WHERE name = 'Contact';
UPDATE sales_crm.phase SET outcome = 'won' WHERE name = 'Contact';
UPDATE sales_crm.phase SET outcome = NULL WHERE name = 'Won';
\set VERBOSITY terse
UPDATE sales_crm.phase SET pipeline_id = test.pipeline('Partners') WHERE name = 'Contact';
UPDATE sales_crm.pipeline SET active = false, is_default = false WHERE name = 'Standard';
UPDATE sales_crm.pipeline SET is_default = (name = 'Partners');
DELETE FROM sales_crm.pipeline WHERE name = 'Standard';
UPDATE sales_crm.pipeline SET active = false WHERE name = 'Standard';
TRUNCATE sales_crm.phase;
\set VERBOSITY default
-- …but what only the past knows can be retired
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal') WHERE name = 'open';
DELETE FROM sales_crm.phase WHERE name = 'Contact';
UPDATE sales_crm.phase SET active = false WHERE name = 'Contact';
DELETE FROM sales_crm.phase WHERE name = 'New';

-- A phase of no sense
\set VERBOSITY terse
INSERT INTO sales_crm.phase (pipeline_id, name, probability) VALUES (test.pipeline('Standard'), 'x', 101);
INSERT INTO sales_crm.phase (pipeline_id, name, probability) VALUES (test.pipeline('Standard'), 'x', -0.01);
INSERT INTO sales_crm.phase (pipeline_id, name, probability) VALUES (test.pipeline('Standard'), 'x', 'NaN');
INSERT INTO sales_crm.phase (pipeline_id, name, outcome) VALUES (test.pipeline('Standard'), 'x', 'maybe');
INSERT INTO sales_crm.phase (pipeline_id, name, color) VALUES (test.pipeline('Standard'), 'x', 'red');
INSERT INTO sales_crm.phase (pipeline_id, name, on_quote_signed) VALUES (test.pipeline('Standard'), 'x', true);
INSERT INTO sales_crm.phase (pipeline_id, name) VALUES (test.pipeline('Standard'), 'Proposal');
\set VERBOSITY default
UPDATE sales_crm.phase SET required_fields = '{amount,colour}' WHERE name = 'Proposal';
UPDATE sales_crm.phase SET required_fields = '{NULL}' WHERE name = 'Proposal';

-- Final phases have the probability of their outcome, whatever was said
INSERT INTO sales_crm.phase (pipeline_id, name, probability, outcome, forecast_category)
VALUES (test.pipeline('Standard'), 'Given up', 30, 'lost', 'commit');
SELECT position, probability, forecast_category FROM sales_crm.phase WHERE name = 'Given up';

-- Another probability counts at once, for those that follow their phase
UPDATE sales_crm.opportunity SET amount = 1000 WHERE name = 'open';
SELECT probability, weighted_amount FROM sales_crm.opportunity_overview WHERE name = 'open';
UPDATE sales_crm.phase SET probability = 55.5 WHERE name = 'Proposal';
SELECT probability, weighted_amount FROM sales_crm.opportunity_overview WHERE name = 'open';
UPDATE sales_crm.opportunity SET probability_override = 20 WHERE name = 'open';
UPDATE sales_crm.phase SET probability = 60 WHERE name = 'Proposal';
SELECT probability, weighted_amount FROM sales_crm.opportunity_overview WHERE name = 'open';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won') WHERE name = 'open';
SELECT probability, weighted_amount FROM sales_crm.opportunity_overview WHERE name = 'open';

-- A pipeline without open opportunities can rest
UPDATE sales_crm.pipeline SET is_default = (name = 'Partners');
UPDATE sales_crm.pipeline SET active = false WHERE name = 'Standard';

-- The company
DELETE FROM sales_crm.company;
TRUNCATE sales_crm.company;
UPDATE sales_crm.company SET time_zone = 'Europe/Atlantis';
\set VERBOSITY terse
INSERT INTO sales_crm.company (company_id) VALUES (2);
UPDATE sales_crm.company SET currency = 'XYZ';
UPDATE sales_crm.company SET fiscal_year_start_month = 13;
SELECT * FROM sales_crm.verify_opportunities();
ROLLBACK;
