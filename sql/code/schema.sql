-- The schema is a member, so that one which somebody created before, with objects of theirs in
-- it, makes CREATE EXTENSION fail instead of being used.
CREATE SCHEMA sales_crm;
COMMENT ON SCHEMA sales_crm IS 'A sales CRM: tables and views are yours, functions belong to the extension sales_crm';
