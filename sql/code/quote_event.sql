-- The chain of events of each quote, and the chain of checkpoints over all of them. doc/answer.md has
-- the form of the texts, for those who verify with another program.

CREATE FUNCTION sales_crm.quote_event_text(
	quote_id bigint, "position" integer, kind text, at timestamptz, member_id bigint, quote_link_id bigint, data jsonb, previous_sha256 bytea)
RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_quote_event_text';
COMMENT ON FUNCTION sales_crm.quote_event_text(bigint, integer, text, timestamptz, bigint, bigint, jsonb, bytea) IS
	'What the sha256 of an event is computed of: a line per column, NULL as -, others with their length in bytes of UTF-8';

CREATE FUNCTION sales_crm.quote_event_chain()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_quote_event_chain';
COMMENT ON FUNCTION sales_crm.quote_event_chain() IS
	'Row trigger of quote_event: locks the quote, gives a new event its place in the quote''s chain, its time and its hash; refuses all but INSERT. Errors: SC101, 23502';

CREATE FUNCTION sales_crm.quote_event_checkpoint_stays()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'checkpoints of quotes'' events are append-only'
		USING ERRCODE = 'SC101', DETAIL = 'They are the evidence that no event is missing.', HINT = 'SELECT sales_crm.checkpoint_quote_events() adds one.';
END
$$;
COMMENT ON FUNCTION sales_crm.quote_event_checkpoint_stays() IS
	'Statement trigger of quote_event_checkpoint: refuses to change or remove rows. Errors: SC101';

CREATE FUNCTION sales_crm.append_quote_event(quote_id bigint, kind text, quote_link_id bigint DEFAULT NULL, data jsonb DEFAULT '{}')
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_append_quote_event';
COMMENT ON FUNCTION sales_crm.append_quote_event(bigint, text, bigint, jsonb) IS
	'Appends to what happened to a quote; by the session''s member, unless it happened through a link';

CREATE FUNCTION sales_crm.quote_event_of_change()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_quote_event_of_change';
COMMENT ON FUNCTION sales_crm.quote_event_of_change() IS
	'Row trigger of quote: appends the event of each change of its status or validity, whoever makes it';

CREATE FUNCTION sales_crm.quote_event_checkpoint_text("position" bigint, at timestamptz, heads jsonb, previous_sha256 bytea)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'sales_crm quote_event_checkpoint 1\nposition %s\nat %s\nheads %s\nprevious_sha256 %s\n', "position",
		to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), heads, coalesce(encode(previous_sha256, 'hex'), '-'))
$$;
COMMENT ON FUNCTION sales_crm.quote_event_checkpoint_text(bigint, timestamptz, jsonb, bytea) IS
	'What the sha256 of a checkpoint is computed of';

CREATE FUNCTION sales_crm.checkpoint_quote_events(max_events integer DEFAULT 100000)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	last sales_crm.quote_event_checkpoint;
	taken bigint[];
	ends jsonb;
	now_at CONSTANT timestamptz := clock_timestamp();
BEGIN
	-- One at a time; readers and writers of events go on
	LOCK TABLE sales_crm.quote_event_checkpoint IN SHARE ROW EXCLUSIVE MODE;
	WITH gone AS (
		DELETE FROM sales_crm.quote_event_pending
		WHERE ctid = ANY (array(SELECT p.ctid FROM sales_crm.quote_event_pending p LIMIT max_events))
		RETURNING quote_id
	)
	SELECT array_agg(DISTINCT g.quote_id) INTO taken FROM gone g;
	IF taken IS NULL THEN
		RETURN 0;
	END IF;
	SELECT jsonb_agg(jsonb_build_array(t.quote_id, e.position, encode(e.sha256, 'hex')) ORDER BY t.quote_id) INTO ends
	FROM unnest(taken) AS t (quote_id)
	CROSS JOIN LATERAL (SELECT e.position, e.sha256 FROM sales_crm.quote_event e
		WHERE e.quote_id = t.quote_id ORDER BY e.position DESC LIMIT 1) e;
	SELECT c.* INTO last FROM sales_crm.quote_event_checkpoint c ORDER BY c.position DESC LIMIT 1;
	INSERT INTO sales_crm.quote_event_checkpoint (position, at, heads, previous_sha256, sha256)
	SELECT n.position, now_at, ends, last.sha256,
		sha256(convert_to(sales_crm.quote_event_checkpoint_text(n.position, now_at, ends, last.sha256), 'UTF8'))
	FROM (SELECT coalesce(last.position, 0) + 1) AS n (position)
	WHERE ends IS NOT NULL;
	RETURN coalesce(jsonb_array_length(ends), 0);
END
$$;
COMMENT ON FUNCTION sales_crm.checkpoint_quote_events(integer) IS
	'Adds a checkpoint with the ends of the chains that grew since the last one; returns how many these are. housekeeping() does it';

CREATE FUNCTION sales_crm.quote_event_head(
	OUT "position" bigint, OUT at timestamptz, OUT sha256 bytea, OUT pending bigint)
RETURNS record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT c.position, c.at, c.sha256, p.pending
	FROM (SELECT count(*) AS pending FROM sales_crm.quote_event_pending) p
	LEFT JOIN (SELECT * FROM sales_crm.quote_event_checkpoint ORDER BY position DESC LIMIT 1) c ON true
$$;
COMMENT ON FUNCTION sales_crm.quote_event_head() IS
	'The last checkpoint: what to keep outside the database, where nobody can change it, and give to verify_quote_events() later; and how many events came since';

CREATE FUNCTION sales_crm.verify_quote_events(
	anchored_position bigint DEFAULT NULL, anchored_sha256 bytea DEFAULT NULL,
	OUT quote_id bigint, OUT "position" bigint, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH event AS (
		SELECT e.*, lag(e.position) OVER chain AS before, lag(e.sha256) OVER chain AS sha256_before
		FROM sales_crm.quote_event e
		WINDOW chain AS (PARTITION BY e.quote_id ORDER BY e.position)
	), mark AS (
		SELECT c.*, lag(c.position) OVER chain AS before, lag(c.sha256) OVER chain AS sha256_before
		FROM sales_crm.quote_event_checkpoint c
		WINDOW chain AS (ORDER BY c.position)
	), head AS (
		SELECT (h ->> 0)::bigint AS quote_id, (h ->> 1)::integer AS position, decode(h ->> 2, 'hex') AS sha256
		FROM sales_crm.quote_event_checkpoint c, jsonb_array_elements(c.heads) h
	)
	-- Each event
	SELECT e.quote_id, e.position::bigint, p.problem
	FROM event e
	CROSS JOIN LATERAL (VALUES
		(e.sha256 <> pg_catalog.sha256(convert_to(sales_crm.quote_event_text(
			e.quote_id, e.position, e.kind, e.at, e.member_id, e.quote_link_id, e.data, e.previous_sha256), 'UTF8')),
			'event is not what its hash says'),
		(e.position <> coalesce(e.before, 0) + 1, 'events before this one are missing'),
		(e.previous_sha256 IS DISTINCT FROM e.sha256_before, 'event does not follow the one before')
	) AS p (holds, problem)
	WHERE p.holds
	UNION ALL
	-- The end of each chain: the last change of status is that of its quote
	SELECT q.quote_id, e.position::bigint, format('quote is %s, and its last change of status was to %s', q.status, coalesce(e.status, 'nothing'))
	FROM sales_crm.quote q
	LEFT JOIN LATERAL (
		SELECT x.position, CASE x.kind WHEN 'created' THEN 'draft' ELSE x.kind END AS status
		FROM sales_crm.quote_event x
		WHERE x.quote_id = q.quote_id AND x.kind IN ('created', 'sent', 'viewed', 'signed', 'change_requested', 'declined', 'expired', 'withdrawn', 'superseded')
		ORDER BY x.position DESC LIMIT 1) e ON true
	WHERE e.status IS DISTINCT FROM q.status AND NOT coalesce(e.status = 'expired' AND q.status IN ('sent', 'viewed'), false)
	UNION ALL
	-- The checkpoints
	SELECT NULL, m.position, p.problem
	FROM mark m
	CROSS JOIN LATERAL (VALUES
		(m.sha256 <> pg_catalog.sha256(convert_to(sales_crm.quote_event_checkpoint_text(m.position, m.at, m.heads, m.previous_sha256), 'UTF8')),
			'checkpoint is not what its hash says'),
		(m.position <> coalesce(m.before, 0) + 1, 'checkpoints before this one are missing'),
		(m.previous_sha256 IS DISTINCT FROM m.sha256_before, 'checkpoint does not follow the one before')
	) AS p (holds, problem)
	WHERE p.holds
	UNION ALL
	SELECT h.quote_id, h.position::bigint, 'event of a checkpoint is missing or another one'
	FROM head h
	LEFT JOIN sales_crm.quote_event e ON e.quote_id = h.quote_id AND e.position = h.position
	WHERE e.sha256 IS DISTINCT FROM h.sha256
	UNION ALL
	SELECT l.quote_id, l.position::bigint, 'events since the last checkpoint are not waiting for one'
	FROM (SELECT e.quote_id, max(e.position) AS position FROM sales_crm.quote_event e GROUP BY e.quote_id) l
	LEFT JOIN (SELECT h.quote_id, max(h.position) AS position FROM head h GROUP BY h.quote_id) h ON h.quote_id = l.quote_id
	WHERE l.position > coalesce(h.position, 0)
		AND NOT EXISTS (SELECT FROM sales_crm.quote_event_pending p WHERE p.quote_id = l.quote_id)
	UNION ALL
	-- What was kept outside
	SELECT NULL, anchored_position, 'checkpoint is not the one that was anchored'
	WHERE anchored_sha256 IS NOT NULL AND NOT EXISTS (
		SELECT FROM sales_crm.quote_event_checkpoint c WHERE c.position = anchored_position AND c.sha256 = anchored_sha256)
$$;
COMMENT ON FUNCTION sales_crm.verify_quote_events(bigint, bytea) IS
	'Recomputes the chains of events and of checkpoints and returns each row that was changed, removed, inserted or moved: never a row, unless that was done with triggers off. With position and sha256 of an earlier quote_event_head(), also whether that checkpoint is still there';
