-- Promise: CHECK constraints and WHEN conditions of triggers hold in every statement, though their compiled
-- form is kept from one to the next. Checked: those that come, change and go in the session, in savepoints
-- too; every way of writing; the user's functions; and that what has changed is freed.
CREATE FUNCTION pg_temp.kept_bytes() RETURNS numeric LANGUAGE sql AS $$
	SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name = 'sales_crm checks of a table'$$;
INSERT INTO sales_crm.account (name) VALUES ('Checks'); -- loads the module
UPDATE sales_crm.account SET website = 'https://example.com' WHERE name = 'Checks';
CREATE TABLE public.kept (bytes numeric);
INSERT INTO public.kept SELECT pg_temp.kept_bytes();
DO $$
BEGIN
	FOR i IN 1 .. 50 LOOP
		ALTER TABLE sales_crm.account ADD CONSTRAINT short CHECK (length(name) < 100);
		UPDATE sales_crm.account SET website = 'https://example.com/' || i WHERE name = 'Checks';
		COMMIT;
		ALTER TABLE sales_crm.account DROP CONSTRAINT short;
		UPDATE sales_crm.account SET website = NULL WHERE name = 'Checks';
		COMMIT;
	END LOOP;
END
$$;

BEGIN;
SELECT plan(28);
SELECT cmp_ok(pg_temp.kept_bytes(), '<=', (SELECT bytes * 1.5 + 65536 FROM public.kept), 'what changed a hundred times is freed');

-- Kept at all: otherwise the rest would say nothing
SELECT cmp_ok(pg_temp.kept_bytes(), '>', 0::numeric, 'constraints are kept');

-- Names that say something, in any script
CREATE FUNCTION pg_temp.may_be_named(name text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO sales_crm.account (name) VALUES (name);
	RETURN true;
EXCEPTION WHEN check_violation THEN
	RETURN false;
END
$$;
SELECT is_empty($$ SELECT encode(n::bytea, 'escape') FROM unnest(array['a', ' a ', '!', '~', 'é', '　', '　é', E'\t\n', E'\u00a0', E'\u00a0x', E'\x7f', E' \x1f ', '中']) n
	WHERE pg_temp.may_be_named(n) IS DISTINCT FROM (n ~ '\S') $$, 'a name is one as its constraint says');

-- Come, change and go
SELECT throws_ok($$INSERT INTO sales_crm.account (name) VALUES (' ')$$, '23514', NULL, 'a constraint of setup() holds');
SELECT throws_ok($$INSERT INTO sales_crm.account (name) VALUES (' ')$$, '23514', NULL, 'and the second time');
ALTER TABLE sales_crm.account ADD CONSTRAINT short CHECK (length(name) < 10);
SELECT throws_like($$INSERT INTO sales_crm.account (name) VALUES ('Rather long')$$, '%"short"%', 'one of the user''s holds at once');
SAVEPOINT before;
ALTER TABLE sales_crm.account DROP CONSTRAINT short;
SELECT lives_ok($$INSERT INTO sales_crm.account (name) VALUES ('Rather long')$$, 'one that was dropped does not');
ROLLBACK TO before;
SELECT throws_like($$INSERT INTO sales_crm.account (name) VALUES ('Rather long')$$, '%"short"%', 'it is back after a rollback');
ALTER TABLE sales_crm.account DROP CONSTRAINT short, ADD CONSTRAINT short CHECK (length(name) < 12);
SELECT lives_ok($$INSERT INTO sales_crm.account (name) VALUES ('Rather long')$$, 'a wider one counts');
SELECT throws_like($$INSERT INTO sales_crm.account (name) VALUES ('Longer than that')$$, '%"short"%', 'so far');
ALTER TABLE sales_crm.account ADD COLUMN stars int CONSTRAINT stars CHECK (stars IN (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12));
SELECT throws_like($$UPDATE sales_crm.account SET stars = 13$$, '%"stars"%', 'a new column has its own');
ALTER TABLE sales_crm.account ALTER stars TYPE text, DROP CONSTRAINT stars, ADD CONSTRAINT stars CHECK (stars = '13');
SELECT lives_ok($$UPDATE sales_crm.account SET stars = '13'$$, 'and may become another type');
ALTER TABLE sales_crm.account RENAME CONSTRAINT short TO renamed;
SELECT throws_like($$UPDATE sales_crm.account SET name = 'Longer than that'$$, '%"renamed"%', 'errors tell the present name');

-- Every way of writing
SELECT throws_like($$WITH n AS (INSERT INTO sales_crm.account (name) VALUES ('Longer than that') RETURNING 1) SELECT * FROM n$$, '%"renamed"%', 'in WITH');
SELECT throws_like($$INSERT INTO sales_crm.account (account_id, name) SELECT account_id, 'x' FROM sales_crm.account
	ON CONFLICT (account_id) DO UPDATE SET name = 'Longer than that'$$, '%"renamed"%', 'in ON CONFLICT');
SELECT throws_like($$MERGE INTO sales_crm.account a USING (SELECT max(account_id) AS id FROM sales_crm.account) n ON a.account_id = n.id
	WHEN MATCHED THEN UPDATE SET name = 'Longer than that'$$, '%"renamed"%', 'in MERGE');
SELECT throws_ok('EXPLAIN (ANALYZE) UPDATE sales_crm.account SET name = ''Longer than that''', '23514', NULL, 'in EXPLAIN ANALYZE');
SELECT lives_ok('EXPLAIN UPDATE sales_crm.account SET name = ''Longer than that''', 'not in EXPLAIN');

-- The user's functions: their present body counts, and they may write to the table themselves
CREATE FUNCTION public.is_fine(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
ALTER TABLE sales_crm.account ADD CONSTRAINT fine CHECK (public.is_fine(name));
UPDATE sales_crm.account SET name = 'first';
CREATE OR REPLACE FUNCTION public.is_fine(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT $1 <> 'second'$$;
SELECT throws_like($$UPDATE sales_crm.account SET name = 'second'$$, '%"fine"%', 'the present body of a function counts');
CREATE OR REPLACE FUNCTION public.is_fine(text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF $1 = 'outer' THEN INSERT INTO sales_crm.account (name) VALUES ('inner'); END IF;
	RETURN $1 <> 'bad';
END
$$;
SELECT lives_ok($$INSERT INTO sales_crm.account (name) VALUES ('outer'), ('other')$$, 'a constraint may write to its own table');

-- WHEN of triggers: the first of two statements compiles, the second has what is kept
CREATE TABLE pg_temp.fired (trigger text, name text);
CREATE FUNCTION pg_temp.fire() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO pg_temp.fired VALUES (TG_NAME, NEW.name); RETURN NEW; END$$;
CREATE FUNCTION pg_temp.fired(first text, second text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	DELETE FROM pg_temp.fired;
	UPDATE sales_crm.lost_reason SET name = first WHERE lost_reason_id = -1;
	UPDATE sales_crm.lost_reason SET name = second WHERE lost_reason_id = -1;
	RETURN (SELECT string_agg(trigger || ' ' || name, ', ' ORDER BY name, trigger) FROM pg_temp.fired);
END$$;
INSERT INTO sales_crm.lost_reason (lost_reason_id, name) VALUES (-1, 'none');
SELECT is(pg_temp.fired('1', '2'), NULL, 'no trigger');
CREATE TRIGGER always BEFORE UPDATE ON sales_crm.lost_reason FOR EACH ROW EXECUTE FUNCTION pg_temp.fire();
CREATE TRIGGER before BEFORE UPDATE ON sales_crm.lost_reason FOR EACH ROW WHEN (NEW.name < '5' AND OLD.name <> NEW.name) EXECUTE FUNCTION pg_temp.fire();
CREATE TRIGGER late AFTER UPDATE ON sales_crm.lost_reason FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION pg_temp.fire();
SELECT is(pg_temp.fired('3', '4'), 'always 3, before 3, late 3, always 4, before 4, late 4', 'WHEN that holds');
SELECT is(pg_temp.fired('6', '6'), 'always 6, always 6, late 6', 'one that does not');
SAVEPOINT before;
DROP TRIGGER before ON sales_crm.lost_reason;
CREATE TRIGGER before BEFORE UPDATE ON sales_crm.lost_reason FOR EACH ROW WHEN (NEW.name > '7') EXECUTE FUNCTION pg_temp.fire();
SELECT is(pg_temp.fired('7', '8'), 'always 7, late 7, always 8, before 8, late 8', 'another one counts at once');
ROLLBACK TO before;
SELECT is(pg_temp.fired('4', '8'), 'always 4, before 4, late 4, always 8, late 8', 'and the old one after a rollback');
CREATE FUNCTION public.wants(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT true';
CREATE TRIGGER early BEFORE UPDATE ON sales_crm.lost_reason FOR EACH ROW WHEN (public.wants(NEW.name)) EXECUTE FUNCTION pg_temp.fire();
SELECT is(pg_temp.fired('8', '9'), 'always 8, early 8, always 9, early 9, late 9', 'a function of the user''s');
CREATE OR REPLACE FUNCTION public.wants(text) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$SELECT $1 = '8'$$;
SELECT is(pg_temp.fired('8', '9'), 'always 8, early 8, late 8, always 9, late 9', 'whose present body counts');

-- A table that is as setup() makes it, written while it is written
CREATE FUNCTION public.again() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF new.name <> '' AND pg_trigger_depth() = 1 THEN
		ALTER TABLE sales_crm.source ADD CONSTRAINT late CHECK (name <> 'late');
		INSERT INTO sales_crm.team (name) VALUES (new.name || ' again');
	END IF;
	RETURN new;
END
$$;
CREATE TRIGGER again BEFORE INSERT ON sales_crm.team FOR EACH ROW EXECUTE FUNCTION public.again();
INSERT INTO sales_crm.source (name) VALUES ('early');
INSERT INTO sales_crm.team (name) VALUES ('North');
SELECT throws_like($$INSERT INTO sales_crm.source (name) VALUES ('late')$$, '%"late"%', 'a constraint made inside a statement holds after it');

SELECT * FROM finish();
ROLLBACK;
DROP TABLE public.kept;
DELETE FROM sales_crm.account WHERE name = 'Checks';
