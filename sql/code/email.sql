CREATE FUNCTION sales_crm.email_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_email_guard';
COMMENT ON FUNCTION sales_crm.email_guard() IS
	'Row trigger of email: fills in member, thread and account';

CREATE FUNCTION sales_crm.match_email(
	message_ids text[], addresses text[],
	OUT thread_id bigint, OUT opportunity_id bigint, OUT account_id bigint, OUT contact_id bigint)
RETURNS record LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	known record;
	wanted text[];
BEGIN
	-- The thread, its latest message first
	SELECT e.thread_id, e.opportunity_id, e.account_id, e.contact_id INTO known
	FROM sales_crm.email e WHERE e.message_id = ANY (message_ids)
	ORDER BY e.opportunity_id IS NULL, e.sent_at DESC LIMIT 1;
	IF FOUND THEN
		thread_id := known.thread_id;
		opportunity_id := known.opportunity_id;
		account_id := known.account_id;
	END IF;
	wanted := array(SELECT lower(a) FROM unnest(addresses) a);
	SELECT k.contact_id, k.account_id INTO known
	FROM sales_crm.contact k WHERE lower(k.email) = ANY (wanted)
	ORDER BY k.account_id IS DISTINCT FROM match_email.account_id, array_position(wanted, lower(k.email)), k.contact_id LIMIT 1;
	IF FOUND THEN
		contact_id := known.contact_id;
		account_id := coalesce(account_id, known.account_id);
	END IF;
	account_id := coalesce(account_id, (SELECT a.account_id FROM sales_crm.account a
		WHERE lower(a.email) = ANY (wanted) ORDER BY array_position(wanted, lower(a.email)), a.account_id LIMIT 1));
	-- The one open opportunity with that contact, else the one of the account; with several a person decides
	IF opportunity_id IS NULL AND account_id IS NOT NULL THEN
		SELECT CASE WHEN count(*) FILTER (WHERE o.contact_id = match_email.contact_id) = 1
				THEN min(o.opportunity_id) FILTER (WHERE o.contact_id = match_email.contact_id)
			WHEN count(*) = 1 THEN min(o.opportunity_id) END
		INTO opportunity_id
		FROM sales_crm.opportunity o
		WHERE o.account_id = match_email.account_id AND o.closed_at IS NULL;
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.match_email(text[], text[]) IS
	'Where an e-mail belongs: by the messages it answers, then by the addresses of contacts and accounts; an opportunity by address only where a single open one fits';

CREATE FUNCTION sales_crm.record_email(
	direction text DEFAULT 'incoming', from_address text DEFAULT NULL, from_name text DEFAULT NULL,
	to_addresses text[] DEFAULT '{}', cc_addresses text[] DEFAULT '{}', subject text DEFAULT '',
	sent_at timestamptz DEFAULT NULL, body_text text DEFAULT NULL, body_html text DEFAULT NULL,
	message_id text DEFAULT NULL, in_reply_to text DEFAULT NULL, reference_ids text[] DEFAULT '{}',
	opportunity_id bigint DEFAULT NULL, problem text DEFAULT NULL,
	OUT email_id bigint, OUT is_new boolean)
RETURNS record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	place record;
BEGIN
	SELECT * INTO place FROM sales_crm.match_email(in_reply_to || reference_ids,
		CASE direction WHEN 'incoming' THEN array[from_address] ELSE to_addresses || cc_addresses END);
	INSERT INTO sales_crm.email AS e (opportunity_id, account_id, contact_id, thread_id, direction, message_id, in_reply_to,
		from_address, from_name, to_addresses, cc_addresses, subject, body_text, body_html, sent_at, problem)
	SELECT coalesce(opportunity_id, place.opportunity_id),
		CASE WHEN opportunity_id IS NULL THEN place.account_id END, place.contact_id, place.thread_id,
		direction, message_id, in_reply_to, from_address, from_name, coalesce(to_addresses, '{}'),
		coalesce(cc_addresses, '{}'), coalesce(subject, ''), body_text, body_html, coalesce(sent_at, now()), problem
	ON CONFLICT ON CONSTRAINT email_message_id_key DO NOTHING
	RETURNING e.email_id INTO email_id;
	is_new := email_id IS NOT NULL;
	IF NOT is_new THEN
		SELECT e.email_id INTO STRICT email_id FROM sales_crm.email e WHERE e.message_id = record_email.message_id;
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.record_email(text, text, text, text[], text[], text, timestamptz, text, text, text, text, text[], bigint, text) IS
	'Files an e-mail with the opportunity, account and contact it belongs to (match_email(), unless opportunity_id says so). The same message_id again files nothing and returns the first one, with is_new false';

CREATE FUNCTION sales_crm.add_email_attachment(email_id bigint, file_name text, media_type text, content bytea)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	made bigint;
	allowed bigint := (SELECT c.attachment_max_bytes FROM sales_crm.company c);
BEGIN
	IF octet_length(content) > allowed THEN
		UPDATE sales_crm.email e
		SET problem = concat_ws(' ', e.problem, format('An attachment of %s bytes was left out.', octet_length(content)))
		WHERE e.email_id = add_email_attachment.email_id;
		RETURN NULL;
	END IF;
	INSERT INTO sales_crm.attachment (opportunity_id, account_id, email_id, file_name, media_type, content)
	SELECT e.opportunity_id, e.account_id, e.email_id,
		coalesce(nullif(right(regexp_replace(regexp_replace(file_name, '^.*[/\\]', ''), '[[:cntrl:]]', '', 'g'), 255), ''), 'attachment'),
		CASE WHEN lower(media_type) ~ '^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$'
			AND sales_crm.media_type_fits(lower(media_type), content) THEN lower(media_type) END,
		content
	FROM sales_crm.email e WHERE e.email_id = add_email_attachment.email_id
	RETURNING attachment.attachment_id INTO made;
	IF made IS NULL THEN
		RAISE EXCEPTION 'e-mail % does not exist', email_id USING ERRCODE = 'no_data_found';
	END IF;
	RETURN made;
END
$$;
COMMENT ON FUNCTION sales_crm.add_email_attachment(bigint, text, text, bytea) IS
	'Adds a file that came with an e-mail: its name without folders, its type by its first bytes where they disagree with what was said. One that is too large is left out, noted in email.problem, and gives NULL. Errors: P0002 when the e-mail does not exist';

CREATE FUNCTION sales_crm.email_attachments()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	UPDATE sales_crm.attachment SET opportunity_id = NEW.opportunity_id, account_id = NEW.account_id
	WHERE email_id = NEW.email_id;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.email_attachments() IS
	'Row trigger of email: its attachments go where it goes';

CREATE FUNCTION sales_crm.record_invitation(
	email_id bigint, method text, uid text, sequence integer, subject text, location text, details text,
	starts_at timestamptz, ends_at timestamptz, all_day boolean, attendees text[], answers text[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	mail sales_crm.email;
	known sales_crm.appointment;
	made bigint;
BEGIN
	SELECT e.* INTO mail FROM sales_crm.email e WHERE e.email_id = email_id;
	SELECT a.* INTO known FROM sales_crm.appointment a WHERE a.uid = uid FOR UPDATE;
	IF method = 'REPLY' THEN
		-- Whoever writes answers for themselves alone
		UPDATE sales_crm.appointment_attendee t
		SET answer = lower(replace(x.answer, '-', '_'))
		FROM unnest(attendees, answers) AS x (address, answer), sales_crm.contact k
		WHERE t.appointment_id = known.appointment_id AND k.contact_id = t.contact_id
			AND lower(k.email) = lower(x.address) AND lower(x.address) = lower(mail.from_address)
			AND x.answer IN ('ACCEPTED', 'TENTATIVE', 'DECLINED');
		RETURN known.appointment_id;
	END IF;
	-- Appointments of members are theirs: no e-mail changes them
	IF known.organiser_id IS NOT NULL OR known.created_by IS NOT NULL OR sequence < known.revision THEN
		RETURN known.appointment_id;
	END IF;
	IF method = 'CANCEL' THEN
		UPDATE sales_crm.appointment a SET cancelled_at = coalesce(a.cancelled_at, now())
		WHERE a.appointment_id = known.appointment_id;
		RETURN known.appointment_id;
	END IF;
	IF method <> 'REQUEST' OR starts_at IS NULL OR num_nonnulls(mail.opportunity_id, mail.account_id) = 0 THEN
		RETURN NULL;
	END IF;
	ends_at := CASE WHEN ends_at > starts_at THEN ends_at ELSE starts_at + interval '1 hour' END;
	subject := coalesce(nullif(left(btrim(subject), 400), ''), nullif(left(btrim(mail.subject), 400), ''), 'Invitation');
	IF known.appointment_id IS NOT NULL THEN
		UPDATE sales_crm.appointment a
		SET subject = record_invitation.subject, location = left(record_invitation.location, 400),
			details = left(record_invitation.details, 100000), starts_at = record_invitation.starts_at,
			ends_at = record_invitation.ends_at, all_day = coalesce(record_invitation.all_day, false), cancelled_at = NULL
		WHERE a.appointment_id = known.appointment_id;
		made := known.appointment_id;
	ELSE
		INSERT INTO sales_crm.appointment AS a (opportunity_id, account_id, subject, location, details, starts_at, ends_at, all_day, time_zone, uid, revision)
		VALUES (mail.opportunity_id, CASE WHEN mail.opportunity_id IS NULL THEN mail.account_id END, subject, left(location, 400),
			left(details, 100000), starts_at, ends_at, coalesce(all_day, false), CASE WHEN all_day THEN 'UTC' END, left(uid, 400), greatest(sequence, 0))
		RETURNING a.appointment_id INTO made;
	END IF;
	INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id)
	SELECT made, m.member_id FROM sales_crm.member m
	WHERE m.active AND lower(m.email) IN (SELECT lower(x) FROM unnest(attendees) x)
	ON CONFLICT DO NOTHING;
	INSERT INTO sales_crm.appointment_attendee (appointment_id, contact_id, answer)
	SELECT made, k.contact_id, 'accepted' FROM sales_crm.contact k
	WHERE k.contact_id = mail.contact_id
	ON CONFLICT DO NOTHING;
	RETURN made;
END
$$;
COMMENT ON FUNCTION sales_crm.record_invitation(bigint, text, text, integer, text, text, text, timestamptz, timestamptz, boolean, text[], text[]) IS
	'What an invitation in a filed e-mail means: REPLY is the answer of the contact who sent it; REQUEST makes or moves an appointment with the e-mail''s opportunity or account, CANCEL cancels it; appointments that members made are not touched. Returns the appointment, or NULL when there is none';
