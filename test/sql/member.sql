-- Who the session works for: the setting, else the role's member, else nobody.
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never
\set VERBOSITY terse
BEGIN;
SELECT sales_crm.current_member();

-- The setting
SELECT set_config('sales_crm.member_id', test.member('Sam Seller')::text, true) IS NOT NULL AS set;
SELECT sales_crm.current_member() = test.member('Sam Seller') AS is_sam;
SET LOCAL sales_crm.member_id = 'Sam';
SET LOCAL sales_crm.member_id = '-1';
SET LOCAL sales_crm.member_id = '99999999999999999999';
SET LOCAL sales_crm.nonsense = 'x';
SET LOCAL sales_crm.member_id = '999999';
SELECT sales_crm.current_member();
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('x', test.account('Acme'));
SET LOCAL sales_crm.member_id = '';
SELECT sales_crm.current_member();

-- A member who left is nobody
SELECT set_config('sales_crm.member_id', test.member('Sue Seller')::text, true) IS NOT NULL AS set;
UPDATE sales_crm.member SET active = false WHERE name = 'Sue Seller';
SELECT sales_crm.current_member();
ROLLBACK;

-- The role that logged in, whatever role it set since; each change of the table counts at once
BEGIN;
CREATE ROLE regress_mia;
GRANT USAGE ON SCHEMA sales_crm, test TO regress_mia;
GRANT ALL ON ALL TABLES IN SCHEMA sales_crm TO regress_mia;
GRANT SELECT ON test.state TO regress_mia;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sales_crm TO regress_mia;
UPDATE sales_crm.member SET login = 'regress_mia' WHERE name = 'Mia Manager';
SET LOCAL SESSION AUTHORIZATION regress_mia;
SELECT sales_crm.current_member() = test.member('Mia Manager') AS is_mia;
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('hers', test.account('Acme'));
SELECT owner FROM test.state WHERE name = 'hers';
SELECT subject, opportunity, account, due FROM sales_crm.my_open_tasks;
SAVEPOINT s;
UPDATE sales_crm.member SET login = NULL WHERE name = 'Mia Manager';
SELECT sales_crm.current_member();
ROLLBACK TO s;
SELECT sales_crm.current_member() = test.member('Mia Manager') AS is_mia;
RESET SESSION AUTHORIZATION;
ROLLBACK;

\set VERBOSITY default
BEGIN;
SET LOCAL sales_crm.member_id = '999999';
SELECT sales_crm.current_member();
-- Names and addresses
\set VERBOSITY terse
INSERT INTO sales_crm.member (name) VALUES (' ');
INSERT INTO sales_crm.member (name, email) VALUES ('x', 'no address');
INSERT INTO sales_crm.member (name, locale) VALUES ('x', 'english');
UPDATE sales_crm.team SET parent_team_id = team_id WHERE name = 'North';
ROLLBACK;
