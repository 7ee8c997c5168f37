-- What is known about a person, by e-mail address: to show it to them, and to forget it.

CREATE FUNCTION sales_crm.log_access(what text, record_id bigint DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT (SELECT c.log_access FROM sales_crm.company c) THEN
		RETURN;
	END IF;
	IF current_setting('transaction_read_only')::boolean THEN
		-- A standby cannot write: its server log has it
		RAISE LOG 'sales_crm access: % of % by role %, member %', what, record_id, session_user, sales_crm.current_member();
		RETURN;
	END IF;
	INSERT INTO sales_crm.access_log (what, record_id, role, member_id)
	VALUES (log_access.what, log_access.record_id, session_user, sales_crm.current_member());
END
$$;
COMMENT ON FUNCTION sales_crm.log_access(text, bigint) IS
	'Writes down who read what, while company.log_access is on; in a transaction that may not write, to the server''s log';

CREATE FUNCTION sales_crm.person_keys(email text,
	OUT address text, OUT contacts bigint[], OUT accounts bigint[], OUT opportunities bigint[],
	OUT links bigint[], OUT answered bigint[], OUT messages bigint[])
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	address := lower(btrim(email));
	contacts := array(SELECT k.contact_id FROM sales_crm.contact k WHERE lower(k.email) = address ORDER BY 1);
	accounts := array(SELECT a.account_id FROM sales_crm.account a
		WHERE a.kind = 'person' AND (lower(a.email) = address OR a.email IS NULL AND EXISTS (
			SELECT FROM sales_crm.contact k WHERE k.account_id = a.account_id AND k.contact_id = ANY (contacts))) ORDER BY 1);
	-- Nobody else is meant by a contact without address of somebody's own account
	contacts := contacts || array(SELECT k.contact_id FROM sales_crm.contact k WHERE k.email IS NULL AND k.account_id = ANY (accounts) ORDER BY 1);
	opportunities := array(SELECT o.opportunity_id FROM sales_crm.opportunity o WHERE o.account_id = ANY (accounts) ORDER BY 1);
	links := array(SELECT l.quote_link_id FROM sales_crm.quote_link l
		WHERE l.contact_id = ANY (contacts) OR lower(l.recipient_email) = address ORDER BY 1);
	answered := array(
		SELECT s.quote_id FROM sales_crm.signature s WHERE s.quote_link_id = ANY (links) OR lower(s.signer_email) = address
		UNION SELECT r.quote_id FROM sales_crm.change_request r WHERE r.quote_link_id = ANY (links) OR lower(r.requester_email) = address
		UNION SELECT r.quote_id FROM sales_crm.refusal r WHERE r.quote_link_id = ANY (links) OR lower(r.refuser_email) = address ORDER BY 1);
	-- To the person, and to members about what the person did, which they are told by notification, too
	messages := array(SELECT b.message_id FROM sales_crm.message_body b
		WHERE b.kind = 'email' AND (lower(b.recipient) = address
			OR (b.quote_id = ANY (answered) OR b.opportunity_id = ANY (opportunities)) AND b.payload @> '{"auto_submitted": true}') ORDER BY 1);
END
$$;
COMMENT ON FUNCTION sales_crm.person_keys(text) IS
	'By what the person with an e-mail address is found: contacts, accounts of kind person and their opportunities, links to quotes, quotes that the person answered, and e-mails of the outbox';

-- Texts are conditions on t: $1 is the address in lower case, $2 to $7 are the keys of person_keys(),
-- from contacts to messages. What is written down of an overwritten row comes after it. Each column
-- has its line in test/pgtap/person_column.sql.
CREATE FUNCTION sales_crm.person_rows(OUT relation text, OUT mine text, OUT forget text, OUT kept text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
VALUES
	('message', 't.message_id = ANY ($7)', 'DELETE', NULL),
	('message_attempt', 't.message_id = ANY ($7)', 'DELETE', NULL),
	('message_done', 't.message_id = ANY ($7)', 'DELETE', NULL),
	('message_dead', 't.message_id = ANY ($7)', 'DELETE', NULL),
	('message_body', 't.message_id = ANY ($7)', 'DELETE', NULL),
	-- Other systems are still told what happened, and no more by whom
	('message_body', 't.kind = ''webhook'' AND t.payload ? ''body'' AND (t.quote_id = ANY ($6) OR t.opportunity_id = ANY ($4))',
		'payload = t.payload || jsonb_build_object(''body'', ((t.payload ->> ''body'')::jsonb #- ''{data,name}'' #- ''{data,note}'' #- ''{data,reason}'' #- ''{data,title}'')::text)', NULL),
	('notification', 't.quote_id = ANY ($6) AND t.opportunity_id <> ALL ($4)', 'body = NULL', NULL),
	('notification', 't.opportunity_id = ANY ($4)', 'subject = ''(erased)'', body = NULL', NULL),
	('signing_code', 't.quote_link_id = ANY ($5)', 'DELETE', NULL),
	('attachment', '(t.account_id = ANY ($3) OR t.opportunity_id = ANY ($4)
			OR t.email_id IN (SELECT e.email_id FROM sales_crm.email e WHERE lower(e.from_address) = $1 OR e.contact_id = ANY ($2) OR EXISTS (SELECT FROM unnest(e.to_addresses || e.cc_addresses) a WHERE lower(a) = $1)))
		AND NOT EXISTS (SELECT FROM sales_crm.signature s WHERE s.attachment_id = t.attachment_id)
		AND NOT EXISTS (SELECT FROM sales_crm.quote_document d WHERE d.attachment_id = t.attachment_id)',
		'DELETE', NULL),
	('attachment', 't.attachment_id IN (
			SELECT s.attachment_id FROM sales_crm.signature s JOIN sales_crm.quote q USING (quote_id) WHERE s.quote_id = ANY ($6) OR q.opportunity_id = ANY ($4) OR q.contact_id = ANY ($2)
			UNION ALL SELECT d.attachment_id FROM sales_crm.quote_document d JOIN sales_crm.quote q USING (quote_id) WHERE d.quote_id = ANY ($6) OR q.opportunity_id = ANY ($4) OR q.contact_id = ANY ($2))',
		NULL, 'Documents of offers and signatures are what was offered and agreed; attachment_content has their bytes'),
	('email', 't.account_id = ANY ($3) OR lower(t.from_address) = $1 OR t.contact_id = ANY ($2) OR EXISTS (SELECT FROM unnest(t.to_addresses || t.cc_addresses) a WHERE lower(a) = $1)',
		'from_address = NULL, from_name = NULL, to_addresses = ''{}'', cc_addresses = ''{}'', subject = ''(erased)'', body_text = NULL, body_html = NULL, message_id = NULL, in_reply_to = NULL,
			problem = CASE t.state WHEN ''queued'' THEN ''Its recipient was erased.'' END, state = CASE t.state WHEN ''queued'' THEN ''failed'' ELSE t.state END', NULL),
	('note', 't.contact_id = ANY ($2) OR t.account_id = ANY ($3) OR t.opportunity_id = ANY ($4)', 'DELETE', NULL),
	('task', 't.account_id = ANY ($3) OR t.opportunity_id = ANY ($4)', 'subject = ''(erased)'', details = NULL', NULL),
	('task', 't.task_id IN (SELECT r.task_id FROM sales_crm.change_request r WHERE r.quote_id = ANY ($6)) AND NOT coalesce(t.opportunity_id = ANY ($4), false)', 'details = NULL', NULL),
	('task_change', 't.field = ''subject'' AND t.task_id IN (SELECT x.task_id FROM sales_crm.task x WHERE x.account_id = ANY ($3) OR x.opportunity_id = ANY ($4))',
		'old = ''(erased)'', new = ''(erased)''', NULL),
	-- An appointment that nobody here has made came by e-mail, in the words of whoever invited
	('appointment', 't.account_id = ANY ($3) OR t.opportunity_id = ANY ($4) OR num_nonnulls(t.organiser_id, t.created_by) = 0 AND EXISTS (
			SELECT FROM sales_crm.appointment_attendee x WHERE x.appointment_id = t.appointment_id AND x.contact_id = ANY ($2))',
		'subject = ''(erased)'', details = NULL, location = NULL', NULL),
	('appointment_change', 't.field IN (''subject'', ''location'') AND EXISTS (
			SELECT FROM sales_crm.appointment x WHERE x.appointment_id = t.appointment_id AND (x.account_id = ANY ($3) OR x.opportunity_id = ANY ($4)
				OR num_nonnulls(x.organiser_id, x.created_by) = 0 AND EXISTS (
					SELECT FROM sales_crm.appointment_attendee y WHERE y.appointment_id = x.appointment_id AND y.contact_id = ANY ($2))))',
		'old = ''(erased)'', new = ''(erased)''', NULL),
	('appointment_attendee', 't.contact_id = ANY ($2)', 'DELETE', NULL),
	('opportunity', 't.opportunity_id = ANY ($4)', 'name = ''(erased)'', description = NULL, external_id = NULL, custom = ''{}''',
		'Amounts, dates and phases of sales are the company''s figures'),
	('opportunity', 't.contact_id = ANY ($2) AND t.opportunity_id <> ALL ($4)', NULL, 'The sale is one to an organisation; it names the contact, whose row is overwritten'),
	('opportunity_change', 't.field = ''name'' AND t.opportunity_id = ANY ($4)', 'old = ''(erased)'', new = ''(erased)''', NULL),
	('discount_approval', 't.opportunity_id = ANY ($4)', NULL, 'Who allowed which discount, and why, is a record of business'),
	('product_line', 't.opportunity_id = ANY ($4)', NULL, 'What was sold is part of the company''s figures'),
	('account_merge', 'lower(t.removed ->> ''email'') = $1 OR t.kept_id = ANY ($3)', 'removed = jsonb_build_object(''account_id'', removed_id)', NULL),
	('account', 't.account_id = ANY ($3)',
		'name = ''(erased)'', email = NULL, phone = NULL, website = NULL, vat_number = NULL, street = NULL, postal_code = NULL, city = NULL, external_id = NULL, custom = ''{}''', NULL),
	('account', 't.kind = ''organisation'' AND lower(t.email) = $1', 'email = NULL', NULL),
	('contact', 't.contact_id = ANY ($2)', 'name = ''(erased)'', email = NULL, phone = NULL, job_title = NULL', NULL),
	('suppressed_address', 't.address = $1 AND EXISTS (SELECT FROM sales_crm.suppressed_address s WHERE s.address = sales_crm.hidden_address($1))', 'DELETE', NULL),
	('suppressed_address', 't.address IN ($1, sales_crm.hidden_address($1))', 'address = sales_crm.hidden_address($1), detail = NULL',
		'A hash of the address, so that nothing is sent to it'),
	('quote', 't.opportunity_id = ANY ($4) AND t.status = ''draft''',
		'title = ''(erased)'', introduction = NULL, customer_name = ''(erased)'', customer_address = NULL, customer_vat_number = NULL', NULL),
	('quote', 't.contact_id = ANY ($2) OR t.opportunity_id = ANY ($4) OR t.quote_id = ANY ($6)', NULL,
		'Offers that were sent are records of business; their text is what their checksum and the signature are of'),
	('quote_line', 't.quote_id IN (SELECT q.quote_id FROM sales_crm.quote q WHERE q.contact_id = ANY ($2) OR q.opportunity_id = ANY ($4) OR q.quote_id = ANY ($6))', NULL,
		'What was offered is part of the offer'),
	('quote_link', 't.quote_link_id = ANY ($5)', NULL, 'To whom an offer was sent is part of its proof; the link itself is revoked'),
	('quote_event', 't.quote_link_id = ANY ($5) OR lower(t.data ->> ''signer_email'') = $1 OR lower(t.data ->> ''email'') = $1', NULL,
		'Events of quotes are chained by their checksums'),
	('signature', 't.quote_link_id = ANY ($5) OR lower(t.signer_email) = $1', NULL, 'Proof of a contract'),
	('change_request', 't.quote_link_id = ANY ($5) OR lower(t.requester_email) = $1', NULL, 'The customer''s answer to an offer'),
	('refusal', 't.quote_link_id = ANY ($5) OR lower(t.refuser_email) = $1', NULL, 'The customer''s answer to an offer')
$$;
COMMENT ON FUNCTION sales_crm.person_rows() IS
	'Where a person may stand, which rows are theirs, and what erase_person() does with them: DELETE, or columns to overwrite, or nothing; kept says what stays of them, and why';

CREATE FUNCTION sales_crm.person_admin()
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT sales_crm.is_admin() THEN
		RAISE EXCEPTION 'personal data are handled by admins'
			USING ERRCODE = 'SC201', HINT = 'Ask a member of sales_crm_admin.';
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.person_admin() IS 'Errors: SC201 unless the session''s role is an admin''s';

CREATE FUNCTION sales_crm.export_person(email text)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	person CONSTANT record := sales_crm.person_keys(email);
	held jsonb := '{}';
	place record;
	found jsonb;
BEGIN
	PERFORM sales_crm.person_admin();
	FOR place IN SELECT r.relation, string_agg('(' || r.mine || ')', ' OR ') AS mine FROM sales_crm.person_rows() r GROUP BY r.relation LOOP
		-- Secrets of links are nobody's personal data; what e-mails say is in email
		EXECUTE format('SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(t) - ''{token_sha256,html,salt,code_sha256}''::text[] #- ''{payload,text}'' #- ''{payload,html}'') ORDER BY t.%I) FROM sales_crm.%I t WHERE %s',
			(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass('sales_crm.' || place.relation) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1),
			place.relation, place.mine)
		INTO found USING person.address, person.contacts, person.accounts, person.opportunities, person.links, person.answered, person.messages;
		IF found IS NOT NULL THEN
			held := held || jsonb_build_object(place.relation, found);
		END IF;
	END LOOP;
	PERFORM sales_crm.log_access('export_person', person.contacts[1]);
	RETURN jsonb_build_object('email', person.address, 'exported_at', now(), 'held', held);
END
$$;
COMMENT ON FUNCTION sales_crm.export_person(text) IS
	'All that is held about the person with an e-mail address: per table the rows as JSON objects; files are named, download_attachment() has them. Errors: SC201 unless an admin asks';

CREATE FUNCTION sales_crm.erase_person(email text)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	person record := sales_crm.person_keys(email);
	erased jsonb := '{}';
	kept jsonb := '[]';
	place record;
	touched bigint;
BEGIN
	PERFORM sales_crm.person_admin();
	-- Whoever is about to answer a quote comes first, in the order of all: opportunity, quote
	PERFORM FROM sales_crm.opportunity o
	WHERE o.opportunity_id IN (SELECT q.opportunity_id FROM sales_crm.quote q JOIN sales_crm.quote_link l USING (quote_id) WHERE l.quote_link_id = ANY (person.links))
	ORDER BY o.opportunity_id FOR NO KEY UPDATE;
	PERFORM FROM sales_crm.quote q
	WHERE q.quote_id IN (SELECT l.quote_id FROM sales_crm.quote_link l WHERE l.quote_link_id = ANY (person.links))
	ORDER BY q.quote_id FOR NO KEY UPDATE;
	person := sales_crm.person_keys(email);
	UPDATE sales_crm.quote_link l SET revoked_at = now() WHERE l.revoked_at IS NULL AND l.quote_link_id = ANY (person.links);
	FOR place IN SELECT r.* FROM sales_crm.person_rows() r LOOP
		EXECUTE CASE
			WHEN place.forget IS NULL THEN format('SELECT FROM sales_crm.%I t WHERE %s', place.relation, place.mine)
			WHEN place.forget = 'DELETE' THEN format('DELETE FROM sales_crm.%I t WHERE %s', place.relation, place.mine)
			ELSE format('UPDATE sales_crm.%I t SET %s WHERE %s', place.relation, place.forget, place.mine) END
		USING person.address, person.contacts, person.accounts, person.opportunities, person.links, person.answered, person.messages;
		GET DIAGNOSTICS touched = ROW_COUNT;
		CONTINUE WHEN touched = 0;
		IF place.forget IS NOT NULL THEN
			erased := erased || jsonb_build_object(place.relation, coalesce((erased ->> place.relation)::bigint, 0) + touched);
		END IF;
		IF place.kept IS NOT NULL THEN
			kept := kept || jsonb_build_object('relation', place.relation, 'rows', touched, 'why', place.kept);
		END IF;
	END LOOP;
	PERFORM sales_crm.log_access('erase_person', person.contacts[1]);
	RETURN jsonb_build_object('erased', erased, 'kept', kept);
END
$$;
COMMENT ON FUNCTION sales_crm.erase_person(text) IS
	'Forgets the person with an e-mail address: overwrites contact, account of a person and e-mails, deletes notes about them and files they sent, cancels e-mails to them that wait in the outbox, revokes their links. Opportunities, totals, quotes that were sent and the proof of signatures stay and verify as before; what is kept, and why, is in the answer. Errors: SC201 unless an admin asks';

CREATE FUNCTION sales_crm.apply_retention(max_rows integer DEFAULT 1000)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rule record;
	touched bigint;
	done bigint := 0;
BEGIN
	-- Once a day, and again at once while there is more than max_rows
	FOR rule IN
		SELECT r.kind, now() - make_interval(days => r.keep_days) AS until FROM sales_crm.retention_rule r
		WHERE r.keep_days IS NOT NULL AND (r.applied_at IS NULL OR r.applied_at < now() - interval '1 day')
		ORDER BY r.kind FOR UPDATE SKIP LOCKED
	LOOP
		CASE rule.kind
			WHEN 'access_log' THEN
				DELETE FROM sales_crm.access_log WHERE access_log_id IN (
					SELECT l.access_log_id FROM sales_crm.access_log l WHERE l.at < rule.until ORDER BY l.at LIMIT max_rows);
			WHEN 'email' THEN
				-- Those of a sale in progress are needed
				DELETE FROM sales_crm.email WHERE email_id IN (
					SELECT e.email_id FROM sales_crm.email e LEFT JOIN sales_crm.opportunity o USING (opportunity_id)
					WHERE e.sent_at < rule.until AND (o.opportunity_id IS NULL OR o.closed_at < rule.until)
						AND NOT EXISTS (SELECT FROM sales_crm.attachment f JOIN sales_crm.signature s USING (attachment_id) WHERE f.email_id = e.email_id)
					ORDER BY e.sent_at LIMIT max_rows);
			WHEN 'contact' THEN
				-- With whom nothing has happened since
				UPDATE sales_crm.contact SET name = '(erased)', email = NULL, phone = NULL, job_title = NULL WHERE contact_id IN (
					SELECT k.contact_id FROM sales_crm.contact k
					WHERE k.created_at < rule.until AND (k.name <> '(erased)' OR num_nonnulls(k.email, k.phone, k.job_title) > 0)
						AND NOT EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.contact_id = k.contact_id AND (o.closed_at IS NULL OR o.closed_at >= rule.until))
						AND NOT EXISTS (SELECT FROM sales_crm.email e WHERE e.contact_id = k.contact_id AND e.sent_at >= rule.until)
						AND NOT EXISTS (SELECT FROM sales_crm.note n WHERE n.contact_id = k.contact_id AND n.created_at >= rule.until)
						AND NOT EXISTS (SELECT FROM sales_crm.appointment_attendee t JOIN sales_crm.appointment p USING (appointment_id)
							WHERE t.contact_id = k.contact_id AND p.ends_at >= rule.until)
					ORDER BY k.contact_id LIMIT max_rows);
		END CASE;
		GET DIAGNOSTICS touched = ROW_COUNT;
		done := done + touched;
		UPDATE sales_crm.retention_rule r SET applied_at = CASE WHEN touched < max_rows THEN now() END WHERE r.kind = rule.kind;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION sales_crm.apply_retention(integer) IS
	'Does what retention_rule says, at most so many rows of a kind, once a day; housekeeping() calls it. Returns how many rows went or were overwritten';
