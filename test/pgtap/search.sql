-- Promise: search() finds accounts, contacts, opportunities, notes and e-mails by all the words of a
-- question, while one types, in the company's language, right after they are written; and sources
-- of opportunities are kept in order, not deleted while used, not offered when inactive.
BEGIN;
SELECT plan(28);
INSERT INTO sales_crm.account (name, city) VALUES ('Acme Pumps', 'Ghent'), ('Bolt', 'Lyon');
INSERT INTO sales_crm.contact (account_id, name, email) SELECT account_id, 'Carl Peeters', 'carl@acme.example' FROM sales_crm.account WHERE name = 'Acme Pumps';
INSERT INTO sales_crm.opportunity (name, account_id, description) SELECT 'Ten pumps', account_id, 'Needs running water and a happy installer' FROM sales_crm.account WHERE name = 'Acme Pumps';
INSERT INTO sales_crm.note (opportunity_id, body) SELECT opportunity_id, 'They are installing next spring' FROM sales_crm.opportunity;
INSERT INTO sales_crm.email (opportunity_id, direction, subject, body_text) SELECT opportunity_id, 'incoming', 'Delivery', 'When do the pumps arrive?' FROM sales_crm.opportunity;
CREATE FUNCTION pg_temp.found(text) RETURNS text LANGUAGE sql AS $$SELECT string_agg(kind, ' ' ORDER BY rank DESC, kind) FROM sales_crm.search($1)$$;

SELECT is(pg_temp.found('pumps'), 'account opportunity email', 'a word');
SELECT is(pg_temp.found('Ten pumps'), 'opportunity', 'all words, whatever their case');
SELECT is(pg_temp.found('pum'), 'account opportunity email', 'while typing');
SELECT is(pg_temp.found('pee'), 'contact', 'a name');
SELECT is(pg_temp.found('carl@acme.example'), 'contact', 'an address');
SELECT is(pg_temp.found('ghent'), 'account', 'a city');
SELECT is(pg_temp.found('runs'), 'opportunity', 'by stem: running');
SELECT is(pg_temp.found('happiness'), 'opportunity', 'by stem where it is no beginning of the word: happy');
SELECT is(pg_temp.found('installs'), 'opportunity note', 'by stem: installing, installer');
SELECT is(pg_temp.found('the pumps of'), 'account opportunity email', 'words of grammar do not matter');
SELECT is(pg_temp.found('zzz'), NULL, 'nothing');
SELECT is(pg_temp.found(''), NULL, 'nothing for no question');
SELECT is(pg_temp.found('!!! & | '':* ('), NULL, 'nothing for no words');
SELECT lives_ok($$SELECT sales_crm.search(repeat('word ', 10000))$$, 'a long question');
SELECT is((SELECT title FROM sales_crm.search('bolt') LIMIT 1), 'Bolt', 'the name itself first');
UPDATE sales_crm.account SET name = 'Nut' WHERE name = 'Bolt';
SELECT is(pg_temp.found('bolt'), NULL, 'kept current on UPDATE');
DELETE FROM sales_crm.note;
SELECT is(pg_temp.found('spring'), NULL, 'and DELETE');
UPDATE sales_crm.company SET locale = 'fr';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Nouvelles machines', account_id FROM sales_crm.account WHERE name = 'Nut';
SELECT is(pg_temp.found('nouvelle machine'), 'opportunity', 'in French');
UPDATE sales_crm.company SET locale = 'de';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Lieferungen Hamburg', account_id FROM sales_crm.account WHERE name = 'Nut';
SELECT is(pg_temp.found('lieferung'), 'opportunity', 'in German');
SELECT lives_ok($$INSERT INTO sales_crm.note (account_id, body) SELECT account_id, (SELECT string_agg(md5(i::text), ' ') FROM generate_series(1, 20000) i) FROM sales_crm.account LIMIT 1$$, 'a long note can be stored');
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Bulk lamp ' || i, account_id FROM generate_series(1, 3000) i, sales_crm.account WHERE account.name = 'Nut';
ANALYZE sales_crm.opportunity;
CREATE FUNCTION pg_temp.plan(sql text) RETURNS SETOF text LANGUAGE plpgsql AS $$BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || sql; END$$;
SELECT ok(bool_or(p ~ 'opportunity_search_idx'), 'found by the index') FROM pg_temp.plan($$SELECT FROM sales_crm.opportunity o WHERE to_tsvector('simple'::regconfig, o.name || ' ' || coalesce(left(o.description, 100000), '')) @@ sales_crm.search_query('lamp 2999')$$) p;

-- Sources
INSERT INTO sales_crm.source (name) VALUES ('Blog');
SELECT is(position, (SELECT max(position) FROM sales_crm.source), 'a new source comes last') FROM sales_crm.source WHERE name = 'Blog';
UPDATE sales_crm.opportunity SET source_id = (SELECT source_id FROM sales_crm.source WHERE name = 'Blog') WHERE name = 'Ten pumps';
SELECT throws_ok($$DELETE FROM sales_crm.source WHERE name = 'Blog'$$, '55006', 'source "Blog" is in use', 'a used one stays');
UPDATE sales_crm.source SET active = false WHERE name = 'Blog';
SELECT throws_ok($$INSERT INTO sales_crm.opportunity (name, account_id, source_id) SELECT 'x', min(account_id), (SELECT source_id FROM sales_crm.source WHERE name = 'Blog') FROM sales_crm.account$$,
	'23514', 'source "Blog" is not active', 'an inactive one is not for new opportunities');
SELECT throws_ok($$UPDATE sales_crm.opportunity SET source_id = (SELECT source_id FROM sales_crm.source WHERE name = 'Blog') WHERE name = 'Bulk lamp 1'$$, '23514', NULL, 'nor for others');
SELECT lives_ok($$UPDATE sales_crm.opportunity SET amount = 5 WHERE name = 'Ten pumps'$$, 'those that have it go on');
UPDATE sales_crm.opportunity SET source_id = NULL WHERE name = 'Ten pumps';
SELECT lives_ok($$DELETE FROM sales_crm.source WHERE name = 'Blog'$$, 'an unused one can go');
SELECT is(pg_temp.found('lamp 2999'), 'opportunity', 'one of three thousand');

SELECT * FROM finish();
ROLLBACK;
