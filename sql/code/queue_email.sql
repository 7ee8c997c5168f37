CREATE FUNCTION sales_crm.header_text(value text)
RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_header_text';
COMMENT ON FUNCTION sales_crm.header_text(text) IS
	'A text from a table as it may stand in the header of an e-mail: on one line, up to 400 characters; NULL when nothing is left';

CREATE FUNCTION sales_crm.is_address(value text)
RETURNS boolean LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_is_address';
COMMENT ON FUNCTION sales_crm.is_address(text) IS
	'Whether a text is one plain e-mail address';

CREATE FUNCTION sales_crm.hidden_address(address text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_hidden_address';
COMMENT ON FUNCTION sales_crm.hidden_address(text) IS
	'How suppressed_address has the address of a person who was erased: a hash by which it is recognised and not read';

CREATE FUNCTION sales_crm.render_text(template text, data jsonb)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_render_text';
COMMENT ON FUNCTION sales_crm.render_text(text, jsonb) IS
	'render_template() for plain text: values are not escaped for HTML';

CREATE FUNCTION sales_crm.find_email_template(event text, locale text)
RETURNS bigint LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_find_email_template';
COMMENT ON FUNCTION sales_crm.find_email_template(text, text) IS
	'The active template of an event for a locale, its language, the company''s locale or English; NULL when the event makes no e-mail';

CREATE FUNCTION sales_crm.email_data(quote_id bigint, opportunity_id bigint, locale text)
RETURNS jsonb LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_email_data';
COMMENT ON FUNCTION sales_crm.email_data(bigint, bigint, text) IS
	'What every template of e-mails may use: company, and where there is one quote, customer, opportunity and seller';

CREATE FUNCTION sales_crm.queue_email(
	event text, to_address text, to_name text DEFAULT NULL, locale text DEFAULT NULL, data jsonb DEFAULT '{}',
	opportunity_id bigint DEFAULT NULL, quote_id bigint DEFAULT NULL, order_key text DEFAULT NULL, dedup_key text DEFAULT NULL,
	reply_to text DEFAULT NULL, attachments bigint[] DEFAULT '{}', subject text DEFAULT NULL, body text DEFAULT NULL,
	member_id bigint DEFAULT NULL, expires_at timestamptz DEFAULT NULL, waits_for bigint DEFAULT NULL)
RETURNS bigint LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_queue_email';
COMMENT ON FUNCTION sales_crm.queue_email(text, text, text, text, jsonb, bigint, bigint, text, text, text, bigint[], text, text, bigint, timestamptz, bigint) IS
	'Queues an e-mail made of the template of an event, or of subject and body, and files it with the opportunity, unless it is to a member (member_id). Returns the message; NULL where dedup_key was queued before, the address is in suppressed_address or the event has no active template. Errors: 22023 for an address or header with line breaks or of another form, 55000 when company.sender_email is not set, SC110';

CREATE FUNCTION sales_crm.preview_email(
	event text, quote_id bigint DEFAULT NULL, opportunity_id bigint DEFAULT NULL, to_name text DEFAULT NULL, locale text DEFAULT NULL,
	data jsonb DEFAULT '{}', OUT subject text, OUT body text)
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	template record;
BEGIN
	IF quote_id IS NOT NULL AND NOT sales_crm.sees('quote', quote_id) OR opportunity_id IS NOT NULL AND NOT sales_crm.sees('opportunity', opportunity_id) THEN
		RAISE EXCEPTION 'quote or opportunity does not exist' USING ERRCODE = 'no_data_found';
	END IF;
	locale := coalesce(locale, (SELECT q.locale FROM sales_crm.quote q WHERE q.quote_id = quote_id), (SELECT c.locale FROM sales_crm.company c));
	SELECT t.subject, t.body_text INTO template
	FROM sales_crm.email_template t WHERE t.email_template_id = sales_crm.find_email_template(event, locale);
	data := sales_crm.email_data(quote_id, opportunity_id, locale)
		|| jsonb_build_object('recipient', jsonb_build_object('name', to_name), 'link', '{{link}}') || coalesce(data, '{}');
	subject := sales_crm.header_text(sales_crm.render_text(template.subject, data));
	body := sales_crm.render_text(template.body_text, data);
END
$$;
COMMENT ON FUNCTION sales_crm.preview_email(text, bigint, bigint, text, text, jsonb) IS
	'Subject and text that an e-mail would have, for somebody to edit and hand to send_quote(): {{link}} stays for the link. NULL where the event has no active template. Errors: P0002';
