CREATE FUNCTION sales_crm.outbox_floor(kind text)
RETURNS timestamptz LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'scrm_outbox_floor';
COMMENT ON FUNCTION sales_crm.outbox_floor(text) IS
	'Begins a look for messages of a kind: below this time of available_at there is none. Errors: 0A000 outside READ COMMITTED';

CREATE FUNCTION sales_crm.outbox_raise_floor(kind text, first timestamptz)
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_outbox_raise_floor';
COMMENT ON FUNCTION sales_crm.outbox_raise_floor(text, timestamptz) IS
	'Tells the first message that a look has seen, NULL for none: the next one begins there';

CREATE FUNCTION sales_crm.lease_lost(message_id bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RAISE EXCEPTION 'message % is no longer yours', message_id
		USING ERRCODE = 'SC301',
			DETAIL = 'It was claimed again, delivered or given up since it was claimed with this fence.',
			HINT = 'Drop it and claim others; a longer lease, or extend_lease() in time, keeps slow ones.';
END
$$;
COMMENT ON FUNCTION sales_crm.lease_lost(bigint) IS
	'Raises SC301';

CREATE FUNCTION sales_crm.claim_messages(
	worker text, max integer DEFAULT 100, lease interval DEFAULT '5 minutes', kinds text[] DEFAULT '{pdf,email,webhook}',
	OUT message_id bigint, OUT kind text, OUT event text, OUT fence bigint, OUT attempt integer, OUT lease_until timestamptz,
	OUT recipient text, OUT payload jsonb)
RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET enable_bitmapscan = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
DECLARE
	wanted text;
	waiting text[] := '{}';
	from_at timestamptz;
	first_at timestamptz;
	firsts timestamptz[] := '{}';
	to_at timestamptz;
	share integer;
	left_over integer := max;
	fit_ids bigint[];
	doubtful_ids bigint[];
	lost boolean;
	claimed integer;
BEGIN
	IF worker IS NULL OR worker !~ '\S' OR char_length(worker) > 200 OR max IS NULL OR max NOT BETWEEN 1 AND 10000
		OR lease IS NULL OR lease NOT BETWEEN interval '1 second' AND interval '1 day'
		OR kinds IS NULL OR NOT kinds <@ '{pdf,email,webhook}' THEN
		RAISE EXCEPTION 'cannot claim messages like that'
			USING ERRCODE = 'invalid_parameter_value',
				HINT = 'Give worker a name, max 1 to 10000, lease a second to a day, kinds some of pdf, email and webhook.';
	END IF;
	IF NOT sales_crm.sending_active() THEN
		RETURN;
	END IF;
	FOREACH wanted IN ARRAY kinds LOOP
		from_at := sales_crm.outbox_floor(wanted);
		to_at := clock_timestamp();
		SELECT min(m.available_at) INTO first_at FROM sales_crm.message m
		WHERE m.kind = wanted AND m.available_at >= from_at AND m.available_at <= to_at;
		PERFORM sales_crm.outbox_raise_floor(wanted, first_at);
		IF first_at IS NOT NULL THEN
			waiting := waiting || wanted;
			firsts := firsts || first_at;
		END IF;
	END LOOP;
	FOR i IN 1 .. cardinality(waiting) LOOP
		wanted := waiting[i];
		first_at := firsts[i];
		share := ceil(left_over::numeric / (cardinality(waiting) - i + 1));
		CONTINUE WHEN share = 0;
		WITH found AS MATERIALIZED (
			SELECT m.message_id, m.claimed_by IS NOT NULL AS lost,
				m.claimed_by IS NULL AND m.attempts < 100 AND m.order_key IS NULL AND wanted <> 'webhook' AS fits
			FROM sales_crm.message m
			WHERE m.kind = wanted AND m.available_at >= first_at AND m.available_at <= to_at
			ORDER BY m.available_at, m.message_id LIMIT share FOR UPDATE SKIP LOCKED)
		SELECT array_agg(f.message_id) FILTER (WHERE f.fits), array_agg(f.message_id) FILTER (WHERE NOT f.fits), bool_or(f.lost)
		INTO fit_ids, doubtful_ids, lost FROM found f;
		CONTINUE WHEN lost IS NULL;
		IF doubtful_ids IS NOT NULL THEN
			-- Another statement: it sees what was committed before the locks were there
			fit_ids := coalesce(fit_ids, '{}') || sales_crm.sift_messages(doubtful_ids, lost);
		END IF;
		-- In the order of the index, without keeping payloads to sort them
		RETURN QUERY
		UPDATE sales_crm.message m
		SET fence = m.fence + 1, attempts = m.attempts + 1, claimed_by = worker, available_at = clock_timestamp() + lease
		FROM sales_crm.message_body b
		WHERE m.message_id = ANY (fit_ids) AND b.message_id = m.message_id AND (b.expires_at > to_at) IS NOT FALSE
		RETURNING m.message_id, m.kind, b.event, m.fence, m.attempts, m.available_at, b.recipient,
			CASE m.kind WHEN 'webhook' THEN b.payload || coalesce((
					SELECT jsonb_build_object('webhook_id', w.webhook_id, 'url', w.url, 'secrets', w.secrets)
					FROM sales_crm.webhook w WHERE w.webhook_id = m.webhook_id), '{}')
				WHEN 'pdf' THEN b.payload || sales_crm.pdf_payload(b.quote_id, b.payload ->> 'purpose')
				ELSE b.payload END;
		GET DIAGNOSTICS claimed = ROW_COUNT;
		left_over := left_over - claimed;
		IF claimed < cardinality(fit_ids) THEN
			PERFORM sales_crm.sift_messages(array_agg(b.message_id), false)
			FROM sales_crm.message_body b WHERE b.message_id = ANY (fit_ids) AND b.expires_at <= to_at;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.claim_messages(text, integer, interval, text[]) IS
	'Gives a sender up to max messages to deliver within lease, those that have waited longest first, and no kind at the cost of the others. Commit before delivering them; then complete_message() or fail_message() with the fence. No row when there are none, or before activate_sending(). Errors: 22023; 0A000 outside READ COMMITTED';

CREATE FUNCTION sales_crm.sift_messages(message_ids bigint[], lost boolean)
RETURNS bigint[] LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	fit bigint[];
	unfit boolean;
BEGIN
	IF lost THEN
		INSERT INTO sales_crm.message_attempt (message_id, fence, worker, outcome, reason)
		SELECT m.message_id, m.fence, m.claimed_by, 'lease lost', 'Its lease ended before anything was heard.'
		FROM sales_crm.message m WHERE m.message_id = ANY (message_ids) AND m.claimed_by IS NOT NULL;
	END IF;
	SELECT coalesce(array_agg(v.message_id) FILTER (WHERE v.verdict IS NULL), '{}'), count(v.verdict) > 0
	INTO fit, unfit FROM sales_crm.message_verdicts(message_ids) v;
	IF unfit THEN
		UPDATE sales_crm.message m SET available_at = v.look_again_at, claimed_by = NULL
		FROM sales_crm.message_verdicts(message_ids) v
		WHERE v.message_id = m.message_id AND v.look_again_at IS NOT NULL;
		PERFORM sales_crm.bury_message(v.message_id, v.verdict)
		FROM sales_crm.message_verdicts(message_ids) v
		WHERE v.message_id <> ALL (fit) AND v.verdict IS NOT NULL AND v.look_again_at IS NULL;
	END IF;
	RETURN fit;
END
$$;
COMMENT ON FUNCTION sales_crm.sift_messages(bigint[], boolean) IS
	'Of messages that a claim has found and locked, those to be delivered now; buries those that will never be, puts off the others. lost: the sender of some was not heard of in time';

CREATE FUNCTION sales_crm.message_verdicts(
	message_ids bigint[], OUT message_id bigint, OUT verdict text, OUT look_again_at timestamptz)
RETURNS SETOF record LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	SELECT c.message_id, c.verdict,
		CASE c.verdict
			WHEN 'The webhook is paused.' THEN greatest(c.paused_until, clock_timestamp() + interval '30 seconds')
			WHEN 'An earlier message comes first.' THEN
				least(greatest(c.earlier_at, clock_timestamp() + interval '1 second'), clock_timestamp() + interval '1 hour') END
	FROM (
		SELECT m.message_id, w.paused_until, p.earlier_at,
			CASE WHEN b.expires_at <= clock_timestamp() THEN 'It had expired before it could be delivered.'
				WHEN m.attempts >= 100 THEN 'It was tried too often.'
				WHEN m.kind = 'webhook' AND w.webhook_id IS NULL THEN 'The webhook was deleted.'
				WHEN NOT w.active THEN 'The webhook is not active.'
				WHEN w.failures >= 5 AND (w.paused_until > clock_timestamp() OR m.nth_of_webhook > 1) THEN 'The webhook is paused.'
				WHEN p.earlier_at IS NOT NULL THEN 'An earlier message comes first.' END AS verdict
		FROM (
			SELECT x.message_id, x.kind, x.attempts, x.order_key, x.webhook_id,
				row_number() OVER (PARTITION BY x.webhook_id ORDER BY x.message_id) AS nth_of_webhook
			FROM sales_crm.message x WHERE x.message_id = ANY (message_ids)) m
		JOIN sales_crm.message_body b ON b.message_id = m.message_id
		LEFT JOIN sales_crm.webhook w ON w.webhook_id = m.webhook_id
		LEFT JOIN LATERAL (
			-- By the index of order_key, however few rows the planner expects: not by keys below this one
			SELECT e.available_at AS earlier_at
			FROM (SELECT x.message_id, x.available_at FROM sales_crm.message x WHERE x.order_key = m.order_key OFFSET 0) e
			WHERE m.order_key IS NOT NULL AND e.message_id < m.message_id
			ORDER BY e.message_id LIMIT 1) p ON true) c;
END
$$;
COMMENT ON FUNCTION sales_crm.message_verdicts(bigint[]) IS
	'Why messages are not to be delivered now, NULL where they are: for good, or until look_again_at';

CREATE FUNCTION sales_crm.complete_messages(message_ids bigint[], fences bigint[], responses text[] DEFAULT NULL)
RETURNS SETOF bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
	done bigint[];
	email_ids bigint[];
	order_keys text[];
	webhook_ids bigint[];
BEGIN
	IF cardinality(message_ids) IS DISTINCT FROM cardinality(fences)
		OR cardinality(responses) <> cardinality(message_ids) THEN
		RAISE EXCEPTION 'each message needs its fence' USING ERRCODE = 'invalid_parameter_value',
			HINT = 'Give arrays of the same length.';
	END IF;
	WITH given AS (
		SELECT g.message_id, g.fence, left(g.response, 2000) AS response
		FROM unnest(message_ids, fences, responses) AS g (message_id, fence, response)
		-- In one order, so that nobody waits for somebody who waits for him
		ORDER BY g.message_id
	), finished AS (
		DELETE FROM sales_crm.message m USING given g
		WHERE m.message_id = g.message_id AND m.fence = g.fence AND m.claimed_by IS NOT NULL
		RETURNING m.message_id, m.kind, m.attempts, m.claimed_by, m.order_key, m.webhook_id, g.response
	), noted AS (
		INSERT INTO sales_crm.message_done (message_id, kind, attempts, worker, response)
		SELECT f.message_id, f.kind, f.attempts, f.claimed_by, f.response FROM finished f
	)
	SELECT array_agg(f.message_id), array_agg(DISTINCT f.order_key) FILTER (WHERE f.order_key IS NOT NULL),
		array_agg(DISTINCT f.webhook_id) FILTER (WHERE f.webhook_id IS NOT NULL)
	INTO done, order_keys, webhook_ids FROM finished f;
	-- Secrets and texts of people are not kept twice
	WITH stripped AS (
		UPDATE sales_crm.message_body b SET payload = b.payload - '{text,html,body}'::text[]
		WHERE b.message_id = ANY (done) AND (b.payload ?| '{text,html,body}' OR b.email_id IS NOT NULL) RETURNING b.email_id)
	SELECT array_agg(s.email_id) FILTER (WHERE s.email_id IS NOT NULL) INTO email_ids FROM stripped s;
	IF email_ids IS NOT NULL THEN
		UPDATE sales_crm.email e SET state = 'sent', sent_at = now(), problem = NULL WHERE e.email_id = ANY (email_ids);
	END IF;
	IF webhook_ids IS NOT NULL THEN
		UPDATE sales_crm.webhook w SET failures = 0, failing_since = NULL, paused_until = NULL
		WHERE w.webhook_id = ANY (webhook_ids) AND w.failures > 0;
	END IF;
	IF order_keys IS NOT NULL THEN
		PERFORM sales_crm.release_messages(order_keys);
	END IF;
	IF cardinality(done) IS DISTINCT FROM cardinality(message_ids) THEN
		RETURN QUERY SELECT g FROM unnest(message_ids) g WHERE g <> ALL (coalesce(done, '{}'));
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.complete_messages(bigint[], bigint[], text[]) IS
	'Messages that were delivered leave the outbox; returns those that were no longer the caller''s. Errors: 22023 for arrays of different lengths';

CREATE FUNCTION sales_crm.complete_message(message_id bigint, fence bigint, response text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM sales_crm.complete_messages(array[message_id], array[fence], array[response])) THEN
		PERFORM sales_crm.lease_lost(message_id);
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.complete_message(bigint, bigint, text) IS
	'A message that was delivered leaves the outbox. Errors: SC301 when it is no longer the caller''s';

CREATE FUNCTION sales_crm.extend_lease(message_id bigint, fence bigint, lease interval DEFAULT '5 minutes')
RETURNS timestamptz LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	until timestamptz;
BEGIN
	IF lease IS NULL OR lease NOT BETWEEN interval '1 second' AND interval '1 day' THEN
		RAISE EXCEPTION 'lease is not between a second and a day' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	UPDATE sales_crm.message m SET available_at = clock_timestamp() + lease
	WHERE m.message_id = message_id AND m.fence = fence AND m.claimed_by IS NOT NULL
	RETURNING m.available_at INTO until;
	IF until IS NULL THEN
		PERFORM sales_crm.lease_lost(message_id);
	END IF;
	RETURN until;
END
$$;
COMMENT ON FUNCTION sales_crm.extend_lease(bigint, bigint, interval) IS
	'Keeps a message for longer, from now on, and returns until when. Errors: SC301 when it is no longer the caller''s, 22023';

CREATE FUNCTION sales_crm.retry_delay(kind text, attempts integer)
RETURNS interval LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	-- Half of it is chance, so that what failed together does not come back together
	SELECT (0.5 + random()) * least(CASE kind WHEN 'webhook' THEN interval '5 seconds' ELSE interval '15 seconds' END
		* power(CASE kind WHEN 'webhook' THEN 4 ELSE 3 END, least(attempts, 12) - 1),
		CASE kind WHEN 'webhook' THEN interval '6 hours' ELSE interval '1 hour' END)
$$;
COMMENT ON FUNCTION sales_crm.retry_delay(text, integer) IS
	'How long a message waits after so many attempts: 15 s × 3ⁿ up to an hour, webhooks 5 s × 4ⁿ up to six; from half to one and a half of that, by chance';

CREATE FUNCTION sales_crm.give_up_after(kind text)
RETURNS interval LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT CASE kind WHEN 'webhook' THEN interval '5 days' WHEN 'pdf' THEN interval '1 day' ELSE interval '4 days' END $$;
COMMENT ON FUNCTION sales_crm.give_up_after(text) IS
	'For how long a message is tried, from when it was queued';

CREATE FUNCTION sales_crm.fail_message(
	message_id bigint, fence bigint, reason text, retryable boolean DEFAULT true, retry_after interval DEFAULT NULL, gone boolean DEFAULT false)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	failed sales_crm.message;
	born timestamptz;
	next_at timestamptz;
	outcome text := 'retry';
BEGIN
	SELECT m.* INTO failed FROM sales_crm.message m
	WHERE m.message_id = message_id AND m.fence = fence AND m.claimed_by IS NOT NULL FOR UPDATE;
	IF NOT FOUND THEN
		PERFORM sales_crm.lease_lost(message_id);
	END IF;
	SELECT b.created_at INTO STRICT born FROM sales_crm.message_body b WHERE b.message_id = message_id;
	next_at := clock_timestamp() + greatest(sales_crm.retry_delay(failed.kind, failed.attempts), CASE WHEN retry_after > interval '1 day' THEN interval '1 day' ELSE retry_after END);
	-- One that was revived is old, and gets its attempts all the same
	IF NOT coalesce(retryable, false) OR coalesce(gone, false)
		OR next_at > born + sales_crm.give_up_after(failed.kind) AND failed.attempts >= 10 THEN
		outcome := 'dead';
	END IF;
	INSERT INTO sales_crm.message_attempt (message_id, fence, worker, outcome, reason)
	VALUES (message_id, fence, failed.claimed_by, outcome, left(reason, 2000));
	IF outcome = 'dead' THEN
		PERFORM sales_crm.bury_message(message_id, reason);
	ELSE
		UPDATE sales_crm.message m SET available_at = next_at, claimed_by = NULL WHERE m.message_id = message_id;
	END IF;
	IF failed.webhook_id IS NOT NULL THEN
		PERFORM sales_crm.webhook_failed(failed.webhook_id, reason, coalesce(gone, false));
	END IF;
	RETURN outcome;
END
$$;
COMMENT ON FUNCTION sales_crm.fail_message(bigint, bigint, text, boolean, interval, boolean) IS
	'A delivery that failed: it is tried again later (retry), at the earliest after retry_after, or given up (dead) when it is not retryable or was tried for days. gone is the answer 410, which disables a webhook. Errors: SC301 when it is no longer the caller''s';
