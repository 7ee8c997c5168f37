-- Which moves through phases are allowed, refused, and with which words. The rules themselves are
-- printed first: a change of them is a change here.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
SELECT rule, from_state, to_state, policy, condition, verdict, errcode FROM sales_crm.transition_rule;

INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('deal', test.account('Acme'), 100);
TABLE test.state;

-- free: any open phase, forth and back
UPDATE sales_crm.opportunity SET phase_id = test.phase('Quotation signed') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Contact') WHERE name = 'deal';

-- Required fields, for everybody; the hint says what to do
UPDATE sales_crm.opportunity SET phase_id = test.phase('Lost') WHERE name = 'deal';
UPDATE sales_crm.phase SET required_fields = '{amount,expected_on,contact_id}' WHERE phase_id = test.phase('Proposal');
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Proposal'), expected_on = '2030-01-31',
	contact_id = (SELECT contact_id FROM sales_crm.contact WHERE name = 'Carl Contact') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET expected_on = NULL WHERE name = 'deal';
UPDATE sales_crm.opportunity SET description = 'other changes are not held up' WHERE name = 'deal';
TABLE test.state;

-- Closing sets closed_at; what counts is frozen until a manager reopens
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;
UPDATE sales_crm.opportunity SET phase_id = test.phase('Lost'),
	lost_reason_id = (SELECT lost_reason_id FROM sales_crm.lost_reason WHERE name = 'Price') WHERE name = 'deal';
SELECT phase, closed FROM test.state;
\set VERBOSITY terse
UPDATE sales_crm.opportunity SET amount = 101 WHERE name = 'deal';
UPDATE sales_crm.opportunity SET currency = 'USD' WHERE name = 'deal';
UPDATE sales_crm.opportunity SET account_id = test.account('Bolt') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET owner_id = test.member('Sue Seller') WHERE name = 'deal';
\set VERBOSITY default
UPDATE sales_crm.opportunity SET phase_id = test.phase('New') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Won') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Partners') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET description = 'is not frozen' WHERE name = 'deal';
SELECT set_config('sales_crm.member_id', test.member('Mia Manager')::text, true) IS NOT NULL AS as_manager;
UPDATE sales_crm.opportunity SET phase_id = test.phase('New'), amount = 101 WHERE name = 'deal';
SELECT phase, amount, closed FROM test.state;
SELECT lost_reason_id IS NULL AS reason_cleared FROM sales_crm.opportunity WHERE name = 'deal';

-- forward: never back, in words that name what is possible
UPDATE sales_crm.pipeline SET transition_policy = 'forward' WHERE name = 'Standard';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Quotation signed') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Contact') WHERE name = 'deal';

-- listed: only the pairs, final phases too; some for managers alone
UPDATE sales_crm.pipeline SET transition_policy = 'listed' WHERE name = 'Partners';
INSERT INTO sales_crm.phase_transition (pipeline_id, from_phase_id, to_phase_id, managers_only)
SELECT test.pipeline('Partners'), test.phase(v.a, 'Partners'), test.phase(v.b, 'Partners'), v.managers_only
FROM (VALUES ('Talk', 'Test', false), ('Test', 'Sign', true), ('Sign', 'Joined', false)) AS v (a, b, managers_only);
\set VERBOSITY terse
INSERT INTO sales_crm.phase_transition (pipeline_id, from_phase_id, to_phase_id)
VALUES (test.pipeline('Partners'), test.phase('Talk', 'Partners'), test.phase('Talk', 'Partners'));
INSERT INTO sales_crm.phase_transition (pipeline_id, from_phase_id, to_phase_id)
VALUES (test.pipeline('Partners'), test.phase('Talk', 'Partners'), test.phase('New'));
\set VERBOSITY default
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Partners'), phase_id = test.phase('Sign', 'Partners') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Partners'), phase_id = test.phase('Joined', 'Partners') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Partners') WHERE name = 'deal';
SELECT pipeline, phase FROM test.state;
UPDATE sales_crm.opportunity SET phase_id = test.phase('Joined', 'Partners') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Test', 'Partners') WHERE name = 'deal';
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;
UPDATE sales_crm.opportunity SET phase_id = test.phase('Sign', 'Partners') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Talk', 'Partners') WHERE name = 'deal';
SELECT set_config('sales_crm.member_id', test.member('Mia Manager')::text, true) IS NOT NULL AS as_manager;
UPDATE sales_crm.opportunity SET phase_id = test.phase('Sign', 'Partners') WHERE name = 'deal';
UPDATE sales_crm.opportunity SET phase_id = test.phase('Joined', 'Partners') WHERE name = 'deal';
SELECT pipeline, phase, closed FROM test.state;

-- explain_transition() names every failing condition at once, and nothing when there is none
INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id) VALUES ('other', test.account('Acme'), test.pipeline('Partners'));
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS as_seller;
UPDATE sales_crm.phase SET required_fields = '{amount,source_id}' WHERE phase_id = test.phase('Sign', 'Partners');
UPDATE sales_crm.phase SET active = false WHERE phase_id = test.phase('Sign', 'Partners');
SELECT * FROM sales_crm.explain_transition(test.opportunity('other'), test.phase('Sign', 'Partners')) \gx
SELECT * FROM sales_crm.explain_transition(test.opportunity('other'), test.phase('Test', 'Partners'));
SELECT * FROM sales_crm.explain_transition(test.opportunity('other'), test.phase('Talk', 'Partners'));
SELECT * FROM sales_crm.explain_transition(NULL, test.phase('Talk', 'Partners'));
\set VERBOSITY sqlstate
SELECT * FROM sales_crm.explain_transition(-1, test.phase('Talk', 'Partners'));
SELECT * FROM sales_crm.explain_transition(test.opportunity('other'), -1);
\set VERBOSITY default
-- What it says is what the move raises, all of it
UPDATE sales_crm.opportunity SET phase_id = test.phase('Sign', 'Partners') WHERE name = 'other';

-- Inactive pipelines take no more opportunities
UPDATE sales_crm.opportunity SET pipeline_id = test.pipeline('Standard') WHERE name = 'other';
UPDATE sales_crm.pipeline SET active = false WHERE name = 'Partners';
INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id) VALUES ('third', test.account('Acme'), test.pipeline('Partners'));
SELECT * FROM sales_crm.verify_opportunities();
ROLLBACK;
