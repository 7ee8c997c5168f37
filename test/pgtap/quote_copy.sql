-- Promise: the lines of a new quote are written as one INSERT of them would write them, whatever was
-- added to the table: columns, constraints, keys, triggers of all kinds, rules. Numbers go on after
-- those that are taken.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT plan(35);

INSERT INTO sales_crm.account (name, street, city) VALUES ('Acme', 'Main Street 1', 'Ghent'), ('Bolt', NULL, NULL);
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'deal', account_id FROM sales_crm.account WHERE name = 'Acme';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'empty', account_id FROM sales_crm.account WHERE name = 'Bolt';
INSERT INTO sales_crm.product_line (opportunity_id, position, kind, name, unit_price, discount_percent, description)
SELECT opportunity_id, p, k, n, u, d, t FROM sales_crm.opportunity, (VALUES
	(3, 'item', 'third', 30, NULL, 'Words'), (1, 'heading', 'first', NULL, NULL, NULL), (2, 'item', 'second', 20, 5, NULL), (2, 'item', 'beside', 10, NULL, NULL)) l (p, k, n, u, d, t)
WHERE opportunity.name = 'deal';
CREATE FUNCTION pg_temp.create(name text DEFAULT 'deal') RETURNS bigint LANGUAGE sql AS $$
	SELECT sales_crm.create_quote(opportunity_id) FROM sales_crm.opportunity o WHERE o.name = $1
$$;
CREATE FUNCTION pg_temp.lines(quote_id bigint) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(l.name, ' ' ORDER BY l.quote_line_id) FROM sales_crm.quote_line l WHERE l.quote_id = $1
$$;

SELECT pg_temp.create() AS plain \gset
SELECT is(pg_temp.lines(:plain), 'first second beside third', 'lines in their order');
SELECT results_eq(format('SELECT kind, position, product_line_id, name, description, quantity, unit, unit_price, discount_percent, tax_percent, tax_category, optional
	FROM sales_crm.quote_line WHERE quote_id = %s ORDER BY quote_line_id', :plain),
	'SELECT kind, position, product_line_id, name, description, quantity, unit, unit_price, discount_percent, tax_percent, tax_category, optional
	FROM sales_crm.product_line ORDER BY position, product_line_id', 'are those of the opportunity');
SELECT is((SELECT totals ->> 'net' FROM sales_crm.quote WHERE quote_id = :plain), '59.00', 'with their totals');
SELECT is((SELECT customer_address FROM sales_crm.quote WHERE quote_id = :plain), E'Main Street 1\nGhent', 'the address is in lines');
SELECT pg_temp.create('empty') AS none \gset
SELECT results_eq(format('SELECT customer_name, customer_address, totals FROM sales_crm.quote WHERE quote_id = %s', :none), $$VALUES ('Bolt', NULL::text, NULL::jsonb)$$, 'no lines, no address: none in the quote');
SELECT throws_ok('SELECT sales_crm.create_quote(NULL)', 'P0002', 'opportunity <NULL> does not exist', 'no opportunity is none');
SELECT throws_ok('SELECT sales_crm.create_quote(opportunity_id, -1) FROM sales_crm.opportunity', '23503', 'quote template is not there', 'a template that is not there');

-- Templates: by language, default, country
INSERT INTO sales_crm.quote_template (name, locale, body) SELECT 'fr_BE', 'fr_BE', body FROM sales_crm.quote_template WHERE locale = 'fr';
SELECT is((SELECT locale FROM sales_crm.quote_template WHERE quote_template_id = sales_crm.choose_quote_template(l)), t, concat_ws(' ', l, 'gets', t))
FROM (VALUES ('fr_BE', 'fr'), ('nl_BE', 'nl'), ('it', 'en'), (NULL, 'en')) v (l, t);
UPDATE sales_crm.quote_template SET is_default = false WHERE locale = 'fr';
SELECT is((SELECT locale FROM sales_crm.quote_template WHERE quote_template_id = sales_crm.choose_quote_template('fr_BE')), 'fr_BE', 'without a default the country counts');

-- Columns and constraints of users
ALTER TABLE sales_crm.quote_line ADD note text DEFAULT 'none', ADD net numeric GENERATED ALWAYS AS (quantity * unit_price) STORED, ADD stranger integer;
SELECT pg_temp.create() AS columns \gset
SELECT results_eq(format('SELECT note, net, stranger FROM sales_crm.quote_line WHERE quote_id = %s ORDER BY quote_line_id', :columns),
	$$VALUES ('none', NULL::numeric, NULL::integer), ('none', 20, NULL), ('none', 10, NULL), ('none', 30, NULL)$$, 'columns of users are filled in');
ALTER TABLE sales_crm.quote_line ADD CONSTRAINT no_third CHECK (name <> 'third') NOT VALID;
SELECT throws_ok('SELECT pg_temp.create()', '23514', NULL, 'their constraint');
ALTER TABLE sales_crm.quote_line DROP CONSTRAINT no_third;
ALTER TABLE sales_crm.quote_line ADD mark integer;
ALTER TABLE sales_crm.quote_line ALTER mark SET DEFAULT 1, ADD CONSTRAINT one_mark UNIQUE (quote_id, mark);
SELECT throws_ok('SELECT pg_temp.create()', '23505', NULL, 'their unique constraint');
ALTER TABLE sales_crm.quote_line DROP CONSTRAINT one_mark;
ALTER TABLE sales_crm.quote_line ADD CONSTRAINT one_mark UNIQUE (quote_id, mark) DEFERRABLE INITIALLY DEFERRED;
SELECT throws_ok('SELECT pg_temp.create(); SET CONSTRAINTS ALL IMMEDIATE', '23505', NULL, 'at once');
SELECT lives_ok('SELECT pg_temp.create()', 'or at the end');
UPDATE sales_crm.quote_line SET mark = NULL;
SET CONSTRAINTS ALL IMMEDIATE;
ALTER TABLE sales_crm.quote_line DROP mark;

-- Keys of users
CREATE TABLE stranger (stranger_id integer PRIMARY KEY);
INSERT INTO stranger VALUES (7);
ALTER TABLE sales_crm.quote_line ALTER stranger SET DEFAULT 8, ADD CONSTRAINT stranger_fkey FOREIGN KEY (stranger) REFERENCES stranger;
SELECT throws_ok('SELECT pg_temp.create()', '23503', NULL, 'a key of nothing');
ALTER TABLE sales_crm.quote_line ALTER stranger SET DEFAULT 7;
SELECT lives_ok('SELECT pg_temp.create()', 'a key of something');
SELECT throws_ok('DELETE FROM stranger', '23503', NULL, 'which is held');
ALTER TABLE sales_crm.quote_line ALTER stranger SET DEFAULT 8, ALTER CONSTRAINT stranger_fkey DEFERRABLE INITIALLY DEFERRED;
SET CONSTRAINTS ALL DEFERRED;
SELECT throws_ok('SELECT pg_temp.create(); SET CONSTRAINTS ALL IMMEDIATE', '23503', NULL, 'a key that is checked late');
SELECT pg_temp.create() AS late \gset
INSERT INTO stranger VALUES (8);
SELECT lives_ok('SET CONSTRAINTS ALL IMMEDIATE', 'may come late');
ALTER TABLE sales_crm.quote_line ALTER CONSTRAINT stranger_fkey NOT DEFERRABLE, ALTER stranger SET DEFAULT 9;
SET session_replication_role = replica;
SELECT pg_temp.create() AS replica \gset
RESET session_replication_role;
SELECT is((SELECT count(*) FROM sales_crm.quote_line WHERE quote_id = :replica AND stranger = 9), 4::bigint, 'a replica checks none');
ALTER TABLE sales_crm.quote_line DROP stranger;

-- Triggers of users
CREATE TABLE pg_temp.seen (what text);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen SELECT concat_ws(' ', TG_WHEN, TG_LEVEL, CASE TG_LEVEL WHEN 'ROW' THEN NEW.name END,
		(SELECT count(*) FROM sales_crm.quote_line l WHERE l.quote_id = (SELECT max(q.quote_id) FROM sales_crm.quote q)));
	RETURN CASE WHEN TG_LEVEL = 'ROW' AND NEW.name IS DISTINCT FROM 'beside' THEN NEW END;
END
$$;
CREATE TRIGGER see AFTER INSERT ON sales_crm.quote_line FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER see_first BEFORE INSERT ON sales_crm.quote_line FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER see_last AFTER INSERT ON sales_crm.quote_line FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
SELECT is(pg_temp.lines(pg_temp.create()), 'first second beside third', 'a table with triggers');
SELECT results_eq('SELECT what FROM seen', array['BEFORE STATEMENT 0', 'AFTER ROW first 4', 'AFTER ROW second 4', 'AFTER ROW beside 4', 'AFTER ROW third 4', 'AFTER STATEMENT 4'],
	'calls them as one statement does');
TRUNCATE seen;
CREATE TRIGGER see_before BEFORE INSERT ON sales_crm.quote_line FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
SELECT pg_temp.create() AS skipped \gset
SELECT is(pg_temp.lines(:skipped), 'first second third', 'a trigger may skip a line');
SELECT results_eq($$SELECT what FROM seen WHERE what ~ 'BEFORE ROW'$$, array['BEFORE ROW first 0', 'BEFORE ROW second 1', 'BEFORE ROW beside 2', 'BEFORE ROW third 2'], 'and sees those before it');
SELECT is((SELECT totals ->> 'net' FROM sales_crm.quote WHERE quote_id = :skipped), '49.00', 'the totals are those of the lines that are there');
DROP TRIGGER see_before ON sales_crm.quote_line;
CREATE RULE also AS ON INSERT TO sales_crm.quote_line DO ALSO INSERT INTO seen VALUES ('rule');
TRUNCATE seen;
SELECT is(pg_temp.lines(pg_temp.create()), 'first second beside third', 'a table with a rule');
SELECT is((SELECT count(*) FROM seen WHERE what = 'rule'), 4::bigint, 'which is followed');

-- Numbers
UPDATE sales_crm.company SET quote_number_format = 'Q-{year}/{00}';
INSERT INTO sales_crm.quote_counter AS c (year, last) VALUES (extract(year FROM now()), 99) ON CONFLICT (year) DO UPDATE SET last = 99;
UPDATE sales_crm.company SET time_zone = 'UTC';
SELECT pg_temp.create('empty') AS numbered \gset
SELECT is((SELECT replace(q.number, to_char(now() AT TIME ZONE 'UTC', 'YYYY'), 'Y') FROM sales_crm.quote q WHERE q.quote_id = :numbered), 'Q-Y/100', 'a number may outgrow its zeros');
UPDATE sales_crm.quote_counter SET last = 99;
SELECT pg_temp.create('empty') AS next \gset
SELECT is((SELECT right(q.number, 4) FROM sales_crm.quote q WHERE q.quote_id = :next), '/101', 'one that is taken is passed over');
SELECT is(sales_crm.format_quote_number('{year}-{000}{000}', 2031, 7), '2031-007007', 'every place is filled');
SELECT is(sales_crm.format_quote_number('{year}', 2031, 7), NULL, 'without a place there is no number');
SELECT is_empty(format('SELECT FROM sales_crm.verify_quotes() WHERE quote_id <> %s', :replica), 'quotes verify');
SELECT * FROM finish();
ROLLBACK;
