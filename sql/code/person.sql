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

-- Texts are conditions on t: $1 is the address in lower case, $2 the keys of its contacts
CREATE FUNCTION sales_crm.person_rows(OUT relation text, OUT mine text, OUT forget text, OUT kept text)
RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
VALUES
	('attachment', 't.email_id IN (SELECT e.email_id FROM sales_crm.email e WHERE lower(e.from_address) = $1 OR e.contact_id = ANY ($2) OR EXISTS (SELECT FROM unnest(e.to_addresses || e.cc_addresses) a WHERE lower(a) = $1))
		AND NOT EXISTS (SELECT FROM sales_crm.signature s WHERE s.attachment_id = t.attachment_id)',
		'DELETE', NULL),
	('email', 'lower(t.from_address) = $1 OR t.contact_id = ANY ($2) OR EXISTS (SELECT FROM unnest(t.to_addresses || t.cc_addresses) a WHERE lower(a) = $1)',
		'from_address = NULL, from_name = NULL, to_addresses = ''{}'', cc_addresses = ''{}'', subject = ''(erased)'', body_text = NULL, body_html = NULL, message_id = NULL, in_reply_to = NULL, problem = NULL', NULL),
	('note', 't.contact_id = ANY ($2)', 'DELETE', NULL),
	('appointment_attendee', 't.contact_id = ANY ($2)', 'DELETE', NULL),
	('account_merge', 'lower(t.removed ->> ''email'') = $1', 'removed = jsonb_build_object(''account_id'', removed_id)', NULL),
	('account', 't.kind = ''person'' AND lower(t.email) = $1',
		'name = ''(erased)'', email = NULL, phone = NULL, website = NULL, vat_number = NULL, street = NULL, postal_code = NULL, city = NULL, external_id = NULL, custom = ''{}''', NULL),
	('contact', 't.contact_id = ANY ($2)', 'name = ''(erased)'', email = NULL, phone = NULL, job_title = NULL', NULL),
	('quote', 't.contact_id = ANY ($2)', NULL, 'Offers that were sent are records of business; their text is what their checksum and the signature are of'),
	('quote_link', 't.contact_id = ANY ($2) OR lower(t.recipient_email) = $1', NULL, 'To whom an offer was sent is part of its proof; the link itself is revoked'),
	('quote_event', 't.quote_link_id IN (SELECT l.quote_link_id FROM sales_crm.quote_link l WHERE l.contact_id = ANY ($2) OR lower(l.recipient_email) = $1)', NULL,
		'Events of quotes are chained by their checksums'),
	('signature', 'lower(t.signer_email) = $1', NULL, 'Proof of a contract'),
	('change_request', 'lower(t.requester_email) = $1', NULL, 'The customer''s answer to an offer'),
	('refusal', 'lower(t.refuser_email) = $1', NULL, 'The customer''s answer to an offer')
$$;
COMMENT ON FUNCTION sales_crm.person_rows() IS
	'Where a person may stand, which rows are theirs, and what erase_person() does with them: DELETE, or columns to overwrite, or nothing for the reason in kept';

CREATE FUNCTION sales_crm.person_contacts(email text)
RETURNS bigint[] LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(array_agg(k.contact_id ORDER BY k.contact_id), '{}') FROM sales_crm.contact k WHERE lower(k.email) = lower(btrim($1))
$$;
COMMENT ON FUNCTION sales_crm.person_contacts(text) IS 'The contacts with an e-mail address';

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
	address CONSTANT text := lower(btrim(email));
	contacts CONSTANT bigint[] := sales_crm.person_contacts(email);
	held jsonb := '{}';
	place record;
	found jsonb;
BEGIN
	PERFORM sales_crm.person_admin();
	FOR place IN SELECT r.relation, r.mine FROM sales_crm.person_rows() r LOOP
		-- Secrets of links are nobody's personal data
		EXECUTE format('SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(t) - ''token_sha256'' - ''html'') ORDER BY t.%I) FROM sales_crm.%I t WHERE %s',
			(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass('sales_crm.' || place.relation) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum LIMIT 1),
			place.relation, place.mine)
		INTO found USING address, contacts;
		IF found IS NOT NULL THEN
			held := held || jsonb_build_object(place.relation, found);
		END IF;
	END LOOP;
	PERFORM sales_crm.log_access('export_person', contacts[1]);
	RETURN jsonb_build_object('email', address, 'exported_at', now(), 'held', held);
END
$$;
COMMENT ON FUNCTION sales_crm.export_person(text) IS
	'All that is held about the person with an e-mail address: per table the rows as JSON objects. Errors: SC201 unless an admin asks';

CREATE FUNCTION sales_crm.erase_person(email text)
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	address CONSTANT text := lower(btrim(email));
	contacts CONSTANT bigint[] := sales_crm.person_contacts(email);
	erased jsonb := '{}';
	kept jsonb := '[]';
	place record;
	touched bigint;
BEGIN
	PERFORM sales_crm.person_admin();
	UPDATE sales_crm.quote_link l SET revoked_at = now()
	WHERE l.revoked_at IS NULL AND (l.contact_id = ANY (contacts) OR lower(l.recipient_email) = address);
	FOR place IN SELECT r.* FROM sales_crm.person_rows() r LOOP
		IF place.forget IS NULL THEN
			EXECUTE format('SELECT count(*) FROM sales_crm.%I t WHERE %s', place.relation, place.mine) INTO touched USING address, contacts;
			IF touched > 0 THEN
				kept := kept || jsonb_build_object('relation', place.relation, 'rows', touched, 'why', place.kept);
			END IF;
			CONTINUE;
		END IF;
		EXECUTE CASE place.forget WHEN 'DELETE' THEN format('DELETE FROM sales_crm.%I t WHERE %s', place.relation, place.mine)
			ELSE format('UPDATE sales_crm.%I t SET %s WHERE %s', place.relation, place.forget, place.mine) END
		USING address, contacts;
		GET DIAGNOSTICS touched = ROW_COUNT;
		IF touched > 0 THEN
			erased := erased || jsonb_build_object(place.relation, touched);
		END IF;
	END LOOP;
	PERFORM sales_crm.log_access('erase_person', contacts[1]);
	RETURN jsonb_build_object('erased', erased, 'kept', kept);
END
$$;
COMMENT ON FUNCTION sales_crm.erase_person(text) IS
	'Forgets the person with an e-mail address: overwrites contact, account of a person and e-mails, deletes notes about them and files they sent, revokes their links. Opportunities, totals, quotes that were sent and the proof of signatures stay and verify as before; what is kept, and why, is in the answer. Errors: SC201 unless an admin asks';

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
