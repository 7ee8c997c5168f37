-- setup() creates what is missing, changes nothing else, and knows four languages.
BEGIN;
\set ON_ERROR_ROLLBACK on
\set SHOW_CONTEXT never

-- A second call changes nothing
CREATE VIEW test.everything AS
SELECT c.relname::text AS name, c.relkind::text AS kind, c.oid, c.relfilenode FROM pg_class c
WHERE c.relnamespace = 'sales_crm'::regnamespace
UNION ALL
SELECT tgname, 't', oid, 0 FROM pg_trigger WHERE tgrelid IN (
	SELECT oid FROM pg_class WHERE relnamespace = 'sales_crm'::regnamespace)
UNION ALL
SELECT conname, 'c', oid, 0 FROM pg_constraint WHERE connamespace = 'sales_crm'::regnamespace;
CREATE TEMP TABLE before AS SELECT * FROM test.everything;
CREATE TEMP TABLE seeds AS SELECT phase_id, name, xmin::text AS version, ctid AS place FROM sales_crm.phase;
CALL sales_crm.setup();
SELECT count(*) AS differences FROM (
	(TABLE before EXCEPT TABLE test.everything) UNION ALL (TABLE test.everything EXCEPT TABLE before)) d;
SELECT count(*) AS changed_rows FROM (
	SELECT phase_id, name, xmin::text, ctid FROM sales_crm.phase
	EXCEPT TABLE seeds) d;
SELECT version, sales_crm.setup_version() FROM sales_crm.schema_version;

-- What somebody dropped comes back; what somebody deleted from the seeds does not
DROP VIEW sales_crm.timeline;
DROP INDEX sales_crm.opportunity_owner_id_idx;
DROP TRIGGER opportunity_30_history_insert ON sales_crm.opportunity;
DELETE FROM sales_crm.source WHERE name = 'Trade fair';
CALL sales_crm.setup();
SELECT name, kind FROM test.everything WHERE oid NOT IN (SELECT oid FROM before) ORDER BY name;
SELECT count(*) FROM sales_crm.source WHERE name = 'Trade fair';

-- Another language names what nobody renamed
UPDATE sales_crm.phase SET name = 'First call' WHERE name = 'Contact';
CALL sales_crm.setup(locale => 'fr');
SELECT locale FROM sales_crm.company;
SELECT p.name FROM sales_crm.phase p JOIN sales_crm.pipeline l USING (pipeline_id)
WHERE l.is_default ORDER BY p.position;
SELECT name FROM sales_crm.source ORDER BY position;
SELECT name FROM sales_crm.lost_reason ORDER BY position;
SELECT subject FROM sales_crm.follow_up_rule;
CALL sales_crm.setup('nl_BE');
SELECT locale, (SELECT string_agg(p.name, ', ' ORDER BY p.position) FROM sales_crm.phase p
	JOIN sales_crm.pipeline l USING (pipeline_id) WHERE l.is_default) AS phases FROM sales_crm.company;
CALL sales_crm.setup('de');
SELECT locale, (SELECT string_agg(p.name, ', ' ORDER BY p.position) FROM sales_crm.phase p
	JOIN sales_crm.pipeline l USING (pipeline_id) WHERE l.is_default) AS phases FROM sales_crm.company;
CALL sales_crm.setup('en');
SELECT locale, (SELECT string_agg(p.name, ', ' ORDER BY p.position) FROM sales_crm.phase p
	JOIN sales_crm.pipeline l USING (pipeline_id) WHERE l.is_default) AS phases FROM sales_crm.company;
CALL sales_crm.setup('xx');

-- Tables of another version than the code say so, in words
INSERT INTO sales_crm.schema_version (version) VALUES (1000);
CALL sales_crm.setup();
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('x', test.account('Acme'));
ROLLBACK;
