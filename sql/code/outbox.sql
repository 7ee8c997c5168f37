CREATE FUNCTION sales_crm.message_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_message_guard';
COMMENT ON FUNCTION sales_crm.message_guard() IS
	'Row trigger of message: none is available earlier than it is written; the commit that makes one available wakes the senders';

CREATE FUNCTION sales_crm.tell(event text, id bigint)
RETURNS void LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'scrm_tell';
COMMENT ON FUNCTION sales_crm.tell(text, bigint) IS
	'Tells those who listen to sales_crm_event, at commit: {"event": …, "id": …}';

CREATE FUNCTION sales_crm.tell_live(event text, id bigint)
RETURNS void LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'scrm_tell_live';
COMMENT ON FUNCTION sales_crm.tell_live(text, bigint) IS
	'The same where live_event has it switched on';

CREATE FUNCTION sales_crm.database_identity()
RETURNS text LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_database_identity';
COMMENT ON FUNCTION sales_crm.database_identity() IS
	'System identifier of the cluster and oid of the database: another one in every restored or cloned database, the same in standbys and other physical copies';

CREATE FUNCTION sales_crm.sending_active()
RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (SELECT coalesce((SELECT s.database_identity = sales_crm.database_identity() FROM sales_crm.sending s), false));
END
$$;
COMMENT ON FUNCTION sales_crm.sending_active() IS
	'Whether activate_sending() was called in this very database';

CREATE FUNCTION sales_crm.activate_sending(keep_waiting boolean DEFAULT false)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	before text;
	gone bigint := 0;
BEGIN
	SELECT s.database_identity INTO STRICT before FROM sales_crm.sending s FOR UPDATE;
	IF before = sales_crm.database_identity() THEN
		RETURN 0;
	END IF;
	IF before IS NOT NULL AND NOT coalesce(keep_waiting, false) THEN
		WITH doomed AS MATERIALIZED (
			SELECT m.message_id FROM sales_crm.message m ORDER BY m.message_id FOR UPDATE)
		SELECT count(sales_crm.bury_message(d.message_id, 'It was waiting in the database that this one was copied from, which may have delivered it.'))
		INTO gone FROM doomed d;
	END IF;
	UPDATE sales_crm.sending s
	SET database_identity = sales_crm.database_identity(), activated_at = now(), activated_by = session_user;
	RETURN gone;
END
$$;
COMMENT ON FUNCTION sales_crm.activate_sending(boolean) IS
	'Lets this database send. In a copy, what was waiting in the original goes to message_dead first, and the result says how much, unless keep_waiting says that the original will not send any more';

CREATE FUNCTION sales_crm.deactivate_sending()
RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	UPDATE sales_crm.sending SET database_identity = NULL, activated_at = NULL, activated_by = NULL
$$;
COMMENT ON FUNCTION sales_crm.deactivate_sending() IS
	'Nothing is claimed any more; messages are queued all the same';

CREATE FUNCTION sales_crm.queue_message(
	kind text, event text, payload jsonb, recipient text DEFAULT NULL, order_key text DEFAULT NULL, dedup_key text DEFAULT NULL,
	expires_at timestamptz DEFAULT NULL, opportunity_id bigint DEFAULT NULL, quote_id bigint DEFAULT NULL,
	webhook_id bigint DEFAULT NULL, waits_for bigint DEFAULT NULL, message_id bigint DEFAULT NULL)
RETURNS bigint LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_queue_message';
COMMENT ON FUNCTION sales_crm.queue_message(text, text, jsonb, text, text, text, timestamptz, bigint, bigint, bigint, bigint, bigint) IS
	'Queues a message as it is and returns its key, or NULL where dedup_key was queued before; queue_email(), queue_webhooks() and queue_pdf() call it';

CREATE FUNCTION sales_crm.bury_message(message_id bigint, reason text)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	buried sales_crm.message;
BEGIN
	DELETE FROM sales_crm.message m WHERE m.message_id = message_id RETURNING m.* INTO buried;
	IF buried.message_id IS NULL THEN
		RETURN NULL;
	END IF;
	INSERT INTO sales_crm.message_dead (message_id, kind, attempts, fence, webhook_id, waits_for, order_key, reason)
	VALUES (message_id, buried.kind, buried.attempts, buried.fence, buried.webhook_id, buried.waits_for, buried.order_key,
		coalesce(nullif(left(reason, 2000), ''), 'No reason was given.'));
	UPDATE sales_crm.email e SET state = 'failed', problem = left(reason, 2000)
	FROM sales_crm.message_body b WHERE b.message_id = message_id AND e.email_id = b.email_id;
	PERFORM sales_crm.release_messages(array[buried.order_key]);
	RETURN message_id;
END
$$;
COMMENT ON FUNCTION sales_crm.bury_message(bigint, text) IS
	'Gives a message up: it goes to message_dead with the reason. NULL where it is no longer in the outbox';

CREATE FUNCTION sales_crm.release_messages(order_keys text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	WITH next AS MATERIALIZED (
		SELECT m.message_id FROM sales_crm.message m
		WHERE m.message_id IN (
				SELECT (SELECT min(x.message_id) FROM sales_crm.message x WHERE x.order_key = k) FROM unnest(order_keys) k)
			AND m.claimed_by IS NULL AND m.waits_for IS NULL AND m.attempts = 0 AND m.available_at > clock_timestamp()
		ORDER BY m.message_id FOR UPDATE)
	UPDATE sales_crm.message m SET available_at = clock_timestamp() FROM next WHERE next.message_id = m.message_id;
END
$$;
COMMENT ON FUNCTION sales_crm.release_messages(text[]) IS
	'Makes the next message of each order available, whose turn it is now';

CREATE FUNCTION sales_crm.redrive_messages(
	message_ids bigint[] DEFAULT NULL, kind text DEFAULT NULL, event text DEFAULT NULL, died_since timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	revived bigint;
BEGIN
	WITH chosen AS (
		DELETE FROM sales_crm.message_dead d
		USING sales_crm.message_body b
		WHERE b.message_id = d.message_id
			AND (message_ids IS NULL OR d.message_id = ANY (message_ids)) AND (kind IS NULL OR d.kind = kind)
			AND (event IS NULL OR b.event = event) AND (died_since IS NULL OR d.died_at >= died_since)
		RETURNING d.*
	), again AS (
		INSERT INTO sales_crm.message (message_id, kind, available_at, fence, webhook_id, waits_for, order_key)
		SELECT c.message_id, c.kind, CASE WHEN w.message_id IS NOT NULL THEN timestamptz 'infinity' END,
			c.fence, c.webhook_id, w.message_id, c.order_key
		FROM chosen c
		LEFT JOIN sales_crm.message_body w ON w.message_id = c.waits_for
			AND NOT EXISTS (SELECT FROM sales_crm.message_done o WHERE o.message_id = w.message_id)
		RETURNING message.message_id
	), timeless AS (
		-- Somebody wants it now, however late it is
		UPDATE sales_crm.message_body b SET expires_at = NULL
		FROM again a WHERE b.message_id = a.message_id AND b.expires_at <= now()
	), queued AS (
		UPDATE sales_crm.email e SET state = 'queued', problem = NULL
		FROM again a JOIN sales_crm.message_body b USING (message_id) WHERE e.email_id = b.email_id
	)
	SELECT count(*) INTO revived FROM again;
	RETURN revived;
END
$$;
COMMENT ON FUNCTION sales_crm.redrive_messages(bigint[], text, text, timestamptz) IS
	'Queues messages of message_dead again, those that all given arguments describe, and returns how many';

CREATE FUNCTION sales_crm.discard_messages(message_ids bigint[])
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	gone bigint;
BEGIN
	DELETE FROM sales_crm.message_dead d WHERE d.message_id = ANY (message_ids);
	GET DIAGNOSTICS gone = ROW_COUNT;
	RETURN gone;
END
$$;
COMMENT ON FUNCTION sales_crm.discard_messages(bigint[]) IS
	'Forgets messages of message_dead and returns how many; what they said is kept until it is old, so that the same event does not queue them again';

CREATE FUNCTION sales_crm.message_attachment(message_id bigint, fence bigint, attachment_id bigint)
RETURNS bytea LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	found_content bytea;
BEGIN
	PERFORM FROM sales_crm.message m JOIN sales_crm.message_body b ON b.message_id = m.message_id
	WHERE m.message_id = message_id AND m.fence = fence AND m.claimed_by IS NOT NULL
		AND b.payload -> 'attachments' @> jsonb_build_array(jsonb_build_object('attachment_id', attachment_id));
	IF NOT FOUND THEN
		PERFORM sales_crm.lease_lost(message_id);
	END IF;
	SELECT c.content INTO found_content
	FROM sales_crm.attachment a JOIN sales_crm.attachment_content c ON c.sha256 = a.sha256 WHERE a.attachment_id = attachment_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'attachment % does not exist', attachment_id USING ERRCODE = 'no_data_found';
	END IF;
	RETURN found_content;
END
$$;
COMMENT ON FUNCTION sales_crm.message_attachment(bigint, bigint, bigint) IS
	'Content of an attachment of a message, for whoever has claimed it. Errors: SC301 for another fence or an attachment that is not the message''s, P0002 when the file was deleted';

CREATE FUNCTION sales_crm.verify_outbox(
	OUT message_id bigint, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT b.message_id, c.problem
	FROM sales_crm.message_body b
	LEFT JOIN sales_crm.message m USING (message_id)
	LEFT JOIN sales_crm.message_done o USING (message_id)
	LEFT JOIN sales_crm.message_dead d USING (message_id)
	LEFT JOIN sales_crm.message w ON w.message_id = m.waits_for
	LEFT JOIN sales_crm.message_dead wd ON wd.message_id = m.waits_for
	LEFT JOIN sales_crm.email e ON e.email_id = b.email_id
	CROSS JOIN LATERAL (VALUES
		(num_nonnulls(m.message_id, o.message_id, d.message_id) > 1, 'in more than one of message, message_done and message_dead'),
		(b.kind <> coalesce(m.kind, o.kind, d.kind, b.kind), 'of another kind than its body'),
		(m.claimed_by IS NOT NULL AND m.available_at = 'infinity', 'claimed without end'),
		(m.claimed_by IS NULL AND m.waits_for IS NULL AND m.available_at = 'infinity', 'waiting for nothing'),
		(m.waits_for IS NOT NULL AND num_nonnulls(w.message_id, wd.message_id) = 0, 'waiting for a PDF that is no longer in the outbox'),
		(m.kind = 'webhook' AND m.webhook_id IS NULL, 'a webhook without endpoint'),
		(m.message_id IS NOT NULL AND e.state <> 'queued', 'to be delivered, and its e-mail is not queued'),
		(o.message_id IS NOT NULL AND e.state NOT IN ('sent', 'bounced'), 'delivered, and its e-mail is not sent'),
		(d.message_id IS NOT NULL AND e.state <> 'failed', 'given up, and its e-mail has not failed')
	) AS c (holds, problem)
	WHERE c.holds
$$;
COMMENT ON FUNCTION sales_crm.verify_outbox() IS
	'Checks that each message is in one place and in a state that leads on, and returns what is not: never a row, unless rows were written with triggers off or by hand';
