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
		m.member_id, m.name AS member, m.email, m.locale, m.active AND m.notify_by_email AS notified,
		(SELECT c.sender_email IS NOT NULL FROM sales_crm.company c) AS sends,
		EXISTS (SELECT FROM sales_crm.live_event l WHERE l.event = queue_event.event AND l.active) AS live,
		EXISTS (SELECT FROM sales_crm.webhook w WHERE w.active) AS hooked
	INTO about
	FROM sales_crm.quote q
	JOIN sales_crm.opportunity o ON o.opportunity_id = q.opportunity_id
	LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
	WHERE q.quote_id = quote_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'quote % does not exist', quote_id USING ERRCODE = 'no_data_found';
	END IF;
	IF about.live THEN
		PERFORM sales_crm.tell(event, quote_id);
	END IF;
	IF event IN ('quote.sent', 'quote.signed') THEN
		PERFORM sales_crm.queue_pdf(quote_id, CASE event WHEN 'quote.sent' THEN 'quote' ELSE 'signed' END);
	END IF;
	-- Whether or not the company sends e-mail, the signature counts
	IF event = 'quote.signed' AND about.sends THEN
		PERFORM sales_crm.confirm_signature(quote_id);
	END IF;
	-- Those to customers are queued by whoever knows their address
	IF about.notified AND about.sends AND about.email IS NOT NULL
		AND event NOT IN ('quote.sent', 'quote.reminder', 'quote.code', 'quote.confirmed') THEN
		PERFORM sales_crm.queue_email(event, about.email, sales_crm.header_text(about.member), about.locale, data,
			opportunity_id => about.opportunity_id, quote_id => quote_id, member_id => about.member_id,
			dedup_key => format('%s %s %s', event, quote_id, about.member_id));
	END IF;
	IF about.hooked THEN
		facts := jsonb_build_object('quote_id', about.quote_id, 'number', about.number, 'version', about.version, 'status', about.status,
			'title', about.title, 'opportunity_id', about.opportunity_id, 'currency', about.currency, 'gross', about.totals ->> 'gross',
			'valid_until', about.valid_until, 'sent_at', about.sent_at, 'answered_at', about.answered_at) || coalesce(data, '{}');
		PERFORM sales_crm.queue_webhooks(event, facts, quote_id => quote_id, opportunity_id => about.opportunity_id);
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.queue_event(text, bigint, jsonb) IS
	'What happened to a quote leaves the database: its PDF when it was sent or signed, an e-mail to the owner of the opportunity where the event has a template, webhooks, and sales_crm_event where live_event has it. data goes to templates and webhooks. Errors: P0002';

CREATE FUNCTION sales_crm.confirm_signature(quote_id bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	signer record;
	pdf record;
BEGIN
	SELECT s.signer_name, coalesce(l.recipient_email, s.signer_email) AS address, q.locale INTO signer
	FROM sales_crm.signature s
	JOIN sales_crm.quote q ON q.quote_id = s.quote_id
	LEFT JOIN sales_crm.quote_link l ON l.quote_link_id = s.quote_link_id
	WHERE s.quote_id = quote_id AND NOT s.paper;
	-- Whatever the signer typed, the signature counts
	IF NOT sales_crm.is_address(signer.address) OR sales_crm.find_email_template('quote.confirmed', signer.locale) IS NULL THEN
		RETURN;
	END IF;
	pdf := sales_crm.await_pdf(quote_id, 'signed');
	PERFORM sales_crm.queue_email('quote.confirmed', signer.address, sales_crm.header_text(signer.signer_name), signer.locale,
		quote_id => quote_id, dedup_key => format('quote.confirmed %s', quote_id),
		attachments => array_remove(array[pdf.attachment_id], NULL), waits_for => pdf.waits_for);
END
$$;
COMMENT ON FUNCTION sales_crm.confirm_signature(bigint) IS
	'Queues the e-mail that brings the signed document to whoever signed: to the recipient of the link, else to the address that the signer gave';
