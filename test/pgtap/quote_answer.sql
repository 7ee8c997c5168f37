-- Promise: a quote has at most one answer, and all that follows from it in the same commit, whatever
-- strangers say; links that open nothing are alike; expiry is true by time; reminders come once.
BEGIN;
SELECT plan(100);

INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
-- deal(NAME): an opportunity of Sam with a line; offer(DEAL): a sent quote of it, and its token
CREATE FUNCTION pg_temp.deal(name text) RETURNS bigint LANGUAGE sql AS $$
	WITH o AS (INSERT INTO sales_crm.opportunity (name, account_id, owner_id)
		SELECT $1, a.account_id, m.member_id FROM sales_crm.account a, sales_crm.member m RETURNING opportunity_id)
	INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) SELECT opportunity_id, 'Lamp', 100 FROM o RETURNING opportunity_id
$$;
CREATE TEMP TABLE offer (name text, quote_id bigint, token text, hash bytea);
CREATE FUNCTION pg_temp.offer(name text, deal bigint, VARIADIC args text[] DEFAULT '{}') RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	made bigint := sales_crm.create_quote(deal);
	sent record;
BEGIN
	sent := sales_crm.send_quote(made, recipient_name => coalesce(args[1], 'An'), email => args[2]);
	INSERT INTO offer SELECT $1, q.quote_id, sent.token, q.snapshot_sha256 FROM sales_crm.quote q WHERE q.quote_id = made;
END
$$;
CREATE FUNCTION pg_temp.sign(name text, key text DEFAULT 'k', signer text DEFAULT 'An Peeters') RETURNS text LANGUAGE sql AS $$
	SELECT s.status FROM offer o, sales_crm.sign_quote(o.token, o.hash, $3, 'an@example.com', NULL, '203.0.113.7', 'Browser', $2, 'I agree.') s WHERE o.name = $1
$$;
CREATE FUNCTION pg_temp.token(name text) RETURNS text LANGUAGE sql AS $$ SELECT o.token FROM offer o WHERE o.name = $1 $$;
CREATE FUNCTION pg_temp.id(name text) RETURNS bigint LANGUAGE sql AS $$ SELECT o.quote_id FROM offer o WHERE o.name = $1 $$;
CREATE FUNCTION pg_temp.status(name text) RETURNS text LANGUAGE sql AS $$ SELECT q.status FROM sales_crm.quote q JOIN offer o USING (quote_id) WHERE o.name = $1 $$;
CREATE FUNCTION pg_temp.phase(name text) RETURNS text LANGUAGE sql AS $$
	SELECT p.name FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (phase_id) WHERE o.opportunity_id = (SELECT q.opportunity_id FROM sales_crm.quote q JOIN offer f USING (quote_id) WHERE f.name = $1)
$$;
CREATE FUNCTION pg_temp.file(name text) RETURNS text LANGUAGE sql AS $$
	SELECT a.file_name || ' ' || a.media_type FROM sales_crm.signature s JOIN sales_crm.attachment a USING (attachment_id) WHERE s.quote_id = pg_temp.id($1)
$$;
CREATE FUNCTION pg_temp.told(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(n.event || coalesce(' ' || n.body, ''), '; ' ORDER BY n.notification_id) FROM sales_crm.notification n WHERE n.quote_id = pg_temp.id($1)
$$;
-- state(SQL): SQLSTATE, and with it everything else that a caller learns of the error
CREATE FUNCTION pg_temp.state(sql text, whole boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	code text; message text; detail text; hint text; field text;
BEGIN
	EXECUTE sql;
	RETURN 'none';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, field = COLUMN_NAME;
	RETURN CASE WHEN whole THEN concat_ws('|', code, message, detail, hint) ELSE concat_ws(' ', code, nullif(field, '')) END;
END
$$;
-- past(NAME): as if its last day were over
CREATE FUNCTION pg_temp.past(name text, days integer DEFAULT 1) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	ALTER TABLE sales_crm.quote DISABLE TRIGGER USER;
	UPDATE sales_crm.quote SET valid_until = sales_crm.today() - days WHERE quote_id = pg_temp.id($1);
	ALTER TABLE sales_crm.quote ENABLE TRIGGER USER;
END
$$;

-- Reading
SELECT pg_temp.offer('one', pg_temp.deal('one'));
SELECT is((SELECT o.status || ' ' || o.recipient_name || ' ' || (o.snapshot_sha256 = f.hash) FROM offer f, sales_crm.open_quote(f.token) o), 'sent An true', 'a link opens its quote');
SELECT is(pg_temp.status('one'), 'sent', 'opening it changes nothing: a scanner does not view');
SELECT is((SELECT views FROM sales_crm.quote_link), 0, 'nor does it count');
SELECT lives_ok($$ SELECT sales_crm.record_view(pg_temp.token('one'), '203.0.113.7', repeat('x', 5000)) FROM generate_series(1, 3) $$, 'a person looks, three times');
SELECT is((SELECT q.status || ' ' || l.views FROM sales_crm.quote q JOIN sales_crm.quote_link l USING (quote_id)), 'viewed 3', 'it is viewed, and each time counts');
SELECT is((SELECT count(*) || ' ' || min(data ->> 'ip') || ' ' || min(length(data ->> 'user_agent')) FROM sales_crm.quote_event WHERE kind = 'viewed'), '1 203.0.113.7 1000', 'one event says from where');
SELECT is(pg_temp.told('one'), 'quote.viewed', 'the seller is told once');

-- Online signature with no event and no notification (Dolibarr 20204, 20432)
SELECT is(pg_temp.state($$ SELECT sales_crm.sign_quote(pg_temp.token('one'), '\x00', 'An', request_key => 'k', consent_text => 'I agree.') $$), 'SC105', 'what was not read is not signed');
SELECT is(pg_temp.state($$ SELECT sales_crm.sign_quote(pg_temp.token('one'), NULL, 'An', request_key => 'k', consent_text => 'I agree.') $$), 'SC105', 'nor without saying what was read');
SELECT is(pg_temp.sign('one'), 'signed', 'the customer signs');
SELECT is(pg_temp.phase('one'), 'Quotation signed', 'the opportunity moves');
SELECT is((SELECT by FROM sales_crm.opportunity_change WHERE field = 'phase_id'), NULL, 'moved by nobody of the company');
SELECT is(pg_temp.told('one'), 'quote.viewed; quote.signed An Peeters', 'the seller knows');
SELECT is((SELECT string_agg(kind, ' ' ORDER BY position) FROM sales_crm.quote_event), 'created sent link_created viewed signed document', 'its events');
SELECT is((SELECT e.data ->> 'sha256' FROM sales_crm.quote_event e WHERE kind = 'document'), (SELECT encode(a.sha256, 'hex') FROM sales_crm.attachment a JOIN sales_crm.signature USING (attachment_id)), 'the chain has the hash of the signed document');
SELECT ok(convert_from(d.content, 'UTF8') LIKE '%An Peeters%203.0.113.7%I agree.%' AND position(q.snapshot_sha256::text IN '\x' || convert_from(d.content, 'UTF8')) > 0 OR position(encode(q.snapshot_sha256, 'hex') IN convert_from(d.content, 'UTF8')) > 0,
	'the document has signer and hash') FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id), sales_crm.download_attachment(s.attachment_id) d;
SELECT is((SELECT (s.signer_name, s.signer_email, host(s.ip), s.user_agent, s.consent_text, s.snapshot_sha256 = q.snapshot_sha256)::text FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id)),
	'("An Peeters",an@example.com,203.0.113.7,Browser,"I agree.",t)', 'the evidence');

-- Repetitions
SELECT is((SELECT s.answered_at FROM offer o, sales_crm.sign_quote(o.token, o.hash, 'An Peeters', 'an@example.com', NULL, '198.51.100.1', 'Another', 'k', 'I agree.') s), (SELECT answered_at FROM sales_crm.quote), 'the same request again gets the first result, also from elsewhere');
SELECT is((SELECT count(*) FROM sales_crm.quote_event), 6::bigint, 'and does nothing');
SELECT is(pg_temp.state($$ SELECT pg_temp.sign('one', 'k', 'Somebody Else') $$), 'SC107', 'the same key with another payload is an error');
SELECT is(pg_temp.state($$ SELECT sales_crm.decline_quote(pg_temp.token('one'), request_key => 'k') $$), 'SC107', 'also for another answer');
SELECT is(pg_temp.state($$ SELECT pg_temp.sign('one', 'other') $$), 'SC106', 'two parallel accepts do not make two orders');
SELECT is(pg_temp.state($$ SELECT sales_crm.decline_quote(pg_temp.token('one'), request_key => 'd') $$), 'SC106', 'who has signed does not decline (Documenso)');
SELECT is(pg_temp.state($$ SELECT sales_crm.request_change(pg_temp.token('one'), 'Blue', request_key => 'd') $$), 'SC106', 'nor asks for a change');
SELECT is(pg_temp.state($$ SELECT sales_crm.revise_quote(pg_temp.id('one')) $$), 'SC106', 'the seller does not revise it');
SELECT isnt(pg_temp.state($$ SELECT sales_crm.withdraw_quote(pg_temp.id('one')) $$), 'none', 'nor withdraw it');

-- A signed order could be edited afterwards and still carried the signature (odoo PR 245198)
SELECT is((SELECT string_agg(pg_temp.state(s), ' ') FROM unnest(array[
	$$ UPDATE sales_crm.signature SET signer_name = 'Other' $$, $$ DELETE FROM sales_crm.signature $$, $$ TRUNCATE sales_crm.signature $$,
	$$ UPDATE sales_crm.signature SET attachment_id = NULL $$, $$ UPDATE sales_crm.quote_answer SET status = 'x' $$, $$ DELETE FROM sales_crm.quote_answer $$,
	$$ UPDATE sales_crm.quote_event SET data = '{}' $$, $$ DELETE FROM sales_crm.quote_event $$, $$ TRUNCATE sales_crm.quote_event $$,
	$$ UPDATE sales_crm.quote_link SET recipient_name = 'x' $$, $$ DELETE FROM sales_crm.quote_link $$, $$ UPDATE sales_crm.quote SET html = 'x' $$]) s),
	'SC101 SC101 23001 SC101 SC101 SC101 SC101 SC101 23001 SC101 SC101 SC101', 'no statement changes what was signed, the owner''s neither');
SELECT isnt(pg_temp.state($$ DELETE FROM sales_crm.attachment $$), 'none', 'nor removes the signed document');

-- A signature and its document refer to each other's key, also where somebody added to the tables
SAVEPOINT added;
CREATE TEMP TABLE seen (what text);
CREATE FUNCTION pg_temp.see() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO seen SELECT TG_WHEN || ' ' || coalesce((SELECT a.file_name FROM sales_crm.attachment a WHERE a.attachment_id = NEW.attachment_id), 'nothing');
	RETURN NEW;
END $$;
CREATE TRIGGER a_see BEFORE INSERT ON sales_crm.signature FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
CREATE TRIGGER z_see AFTER INSERT ON sales_crm.signature FOR EACH ROW EXECUTE FUNCTION pg_temp.see();
SELECT pg_temp.offer('seen', pg_temp.deal('seen'));
SELECT is(pg_temp.sign('seen'), 'signed', 'signed with triggers of others');
SELECT results_eq('SELECT what FROM seen', format($$ VALUES ('BEFORE nothing'), ('AFTER %s-signed.html') $$, (SELECT number FROM sales_crm.quote WHERE quote_id = pg_temp.id('seen'))), 'the last of which see the document');
CREATE RULE also AS ON INSERT TO sales_crm.signature DO ALSO INSERT INTO seen VALUES ('rule');
SELECT pg_temp.offer('rule', pg_temp.deal('rule'));
SELECT is(pg_temp.sign('rule'), 'signed', 'signed where the table needs a statement');
SELECT is((SELECT count(*) FROM seen WHERE what = 'rule'), 1::bigint, 'which it gets');
SELECT is(pg_temp.file('rule'), (SELECT number || '-signed.html text/html' FROM sales_crm.quote WHERE quote_id = pg_temp.id('rule')), 'and the document all the same');
ROLLBACK TO added;
SELECT is((SELECT count(*) FROM sales_crm.signature s LEFT JOIN sales_crm.attachment a USING (attachment_id) WHERE a.attachment_id IS NULL), 0::bigint, 'no signature without document');

-- Links that open nothing are alike
SELECT pg_temp.offer('links', pg_temp.deal('links'));
CREATE TEMP TABLE dead AS
SELECT v.kind, v.token FROM (VALUES ('missing', NULL), ('empty', ''), ('short', 'abc'), ('unknown', repeat('A', 43)), ('long', repeat('A', 100000)), ('odd', E'ü\n%''\\' || repeat('é', 40)), ('blank', repeat(' ', 43))) AS v (kind, token);
INSERT INTO dead SELECT 'padded', pg_temp.token('links') || '=';
INSERT INTO dead SELECT 'revoked', m.token FROM sales_crm.make_quote_link(pg_temp.id('links'), 'link', 'Bo') m;
SELECT sales_crm.revoke_quote_link(quote_link_id) FROM sales_crm.quote_link WHERE recipient_name = 'Bo';
INSERT INTO dead SELECT 'expired', m.token FROM sales_crm.make_quote_link(pg_temp.id('links'), 'link', 'Cy', expires_at => now() - interval '1 second') m;
INSERT INTO dead SELECT 'replaced', pg_temp.token('links');
UPDATE offer SET token = (SELECT token FROM sales_crm.make_quote_link(pg_temp.id('links'), 'link', 'An')) WHERE name = 'links';
SELECT is((SELECT count(DISTINCT pg_temp.state(format(f.call, d.token), true)) || ' ' || left(min(pg_temp.state(format(f.call, d.token), true)), 5) FROM dead d, unnest(array[
	'SELECT sales_crm.open_quote(%L)', 'SELECT sales_crm.record_view(%L)', 'SELECT sales_crm.sign_quote(%L, ''\x00'', ''An'', request_key => ''k'', consent_text => ''I'')',
	'SELECT sales_crm.request_change(%L, ''x'', request_key => ''k'')', 'SELECT sales_crm.decline_quote(%L, request_key => ''k'')', 'SELECT sales_crm.follow_quote(%L)']) AS f (call)),
	'1 SC103', 'malformed, unknown, revoked, replaced and expired links give the same error in each function');
SELECT is((SELECT status FROM sales_crm.open_quote(pg_temp.token('links'))), 'sent', 'the one in force opens');
SELECT is((SELECT count(*) FROM sales_crm.quote_link l, offer o WHERE l.token_tail = o.token OR l::text LIKE '%' || o.token || '%'), 0::bigint, 'no token is kept (Odoo, Documenso, DocuSeal)');
SELECT is((SELECT token_tail FROM sales_crm.quote_link WHERE token_sha256 = sha256(convert_to(pg_temp.token('links'), 'UTF8'))), right(pg_temp.token('links'), 4), 'its last four characters and its SHA-256 are');

-- What strangers say
SELECT is((SELECT string_agg(pg_temp.state(format('SELECT sales_crm.sign_quote(pg_temp.token(''links''), (SELECT hash FROM offer WHERE name = ''links''), %s)', a)), ', ' ORDER BY n) FROM unnest(array[
	$$ NULL, request_key => 'k', consent_text => 'I' $$, $$ '  ', request_key => 'k', consent_text => 'I' $$, $$ repeat('x', 201), request_key => 'k', consent_text => 'I' $$, $$ E'A\x01', request_key => 'k', consent_text => 'I' $$,
	$$ 'An', 'an', request_key => 'k', consent_text => 'I' $$, $$ 'An', 'a@b, c@d', request_key => 'k', consent_text => 'I' $$, $$ 'An', request_key => 'k' $$, $$ 'An', consent_text => 'I' $$,
	$$ 'An', request_key => repeat('k', 201), consent_text => 'I' $$, $$ 'An', NULL, '\x89504e470d0a1a0a', request_key => 'k', consent_text => 'I' $$, $$ 'An', NULL, '\x3c7376673e', request_key => 'k', consent_text => 'I' $$]) WITH ORDINALITY AS u (a, n)),
	'22023 signer_name, 22023 signer_name, 22023 signer_name, 22023 signer_name, 22023 signer_email, 22023 signer_email, 22023 consent_text, 22023 request_key, 22023 request_key, 22023, 22023', 'arguments of a signature');
SELECT is(pg_temp.state($$ SELECT sales_crm.request_change(pg_temp.token('links'), E' \n', request_key => 'k') $$), '22023 note', 'a change of nothing');
SELECT is(pg_temp.state($$ SELECT sales_crm.request_change(pg_temp.token('links'), repeat('x', 10001), request_key => 'k') $$), '22023 note', 'a novel');
SELECT is(pg_temp.state($$ SELECT sales_crm.decline_quote(pg_temp.token('links'), repeat('x', 10001), request_key => 'k') $$), '22023 reason', 'another');
SELECT is(pg_temp.status('links'), 'sent', 'none of it answered');

-- A change request
SELECT is((SELECT status FROM sales_crm.request_change(pg_temp.token('links'), E'Blue, please.\nAnd <b>two</b>.', 'An', 'an@example.com', '203.0.113.7', 'Browser', 'c1')), 'change_requested', 'the customer asks for a change');
SELECT is((SELECT origin || ' ' || priority || ' ' || (assignee_id = (SELECT member_id FROM sales_crm.member)) || ' ' || (details LIKE E'Blue, please.\nAnd <b>two</b>.%An, an@example.com') FROM sales_crm.task WHERE origin = 'change_request'), 'change_request high true true', 'which is a task of the seller with their words');
SELECT is((SELECT r.note FROM sales_crm.change_request r JOIN sales_crm.task USING (task_id)), E'Blue, please.\nAnd <b>two</b>.', 'and stays with the quote');
SELECT is(pg_temp.told('links'), E'quote.change_requested Blue, please.\nAnd <b>two</b>.', 'the seller is told');
SELECT is((SELECT status FROM sales_crm.request_change(pg_temp.token('links'), E'Blue, please.\nAnd <b>two</b>.', 'An', 'an@example.com', NULL, NULL, 'c1')), 'change_requested', 'again: the first result');
SELECT is((SELECT count(*) FROM sales_crm.task WHERE origin = 'change_request'), 1::bigint, 'and one task');
SELECT is(pg_temp.state($$ SELECT pg_temp.sign('links') $$), 'SC106', 'it is answered');

-- The next version
CREATE TEMP TABLE revision AS SELECT sales_crm.revise_quote(pg_temp.id('links')) AS quote_id;
SELECT is((SELECT status || ' ' || has_successor FROM sales_crm.open_quote(pg_temp.token('links'))), 'superseded false', 'an old link says so');
SELECT is(pg_temp.state($$ SELECT sales_crm.follow_quote(pg_temp.token('links')) $$), 'SC102', 'and leads nowhere while the new version is a draft');
SELECT count(*) FROM (SELECT sales_crm.send_quote(quote_id, recipient_name => 'An') FROM revision) x \gset
SELECT is((SELECT o.has_successor FROM sales_crm.open_quote(pg_temp.token('links')) o), true, 'the same recipient was sent the new one');
INSERT INTO offer (name, token) SELECT 'followed', sales_crm.follow_quote(pg_temp.token('links'));
SELECT is((SELECT o.status || ' ' || o.version FROM sales_crm.open_quote(pg_temp.token('followed')) o), 'sent 2', 'and gets to it');
SELECT is(pg_temp.state($$ SELECT pg_temp.sign('links') $$), 'SC102', 'the old one is not signed');
UPDATE offer SET quote_id = q.quote_id, hash = q.snapshot_sha256 FROM revision JOIN sales_crm.quote q USING (quote_id) WHERE name = 'followed';
SELECT is(pg_temp.sign('followed') || ' ' || pg_temp.file('followed'), 'signed ' || q.number || '-v2-signed.html text/html', 'the new one is; its file has its version')
FROM revision JOIN sales_crm.quote q USING (quote_id);

CREATE TEMP TABLE numbered AS SELECT sales_crm.create_quote(pg_temp.deal('numbered')) AS quote_id;
ALTER TABLE sales_crm.quote DISABLE TRIGGER USER;
UPDATE sales_crm.quote q SET number = 'Q/7\é' FROM numbered n WHERE q.quote_id = n.quote_id;
ALTER TABLE sales_crm.quote ENABLE TRIGGER USER;
INSERT INTO offer SELECT 'numbered', n.quote_id, s.token FROM numbered n, sales_crm.send_quote(n.quote_id) s;
UPDATE offer o SET hash = q.snapshot_sha256 FROM sales_crm.quote q WHERE q.quote_id = o.quote_id AND o.name = 'numbered';
SELECT is(pg_temp.sign('numbered') || ' ' || pg_temp.file('numbered'), 'signed Q-7-é-signed.html text/html', 'what no file name has becomes a hyphen');

-- Declining
SELECT pg_temp.offer('decline', pg_temp.deal('decline'));
SELECT is((SELECT status FROM sales_crm.decline_quote(pg_temp.token('decline'), 'Too dear', 'An', NULL, NULL, NULL, 'd')), 'declined', 'the customer declines');
SELECT is(pg_temp.phase('decline') || ' ' || pg_temp.told('decline'), 'New quote.declined Too dear', 'by default the seller is told, and no more');
UPDATE sales_crm.company SET declining_closes = true, declining_lost_reason_id = (SELECT min(lost_reason_id) FROM sales_crm.lost_reason);
SELECT pg_temp.offer(n, d) FROM pg_temp.deal('lost') d, unnest(array['lost', 'lost too']) n;
SELECT count(*) FROM (SELECT sales_crm.decline_quote(pg_temp.token('lost'), request_key => 'd')) x \gset
SELECT is(pg_temp.phase('lost'), 'New', 'with another open quote the opportunity stays open');
SELECT count(*) FROM (SELECT sales_crm.decline_quote(pg_temp.token('lost too'), request_key => 'd')) x \gset
SELECT is(pg_temp.phase('lost'), 'Lost', 'the last one loses it where the setting says so');
SELECT is((SELECT lost_reason_id FROM sales_crm.opportunity WHERE name = 'lost'), (SELECT min(lost_reason_id) FROM sales_crm.lost_reason), 'for the reason of the setting');

-- Several open quotes
SELECT pg_temp.offer(n, d) FROM pg_temp.deal('several') d, unnest(array['several 1', 'several 2', 'several 3']) n;
SELECT is(pg_temp.sign('several 2'), 'signed', 'one of several');
SELECT is(pg_temp.status('several 1') || ' ' || pg_temp.status('several 3'), 'superseded superseded', 'supersedes the others');
SELECT is((SELECT status || ' ' || has_successor FROM sales_crm.open_quote(pg_temp.token('several 1'))), 'superseded false', 'which have no newer version');
UPDATE sales_crm.company SET signing_supersedes_others = false;
SELECT pg_temp.offer(n, d) FROM pg_temp.deal('both') d, unnest(array['both 1', 'both 2']) n;
SELECT is(pg_temp.sign('both 1') || ' ' || pg_temp.sign('both 2'), 'signed signed', 'or not, by setting');

-- Opportunities that do not move
SELECT pg_temp.offer('closed', pg_temp.deal('closed'));
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Won') WHERE name = 'closed';
SELECT is(pg_temp.sign('closed') || ' ' || pg_temp.phase('closed') || ' ' || (pg_temp.told('closed') LIKE '%stays in its phase: the opportunity is closed.'), 'signed Won true', 'a closed opportunity stays so, and the seller is told');
UPDATE sales_crm.phase SET required_fields = '{expected_on}' WHERE on_quote_signed;
SELECT pg_temp.offer('required', pg_temp.deal('required'));
SELECT is(pg_temp.sign('required') || ' ' || pg_temp.phase('required') || ' ' || (pg_temp.told('required') LIKE '%stays in its phase: %'), 'signed New true', 'a rule of the pipeline does not hold up the signature');
UPDATE sales_crm.phase SET required_fields = '{}' WHERE on_quote_signed;
INSERT INTO sales_crm.phase (pipeline_id, name, position, probability) SELECT pipeline_id, 'Delivery', 10, 95 FROM sales_crm.pipeline;
SELECT pg_temp.offer('beyond', pg_temp.deal('beyond'));
UPDATE sales_crm.opportunity SET phase_id = (SELECT phase_id FROM sales_crm.phase WHERE name = 'Delivery') WHERE name = 'beyond';
SELECT is(pg_temp.sign('beyond') || ' ' || pg_temp.phase('beyond'), 'signed Delivery', 'one that is further does not go back');
UPDATE sales_crm.phase SET on_quote_signed = false;
SELECT pg_temp.offer('without', pg_temp.deal('without'));
SELECT is(pg_temp.sign('without') || ' ' || pg_temp.phase('without'), 'signed New', 'a pipeline without such a phase');
UPDATE sales_crm.phase SET on_quote_signed = true WHERE name = 'Quotation signed';

-- A quote expired at the start of its last day (invoiceninja/ui 2997)
SELECT pg_temp.offer(n, pg_temp.deal(n)) FROM unnest(array['last day', 'late', 'late too', 'signed late', 'paper']) n;
SELECT pg_temp.past('last day', 0);
SELECT is(pg_temp.sign('last day'), 'signed', 'the last day counts');
SELECT is(pg_temp.sign('signed late'), 'signed', 'one signed in time');
SELECT pg_temp.past(n) FROM unnest(array['late', 'late too', 'signed late', 'paper']) n;
SELECT is((SELECT status FROM sales_crm.open_quote(pg_temp.token('late'))) || ' ' || pg_temp.status('late'), 'expired sent', 'expired by time, before any job ran');
SELECT is(pg_temp.state($$ SELECT pg_temp.sign('late') $$) || ' ' || pg_temp.state($$ SELECT sales_crm.decline_quote(pg_temp.token('late'), request_key => 'd') $$), 'SC104 SC104', 'and not answered any more');
SELECT is(sales_crm.expire_quotes() || ' ' || sales_crm.expire_quotes(), '3 0', 'housekeeping writes it down, once');
SELECT is(pg_temp.status('late') || ' ' || pg_temp.status('signed late') || ' ' || pg_temp.told('late'), 'expired signed quote.expired', 'a nightly expiry job does not overwrite an answer (erpnext 25248)');
UPDATE sales_crm.company SET expiring_closes = true;
SELECT pg_temp.offer('gone', pg_temp.deal('gone')), pg_temp.past('gone');
SELECT sales_crm.expire_quotes();
SELECT is(pg_temp.phase('late') || ' ' || pg_temp.phase('gone'), 'New Expired', 'the opportunity expires by setting');

-- On paper
SELECT is(pg_temp.state($$ SELECT sales_crm.record_paper_signature(pg_temp.id('one'), 'An', '%PDF-1.7') $$), 'SC106', 'paper after a signature');
SELECT lives_ok($$ SELECT sales_crm.record_paper_signature(pg_temp.id('paper'), 'An Peeters', '%PDF-1.7') $$, 'paper that comes in late');
SELECT is((SELECT q.status || ' ' || s.paper || ' ' || a.media_type || ' ' || pg_temp.phase('paper') FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id) JOIN sales_crm.attachment a USING (attachment_id) WHERE s.quote_id = pg_temp.id('paper')), 'signed true application/pdf Quotation signed', 'does what a signature does, with the scan');
SELECT is(pg_temp.state($$ SELECT sales_crm.record_paper_signature(pg_temp.id('late'), ' ', '%PDF-1.7') $$), '22023 signer_name', 'by somebody');

-- Reminders
UPDATE sales_crm.quote_template SET remind_unviewed_days = 3, remind_unanswered_days = 5, remind_expiring_days = 2;
SELECT sales_crm.remind_quotes();
SELECT pg_temp.offer(n, pg_temp.deal(n)) FROM unnest(array['fresh', 'unviewed', 'unanswered', 'expiring', 'answered']) n;
SELECT sales_crm.record_view(pg_temp.token('unanswered')), pg_temp.sign('answered');
ALTER TABLE sales_crm.quote DISABLE TRIGGER USER;
UPDATE sales_crm.quote SET sent_at = sent_at - interval '3 days' WHERE quote_id IN (pg_temp.id('unviewed'), pg_temp.id('answered'));
UPDATE sales_crm.quote SET sent_at = sent_at - interval '9 days', viewed_at = viewed_at - interval '5 days' WHERE quote_id = pg_temp.id('unanswered');
UPDATE sales_crm.quote SET valid_until = sales_crm.today() + 2 WHERE quote_id IN (pg_temp.id('expiring'), pg_temp.id('answered'));
ALTER TABLE sales_crm.quote ENABLE TRIGGER USER;
SELECT is((SELECT string_agg(o.name || ' ' || array_to_string(d.rules, '+'), ', ' ORDER BY o.name) FROM sales_crm.due_quote_reminder() d JOIN offer o USING (quote_id)), 'expiring expiring, unanswered unanswered, unviewed unviewed', 'who is to be reminded: nobody who answered');
SELECT is(sales_crm.remind_quotes() || ' ' || sales_crm.remind_quotes(), '3 0', 'each once');
SELECT lives_ok($$ SELECT sales_crm.extend_quote(pg_temp.id('expiring'), sales_crm.today() + 9) $$, 'a quote that is extended');
SELECT is(sales_crm.remind_quotes(), 0::bigint, 'is not due');
ALTER TABLE sales_crm.quote DISABLE TRIGGER USER;
UPDATE sales_crm.quote SET valid_until = sales_crm.today() + 1 WHERE quote_id = pg_temp.id('expiring');
ALTER TABLE sales_crm.quote ENABLE TRIGGER USER;
SELECT is(sales_crm.remind_quotes(), 1::bigint, 'until its new last day comes near');

-- Reminders by e-mail
UPDATE sales_crm.company SET sender_email = 'sales@example.com', portal_url = 'https://quotes.example.com';
CREATE TEMP TABLE mailed AS SELECT q AS quote_id, (sales_crm.send_quote(q, 'email', email => 'an@example.com')).token FROM sales_crm.create_quote(pg_temp.deal('mailed')) q;
ALTER TABLE sales_crm.quote DISABLE TRIGGER USER;
UPDATE sales_crm.quote SET sent_at = sent_at - interval '4 days' WHERE quote_id = (SELECT quote_id FROM mailed);
ALTER TABLE sales_crm.quote ENABLE TRIGGER USER;
SELECT is(sales_crm.remind_quotes(), 1::bigint, 'a quote that was e-mailed');
SELECT is((SELECT b.payload ->> 'to' FROM sales_crm.message_body b WHERE b.payload ->> 'to' = 'an@example.com' AND b.quote_id = (SELECT quote_id FROM mailed) AND b.event = 'quote.reminder'), 'an@example.com', 'is reminded of by e-mail');
SELECT is((SELECT sales_crm.token_sha256((regexp_match(b.payload ->> 'text', 'https://quotes.example.com/q/([A-Za-z0-9_-]{43})'))[1]) = l.token_sha256 FROM sales_crm.message_body b, sales_crm.quote_link l
	WHERE b.event = 'quote.reminder' AND b.quote_id = (SELECT quote_id FROM mailed) AND l.quote_id = b.quote_id AND l.follows_id IS NOT NULL), true, 'with a link of its own');
SELECT is((SELECT status FROM sales_crm.open_quote((SELECT token FROM mailed))), 'sent', 'beside the first one, which goes on working');

-- Notifications
SELECT set_config('sales_crm.member_id', (SELECT member_id::text FROM sales_crm.member), true);
SELECT is(sales_crm.unread_notifications(), (SELECT count(*) FROM sales_crm.my_notifications), 'all are mine, and unread');
SELECT is(sales_crm.mark_notifications_read((SELECT min(notification_id) FROM sales_crm.notification)), 1::bigint, 'one is read');
SELECT cmp_ok(sales_crm.mark_notifications_read(), '>', 10::bigint, 'then all');
SELECT is(sales_crm.unread_notifications(), 0::bigint, 'none is left');
SELECT is((SELECT string_agg(format(sales_crm.notification_subject(e, l), 'Acme', 'Q1'), '; ') FROM unnest(array['quote.signed', 'quote.expired']) e, unnest(array['en', 'fr_BE', 'nl', 'de']) l),
	'Acme has signed Q1; Acme a signé Q1; Acme heeft Q1 ondertekend; Acme hat Q1 unterzeichnet; Q1 for Acme has expired; Q1 pour Acme a expiré; Q1 voor Acme is verlopen; Q1 für Acme ist abgelaufen', 'in the member''s language');

-- The document shows what the rows say, whoever did it: add_evidence() makes the same from their jsonb
SELECT pg_temp.offer('drawn', pg_temp.deal('drawn'), NULL, 'iris@example.com');
SELECT s.status FROM offer o, sales_crm.sign_quote(o.token, o.hash, 'Iris', NULL,
	decode('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'), request_key => 'k', consent_text => 'I agree.') s
WHERE o.name = 'drawn' \gset
CREATE TEMP TABLE shown AS
SELECT s.quote_id, CASE WHEN s.paper THEN 'on paper' WHEN s.image IS NULL THEN 'typed' ELSE 'drawn' END AS way, s.ip IS NOT NULL AS has_address,
	sales_crm.signed_document(s.quote_id) AS document,
	sales_crm.add_evidence(q.html, q.snapshot, q.snapshot::text,
		jsonb_build_object('signer_name', s.signer_name, 'signer_email', s.signer_email, 'typed', s.image IS NULL AND NOT s.paper, 'on_paper', s.paper,
			'image', 'data:image/png;base64,' || replace(encode(s.image, 'base64'), E'\n', ''), 'consent_text', s.consent_text, 'ip', host(s.ip),
			'user_agent', s.user_agent, 'signed_at', s.signed_at, 'snapshot_sha256', encode(s.snapshot_sha256, 'hex')),
		(SELECT jsonb_agg(jsonb_build_object('kind', e.kind, 'at', e.at, 'who', coalesce(m.name, e.data ->> 'signer_name', l.recipient_name, l.recipient_email),
				'sha256', encode(e.sha256, 'hex')) ORDER BY e.position)
			FROM sales_crm.quote_event e LEFT JOIN sales_crm.member m USING (member_id) LEFT JOIN sales_crm.quote_link l USING (quote_link_id)
			WHERE e.quote_id = q.quote_id)) AS expected
FROM sales_crm.quote q JOIN sales_crm.signature s USING (quote_id);
SELECT is_empty('SELECT quote_id, way FROM shown WHERE document IS DISTINCT FROM expected', 'signed documents say what is known');
SELECT is((SELECT string_agg(DISTINCT way, ', ' ORDER BY way) FROM shown), 'drawn, on paper, typed', 'in each way of signing');
SELECT is(sales_crm.signed_document(q.quote_id), NULL, 'a quote that was not signed has none') FROM sales_crm.quote q WHERE q.status = 'declined' LIMIT 1;

SELECT is((SELECT array_agg(o.name ORDER BY o.name) FROM sales_crm.verify_quotes() v JOIN offer o USING (quote_id)), '{answered,expiring,gone,"last day",late,"late too",paper,"signed late"}', 'only where the test changed the last day the quotes do not verify');
SELECT is((SELECT count(*) FROM sales_crm.verify_quote_events()) + (SELECT count(*) FROM sales_crm.verify_opportunities()) + (SELECT count(*) FROM sales_crm.verify_forecast()), 0::bigint, 'the rest does');
SELECT * FROM finish();
ROLLBACK;
