-- Promise: the same rules through every way of writing. Checked for INSERT, INSERT … SELECT, COPY,
-- ON CONFLICT, MERGE, UPDATE, UPDATE … FROM, data-modifying CTE, DELETE and TRUNCATE, single and
-- bulk, by the owner and by a role with plain rights: what is right has its consequences, what is
-- wrong is refused and leaves nothing.
BEGIN;
SELECT plan(31);

INSERT INTO sales_crm.account (name) VALUES ('Acme');
CREATE FUNCTION pg_temp.account() RETURNS bigint LANGUAGE sql AS $$SELECT account_id FROM sales_crm.account WHERE name = 'Acme'$$;
CREATE FUNCTION pg_temp.phase(text) RETURNS bigint LANGUAGE sql AS $$SELECT phase_id FROM sales_crm.phase WHERE name = $1$$;
-- Open tasks, current stays, changes of opportunities named like the pattern
CREATE FUNCTION pg_temp.consequences(pattern text) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s opportunities, %s open tasks, %s current stays, %s past stays, %s changes',
		(SELECT count(*) FROM sales_crm.opportunity o WHERE o.name LIKE pattern),
		(SELECT count(*) FROM sales_crm.task JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name LIKE pattern AND done_at IS NULL),
		(SELECT count(*) FROM sales_crm.phase_stay JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name LIKE pattern AND left_at IS NULL),
		(SELECT count(*) FROM sales_crm.phase_stay JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name LIKE pattern AND left_at IS NOT NULL),
		(SELECT count(*) FROM sales_crm.opportunity_change JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name LIKE pattern))
$$;
CREATE FUNCTION pg_temp.nothing_written(sql text, errcode text, description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	before text := pg_temp.consequences('%');
BEGIN
	RETURN NEXT throws_ok(sql, errcode, NULL, description);
	RETURN NEXT is(pg_temp.consequences('%'), before, description || ': nothing is left');
END
$$;

-- INSERT
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('single', pg_temp.account());
SELECT is(pg_temp.consequences('single'), '1 opportunities, 1 open tasks, 1 current stays, 0 past stays, 0 changes', 'INSERT');
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'bulk ' || i, pg_temp.account() FROM generate_series(1, 10000) i;
-- What the planner knows of the tables may be from when they were empty
ANALYZE sales_crm.opportunity, sales_crm.task, sales_crm.phase_stay, sales_crm.opportunity_change;
SELECT is(pg_temp.consequences('bulk %'), '10000 opportunities, 10000 open tasks, 10000 current stays, 0 past stays, 0 changes', 'INSERT … SELECT');
SELECT pg_temp.nothing_written($$
	INSERT INTO sales_crm.opportunity (name, account_id, amount) SELECT 'wrong ' || i, pg_temp.account(), 1 - (i / 10000) * 2 FROM generate_series(1, 10000) i
$$, '23514', 'INSERT … SELECT of 10,000 with a wrong last one');

-- COPY
INSERT INTO sales_crm.account (account_id, name) VALUES (4711, 'Copied');
COPY sales_crm.opportunity (name, account_id, amount) FROM PROGRAM 'seq 1000 | sed "s,.*,copied &|4711|&,"' (DELIMITER '|');
SELECT is(pg_temp.consequences('copied %'), '1000 opportunities, 1000 open tasks, 1000 current stays, 0 past stays, 0 changes', 'COPY');
SELECT pg_temp.nothing_written($$COPY sales_crm.opportunity (name, account_id, amount) FROM PROGRAM 'seq 1000 -1 -1 | sed "s,.*,copied &|4711|&,"' (DELIMITER '|')$$, '23514', 'COPY with a wrong last line');

-- ON CONFLICT: some rows new, some changed
INSERT INTO sales_crm.opportunity (name, account_id, external_id, amount) SELECT 'upsert ' || i, pg_temp.account(), 'u' || i, 1 FROM generate_series(1, 10) i;
INSERT INTO sales_crm.opportunity (name, account_id, external_id, amount, phase_id)
SELECT 'upsert ' || i, pg_temp.account(), 'u' || i, 2, pg_temp.phase('Proposal') FROM generate_series(6, 15) i
ON CONFLICT (external_id) DO UPDATE SET amount = EXCLUDED.amount, phase_id = EXCLUDED.phase_id;
SELECT is(pg_temp.consequences('upsert %'), '15 opportunities, 15 open tasks, 15 current stays, 5 past stays, 10 changes', 'ON CONFLICT DO UPDATE');
SELECT pg_temp.nothing_written($$
	INSERT INTO sales_crm.opportunity (name, account_id, external_id, phase_id) SELECT 'upsert ' || i, pg_temp.account(), 'u' || i, pg_temp.phase('Lost') FROM generate_series(6, 15) i
	ON CONFLICT (external_id) DO UPDATE SET phase_id = EXCLUDED.phase_id
$$, 'SC003', 'ON CONFLICT DO UPDATE to a phase with an empty required field');
INSERT INTO sales_crm.opportunity (name, account_id, external_id) SELECT 'upsert again ' || i, pg_temp.account(), 'u' || i FROM generate_series(1, 15) i
ON CONFLICT DO NOTHING;
SELECT is(pg_temp.consequences('upsert again %'), '0 opportunities, 0 open tasks, 0 current stays, 0 past stays, 0 changes', 'ON CONFLICT DO NOTHING');

-- MERGE: insert, update and delete in one statement
MERGE INTO sales_crm.opportunity o
USING (SELECT 'u' || i AS external_id, i FROM generate_series(1, 20) i) n ON o.external_id = n.external_id
WHEN MATCHED AND n.i <= 3 THEN DELETE
WHEN MATCHED AND n.i <= 5 THEN UPDATE SET phase_id = pg_temp.phase('Won'), amount = 7
WHEN NOT MATCHED THEN INSERT (name, account_id, external_id) VALUES ('upsert ' || n.i, pg_temp.account(), n.external_id);
SELECT is(pg_temp.consequences('upsert %'), '17 opportunities, 15 open tasks, 17 current stays, 7 past stays, 14 changes', 'MERGE');
SELECT pg_temp.nothing_written($$
	MERGE INTO sales_crm.opportunity o USING (SELECT 'u' || i AS external_id FROM generate_series(4, 30) i) n ON o.external_id = n.external_id
	WHEN MATCHED THEN UPDATE SET amount = 8
	WHEN NOT MATCHED THEN INSERT (name, account_id, external_id) VALUES ('m', pg_temp.account(), n.external_id)
$$, 'SC004', 'MERGE that would change a closed amount');

-- UPDATE
UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Contact') WHERE name LIKE 'bulk %';
SELECT is(pg_temp.consequences('bulk %'), '10000 opportunities, 10000 open tasks, 10000 current stays, 10000 past stays, 10000 changes', 'UPDATE of many');
UPDATE sales_crm.opportunity o SET phase_id = pg_temp.phase('Expired') FROM sales_crm.account a WHERE a.account_id = o.account_id AND o.name LIKE 'bulk %5';
SELECT is(pg_temp.consequences('bulk %5'), '1000 opportunities, 0 open tasks, 1000 current stays, 2000 past stays, 2000 changes', 'UPDATE … FROM to a final phase');
SELECT pg_temp.nothing_written($$UPDATE sales_crm.opportunity SET amount = coalesce(amount, 0) + 1 WHERE name LIKE 'bulk %'$$, 'SC004', 'UPDATE of many, a tenth of them closed');
SELECT pg_temp.nothing_written($$UPDATE sales_crm.opportunity SET phase_id = NULL$$, '23502', 'UPDATE to no phase');
WITH moved AS (UPDATE sales_crm.opportunity SET phase_id = pg_temp.phase('Proposal') WHERE name = 'single' RETURNING opportunity_id),
	made AS (INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('by cte', pg_temp.account()) RETURNING opportunity_id)
SELECT is(count(*), 2::bigint, 'data-modifying CTE') FROM (TABLE moved UNION ALL TABLE made) x;
SELECT is(pg_temp.consequences('single'), '1 opportunities, 1 open tasks, 1 current stays, 1 past stays, 1 changes', 'CTE: the UPDATE has its consequences');
SELECT is(pg_temp.consequences('by cte'), '1 opportunities, 1 open tasks, 1 current stays, 0 past stays, 0 changes', 'CTE: the INSERT has its consequences');

-- DELETE takes what belongs to the opportunity with it
DELETE FROM sales_crm.opportunity WHERE name = 'single';
SELECT is_empty($$
	SELECT opportunity_id FROM sales_crm.task LEFT JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name IS NULL
	UNION ALL SELECT opportunity_id FROM sales_crm.phase_stay LEFT JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name IS NULL
	UNION ALL SELECT opportunity_id FROM sales_crm.opportunity_change LEFT JOIN sales_crm.opportunity o USING (opportunity_id) WHERE o.name IS NULL
$$, 'DELETE');
SELECT throws_ok($$DELETE FROM sales_crm.account$$, '23503', NULL, 'an account with opportunities stays');

-- A role with rights on opportunity alone gets the same: consequences are written for it
CREATE ROLE pgtap_writer BYPASSRLS;
GRANT USAGE ON SCHEMA sales_crm TO pgtap_writer;
GRANT INSERT (name, account_id), SELECT, UPDATE (phase_id) ON sales_crm.opportunity TO pgtap_writer;
SET LOCAL ROLE pgtap_writer;
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'role', max(account_id) FROM sales_crm.opportunity;
SELECT throws_ok($$SELECT count(*) FROM sales_crm.task$$, '42501', NULL, 'the role may not read tasks');
SELECT throws_ok($$INSERT INTO sales_crm.opportunity (name, account_id, amount) VALUES ('x', 1, 1)$$, '42501', NULL, 'nor write other columns');
RESET ROLE;
SELECT is(pg_temp.consequences('role'), '1 opportunities, 1 open tasks, 1 current stays, 0 past stays, 0 changes', 'but its INSERT has its consequences');

SELECT is_empty('SELECT * FROM sales_crm.verify_opportunities()', 'verify_opportunities() finds nothing');
TRUNCATE sales_crm.opportunity CASCADE;
SELECT is((SELECT count(*) FROM sales_crm.task) + (SELECT count(*) FROM sales_crm.phase_stay), 0::bigint, 'TRUNCATE … CASCADE');
SELECT is_empty('SELECT * FROM sales_crm.verify_opportunities()', 'verify_opportunities() still finds nothing');

SELECT * FROM finish();
ROLLBACK;
