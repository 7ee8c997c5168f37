CREATE FUNCTION sales_crm.make_webhook_secret()
RETURNS text LANGUAGE sql VOLATILE
SET search_path = pg_catalog, pg_temp
AS $$
	-- The 32 bytes of a token in plain base64
	SELECT 'whsec_' || translate(sales_crm.make_token(), '-_', '+/') || '='
$$;
COMMENT ON FUNCTION sales_crm.make_webhook_secret() IS
	'A new secret for a webhook: whsec_ and 32 random bytes in base64';

CREATE FUNCTION sales_crm.webhook_guard()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	NEW.failures := 0;
	NEW.failing_since := NULL;
	NEW.paused_until := NULL;
	NEW.disabled_at := NULL;
	NEW.disabled_reason := NULL;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.webhook_guard() IS
	'Row trigger of webhook: one that is switched on again begins anew';

CREATE FUNCTION sales_crm.webhook_failed(webhook_id bigint, reason text, gone boolean)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	hook record;
	admin record;
BEGIN
	UPDATE sales_crm.webhook w
	SET failures = w.failures + 1, failing_since = coalesce(w.failing_since, now()),
		-- From the fifth one on it rests: a minute, two, four, up to an hour
		paused_until = CASE WHEN w.failures + 1 >= 5 THEN
			clock_timestamp() + (0.75 + random() / 2) * least(interval '1 minute' * power(2, least(w.failures - 4, 10)), interval '1 hour') END,
		active = w.active AND NOT gone AND (w.failing_since IS NULL OR w.failing_since > now() - interval '5 days'),
		disabled_at = CASE WHEN w.active AND (gone OR w.failing_since <= now() - interval '5 days') THEN now() ELSE w.disabled_at END,
		disabled_reason = CASE WHEN w.active AND gone THEN 'The receiver answered 410 Gone.'
			WHEN w.active AND w.failing_since <= now() - interval '5 days' THEN 'It failed for five days: ' || coalesce(left(reason, 500), 'no reason was given')
			ELSE w.disabled_reason END
	WHERE w.webhook_id = webhook_id
	RETURNING w.webhook_id, w.name, w.url, w.disabled_at, w.disabled_reason INTO hook;
	IF hook.disabled_at IS DISTINCT FROM now() THEN
		RETURN;
	END IF;
	FOR admin IN
		SELECT m.member_id, m.name, m.email, m.locale FROM sales_crm.member m
		WHERE m.active AND m.is_manager AND m.email IS NOT NULL ORDER BY m.member_id
	LOOP
		PERFORM sales_crm.queue_email('webhook.disabled', admin.email, sales_crm.header_text(admin.name), admin.locale,
			jsonb_build_object('webhook', jsonb_build_object('name', hook.name, 'url', hook.url, 'reason', hook.disabled_reason)),
			member_id => admin.member_id,
			dedup_key => format('webhook.disabled %s %s %s', hook.webhook_id, extract(epoch FROM hook.disabled_at), admin.member_id));
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.webhook_failed(bigint, text, boolean) IS
	'Counts a failure of a webhook: after five in a row it is paused, after five days of them, or when the receiver is gone, disabled, which managers are told';

CREATE FUNCTION sales_crm.webhook_body(event text, data jsonb)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT json_build_object('type', event,
		'timestamp', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), 'data', coalesce(data, '{}'))::text
$$;
COMMENT ON FUNCTION sales_crm.webhook_body(text, jsonb) IS
	'What a webhook says, to the byte: type, timestamp and data, as Standard Webhooks has them';

CREATE FUNCTION sales_crm.queue_webhooks(event text, data jsonb DEFAULT '{}', quote_id bigint DEFAULT NULL, opportunity_id bigint DEFAULT NULL)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	hook record;
	body text;
	event_id text := 'evt_' || replace(gen_random_uuid()::text, '-', '');
	queued integer := 0;
BEGIN
	FOR hook IN
		SELECT w.webhook_id, w.url FROM sales_crm.webhook w
		WHERE w.active AND (w.events = '{}' OR event = ANY (w.events)) ORDER BY w.webhook_id
	LOOP
		body := coalesce(body, sales_crm.webhook_body(event, data));
		PERFORM sales_crm.queue_message('webhook', event, jsonb_build_object('event_id', event_id, 'body', body),
			recipient => hook.url, webhook_id => hook.webhook_id, quote_id => quote_id, opportunity_id => opportunity_id,
			order_key => 'webhook ' || hook.webhook_id || ' quote ' || quote_id);
		queued := queued + 1;
	END LOOP;
	RETURN queued;
END
$$;
COMMENT ON FUNCTION sales_crm.queue_webhooks(text, jsonb, bigint, bigint) IS
	'Queues an event for every active webhook that wants it, and returns for how many; those of one quote arrive in their order';

CREATE FUNCTION sales_crm.send_test_webhook(webhook_id bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	hook record;
BEGIN
	SELECT w.webhook_id, w.url, w.active, w.name INTO hook FROM sales_crm.webhook w WHERE w.webhook_id = webhook_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'webhook % does not exist', webhook_id USING ERRCODE = 'no_data_found';
	ELSIF NOT hook.active THEN
		RAISE EXCEPTION 'webhook "%" is not active', hook.name USING ERRCODE = 'object_not_in_prerequisite_state',
			HINT = 'UPDATE sales_crm.webhook SET active = true, which also clears its failures.';
	END IF;
	RETURN sales_crm.queue_message('webhook', 'webhook.test',
		jsonb_build_object('event_id', 'evt_' || replace(gen_random_uuid()::text, '-', ''),
			'body', sales_crm.webhook_body('webhook.test', jsonb_build_object('webhook_id', webhook_id, 'name', hook.name))),
		recipient => hook.url, webhook_id => webhook_id);
END
$$;
COMMENT ON FUNCTION sales_crm.send_test_webhook(bigint) IS
	'Queues the event webhook.test for one webhook, whatever its events, and returns the message. Errors: P0002, 55000 when it is not active';

CREATE FUNCTION sales_crm.webhook_urls(OUT name text, OUT url text)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT w.name, w.url FROM sales_crm.webhook w WHERE w.active ORDER BY w.name
$$;
COMMENT ON FUNCTION sales_crm.webhook_urls() IS
	'The active webhooks, for sales_crm_sender --check to see whether they can be reached';
