-- Promise: the page of an account tells all in one row; duplicates are found; merging moves
-- everything, closed opportunities and the user's own tables too, and leaves a trace.
BEGIN;
SELECT plan(24);
SELECT is(sales_crm.normal_account_name(v.name), v.expected, v.name) FROM (VALUES
	('Acme N.V.', 'acme'), ('ACME nv', 'acme'), ('The Acme Company', 'acme'), ('Société Générale SA', 'societe generale'),
	('Müller & Söhne GmbH', 'muller sohne'), ('O''Brien Ltd.', 'obrien'), ('Nvidia', 'nvidia')) AS v (name, expected);

INSERT INTO sales_crm.member (name, login, is_manager) VALUES ('Sam', current_user, true);
INSERT INTO sales_crm.account (name, email, phone, website, vat_number, city, external_id) VALUES
	('Acme NV', 'info@acme.example', '+32 9 123 45 67', NULL, 'BE 0123.456.749', NULL, 'a'),
	('ACME', NULL, '09/123.45.67', 'https://www.Acme.example/en', 'BE0123456749', 'Ghent', 'b'),
	('Bolt', 'bolt@gmail.com', NULL, NULL, NULL, NULL, NULL), ('Nut', 'nut@gmail.com', NULL, NULL, NULL, NULL, NULL);
CREATE FUNCTION pg_temp.id(text) RETURNS bigint LANGUAGE sql AS $$SELECT account_id FROM sales_crm.account WHERE name = $1$$;
CREATE TEMP TABLE was AS SELECT pg_temp.id('Acme NV') AS keep, pg_temp.id('ACME') AS remove;
SELECT results_eq('SELECT account_id, duplicate_id, reasons FROM sales_crm.find_duplicate_accounts()',
	$$SELECT keep, remove, '{domain,name,phone,vat_number}'::text[] FROM was$$, 'one pair, for four reasons; a common mail provider is none');

-- Everything an account can have
INSERT INTO sales_crm.contact (account_id, name) SELECT remove, 'Carl' FROM was;
INSERT INTO sales_crm.opportunity (name, account_id, contact_id, amount) SELECT 'Open', remove, contact_id, 100 FROM was, sales_crm.contact;
INSERT INTO sales_crm.opportunity (name, account_id, amount, currency) SELECT 'Dollars', remove, 7, 'USD' FROM was;
INSERT INTO sales_crm.opportunity (name, account_id, amount, phase_id) SELECT 'Won', remove, 50, phase_id FROM was, sales_crm.phase WHERE phase.name = 'Won';
INSERT INTO sales_crm.task (account_id, subject, due_on) SELECT remove, 'Next', '2000-01-01' FROM was;
INSERT INTO sales_crm.note (account_id, body, created_at) SELECT remove, 'n', '2020-01-01' FROM was;
INSERT INTO sales_crm.appointment (account_id, subject, starts_at) SELECT remove, 'p', '2021-01-01' FROM was;
INSERT INTO sales_crm.email (account_id, direction, sent_at) SELECT remove, 'incoming', '2022-01-01' FROM was;
INSERT INTO sales_crm.attachment (account_id, file_name, content) SELECT remove, 'f', 'x' FROM was;
CREATE TABLE public.pgtap_machine (account_id bigint REFERENCES sales_crm.account, name text);
INSERT INTO public.pgtap_machine SELECT remove, 'pump' FROM was;

SELECT results_eq($$SELECT open_opportunities, won, lost, last_contact_at, next_step, next_step_on, jsonb_array_length(opportunities), jsonb_array_length(contacts) FROM sales_crm.account_overview WHERE name = 'ACME'$$,
	$$VALUES (2::bigint, 1::bigint, 0::bigint, timestamptz '2022-01-01', 'Next', date '2000-01-01', 3, 1)$$, 'account_overview');
SELECT is(amounts, '[{"won": 50, "open": 100, "currency": "EUR"}, {"won": 0, "open": 7, "currency": "USD"}]', 'amounts per currency') FROM sales_crm.account_overview WHERE name = 'ACME';
SELECT is(opportunities -> 2 ->> 'name', 'Won', 'open opportunities first') FROM sales_crm.account_overview WHERE name = 'ACME';
SELECT results_eq($$SELECT account, opportunities -> 0 ->> 'name' FROM sales_crm.contact_overview$$, $$VALUES ('ACME', 'Open')$$, 'contact_overview');

SELECT throws_ok($$UPDATE sales_crm.opportunity SET account_id = (SELECT keep FROM was) WHERE name = 'Won'$$, 'SC004', NULL, 'the account of a closed opportunity is frozen');
SELECT throws_ok('SELECT sales_crm.merge_accounts(keep, keep) FROM was', '22023', NULL, 'not with itself');
SELECT throws_ok('SELECT sales_crm.merge_accounts(keep, 0) FROM was', 'P0002', NULL, 'not with nothing');
SELECT lives_ok('SELECT sales_crm.merge_accounts(keep, remove) FROM was', 'merge_accounts()');
SELECT is_empty($$SELECT FROM sales_crm.account WHERE account_id = (SELECT remove FROM was)$$, 'one is gone');
SELECT results_eq($$SELECT 'opportunity', count(*) FROM sales_crm.opportunity, was WHERE account_id = keep UNION ALL SELECT 'contact', count(*) FROM sales_crm.contact, was WHERE account_id = keep
	UNION ALL SELECT 'task', count(*) FROM sales_crm.task, was WHERE account_id = keep UNION ALL SELECT 'note', count(*) FROM sales_crm.note, was WHERE account_id = keep
	UNION ALL SELECT 'appointment', count(*) FROM sales_crm.appointment, was WHERE account_id = keep UNION ALL SELECT 'email', count(*) FROM sales_crm.email, was WHERE account_id = keep
	UNION ALL SELECT 'attachment', count(*) FROM sales_crm.attachment, was WHERE account_id = keep UNION ALL SELECT 'machine', count(*) FROM public.pgtap_machine, was WHERE account_id = keep$$,
	$$VALUES ('opportunity', 3::bigint), ('contact', 1), ('task', 1), ('note', 1), ('appointment', 1), ('email', 1), ('attachment', 1), ('machine', 1)$$, 'everything went to the other');
SELECT results_eq('SELECT city, phone, website IS NOT NULL, external_id FROM sales_crm.account, was WHERE account_id = keep', $$VALUES ('Ghent', '+32 9 123 45 67', true, 'a')$$, 'what was missing is filled in, what was known stays');
SELECT results_eq($$SELECT removed_id = remove, kept_id = keep, removed ->> 'name', removed ->> 'external_id', by IS NOT NULL FROM sales_crm.account_merge, was$$, $$VALUES (true, true, 'ACME', 'b', true)$$, 'the trace');
SELECT is(count(*), 3::bigint, 'and the history of each opportunity tells of it') FROM sales_crm.opportunity_change WHERE field = 'account_id';
SELECT is_empty('SELECT FROM sales_crm.verify_opportunities()', 'verified');
SELECT is_empty('SELECT FROM sales_crm.find_duplicate_accounts()', 'no duplicate is left');
SELECT throws_ok($$UPDATE sales_crm.opportunity SET account_id = pg_temp.id('Bolt') WHERE name = 'Won'$$, 'SC004', NULL, 'a closed opportunity is as frozen as before');

SELECT * FROM finish();
ROLLBACK;
