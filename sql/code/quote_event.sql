CREATE FUNCTION sales_crm.quote_event_sha256(
	quote_id bigint, "position" integer, kind text, at timestamptz, member_id bigint, quote_link_id bigint, data jsonb, previous_sha256 bytea)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sha256(coalesce(previous_sha256, '') || convert_to(jsonb_build_object(
		'quote_id', quote_id::text, 'position', "position"::text, 'kind', kind,
		'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
		'member_id', member_id::text, 'quote_link_id', quote_link_id::text, 'data', data)::text, 'UTF8'))
$$;
COMMENT ON FUNCTION sales_crm.quote_event_sha256(bigint, integer, text, timestamptz, bigint, bigint, jsonb, bytea) IS
	'SHA-256 over the hash of the event before, none for the first, and the event as the text of a jsonb object with its columns as strings, its time in UTC to the microsecond';

CREATE FUNCTION sales_crm.quote_event_chain()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP <> 'INSERT' THEN
		RAISE EXCEPTION 'events of quotes are append-only'
			USING ERRCODE = 'SC101', DETAIL = format('The statement would %s event %s of quote %s.', lower(TG_OP), OLD.position, OLD.quote_id);
	END IF;
	-- The quote's lock puts its events in their order; other quotes do not wait
	PERFORM FROM sales_crm.quote q WHERE q.quote_id = NEW.quote_id FOR NO KEY UPDATE;
	SELECT e.position + 1, e.sha256 INTO NEW.position, NEW.previous_sha256
	FROM sales_crm.quote_event e WHERE e.quote_id = NEW.quote_id ORDER BY e.position DESC LIMIT 1;
	NEW.position := coalesce(NEW.position, 1);
	NEW.at := clock_timestamp();
	NEW.data := coalesce(jsonb_strip_nulls(NEW.data), '{}');
	NEW.sha256 := sales_crm.quote_event_sha256(NEW.quote_id, NEW.position, NEW.kind, NEW.at, NEW.member_id, NEW.quote_link_id, NEW.data, NEW.previous_sha256);
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_event_chain() IS
	'Row trigger of quote_event: gives an event its place in the chain of its quote, its time and its hash; refuses all but INSERT. Errors: SC101';

CREATE FUNCTION sales_crm.append_quote_event(quote_id bigint, kind text, quote_link_id bigint DEFAULT NULL, data jsonb DEFAULT '{}')
RETURNS void LANGUAGE sql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO sales_crm.quote_event (quote_id, kind, member_id, quote_link_id, data)
	VALUES ($1, $2, CASE WHEN $3 IS NULL THEN sales_crm.current_member() END, $3, $4)
$$;
COMMENT ON FUNCTION sales_crm.append_quote_event(bigint, text, bigint, jsonb) IS
	'Appends to what happened to a quote; by the session''s member, unless it happened through a link';

CREATE FUNCTION sales_crm.quote_event_of_change()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	answer record;
BEGIN
	IF TG_OP = 'INSERT' THEN
		PERFORM sales_crm.append_quote_event(NEW.quote_id, 'created', data => jsonb_build_object(
			'number', NEW.number, 'version', NEW.version::text, 'supersedes', NEW.supersedes_id::text));
		RETURN NULL;
	END IF;
	IF NEW.status = OLD.status THEN
		IF NEW.valid_until <> OLD.valid_until AND NEW.status <> 'draft' THEN
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'extended', data => jsonb_build_object('valid_until', NEW.valid_until::text));
		END IF;
		RETURN NULL;
	END IF;
	CASE
		WHEN NEW.status = 'sent' AND OLD.status = 'draft' THEN
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'sent', data => jsonb_build_object(
				'snapshot_sha256', encode(NEW.snapshot_sha256, 'hex'), 'html_sha256', encode(NEW.html_sha256, 'hex'), 'valid_until', NEW.valid_until::text));
		WHEN NEW.status = 'viewed' AND OLD.status = 'sent' THEN
			SELECT l.quote_link_id INTO answer FROM sales_crm.quote_link l
			WHERE l.quote_id = NEW.quote_id AND l.first_viewed_at IS NOT NULL ORDER BY l.first_viewed_at DESC LIMIT 1;
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'viewed', answer.quote_link_id);
		WHEN NEW.status = 'signed' THEN
			SELECT s.* INTO answer FROM sales_crm.signature s WHERE s.quote_id = NEW.quote_id;
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'signed', answer.quote_link_id, jsonb_build_object(
				'signer_name', answer.signer_name, 'signer_email', answer.signer_email, 'paper', CASE WHEN answer.paper THEN 'true' END,
				'image_sha256', encode(sha256(answer.image), 'hex'), 'consent_text', answer.consent_text, 'ip', host(answer.ip),
				'user_agent', answer.user_agent, 'snapshot_sha256', encode(answer.snapshot_sha256, 'hex')));
		WHEN NEW.status = 'change_requested' THEN
			SELECT r.* INTO answer FROM sales_crm.change_request r WHERE r.quote_id = NEW.quote_id;
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'change_requested', answer.quote_link_id, jsonb_build_object(
				'note', answer.note, 'name', answer.requester_name, 'email', answer.requester_email, 'ip', host(answer.ip), 'user_agent', answer.user_agent));
		WHEN NEW.status = 'declined' THEN
			SELECT r.* INTO answer FROM sales_crm.refusal r WHERE r.quote_id = NEW.quote_id;
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'declined', answer.quote_link_id, jsonb_build_object(
				'reason', answer.reason, 'name', answer.refuser_name, 'email', answer.refuser_email, 'ip', host(answer.ip), 'user_agent', answer.user_agent));
		WHEN OLD.status = 'expired' AND NEW.status IN ('sent', 'viewed') THEN
			PERFORM sales_crm.append_quote_event(NEW.quote_id, 'extended', data => jsonb_build_object('valid_until', NEW.valid_until::text));
		ELSE
			PERFORM sales_crm.append_quote_event(NEW.quote_id, NEW.status);
	END CASE;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_event_of_change() IS
	'Row trigger of quote: appends the event of each change of its status or validity, whoever makes it';

CREATE FUNCTION sales_crm.verify_quote_events(OUT quote_id bigint, OUT "position" integer, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH event AS (
		SELECT e.*, row_number() OVER w AS place, lag(e.sha256) OVER w AS before
		FROM sales_crm.quote_event e
		WINDOW w AS (PARTITION BY e.quote_id ORDER BY e.position)),
	checkpoint AS (
		SELECT c.*, coalesce(lag(c.last_quote_event_id) OVER v, 0) AS after_id, lag(c.sha256) OVER v AS before,
			coalesce(lag(c.events) OVER v, 0) AS events_before
		FROM sales_crm.quote_event_checkpoint c
		WINDOW v AS (ORDER BY c.quote_event_checkpoint_id))
	SELECT e.quote_id, e.position, 'an event before this one is missing'
	FROM event e WHERE e.place <> e.position
	UNION ALL
	SELECT e.quote_id, e.position, 'the event does not follow the one before it'
	FROM event e WHERE e.previous_sha256 IS DISTINCT FROM e.before
	UNION ALL
	SELECT e.quote_id, e.position, 'the event is not as it was appended'
	FROM event e
	WHERE e.sha256 <> sales_crm.quote_event_sha256(e.quote_id, e.position, e.kind, e.at, e.member_id, e.quote_link_id, e.data, e.previous_sha256)
	UNION ALL
	SELECT q.quote_id, NULL, 'the quote has no events'
	FROM sales_crm.quote q WHERE NOT EXISTS (SELECT FROM sales_crm.quote_event e WHERE e.quote_id = q.quote_id)
	UNION ALL
	SELECT q.quote_id, e.position, format('the quote is %s, its last change of status was to %s', q.status, e.status)
	FROM sales_crm.quote q
	CROSS JOIN LATERAL (
		SELECT x.position, CASE x.kind WHEN 'created' THEN 'draft' ELSE x.kind END AS status
		FROM sales_crm.quote_event x
		WHERE x.quote_id = q.quote_id AND x.kind IN ('created', 'sent', 'viewed', 'signed', 'change_requested', 'declined', 'expired', 'withdrawn', 'superseded')
		ORDER BY x.position DESC LIMIT 1) e
	WHERE e.status <> q.status AND NOT (e.status = 'expired' AND q.status IN ('sent', 'viewed'))
	UNION ALL
	SELECT NULL, NULL, format('checkpoint %s does not cover the events that are there', c.quote_event_checkpoint_id)
	FROM checkpoint c
	CROSS JOIN LATERAL (
		SELECT c.events_before + count(*) AS events, sha256(coalesce(string_agg(e.sha256, '' ORDER BY e.quote_event_id), '')) AS heads_sha256
		FROM sales_crm.quote_event e WHERE e.quote_event_id > c.after_id AND e.quote_event_id <= c.last_quote_event_id) there
	WHERE (c.events, c.heads_sha256) <> (there.events, there.heads_sha256)
	UNION ALL
	SELECT NULL, NULL, format('checkpoint %s is not as it was made', c.quote_event_checkpoint_id)
	FROM checkpoint c
	WHERE c.previous_sha256 IS DISTINCT FROM c.before
		OR c.sha256 <> sales_crm.quote_event_checkpoint_sha256(c.at, c.last_quote_event_id, c.events, c.heads_sha256, c.previous_sha256)
$$;
COMMENT ON FUNCTION sales_crm.verify_quote_events() IS
	'Checks the chains of events of all quotes, and the checkpoints over them: a row for each that was edited, deleted, inserted, moved or cut off. Never a row, unless somebody switched triggers off';

CREATE FUNCTION sales_crm.quote_event_checkpoint_sha256(at timestamptz, last_quote_event_id bigint, events bigint, heads_sha256 bytea, previous_sha256 bytea)
RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sha256(coalesce(previous_sha256, '') || convert_to(jsonb_build_object(
		'at', to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'last_quote_event_id', last_quote_event_id::text,
		'events', events::text, 'heads_sha256', encode(heads_sha256, 'hex'))::text, 'UTF8'))
$$;
COMMENT ON FUNCTION sales_crm.quote_event_checkpoint_sha256(timestamptz, bigint, bigint, bytea, bytea) IS
	'SHA-256 over the hash of the checkpoint before, none for the first, and the checkpoint as the text of a jsonb object';

CREATE FUNCTION sales_crm.extend_quote_checkpoints()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
	before record;
	covered record;
	moment CONSTANT timestamptz := clock_timestamp();
BEGIN
	-- Events on their way may have smaller keys than some that are there: a moment without any, or another time
	BEGIN
		LOCK TABLE sales_crm.quote_event IN SHARE MODE;
	EXCEPTION WHEN lock_not_available THEN
		RETURN 0;
	END;
	SELECT c.last_quote_event_id, c.events, c.sha256 INTO before
	FROM sales_crm.quote_event_checkpoint c ORDER BY c.quote_event_checkpoint_id DESC LIMIT 1;
	SELECT max(e.quote_event_id) AS last, count(*) AS events, sha256(coalesce(string_agg(e.sha256, '' ORDER BY e.quote_event_id), '')) AS heads
	INTO covered
	FROM sales_crm.quote_event e WHERE e.quote_event_id > coalesce(before.last_quote_event_id, 0);
	IF covered.events = 0 THEN
		RETURN 0;
	END IF;
	INSERT INTO sales_crm.quote_event_checkpoint (at, last_quote_event_id, events, heads_sha256, previous_sha256, sha256)
	VALUES (moment, covered.last, coalesce(before.events, 0) + covered.events, covered.heads, before.sha256,
		sales_crm.quote_event_checkpoint_sha256(moment, covered.last, coalesce(before.events, 0) + covered.events, covered.heads, before.sha256));
	RETURN covered.events;
END
$$;
COMMENT ON FUNCTION sales_crm.extend_quote_checkpoints() IS
	'Appends a checkpoint over the events since the last one and returns how many it covers; 0 when there are none, or when no moment of a tenth of a second was without a transaction that appends some. The last job of housekeeping()';

CREATE FUNCTION sales_crm.quote_event_head(OUT quote_event_checkpoint_id bigint, OUT at timestamptz, OUT events bigint, OUT sha256 bytea)
RETURNS record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.quote_event_checkpoint_id, c.at, c.events, c.sha256
	FROM sales_crm.quote_event_checkpoint c ORDER BY c.quote_event_checkpoint_id DESC LIMIT 1
$$;
COMMENT ON FUNCTION sales_crm.quote_event_head() IS
	'The newest checkpoint: written down outside the database from time to time, its sha256 proves that nothing before it was changed or cut off';
