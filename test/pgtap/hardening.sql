-- Promise: nothing of the extension lets a caller run code with somebody else's rights. Functions that
-- work as their owner are those listed here, each with its reason, and no other; what sellers may
-- call of them asks first what they see. Every function has a fixed search_path, or is one expression
-- that is inlined. Trigger functions refuse other tables. The script neither takes over objects that
-- were there before (CVE-2022-2625) nor leaves a name to the search_path (the rules of pgspot).
BEGIN;
SELECT plan(22);
SET client_min_messages = warning;

CREATE TEMP TABLE definer (function text, reason text);
INSERT INTO definer VALUES
	-- Triggers write or read what the caller may not
	('appointment_attendee_guard', 'the time of an appointment that the attendee may not see'),
	('appointment_guard', 'company and zones, whatever rights the caller has'),
	('appointment_history', 'appointment_change is nobody''s to write'),
	('attachment_forget', 'attachment_content is nobody''s to write'),
	('discount_approval_follow', 'a task for a manager, a discount on approval'),
	('email_attachments', 'attachments follow their e-mail, whoever attached them'),
	('exchange_rate_guard', 'counts closed opportunities, of everybody'),
	('note_guard', 'the member, whatever rights the caller has'),
	('phase_guard', 'counts opportunities, of everybody'),
	('pipeline_guard', 'counts opportunities, of everybody'),
	('source_guard', 'counts opportunities, of everybody'),
	('quote_follow', 'what follows from a quote, of everybody'),
	('quote_link_guard', 'links are nobody''s to write'),
	('task_guard', 'the member, whatever rights the caller has'),
	('task_history', 'task_change is nobody''s to write'),
	('task_recur', 'the next task may be somebody else''s'),
	('tax_rate_follow', 'lines of everybody''s open opportunities'),
	-- Verbs of members: they ask what the session sees, then write what nobody may write by hand
	('attends', 'attendees of an appointment whose policy asks it'),
	('create_calendar_feed', 'token hashes are nobody''s to write'),
	('download_attachment', 'content is read by this function alone, which logs it'),
	('extend_quote', 'quotes that were sent change by verbs'),
	('line_cost', 'costs are guarded columns'),
	('make_quote_link', 'token hashes are nobody''s to write'),
	('merge_accounts', 'rows of everybody that refer to an account'),
	('preview_email', 'members'' addresses and templates, after asking for quote and opportunity'),
	('record_paper_signature', 'answers are nobody''s to write'),
	('revise_quote', 'quotes that were sent change by verbs'),
	('revoke_quote_link', 'links are nobody''s to write'),
	('search', 'indexes by words are of no use behind policies; each row is asked about'),
	('withdraw_quote', 'quotes that were sent change by verbs'),
	-- Inner parts of those, which nobody may call
	('log_access', 'access_log is nobody''s to write'),
	('person_keys', 'inner part of export_person()'),
	('tell_assignment', 'notifications of somebody else'),
	('queue_webhooks', 'the outbox is nobody''s to write'),
	-- Customers, by token
	('calendar_feed_ics', 'whoever has the token of a calendar'),
	('decline_quote', 'whoever has the token of a link'),
	('record_view', 'whoever has the token of a link'),
	('quote_pdf', 'whoever has the token of a link'),
	('present_signing_code', 'whoever has the token of a link'),
	('request_signing_code', 'whoever has the token of a link'),
	('request_change', 'whoever has the token of a link'),
	-- The sender, which touches no table
	('add_email_attachment', 'for the sender'),
	('bury_message', 'for the sender'),
	('claim_messages', 'for the sender'),
	('complete_message', 'for the sender'),
	('complete_messages', 'for the sender'),
	('extend_lease', 'for the sender'),
	('fail_message', 'for the sender'),
	('message_attachment', 'for the sender'),
	('record_bounce', 'for the sender'),
	('record_email', 'for the sender'),
	('record_invitation', 'for the sender'),
	('sending_active', 'for the sender'),
	('store_pdf', 'for the sender'),
	('webhook_urls', 'for the sender'),
	-- Administration and housekeeping
	('activate_sending', 'for admins'),
	('apply_retention', 'for admins and the sender, rows of everybody'),
	('checkpoint_quote_events', 'for admins and the sender, rows of everybody'),
	('deactivate_sending', 'for admins'),
	('discard_messages', 'for admins'),
	('erase_person', 'for admins, rows of everybody'),
	('follow_quote', 'opportunity and tasks of a quote, of everybody'),
	('remind_quotes', 'for admins and the sender, rows of everybody'),
	('expire_quotes', 'for admins and the sender, rows of everybody'),
	('export_person', 'for admins, rows of everybody'),
	('housekeeping', 'for admins and the sender, rows of everybody'),
	('prune_messages', 'for admins and the sender, rows of everybody'),
	('remind_members', 'for admins and the sender, rows of everybody'),
	('redrive_messages', 'for admins'),
	('send_test_webhook', 'for admins');
CREATE TEMP VIEW routine AS
SELECT p.oid, p.proname, p.prosecdef, p.prosrc, p.proconfig, p.proacl, p.provolatile, p.proleakproof, l.lanname, p.prorettype = 'trigger'::regtype AS of_trigger
FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang WHERE p.pronamespace = 'sales_crm'::regnamespace;

SELECT is_empty($$SELECT proname FROM routine WHERE prosecdef AND proname NOT IN (SELECT function FROM definer)$$, 'every function that works as its owner is listed, with its reason');
SELECT is_empty($$SELECT function FROM definer WHERE function NOT IN (SELECT proname FROM routine WHERE prosecdef)$$, 'and the list has no other');
SELECT is_empty($$
	SELECT proname FROM routine r
	WHERE prosecdef AND (has_function_privilege('sales_crm_seller', oid, 'EXECUTE') OR has_function_privilege('sales_crm_app', oid, 'EXECUTE'))
		AND prosrc !~ 'sales_crm\.(sees|sees_owner|require_quote|is_admin)\(' AND proname <> 'calendar_feed_ics'
$$, 'those that members may call ask first what the session sees');
SELECT is_empty($$SELECT proname FROM routine WHERE prosecdef AND lanname NOT IN ('sql', 'plpgsql')$$, 'none of them is in C');
SELECT is_empty($$
	SELECT proname FROM routine WHERE (lanname = 'plpgsql' OR prosecdef) AND NOT coalesce(proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']
$$, 'search_path is fixed');
SELECT is_empty($$
	SELECT proname FROM routine WHERE lanname = 'sql' AND NOT coalesce(proconfig, '{}') @> array['search_path=pg_catalog, pg_temp']
		AND proname NOT IN ('default_quote_body', 'effective_probability', 'evidence_body', 'forecast_cells_as_of', 'forecast_recomputed',
			'probability_as_of', 'quote_words', 'today')
$$, 'of SQL functions, too, but for those that are to be inlined');
SELECT is_empty($$SELECT proname FROM routine WHERE proconfig::text ~ '(session_replication_role|row_security|role=)'$$, 'none sets what switches protection off');
SELECT is_empty($$SELECT proname FROM routine WHERE proleakproof AND proname <> 'sees_owner'$$, 'one function is leakproof, and says why');
SELECT is_empty($$SELECT proname FROM routine WHERE lanname NOT IN ('c', 'sql', 'plpgsql') AND oid NOT IN (SELECT aggfnoid FROM pg_aggregate)$$, 'no other languages');
-- Dynamic SQL as the owner: names quoted by %I, or from the catalog as regclass
SELECT is_empty($$SELECT proname FROM routine WHERE prosecdef AND prosrc ~ 'EXECUTE' AND proname NOT IN ('merge_accounts', 'export_person', 'erase_person')$$, 'functions that work as their owner build no SQL, but for three');

-- Inlined functions find nothing that a caller made
CREATE SCHEMA trap;
CREATE FUNCTION trap.coalesce_trap(numeric, numeric) RETURNS numeric LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE OPERATOR trap.* (FUNCTION = trap.coalesce_trap, LEFTARG = numeric, RIGHTARG = numeric);
CREATE FUNCTION trap.local_date(timestamptz) RETURNS date LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'trapped'; END$$;
SET LOCAL search_path = pg_catalog, trap, public;
SELECT lives_ok('SELECT sales_crm.today(), sales_crm.effective_probability(NULL, 10, NULL), sales_crm.probability_as_of(1, ''2026-01-01''); SELECT * FROM sales_crm.forecast_cells_as_of(''2026-01-01''); SELECT * FROM sales_crm.forecast_recomputed()', 'with a search_path that has traps behind pg_catalog');
SET LOCAL search_path = "$user", public;

-- Trigger functions on a table they were not written for: the C ones name it, none of them works
CREATE TABLE public.pgtap_foreign (opportunity_id bigint, quote_id bigint);
CREATE FUNCTION pg_temp.refuses(function text) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
	way text;
BEGIN
	FOREACH way IN ARRAY array['BEFORE INSERT ON public.pgtap_foreign FOR EACH ROW', 'BEFORE INSERT ON public.pgtap_foreign FOR EACH STATEMENT',
		'AFTER INSERT ON public.pgtap_foreign FOR EACH ROW', 'AFTER INSERT ON public.pgtap_foreign FOR EACH STATEMENT',
		'AFTER INSERT ON public.pgtap_foreign REFERENCING NEW TABLE AS new_row FOR EACH STATEMENT']
	LOOP
		BEGIN
			EXECUTE format('CREATE TRIGGER t %s EXECUTE FUNCTION sales_crm.%I()', way, function);
			INSERT INTO public.pgtap_foreign VALUES (1, 1);
			DROP TRIGGER t ON public.pgtap_foreign;
			RETURN way;
		EXCEPTION WHEN OTHERS THEN
			NULL;
		END;
	END LOOP;
	RETURN NULL;
END
$f$;
-- These two work on any table, and change nothing: one makes sessions read it again, the other waits
SELECT is_empty($$
	SELECT proname, pg_temp.refuses(proname) FROM routine WHERE of_trigger AND lanname = 'c' AND proname NOT IN ('configuration_invalidate', 'configuration_lock')
		AND pg_temp.refuses(proname) IS NOT NULL
$$, 'trigger functions in C refuse foreign tables');
SELECT is_empty($$SELECT routine.oid::regprocedure FROM routine, pg_roles r WHERE of_trigger AND r.rolname LIKE 'sales\_crm\_%' AND has_function_privilege(r.oid, routine.oid, 'EXECUTE')$$,
	'nobody can put a trigger function on a table');
SELECT is_empty($$
	SELECT c.relname, p.proname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE c.relnamespace = 'sales_crm'::regnamespace AND NOT t.tgisinternal AND p.pronamespace <> 'sales_crm'::regnamespace
$$, 'our tables call our functions alone');

-- Definitions that run with a caller's or a dumper's rights call nothing but built-ins and ours
SELECT is_empty($$
	SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid) FROM pg_depend d JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
	WHERE p.pronamespace NOT IN ('sales_crm'::regnamespace, 'pg_catalog'::regnamespace) AND d.classid IN ('pg_constraint'::regclass, 'pg_attrdef'::regclass, 'pg_rewrite'::regclass, 'pg_policy'::regclass)
		AND d.objid IN (SELECT oid FROM pg_constraint WHERE connamespace = 'sales_crm'::regnamespace UNION ALL SELECT a.oid FROM pg_attrdef a JOIN pg_class c ON c.oid = a.adrelid WHERE c.relnamespace = 'sales_crm'::regnamespace
			UNION ALL SELECT r.oid FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class WHERE c.relnamespace = 'sales_crm'::regnamespace UNION ALL SELECT l.oid FROM pg_policy l)
$$, 'checks, defaults, views and policies call built-ins and our functions');

-- The script, line by line
CREATE TEMP TABLE script AS
SELECT n, line FROM regexp_split_to_table(pg_read_file((SELECT setting || '/extension/sales_crm--1.0.sql' FROM pg_config WHERE name = 'SHAREDIR')), E'\n') WITH ORDINALITY AS s (line, n);
SELECT cmp_ok((SELECT count(*) FROM script), '>', 3000::bigint, 'the script is there');
SELECT is_empty($$SELECT n, line FROM script WHERE line ~* '\mcreate\s+or\s+replace\M'$$, 'it replaces nothing that was there before');
SELECT is_empty($$SELECT n, line FROM script WHERE line ~* '\mif\s+not\s+exists\M' AND line !~* '^\s*CREATE (UNIQUE )?INDEX IF NOT EXISTS' AND line !~ '^\s*(IF|AND|OR|EXIT WHEN|WHERE|\)?\s*THEN|SELECT|WHEN|--)' AND line ~* 'create'$$,
	'and takes over no schema, table, sequence or function');
SELECT is_empty($$SELECT n, line FROM script WHERE line ~* '^\s*create\s+(unlogged\s+|temp\s+)?(table|view|function|procedure|aggregate|sequence|type|domain|operator)\s+(?!(if not exists\s+)?(sales_crm\.|%))' AND line !~* 'pg_temp'$$,
	'all it creates has its schema');
SELECT is_empty($$SELECT n, line FROM script WHERE line ~* '\m(from|join|update)\s+(opportunity|account|contact|member|quote|task|company)\M(?!\s*\()' AND line !~ '^\s*(--|''|COMMENT)' AND line !~* 'distinct\s+from|''[^'']*\m(from|join|into|update)'$$,
	'it names no table of ours without the schema');
SELECT is_empty($$SELECT n, line FROM script WHERE line ~* '^\s*set\s+(local\s+)?search_path' AND line !~ 'SET search_path = pg_catalog, pg_temp$'$$, 'it knows one search_path');
SELECT results_eq($$SELECT trusted, superuser, relocatable, schema FROM pg_available_extension_versions WHERE name = 'sales_crm' AND version = '1.0'$$,
	$$VALUES (false, true, false, 'pg_catalog'::name)$$, 'superusers install it, in one place');

SELECT * FROM finish();
ROLLBACK;
