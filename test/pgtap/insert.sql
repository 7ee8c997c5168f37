-- Promise: rows that consequences write without a statement are those that an INSERT would write, whatever
-- was added to the table. Checked with quote_event: defaults, generated columns, constraints, indexes, keys,
-- triggers of all kinds, rules, and tables that changed in the same session.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(28);

INSERT INTO sales_crm.member (name) VALUES ('Sam');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'deal', account_id, member_id FROM sales_crm.account, sales_crm.member;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'p', 1 FROM sales_crm.opportunity;
CREATE TEMP TABLE made AS SELECT sales_crm.create_quote(opportunity_id) AS quote_id FROM sales_crm.opportunity;
CREATE FUNCTION pg_temp.append(kind text) RETURNS bigint LANGUAGE sql AS $$
	SELECT sales_crm.append_quote_event(quote_id, kind, data => '{"a": null, "b": "c"}') FROM made;
	SELECT count(*) FROM sales_crm.quote_event WHERE quote_event.kind = $1
$$;

SELECT is(pg_temp.append('plain'), 1::bigint, 'an event');
SELECT results_eq($$ SELECT position, data FROM sales_crm.quote_event WHERE kind = 'plain' $$, $$ VALUES (2, '{"b": "c"}'::jsonb) $$, 'as it was given, with what the trigger filled in');
SELECT is((SELECT count(*) FROM sales_crm.quote_event_pending), 2::bigint, 'and noted for the next checkpoint');
SELECT throws_ok($$ SELECT sales_crm.append_quote_event(-1, 'plain') $$, '23503', NULL, 'no quote, no event');
SELECT throws_ok($$ SELECT sales_crm.append_quote_event(quote_id, 'plain', -1) FROM made $$, '23503', NULL, 'no link');
SELECT throws_ok($$ SELECT sales_crm.append_quote_event(quote_id, 'No kind') FROM made $$, '23514', NULL, 'a kind that is none');
SELECT throws_ok($$ SELECT sales_crm.append_quote_event(quote_id, NULL) FROM made $$, '23502', NULL, 'nothing happened');
SELECT throws_ok($$ SELECT sales_crm.append_quote_event(quote_id, 'plain', data => NULL) FROM made $$, '23502', NULL, 'no facts at all');

-- Columns of users
ALTER TABLE sales_crm.quote_event ADD noted_at timestamptz DEFAULT now(), ADD note text DEFAULT 'none', ADD loud text GENERATED ALWAYS AS (upper(kind)) STORED, ADD empty integer;
SELECT is(pg_temp.append('column'), 1::bigint, 'a table that got columns');
SELECT results_eq($$ SELECT noted_at, note, loud, empty FROM sales_crm.quote_event WHERE kind = 'column' $$, $$ VALUES (now(), 'none', 'COLUMN', NULL::integer) $$, 'with their defaults');
CREATE FUNCTION pg_temp.word() RETURNS text LANGUAGE sql AS $$ SELECT 'said' $$;
ALTER TABLE sales_crm.quote_event ALTER note SET DEFAULT pg_temp.word();
SELECT is(pg_temp.append('word'), 1::bigint, 'a default of their own');
SELECT is((SELECT note FROM sales_crm.quote_event WHERE kind = 'word'), 'said', 'computed');
ALTER TABLE sales_crm.quote_event ALTER note SET DEFAULT 'none', ADD CONSTRAINT quiet CHECK (kind <> 'loud'), ADD UNIQUE (loud, quote_id);
SELECT throws_ok($$ SELECT pg_temp.append('loud') $$, '23514', NULL, 'their constraint');
SELECT throws_ok($$ SELECT pg_temp.append('column') $$, '23505', NULL, 'their index');

-- Triggers of users
CREATE TABLE pg_temp.seen (what text);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen VALUES (concat_ws(' ', TG_WHEN, TG_LEVEL));
	RETURN CASE WHEN TG_WHEN = 'BEFORE' AND NEW.kind = 'skipped' THEN NULL ELSE NEW END;
END $$;
CREATE FUNCTION pg_temp.see_all() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen SELECT 'table ' || kind FROM fresh;
	RETURN NULL;
END $$;
CREATE TRIGGER "A_see" BEFORE INSERT ON sales_crm.quote_event FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER see AFTER INSERT ON sales_crm.quote_event FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
SELECT is(pg_temp.append('row'), 1::bigint, 'triggers for rows');
SELECT results_eq($$ SELECT what FROM seen $$, array['BEFORE ROW', 'AFTER ROW'], 'are called');
SELECT is(pg_temp.append('skipped'), 0::bigint, 'and may skip a row');
CREATE TRIGGER see_all AFTER INSERT ON sales_crm.quote_event REFERENCING NEW TABLE AS fresh FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see_all();
SELECT is(pg_temp.append('set'), 1::bigint, 'triggers for statements');
SELECT is((SELECT count(*) FROM seen WHERE what = 'table set'), 1::bigint, 'see the row');
DROP TRIGGER see_all ON sales_crm.quote_event;
CREATE RULE also AS ON INSERT TO sales_crm.quote_event DO ALSO INSERT INTO seen VALUES ('rule');
SELECT is(pg_temp.append('rule'), 1::bigint, 'a rule');
SELECT is((SELECT count(*) FROM seen WHERE what = 'rule'), 1::bigint, 'is followed');
DROP RULE also ON sales_crm.quote_event;

-- What it relies on
SELECT is_empty('SELECT * FROM sales_crm.verify_quote_events()', 'the chain is whole after all this');
ALTER TABLE sales_crm.quote_event DROP CONSTRAINT quote_event_quote_id_position_key;
SELECT throws_ok($$ SELECT pg_temp.append('unordered') $$, '55000', NULL, 'without the index there is no order');
ALTER TABLE sales_crm.quote_event ADD CONSTRAINT other_name UNIQUE (quote_id, position);
SELECT is(pg_temp.append('ordered'), 1::bigint, 'whatever its name is');

-- The owner of the tables, as whom it is done, and the table of that name, as they change
DROP TRIGGER "A_see" ON sales_crm.quote_event;
DROP TRIGGER see ON sales_crm.quote_event;
CREATE ROLE pgtap_keeper BYPASSRLS;
GRANT USAGE ON SCHEMA sales_crm TO pgtap_keeper;
GRANT ALL ON ALL TABLES IN SCHEMA sales_crm TO pgtap_keeper;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA sales_crm TO pgtap_keeper;
CREATE FUNCTION public.pgtap_who() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM set_config('pgtap.who', current_user, false); RETURN NEW; END $$;
CREATE TRIGGER "A_who" BEFORE INSERT ON sales_crm.quote_event FOR EACH ROW EXECUTE FUNCTION public.pgtap_who();
SAVEPOINT owned;
ALTER TABLE sales_crm.opportunity OWNER TO pgtap_keeper;
SELECT pg_temp.append('kept') \g /dev/null
SELECT is(current_setting('pgtap.who'), 'pgtap_keeper', 'another owner');
ROLLBACK TO owned;
SELECT pg_temp.append('kept') \g /dev/null
SELECT is(current_setting('pgtap.who'), current_user::text, 'and the one before, when that is rolled back');
ALTER TABLE sales_crm.quote_event_pending RENAME TO pgtap_pending;
SELECT throws_ok($$ SELECT pg_temp.append('lost') $$, '55000', NULL, 'a table that is gone');
CREATE TABLE sales_crm.quote_event_pending (LIKE sales_crm.pgtap_pending INCLUDING ALL);
SELECT pg_temp.append('found') \g /dev/null
SELECT is((SELECT count(*) FROM sales_crm.quote_event_pending), 1::bigint, 'another one in its place');

SELECT * FROM finish();
ROLLBACK;
