CREATE FUNCTION sales_crm.quote_answer_frozen()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_quote_answer_frozen';
COMMENT ON FUNCTION sales_crm.quote_answer_frozen() IS
	'Row trigger of signature, change_request, refusal and quote_answer: nobody changes or deletes them. Errors: SC101';

CREATE FUNCTION sales_crm.quote_seller(quote_id bigint)
RETURNS bigint LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_quote_seller';
COMMENT ON FUNCTION sales_crm.quote_seller(bigint) IS
	'Who is told what happens to a quote: the opportunity''s owner, else who made the quote';

CREATE FUNCTION sales_crm.notification_subject(event text, locale text)
RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_notification_subject';
COMMENT ON FUNCTION sales_crm.notification_subject(text, text) IS
	'What a member is told of an event, for format() with the customer and the number of the quote';

CREATE FUNCTION sales_crm.notify_seller(quote_id bigint, event text, body text DEFAULT NULL, data jsonb DEFAULT '{}')
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_notify_seller';
COMMENT ON FUNCTION sales_crm.notify_seller(bigint, text, text, jsonb) IS
	'Leaves the seller of a quote a notification, and queues what leaves the database; data is for templates and webhooks';

CREATE FUNCTION sales_crm.check_person(name text, email text, role text, required boolean)
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_check_person';
COMMENT ON FUNCTION sales_crm.check_person(text, text, text, boolean) IS
	'Checks what a stranger says of themselves; role (signer, requester, refuser) names the argument. Errors: 22023';

CREATE FUNCTION sales_crm.check_answer(token text, request_key text, payload jsonb,
	OUT quote_id bigint, OUT quote_link_id bigint, OUT number text, OUT snapshot_sha256 bytea,
	OUT needs_code boolean, OUT status text, OUT answered_at timestamptz, OUT is_repeated boolean)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_check_answer';
COMMENT ON FUNCTION sales_crm.check_answer(text, text, jsonb) IS
	'Locks the quote behind a token and says whether it is open for an answer, or the result of the same request before. Errors: SC103, SC102, SC104, SC106, SC107, 22023';

CREATE FUNCTION sales_crm.remember_answer(quote_id bigint, request_key text, payload jsonb, status text, answered_at timestamptz)
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_remember_answer';
COMMENT ON FUNCTION sales_crm.remember_answer(bigint, text, jsonb, text, timestamptz) IS
	'Keeps the result of an answer for repeated requests';

CREATE FUNCTION sales_crm.move_opportunity_of(quote_id bigint, target text)
RETURNS text LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_move_opportunity_of';
COMMENT ON FUNCTION sales_crm.move_opportunity_of(bigint, text) IS
	'Moves the opportunity of a quote to the phase that is marked on_quote_signed (target signed), or whose outcome is target (lost, expired), if there is one and it is not behind. Returns why not, when the opportunity is closed or a rule of its pipeline forbids the move';

CREATE FUNCTION sales_crm.signed_document(quote_id bigint)
RETURNS text LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_signed_document';
COMMENT ON FUNCTION sales_crm.signed_document(bigint) IS
	'The document of a signed quote with the evidence of its signature: one HTML file that needs nothing else. NULL when it was not signed';

CREATE FUNCTION sales_crm.apply_signature(quote_id bigint)
RETURNS void LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'scrm_apply_signature';
COMMENT ON FUNCTION sales_crm.apply_signature(bigint) IS
	'What follows from a signature that is there: status, other quotes, signed document, phase of the opportunity, notification';

CREATE FUNCTION sales_crm.sign_quote(token text, snapshot_sha256 bytea, signer_name text, signer_email text DEFAULT NULL,
	signature_png bytea DEFAULT NULL, ip inet DEFAULT NULL, user_agent text DEFAULT NULL, request_key text DEFAULT NULL,
	consent_text text DEFAULT NULL, code text DEFAULT NULL,
	OUT status text, OUT answered_at timestamptz)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_sign_quote';
COMMENT ON FUNCTION sales_crm.sign_quote(text, bytea, text, text, bytea, inet, text, text, text, text) IS
	'The customer signs: status, evidence, signed document, opportunity and notification in one commit. snapshot_sha256 is that of what was read (open_quote()), signature_png the drawn signature or NULL for a typed name, consent_text the sentence agreed to as it was shown, request_key a key of the request: repeated, it returns the first result. code is the one sent by request_signing_code() where the template asks for it. Errors: SC102 to SC107, 22023';

CREATE FUNCTION sales_crm.request_change(token text, note text, requester_name text DEFAULT NULL, requester_email text DEFAULT NULL,
	ip inet DEFAULT NULL, user_agent text DEFAULT NULL, request_key text DEFAULT NULL,
	OUT status text, OUT answered_at timestamptz)
RETURNS record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	payload CONSTANT jsonb := jsonb_build_object('answer', 'change', 'note', note, 'name', requester_name, 'email', requester_email);
	answer record;
	made bigint;
BEGIN
	answer := sales_crm.check_answer(token, request_key, payload);
	IF answer.is_repeated THEN
		status := answer.status;
		answered_at := answer.answered_at;
		RETURN;
	END IF;
	IF note IS NULL OR note !~ '\S' OR char_length(note) > 10000 THEN
		RAISE EXCEPTION 'what is to be changed is missing or too long'
			USING ERRCODE = 'invalid_parameter_value', COLUMN = 'note', HINT = 'Say it in up to 10,000 characters.';
	END IF;
	PERFORM sales_crm.check_person(requester_name, requester_email, 'requester', false);
	INSERT INTO sales_crm.task AS t (opportunity_id, assignee_id, subject, details, due_on, priority, origin)
	SELECT q.opportunity_id, sales_crm.quote_seller(q.quote_id), left('Change ' || q.number || ' for ' || q.customer_name, 400),
		concat_ws(E'\n\n', note, nullif(concat_ws(', ', requester_name, requester_email), '')), sales_crm.today(), 'high', 'change_request'
	FROM sales_crm.quote q WHERE q.quote_id = answer.quote_id
	RETURNING t.task_id INTO made;
	INSERT INTO sales_crm.change_request (quote_id, quote_link_id, note, requester_name, requester_email, ip, user_agent, requested_at, task_id)
	VALUES (answer.quote_id, answer.quote_link_id, note, nullif(btrim(requester_name), ''), nullif(btrim(requester_email), ''), ip, left(user_agent, 1000), answer.answered_at, made);
	UPDATE sales_crm.quote q SET status = 'change_requested', answered_at = answer.answered_at WHERE q.quote_id = answer.quote_id;
	PERFORM sales_crm.notify_seller(answer.quote_id, 'quote.change_requested', note, jsonb_build_object('name', requester_name, 'note', note));
	status := 'change_requested';
	answered_at := answer.answered_at;
	PERFORM sales_crm.remember_answer(answer.quote_id, request_key, payload, status, answered_at);
END
$$;
COMMENT ON FUNCTION sales_crm.request_change(text, text, text, text, inet, text, text) IS
	'The customer asks for a change: the seller gets a task and a notification with their words; revise_quote() makes the next version. Repeated with the same request_key it returns the first result. Errors: SC102, SC103, SC104, SC106, SC107, 22023';

CREATE FUNCTION sales_crm.decline_quote(token text, reason text DEFAULT NULL, refuser_name text DEFAULT NULL, refuser_email text DEFAULT NULL,
	ip inet DEFAULT NULL, user_agent text DEFAULT NULL, request_key text DEFAULT NULL,
	OUT status text, OUT answered_at timestamptz)
RETURNS record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	payload CONSTANT jsonb := jsonb_build_object('answer', 'decline', 'reason', reason, 'name', refuser_name, 'email', refuser_email);
	answer record;
	problem text;
BEGIN
	answer := sales_crm.check_answer(token, request_key, payload);
	IF answer.is_repeated THEN
		status := answer.status;
		answered_at := answer.answered_at;
		RETURN;
	END IF;
	IF char_length(reason) > 10000 THEN
		RAISE EXCEPTION 'reason is too long'
			USING ERRCODE = 'invalid_parameter_value', COLUMN = 'reason', HINT = 'Say it in up to 10,000 characters.';
	END IF;
	PERFORM sales_crm.check_person(refuser_name, refuser_email, 'refuser', false);
	INSERT INTO sales_crm.refusal (quote_id, quote_link_id, reason, refuser_name, refuser_email, ip, user_agent, declined_at)
	VALUES (answer.quote_id, answer.quote_link_id, nullif(btrim(reason), ''), nullif(btrim(refuser_name), ''), nullif(btrim(refuser_email), ''), ip, left(user_agent, 1000), answer.answered_at);
	UPDATE sales_crm.quote q SET status = 'declined', answered_at = answer.answered_at WHERE q.quote_id = answer.quote_id;
	IF (SELECT c.declining_closes FROM sales_crm.company c) AND NOT EXISTS (
		SELECT FROM sales_crm.quote q JOIN sales_crm.quote s USING (opportunity_id)
		WHERE q.quote_id = answer.quote_id AND s.status IN ('draft', 'sent', 'viewed', 'signed')) THEN
		problem := sales_crm.move_opportunity_of(answer.quote_id, 'lost');
	END IF;
	PERFORM sales_crm.notify_seller(answer.quote_id, 'quote.declined', concat_ws(E'\n', nullif(btrim(reason), ''), 'The opportunity stays open: ' || problem || '.'),
		jsonb_build_object('name', refuser_name, 'reason', reason));
	status := 'declined';
	answered_at := answer.answered_at;
	PERFORM sales_crm.remember_answer(answer.quote_id, request_key, payload, status, answered_at);
END
$$;
COMMENT ON FUNCTION sales_crm.decline_quote(text, text, text, text, inet, text, text) IS
	'The customer declines: the seller is notified, and the opportunity lost where company.declining_closes says so. Repeated with the same request_key it returns the first result. Errors: SC102, SC103, SC104, SC106, SC107, 22023';

CREATE FUNCTION sales_crm.record_paper_signature(quote_id bigint, signer_name text, scan bytea, signed_at timestamptz DEFAULT NULL,
	signer_email text DEFAULT NULL, file_name text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	quote record;
	made bigint;
BEGIN
	PERFORM sales_crm.require_quote(quote_id);
	quote := sales_crm.lock_quote(quote_id);
	IF quote.status NOT IN ('sent', 'viewed', 'expired') THEN
		RAISE EXCEPTION 'quote % is not open for an answer', quote.number
			USING ERRCODE = CASE WHEN quote.status IN ('signed', 'declined', 'change_requested') THEN 'SC106' ELSE 'SC102' END,
				DETAIL = format('It is %s.', quote.status);
	END IF;
	PERFORM sales_crm.check_person(signer_name, signer_email, 'signer', true);
	IF signed_at > clock_timestamp() OR signed_at < quote.sent_at OR NOT isfinite(signed_at) THEN
		RAISE EXCEPTION 'time of the signature is not possible'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The quote was sent at %s, the time given is %s.', quote.sent_at, signed_at);
	END IF;
	INSERT INTO sales_crm.attachment (opportunity_id, file_name, media_type, content)
	VALUES (quote.opportunity_id, coalesce(file_name, regexp_replace(quote.number, '[/\\[:cntrl:]]', '-', 'g') || '-signed-on-paper'), NULL, scan)
	RETURNING attachment_id INTO made;
	INSERT INTO sales_crm.signature (quote_id, signer_name, signer_email, paper, signed_at, snapshot_sha256, attachment_id)
	SELECT q.quote_id, btrim(signer_name), nullif(btrim(signer_email), ''), true, coalesce(signed_at, clock_timestamp()), q.snapshot_sha256, made
	FROM sales_crm.quote q WHERE q.quote_id = record_paper_signature.quote_id;
	PERFORM sales_crm.apply_signature(quote_id);
END
$$;
COMMENT ON FUNCTION sales_crm.record_paper_signature(bigint, text, bytea, timestamptz, text, text) IS
	'A member records that the quote was signed on paper, with the scan: the same consequences as sign_quote(). Also for a quote that expired meanwhile. Errors: P0002, SC102, SC106, 22023, 23502 without a scan';

CREATE FUNCTION sales_crm.expire_quotes()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	due record;
	done bigint := 0;
BEGIN
	FOR due IN
		SELECT q.quote_id, q.opportunity_id FROM sales_crm.quote q
		WHERE q.status IN ('sent', 'viewed') AND q.valid_until < sales_crm.local_date(clock_timestamp())
		ORDER BY q.opportunity_id, q.quote_id LIMIT 1000
	LOOP
		-- Somebody at work on it comes first, in the order of all: opportunity, quote
		PERFORM FROM sales_crm.opportunity o WHERE o.opportunity_id = due.opportunity_id FOR NO KEY UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		PERFORM FROM sales_crm.quote q WHERE q.quote_id = due.quote_id AND q.status IN ('sent', 'viewed') AND sales_crm.is_past(q.valid_until)
		FOR NO KEY UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		UPDATE sales_crm.quote q SET status = 'expired' WHERE q.quote_id = due.quote_id;
		PERFORM sales_crm.notify_seller(due.quote_id, 'quote.expired');
		IF (SELECT c.expiring_closes FROM sales_crm.company c) AND NOT EXISTS (
			SELECT FROM sales_crm.quote s WHERE s.opportunity_id = due.opportunity_id AND s.status IN ('draft', 'sent', 'viewed', 'signed')) THEN
			PERFORM sales_crm.move_opportunity_of(due.quote_id, 'expired');
		END IF;
		done := done + 1;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION sales_crm.expire_quotes() IS
	'Writes down which open quotes have expired, which they are by time already, and returns how many; up to 1,000 at a time, and none that somebody is working on. For housekeeping()';

CREATE FUNCTION sales_crm.unread_notifications()
RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT count(*) FROM sales_crm.notification n WHERE n.member_id = sales_crm.current_member() AND n.read_at IS NULL $$;
COMMENT ON FUNCTION sales_crm.unread_notifications() IS
	'How many notifications the session''s member has not read';

CREATE FUNCTION sales_crm.mark_notifications_read(up_to_id bigint DEFAULT NULL)
RETURNS bigint LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
	WITH read AS (
		UPDATE sales_crm.notification n SET read_at = now()
		WHERE n.member_id = sales_crm.current_member() AND n.read_at IS NULL AND ($1 IS NULL OR n.notification_id <= $1)
		RETURNING 1)
	SELECT count(*) FROM read
$$;
COMMENT ON FUNCTION sales_crm.mark_notifications_read(bigint) IS
	'Marks the notifications of the session''s member as read, up to one or all, and returns how many were not';
