CREATE FUNCTION sales_crm.queue_event(event text, quote_id bigint, data jsonb DEFAULT '{}')
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_queue_event';
COMMENT ON FUNCTION sales_crm.queue_event(text, bigint, jsonb) IS
	'What happened to a quote leaves the database: its PDF when it was sent or signed, an e-mail to the owner of the opportunity where the event has a template, webhooks, and sales_crm_event where live_event has it. data goes to templates and webhooks. Errors: P0002, 22004 without event';

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
