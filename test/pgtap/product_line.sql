-- Promise: whichever way lines come, change and go, the amount of each opportunity is what they come
-- to, once per statement. Checked for INSERT … SELECT, COPY, ON CONFLICT, MERGE, UPDATE … FROM,
-- data-modifying CTE and DELETE, by the owner and by a role with plain rights,
-- with columns and triggers of the user's, and for 10,000 lines on one opportunity. The other side
-- is plain SQL over the lines.
BEGIN;
SELECT plan(45);

INSERT INTO sales_crm.account (name) VALUES ('Acme');
INSERT INTO sales_crm.opportunity (name, account_id, amount, external_id) SELECT 'deal ' || i, max(account_id), 5, 'd' || i FROM sales_crm.account, generate_series(1, 100) i GROUP BY i;
CREATE FUNCTION pg_temp.deal(text) RETURNS bigint LANGUAGE sql STABLE AS $$SELECT opportunity_id FROM sales_crm.opportunity WHERE name = $1$$;
CREATE FUNCTION pg_temp.amount(text) RETURNS numeric LANGUAGE sql STABLE AS $$SELECT amount FROM sales_crm.opportunity WHERE name = $1$$;
-- Opportunities whose amount is not the sum of their lines, for lines without VAT in prices
CREATE VIEW pg_temp.wrong AS
SELECT o.name, o.amount, l.amount AS lines FROM sales_crm.opportunity o JOIN (
	SELECT opportunity_id, sum(round(quantity * unit_price * (1 - coalesce(discount_percent, 0) / 100), 2)) AS amount
	FROM sales_crm.product_line WHERE kind = 'item' AND NOT optional GROUP BY 1) l USING (opportunity_id)
WHERE o.amount IS DISTINCT FROM l.amount - round(l.amount * coalesce(o.discount_percent, 0) / 100, 2);
CREATE FUNCTION pg_temp.right(description text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT is_empty('SELECT * FROM pg_temp.wrong', description);
	RETURN NEXT is_empty('SELECT * FROM sales_crm.verify_product_lines()', description || ': verified');
END
$$;

INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price, discount_percent)
SELECT opportunity_id, 'line ' || i, i, 3.335, CASE WHEN i % 3 = 0 THEN 12.5 END FROM generate_series(1, 20) i, sales_crm.opportunity;
SELECT pg_temp.right('INSERT … SELECT of 2,000');
SELECT is(max(revision), 2::bigint, 'one change per opportunity and statement') FROM sales_crm.opportunity;
SELECT is(count(*), 100::bigint, 'and one entry of history') FROM sales_crm.opportunity_change WHERE field = 'amount';

UPDATE sales_crm.opportunity SET discount_percent = 10 WHERE external_id LIKE 'd%5';
SELECT pg_temp.right('UPDATE of the offers'' discounts');
INSERT INTO sales_crm.opportunity (opportunity_id, name, account_id) SELECT -4711, 'copied', max(account_id) FROM sales_crm.account;
COPY sales_crm.product_line (opportunity_id, name, quantity, unit_price) FROM PROGRAM 'seq 1000 | sed "s,.*,-4711|copied &|&|1.5,"' (DELIMITER '|');
SELECT is(pg_temp.amount('copied'), 750750.00, 'COPY');
SELECT throws_ok($$COPY sales_crm.product_line (opportunity_id, name, quantity, unit_price) FROM PROGRAM 'seq 3 -1 0 | sed "s,.*,-4711|copied|&|1.5,"' (DELIMITER '|')$$,
	'23514', NULL, 'COPY with a quantity of 0');
UPDATE sales_crm.product_line l SET unit_price = l.unit_price + 1, optional = l.quantity = 3 FROM sales_crm.opportunity o WHERE o.opportunity_id = l.opportunity_id AND o.name LIKE 'deal 1%';
SELECT pg_temp.right('UPDATE … FROM');
INSERT INTO sales_crm.product_line (product_line_id, opportunity_id, name, unit_price) SELECT product_line_id, opportunity_id, 'again', 1 FROM sales_crm.product_line WHERE name = 'line 7'
ON CONFLICT (product_line_id) DO UPDATE SET quantity = 77;
SELECT pg_temp.right('ON CONFLICT DO UPDATE');
MERGE INTO sales_crm.product_line l USING (SELECT product_line_id, name FROM sales_crm.product_line WHERE name LIKE 'line %') n ON n.product_line_id = l.product_line_id
WHEN MATCHED AND l.name = 'line 1' THEN DELETE
WHEN MATCHED AND l.name = 'line 2' THEN UPDATE SET quantity = 0.5;
SELECT pg_temp.right('MERGE');
WITH gone AS (DELETE FROM sales_crm.product_line WHERE name = 'line 5'),
	more AS (INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'more', 9.99 FROM sales_crm.opportunity RETURNING 1)
UPDATE sales_crm.opportunity SET discount_percent = 3 WHERE name LIKE 'deal %7';
SELECT pg_temp.right('data-modifying CTE');
WITH o AS (INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'at once', max(account_id) FROM sales_crm.account RETURNING opportunity_id)
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'line', 7 FROM o;
SELECT is(pg_temp.amount('at once'), 7.00, 'an opportunity and its line in one statement');
DELETE FROM sales_crm.product_line WHERE quantity > 10;
SELECT pg_temp.right('DELETE');

-- A role with plain rights meets the same rules
CREATE ROLE pgtap_seller BYPASSRLS;
GRANT USAGE ON SCHEMA sales_crm TO pgtap_seller;
GRANT SELECT, INSERT, UPDATE, DELETE ON sales_crm.product_line, sales_crm.opportunity TO pgtap_seller;
SET ROLE pgtap_seller;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'by a role', 2 FROM sales_crm.opportunity;
SELECT throws_ok('UPDATE sales_crm.opportunity SET amount = amount + 1', '23514', NULL, 'an amount by hand is refused');
RESET ROLE;
SELECT pg_temp.right('by a role');
SET session_replication_role = replica;
UPDATE sales_crm.opportunity SET amount = 1 WHERE name = 'deal 1';
SET session_replication_role = origin;
SELECT is(string_agg(problem, ', '), 'amount is not the net total of its lines', 'written with triggers off, it is found') FROM sales_crm.verify_product_lines();
UPDATE sales_crm.product_line SET quantity = quantity + 1 WHERE opportunity_id = pg_temp.deal('deal 1');
SELECT pg_temp.right('and right again with the next change');

-- Columns and triggers of the user's
ALTER TABLE sales_crm.product_line ADD gone int;
ALTER TABLE sales_crm.product_line DROP gone;
ALTER TABLE sales_crm.product_line ADD colour text DEFAULT 'red', ADD twice numeric GENERATED ALWAYS AS (quantity * 2) STORED;
CREATE FUNCTION pg_temp.note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (NEW.opportunity_id, 'transport', 4.5);
	RETURN NULL;
END$$;
CREATE TRIGGER transport AFTER INSERT ON sales_crm.product_line FOR EACH ROW WHEN (NEW.name <> 'transport') EXECUTE FUNCTION pg_temp.note();
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'heavy', 20 FROM sales_crm.opportunity;
SELECT pg_temp.right('with columns and a trigger that adds lines');
DROP TRIGGER transport ON sales_crm.product_line;

-- Many
INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT pg_temp.deal('deal 2'), 'many', i, 0.01 FROM generate_series(1, 10000) i;
SELECT pg_temp.right('10,000 lines on one opportunity');

-- Lines are found by an index, and without it: no other index may mislead
CREATE INDEX product_line_big ON sales_crm.product_line (opportunity_id) WHERE unit_price > 1000;
CREATE INDEX product_line_hash ON sales_crm.product_line USING hash (opportunity_id);
CREATE INDEX product_line_text ON sales_crm.product_line ((opportunity_id::text));
DROP INDEX sales_crm.product_line_opportunity_id_idx;
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (pg_temp.deal('deal 3'), 'one', 3), (pg_temp.deal('deal 4'), 'another', 4);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (pg_temp.deal('deal 3'), 'one more', 3);
SELECT pg_temp.right('without an index that suits');
CREATE INDEX product_line_desc ON sales_crm.product_line (opportunity_id DESC) INCLUDE (unit_price);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (pg_temp.deal('deal 3'), 'one', 3), (pg_temp.deal('deal 4'), 'another', 4);
INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (pg_temp.deal('deal 3'), 'one more', 3);
SELECT pg_temp.right('with an index of the user''s');

-- A line's opportunity is updated without a statement; what users put on it meets the row all the same
CREATE TABLE pg_temp.seen (what text, id bigint, old numeric, new numeric);
CREATE FUNCTION pg_temp.line(text, price numeric) RETURNS void LANGUAGE sql AS $$
	INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (pg_temp.deal($1), 'line', price)$$;
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	IF TG_LEVEL = 'ROW' THEN
		INSERT INTO pg_temp.seen VALUES (TG_WHEN || ' row', NEW.opportunity_id, OLD.amount, NEW.amount);
	ELSIF TG_WHEN = 'BEFORE' THEN
		INSERT INTO pg_temp.seen VALUES ('before statement');
	ELSE
		INSERT INTO pg_temp.seen SELECT 'after statement', n.opportunity_id, o.amount, n.amount FROM n JOIN o USING (opportunity_id);
	END IF;
	RETURN NEW;
END$$;
CREATE TRIGGER before_statement BEFORE UPDATE OF amount ON sales_crm.opportunity FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER row_before BEFORE UPDATE OF amount ON sales_crm.opportunity FOR EACH ROW WHEN (NEW.amount > 5) EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER after_row AFTER UPDATE OF amount ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER after_statement AFTER UPDATE ON sales_crm.opportunity REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER of_another BEFORE UPDATE OF name ON sales_crm.opportunity FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'seen', max(account_id) FROM sales_crm.account;
SELECT pg_temp.line('seen', 2.5);
SELECT pg_temp.line('seen', 10);
SELECT results_eq('SELECT what, id = pg_temp.deal(''seen''), old, new FROM pg_temp.seen', $$VALUES ('before statement', NULL, NULL, NULL::numeric),
	('AFTER row', true, NULL, 2.50), ('after statement', true, NULL, 2.50),
	('before statement', NULL, NULL, NULL), ('BEFORE row', true, 2.50, 12.50), ('AFTER row', true, 2.50, 12.50), ('after statement', true, 2.50, 12.50)$$,
	'triggers of all kinds, UPDATE OF and WHEN');
DROP TRIGGER before_statement ON sales_crm.opportunity;
DROP TRIGGER row_before ON sales_crm.opportunity;
DROP TRIGGER after_row ON sales_crm.opportunity;
DROP TRIGGER after_statement ON sales_crm.opportunity;
SELECT is(string_agg(new, ',' ORDER BY opportunity_change_id), '2.50,12.50', 'and ours') FROM sales_crm.opportunity_change WHERE opportunity_id = pg_temp.deal('seen') AND field = 'amount';

ALTER TABLE sales_crm.opportunity ADD twice numeric GENERATED ALWAYS AS (amount * 2) STORED, ADD CONSTRAINT small CHECK (amount < 1000 OR name <> 'seen') NOT VALID;
SELECT pg_temp.line('seen', 10);
SELECT is((amount, twice), (22.50, 45.00), 'a generated column') FROM sales_crm.opportunity WHERE name = 'seen';
SELECT throws_ok($$SELECT pg_temp.line('seen', 990)$$, '23514', NULL, 'a CHECK');
ALTER TABLE sales_crm.opportunity DROP CONSTRAINT small;

CREATE UNIQUE INDEX opportunity_amount ON sales_crm.opportunity (amount) WHERE name LIKE 'index%';
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'index ' || i, max(account_id) FROM sales_crm.account, generate_series(1, 2) i GROUP BY i;
SELECT pg_temp.line('index 1', 77);
SELECT throws_ok($$SELECT pg_temp.line('index 2', 77)$$, '23505', NULL, 'a unique index on the amount');
SELECT pg_temp.line('index 2', 78);
SET LOCAL enable_seqscan = off;
SELECT is(string_agg(name, ','), 'index 2', 'which has the row') FROM sales_crm.opportunity WHERE amount = 78 AND name LIKE 'index%';
RESET enable_seqscan;

CREATE FUNCTION pg_temp.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER a_skip BEFORE UPDATE ON sales_crm.opportunity FOR EACH ROW WHEN (OLD.name = 'seen') EXECUTE FUNCTION pg_temp.skip();
SELECT pg_temp.line('seen', 1);
SELECT is(pg_temp.amount('seen'), 22.50, 'a trigger that skips the row');
DROP TRIGGER a_skip ON sales_crm.opportunity;
CREATE FUNCTION pg_temp.change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
	UPDATE sales_crm.opportunity SET description = 'changed' WHERE opportunity_id = NEW.opportunity_id AND description IS NULL;
	RETURN NEW;
END$$;
CREATE TRIGGER a_change BEFORE UPDATE ON sales_crm.opportunity FOR EACH ROW WHEN (OLD.description IS NULL AND NEW.description IS NULL) EXECUTE FUNCTION pg_temp.change();
SELECT throws_ok($$SELECT pg_temp.line('seen', 1)$$, '27000', NULL, 'a trigger that changes the row first');
DROP TRIGGER a_change ON sales_crm.opportunity;
SELECT pg_temp.line('seen', 1);
SELECT pg_temp.right('and without it');

CREATE RULE also AS ON UPDATE TO sales_crm.opportunity DO ALSO INSERT INTO pg_temp.seen VALUES ('rule');
SELECT pg_temp.line('seen', 1);
SELECT isnt_empty($$SELECT FROM pg_temp.seen WHERE what = 'rule'$$, 'a rule');
DROP RULE also ON sales_crm.opportunity;
SET LOCAL client_min_messages = error;
CREATE PUBLICATION pgtap_all FOR TABLE sales_crm.opportunity;
ALTER TABLE sales_crm.opportunity REPLICA IDENTITY NOTHING;
SELECT throws_ok($$SELECT pg_temp.line('seen', 1)$$, '55000', NULL, 'published, it needs an identity');
ALTER TABLE sales_crm.opportunity REPLICA IDENTITY DEFAULT;
DROP PUBLICATION pgtap_all;

SELECT * FROM finish();
ROLLBACK;
