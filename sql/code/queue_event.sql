CREATE FUNCTION sales_crm.queue_event(event text, quote_id bigint, data jsonb DEFAULT '{}')
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_queue_event';
COMMENT ON FUNCTION sales_crm.queue_event(text, bigint, jsonb) IS
	'What happened to a quote leaves the database: its PDF when it was sent or signed, an e-mail to the owner of the opportunity where the event has a template, webhooks, and sales_crm_event where live_event has it. data goes to templates and webhooks. Errors: P0002, 22004 without event';
