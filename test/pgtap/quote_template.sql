-- Promise: a template that is kept parsed is the one of its row: after a change, after the change is undone,
-- for several templates in turn, and with a partial. Each document is what render_template() makes of the
-- snapshot, and the snapshot has the template's hash.
BEGIN;
SELECT plan(14);
SET client_min_messages = warning;

INSERT INTO sales_crm.member (name) VALUES ('Sam');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'deal', account_id, member_id FROM sales_crm.account, sales_crm.member;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 100 FROM sales_crm.opportunity;
INSERT INTO sales_crm.quote_template (name, body) SELECT 't' || i, i || ' {{number}} {{#lines}}{{name}}{{/lines}}' FROM generate_series(1, 20) i;
CREATE FUNCTION pg_temp.template(text) RETURNS bigint LANGUAGE sql AS $$ SELECT quote_template_id FROM sales_crm.quote_template WHERE name = $1 $$;
-- sent(TEMPLATE): the document of a quote that was made of it and sent, without the number
CREATE FUNCTION pg_temp.sent(template text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	made bigint;
	quote record;
BEGIN
	SELECT sales_crm.create_quote(opportunity_id, pg_temp.template($1)) INTO made FROM sales_crm.opportunity;
	PERFORM sales_crm.send_quote(made);
	SELECT q.html, q.number, q.snapshot, t.body, t.partials INTO quote
	FROM sales_crm.quote q JOIN sales_crm.quote_template t USING (quote_template_id) WHERE quote_id = made;
	IF quote.html <> sales_crm.render_template(quote.body, sales_crm.quote_view_data(quote.snapshot), quote.partials) THEN
		RETURN 'another document than render_template() makes: ' || quote.html;
	ELSIF quote.snapshot #>> '{template,sha256}' <> encode(sha256(convert_to(quote.body || quote.partials::text, 'UTF8')), 'hex') THEN
		RETURN 'another hash than the template has';
	END IF;
	RETURN replace(quote.html, quote.number, 'N');
END
$$;

SELECT is(pg_temp.sent('t1'), '1 N Lamp', 'a template');
SELECT is(pg_temp.sent('t1'), '1 N Lamp', 'again');
SELECT is(pg_temp.sent('t2'), '2 N Lamp', 'another one');
UPDATE sales_crm.quote_template SET body = 'one {{number}}' WHERE name = 't1';
SELECT is(pg_temp.sent('t1'), 'one N', 'changed');
CREATE FUNCTION pg_temp.undone() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	meanwhile text;
BEGIN
	BEGIN
		UPDATE sales_crm.quote_template SET body = 'undone {{number}}' WHERE name = 't1';
		meanwhile := pg_temp.sent('t1');
		RAISE EXCEPTION 'undo';
	EXCEPTION WHEN raise_exception THEN
		RETURN meanwhile || ', ' || pg_temp.sent('t1');
	END;
END
$$;
SELECT is(pg_temp.undone(), 'undone N, one N', 'a change that is undone');
SELECT is(pg_temp.undone(), 'undone N, one N', 'and made again');
UPDATE sales_crm.quote_template SET body = '{{>head}} {{number}}', partials = '{"head": "Dear {{customer.name}}"}' WHERE name = 't2';
SELECT is(pg_temp.sent('t2'), 'Dear Acme N', 'a partial');
UPDATE sales_crm.quote_template SET partials = '{"head": "Hello {{customer.name}}"}' WHERE name = 't2';
SELECT is(pg_temp.sent('t2'), 'Hello Acme N', 'that changes');
SELECT is(string_agg(pg_temp.sent('t' || i), ' ' ORDER BY i), string_agg(i || ' N Lamp', ' ' ORDER BY i), 'more templates than are kept') FROM generate_series(3, 20) i;
SELECT is(pg_temp.sent('t1') || ' ' || pg_temp.sent('t3'), 'one N 3 N Lamp', 'and back');
-- Words are kept, too, until a function changes
UPDATE sales_crm.quote_template SET body = '{{words.quote}}', locale = CASE name WHEN 't3' THEN 'en' ELSE 'nl' END WHERE name IN ('t3', 't4');
SELECT is(pg_temp.sent('t3') || ' ' || pg_temp.sent('t4') || ' ' || pg_temp.sent('t3'), 'Quotation Offerte Quotation', 'words of two languages');
CREATE FUNCTION pg_temp.reworded() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	CREATE OR REPLACE FUNCTION sales_crm.quote_words(locale text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS 'SELECT jsonb ''{"quote": "Other words"}''';
	RAISE EXCEPTION '%', pg_temp.sent('t3');
EXCEPTION WHEN raise_exception THEN
	RETURN SQLERRM;
END
$$;
SELECT is(pg_temp.reworded(), 'Other words', 'other words');
SELECT is(pg_temp.sent('t3'), 'Quotation', 'that are undone');
SELECT is_empty('SELECT FROM sales_crm.verify_quotes()', 'quotes verify');

SELECT * FROM finish();
ROLLBACK;
