-- Promise: foreign keys of the tables of sales_crm hold for every row, though the rows of one statement
-- look the same key up once, and later ones know where the row is. Checked: wrong keys in any place, more keys than are remembered, rows and
-- referred rows that triggers take away in the middle of the statement.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(33);

INSERT INTO sales_crm.account (name) SELECT 'Account ' || i FROM generate_series(1, 30) i;
CREATE TEMP TABLE known AS SELECT row_number() OVER (ORDER BY account_id) AS i, account_id FROM sales_crm.account;
CREATE FUNCTION pg_temp.account(integer) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT account_id FROM known WHERE i = $1 $$;
CREATE FUNCTION pg_temp.looks() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(idx_scan, 0) FROM pg_stat_xact_user_tables WHERE relid = 'sales_crm.account'::regclass $$;

CREATE TEMP TABLE before AS SELECT pg_temp.looks() AS looks;
INSERT INTO sales_crm.contact (account_id, name) SELECT k.account_id, 'c' FROM known k, generate_series(1, 200) WHERE k.i = 1;
SELECT cmp_ok(pg_temp.looks() - looks, '<', 10::bigint, 'one key is looked up once') FROM before;
SELECT lives_ok($$ INSERT INTO sales_crm.contact (account_id, name) SELECT account_id, 'c' FROM known, generate_series(1, 3) ORDER BY random() $$, 'more keys than are remembered');
SELECT throws_ok($$ INSERT INTO sales_crm.contact (account_id, name) SELECT -1, 'c' FROM generate_series(1, 3) $$, '23503', NULL, 'a wrong key');
SELECT throws_ok($$ INSERT INTO sales_crm.contact (account_id, name) SELECT CASE g WHEN 40 THEN -1 ELSE pg_temp.account(1) END, 'c' FROM generate_series(1, 50) g $$, '23503', NULL, 'a wrong key among right ones');
SELECT throws_ok($$ INSERT INTO sales_crm.contact (account_id, name) SELECT CASE g WHEN 40 THEN -1 ELSE account_id END, 'c' FROM known, generate_series(1, 2) g UNION ALL SELECT -1, 'c' $$, '23503', NULL, 'or among many');
INSERT INTO sales_crm.opportunity (name, account_id) VALUES ('deal', pg_temp.account(1));
INSERT INTO sales_crm.product_line (opportunity_id, name, unit, unit_price) SELECT opportunity_id, 'p', u, 1 FROM sales_crm.opportunity, unnest(array['C62', 'HUR', 'C62', 'HUR']) u WHERE opportunity.name = 'deal';
SELECT throws_ok($$ INSERT INTO sales_crm.product_line (opportunity_id, name, unit, unit_price) SELECT opportunity_id, 'p', u, 1 FROM sales_crm.opportunity, unnest(array['C62', 'C63', 'HUR']) u WHERE opportunity.name = 'deal' $$, '23503', NULL, 'keys that are texts');
-- A key of two columns, whose index may have another order, and keys that an UPDATE or a MERGE gives
SELECT throws_ok($$ UPDATE sales_crm.opportunity SET account_id = -1 WHERE name = 'deal' $$, '23503', NULL, 'a wrong key by UPDATE');
SELECT lives_ok($$ UPDATE sales_crm.opportunity SET account_id = pg_temp.account(5) WHERE name = 'deal' $$, 'a right one');
SELECT throws_ok($$ MERGE INTO sales_crm.contact c USING (SELECT -1 AS id) n ON false WHEN NOT MATCHED THEN INSERT (account_id, name) VALUES (n.id, 'c') $$, '23503', NULL, 'a wrong key by MERGE');
INSERT INTO sales_crm.pipeline (name) VALUES ('Other');
INSERT INTO sales_crm.phase (pipeline_id, name, position) SELECT pipeline_id, 'First', 1 FROM sales_crm.pipeline WHERE name = 'Other';
ALTER TABLE sales_crm.opportunity DISABLE TRIGGER USER;
SELECT throws_ok($$ UPDATE sales_crm.opportunity o SET phase_id = p.phase_id FROM sales_crm.phase p JOIN sales_crm.pipeline USING (pipeline_id)
	WHERE pipeline.name = 'Other' AND o.name = 'deal' $$, '23503', NULL, 'a phase of another pipeline');
SELECT throws_ok($$ INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id, phase_id, currency, amount, phase_since, created_at, updated_at) SELECT 'second', pg_temp.account(5), o.pipeline_id, p.phase_id, 'EUR', 0, now(), now(), now()
	FROM sales_crm.opportunity o, sales_crm.phase p JOIN sales_crm.pipeline USING (pipeline_id) WHERE pipeline.name = 'Other' AND o.name = 'deal' $$, '23503', NULL, 'by INSERT, too');
SELECT lives_ok($$ INSERT INTO sales_crm.opportunity (name, account_id, pipeline_id, phase_id, currency, amount, phase_since, created_at, updated_at) SELECT 'second', pg_temp.account(5), p.pipeline_id, p.phase_id, 'EUR', 0, now(), now(), now()
	FROM sales_crm.phase p JOIN sales_crm.pipeline USING (pipeline_id) WHERE pipeline.name = 'Other' $$, 'a phase of its own pipeline');
ALTER TABLE sales_crm.opportunity ENABLE TRIGGER USER;
DELETE FROM sales_crm.contact;

-- Rows that refer to their own table: to themselves, to another one of the statement, to none
SELECT lives_ok($$ INSERT INTO sales_crm.email (email_id, thread_id, direction) VALUES (-1, -1, 'incoming'), (-2, -1, 'incoming'), (-3, -4, 'incoming'), (-4, -3, 'incoming') $$, 'a row that refers to itself, and others');
SELECT throws_ok($$ INSERT INTO sales_crm.email (email_id, thread_id, direction) VALUES (-5, -5, 'incoming'), (-6, -7, 'incoming') $$, '23503', NULL, 'one that refers to none');
SELECT lives_ok($$ UPDATE sales_crm.email SET thread_id = email_id WHERE email_id < 0 $$, 'to themselves by UPDATE');
SELECT throws_ok($$ UPDATE sales_crm.email SET thread_id = email_id - 3 WHERE email_id < 0 $$, '23503', NULL, 'and to none');
SELECT throws_ok($$ UPDATE sales_crm.email SET email_id = -9 WHERE email_id = -1 $$, '23503', NULL, 'whose key changes');
DELETE FROM sales_crm.email;

-- A row that is gone when its turn comes is not looked up, and teaches nothing. A trigger of that name is before those of keys
CREATE FUNCTION pg_temp.take() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM sales_crm.contact c WHERE c.contact_id = NEW.contact_id AND NEW.name = 'gone';
	DELETE FROM sales_crm.account a WHERE NEW.name = 'orphan' AND a.account_id = NEW.account_id;
	UPDATE sales_crm.account a SET account_id = -a.account_id WHERE NEW.name = 'moved' AND a.account_id = NEW.account_id;
	RETURN NULL;
END $$;
CREATE TRIGGER "A_take" AFTER INSERT ON sales_crm.contact FOR EACH ROW EXECUTE FUNCTION pg_temp.take();
SELECT lives_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (-1, 'gone') $$, 'a row that is gone');
SELECT throws_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (-1, 'gone'), (-1, 'stays') $$, '23503', NULL, 'its wrong key in another row');
SELECT throws_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (pg_temp.account(2), 'stays'), (pg_temp.account(2), 'moved') $$, '23503', NULL, 'a key that is changed meanwhile');
SELECT lives_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (pg_temp.account(3), 'gone'), (pg_temp.account(3), 'stays'), (pg_temp.account(3), 'stays') $$, 'right keys');
SELECT lives_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (pg_temp.account(2), 'stays'), (pg_temp.account(2), 'orphan') $$, 'a referred row that is taken away takes them along');
SELECT is_empty($$ SELECT contact_id FROM sales_crm.contact c WHERE NOT EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = c.account_id) $$, 'no row refers to nothing');
DROP TRIGGER "A_take" ON sales_crm.contact;
DELETE FROM sales_crm.contact;
DELETE FROM sales_crm.opportunity;

-- What the transaction holds is known to its later statements, until it takes it away itself
CREATE FUNCTION pg_temp.add(integer) RETURNS void LANGUAGE sql AS $$ INSERT INTO sales_crm.contact (account_id, name) VALUES (pg_temp.account($1), 'held') $$;
CREATE TEMP TABLE later (looks bigint);
SELECT pg_temp.add(10);
INSERT INTO later SELECT pg_temp.looks();
SELECT pg_temp.add(10) FROM generate_series(1, 20);
SELECT is(pg_temp.looks(), looks, 'the next statements do not look') FROM later;
UPDATE sales_crm.account SET website = 'https://example.com' WHERE account_id = pg_temp.account(10);
SELECT lives_ok('SELECT pg_temp.add(10)', 'a row that was written anew');
DELETE FROM sales_crm.contact WHERE account_id = pg_temp.account(10);
DELETE FROM sales_crm.account WHERE account_id = pg_temp.account(10);
SELECT throws_ok('SELECT pg_temp.add(10)', '23503', NULL, 'one that was taken away');
INSERT INTO sales_crm.account (account_id, name) VALUES (pg_temp.account(10), 'again');
SELECT lives_ok('SELECT pg_temp.add(10)', 'one that came back');
SELECT pg_temp.add(11);
DELETE FROM sales_crm.contact WHERE account_id = pg_temp.account(11);
UPDATE sales_crm.account SET account_id = -account_id WHERE account_id = pg_temp.account(11);
SELECT throws_ok('SELECT pg_temp.add(11)', '23503', NULL, 'one whose key changed');
SAVEPOINT before;
INSERT INTO sales_crm.account (account_id, name) VALUES (-12, 'new');
SELECT lives_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (-12, 'held') $$, 'one of this savepoint');
ROLLBACK TO before;
SELECT throws_ok($$ INSERT INTO sales_crm.contact (account_id, name) VALUES (-12, 'held') $$, '23503', NULL, 'and none after it is rolled back');
SELECT pg_temp.add(13);
TRUNCATE sales_crm.account CASCADE;
SELECT throws_ok('SELECT pg_temp.add(13)', '23503', NULL, 'a table that was emptied');
INSERT INTO sales_crm.account (account_id, name) VALUES (-14, 'other');
SELECT throws_ok('SELECT pg_temp.add(13)', '23503', NULL, 'with another row in its place');
SELECT is(count(*), 0::bigint, 'nothing refers to nothing') FROM sales_crm.contact;

SELECT * FROM finish();
ROLLBACK;
