CREATE FUNCTION sales_crm.queue_event(event text, quote_id bigint, data jsonb DEFAULT '{}')
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	about record;
	facts jsonb;
BEGIN
	SELECT q.quote_id, q.opportunity_id, q.number, q.version, q.status, q.title, q.currency, q.totals, q.valid_until, q.sent_at, q.answered_at,
		m.member_id, m.name AS member, m.email, m.locale, m.active AND m.notify_by_email AS notified
	INTO about
	FROM sales_crm.quote q
	JOIN sales_crm.opportunity o ON o.opportunity_id = q.opportunity_id
	LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
	WHERE q.quote_id = quote_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'quote % does not exist', quote_id USING ERRCODE = 'no_data_found';
	END IF;
	facts := jsonb_build_object('quote_id', about.quote_id, 'number', about.number, 'version', about.version, 'status', about.status,
		'title', about.title, 'opportunity_id', about.opportunity_id, 'currency', about.currency, 'gross', about.totals ->> 'gross',
		'valid_until', about.valid_until, 'sent_at', about.sent_at, 'answered_at', about.answered_at) || coalesce(data, '{}');
	PERFORM sales_crm.tell_live(event, quote_id);
	-- Those to customers are queued by whoever knows their address
	IF about.notified AND about.email IS NOT NULL
		AND event NOT IN ('quote.sent', 'quote.reminder', 'quote.code', 'quote.confirmed') THEN
		PERFORM sales_crm.queue_email(event, about.email, sales_crm.header_text(about.member), about.locale, data,
			opportunity_id => about.opportunity_id, quote_id => quote_id, member_id => about.member_id,
			dedup_key => format('%s %s %s', event, quote_id, about.member_id));
	END IF;
	PERFORM sales_crm.queue_webhooks(event, facts, quote_id => quote_id, opportunity_id => about.opportunity_id);
END
$$;
COMMENT ON FUNCTION sales_crm.queue_event(text, bigint, jsonb) IS
	'What happened to a quote leaves the database: an e-mail to the owner of the opportunity where the event has a template, webhooks, and sales_crm_event where live_event has it. data goes to templates and webhooks. Errors: P0002';
