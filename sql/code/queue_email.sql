CREATE FUNCTION sales_crm.header_text(value text)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN nullif(btrim(left(regexp_replace(value, '[\u0001-\u0020\u007f-\u009f\u2028\u2029]+', ' ', 'g'), 400)), '');
END
$$;
COMMENT ON FUNCTION sales_crm.header_text(text) IS
	'A text from a table as it may stand in the header of an e-mail: on one line, up to 400 characters; NULL when nothing is left';

CREATE FUNCTION sales_crm.check_header(field text, value text)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF value ~ '[\u0001-\u001f\u007f-\u009f]' OR char_length(value) > 400 THEN
		RAISE EXCEPTION '% of an e-mail is not one line of up to 400 characters', field
			USING ERRCODE = 'invalid_parameter_value', COLUMN = field,
				DETAIL = format('It begins with %s.', to_json(left(value, 60))),
				HINT = 'Leave line breaks and other control characters out.';
	END IF;
	RETURN nullif(btrim(value), '');
END
$$;
COMMENT ON FUNCTION sales_crm.check_header(text, text) IS
	'A text for the header of an e-mail, NULL when it is empty. Errors: 22023 for control characters, with which a header could be smuggled in';

CREATE FUNCTION sales_crm.is_address(value text)
RETURNS boolean LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN coalesce(octet_length(value) <= 254
		AND value ~ '^[^@<>()\[\]\\,;:"\u0001-\u0020\u007f-\u00a0\u2028\u2029]+@[^@<>()\[\]\\,;:"\u0001-\u0020\u007f-\u00a0\u2028\u2029]+$', false);
END
$$;
COMMENT ON FUNCTION sales_crm.is_address(text) IS
	'Whether a text is one plain e-mail address';

CREATE FUNCTION sales_crm.check_address(field text, value text)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF value IS NOT NULL AND NOT sales_crm.is_address(value) THEN
		RAISE EXCEPTION '% of an e-mail is not an address', field
			USING ERRCODE = 'invalid_parameter_value', COLUMN = field,
				DETAIL = format('It begins with %s.', to_json(left(value, 60))),
				HINT = 'Give one address, such as name@example.com, without display name.';
	END IF;
	RETURN value;
END
$$;
COMMENT ON FUNCTION sales_crm.check_address(text, text) IS
	'An e-mail address as it is. Errors: 22023 for anything but one plain address';

CREATE FUNCTION sales_crm.hidden_address(address text)
RETURNS text LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN 'sha256:' || encode(sha256(convert_to(lower(address), 'UTF8')), 'hex');
END
$$;
COMMENT ON FUNCTION sales_crm.hidden_address(text) IS
	'How suppressed_address has the address of a person who was erased: a hash by which it is recognised and not read';

CREATE FUNCTION sales_crm.render_text(template text, data jsonb)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN sales_crm.render_template(regexp_replace(template, '\{\{(?![{&#^/!>=])\s*([^{}]*?)\s*\}\}', '{{&\1}}', 'g'), data);
END
$$;
COMMENT ON FUNCTION sales_crm.render_text(text, jsonb) IS
	'render_template() for plain text: values are not escaped for HTML';

CREATE FUNCTION sales_crm.email_html(body text, locale text)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	company record;
	html text := replace(replace(replace(replace(body, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;');
BEGIN
	SELECT c.name, c.address, c.brand_color INTO company FROM sales_crm.company c;
	html := regexp_replace(html, '(https?://[^\s<>]*[^\s<>.,;:!?)])', format('<a href="\1" style="color: %s">\1</a>', company.brand_color), 'g');
	html := regexp_replace(btrim(html, E' \r\n\t'), '(\r?\n[ \t]*){2,}', E'</p>\n<p>', 'g');
	html := regexp_replace(html, '(?<!</p>)\r?\n', E'<br>\n', 'g');
	RETURN format($html$<!DOCTYPE html>
<html lang="%s"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"></head>
<body style="margin: 0; padding: 24px; background: #f4f6f8; color: #1d2530; font: 16px/1.5 system-ui, sans-serif">
<div style="max-width: 36rem; margin: 0 auto; padding: 24px; background: #ffffff; border-top: 4px solid %s; overflow-wrap: anywhere">
<p>%s</p>
</div>
</body></html>
$html$, left(locale, 2), company.brand_color, html);
END
$$;
COMMENT ON FUNCTION sales_crm.email_html(text, text) IS
	'The HTML of an e-mail whose template has none: its text in paragraphs, with links, in the company''s colour';

CREATE FUNCTION sales_crm.find_email_template(event text, locale text)
RETURNS bigint LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT t.email_template_id FROM sales_crm.email_template t, sales_crm.company c
		WHERE t.event = find_email_template.event AND t.active
		ORDER BY array_position(array[find_email_template.locale, left(find_email_template.locale, 2), c.locale, left(c.locale, 2), 'en'], t.locale), t.locale
		LIMIT 1);
END
$$;
COMMENT ON FUNCTION sales_crm.find_email_template(text, text) IS
	'The active template of an event for a locale, its language, the company''s locale or English; NULL when the event makes no e-mail';

CREATE FUNCTION sales_crm.email_data(quote_id bigint, opportunity_id bigint, locale text)
RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	data jsonb;
	quoted record;
BEGIN
	SELECT jsonb_build_object('company', jsonb_build_object('name', c.name, 'address', c.address, 'email', c.sender_email, 'portal_url', c.portal_url))
	INTO data FROM sales_crm.company c;
	IF quote_id IS NOT NULL THEN
		SELECT q.number, q.version, q.title, q.currency, q.valid_until, q.totals, q.customer_name, q.opportunity_id INTO quoted
		FROM sales_crm.quote q WHERE q.quote_id = quote_id;
		opportunity_id := coalesce(opportunity_id, quoted.opportunity_id);
		data := data || jsonb_build_object('customer', jsonb_build_object('name', quoted.customer_name),
			'quote', jsonb_build_object('number', quoted.number, 'version', quoted.version, 'title', quoted.title,
				'valid_until', sales_crm.format_date(quoted.valid_until, locale),
				'gross', sales_crm.format_amount((quoted.totals ->> 'gross')::numeric, quoted.currency, locale)));
	END IF;
	RETURN data || coalesce((
		SELECT jsonb_build_object('opportunity', jsonb_build_object('name', o.name),
			'seller', jsonb_build_object('name', coalesce(m.name, c.name), 'email', coalesce(m.email, c.sender_email)))
		FROM sales_crm.company c
		JOIN sales_crm.opportunity o ON o.opportunity_id = opportunity_id
		LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id), '{}');
END
$$;
COMMENT ON FUNCTION sales_crm.email_data(bigint, bigint, text) IS
	'What every template of e-mails may use: company, and where there is one quote, customer, opportunity and seller';

CREATE FUNCTION sales_crm.hide_tokens(body text)
RETURNS text LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN regexp_replace(body, '(/q/)[A-Za-z0-9_-]{39}([A-Za-z0-9_-]{4})', '\1…\2', 'g');
END
$$;
COMMENT ON FUNCTION sales_crm.hide_tokens(text) IS
	'A text whose links to quotes open nothing: of each secret the last four characters are left';

CREATE FUNCTION sales_crm.queue_email(
	event text, to_address text, to_name text DEFAULT NULL, locale text DEFAULT NULL, data jsonb DEFAULT '{}',
	opportunity_id bigint DEFAULT NULL, quote_id bigint DEFAULT NULL, order_key text DEFAULT NULL, dedup_key text DEFAULT NULL,
	reply_to text DEFAULT NULL, attachments bigint[] DEFAULT '{}', subject text DEFAULT NULL, body text DEFAULT NULL,
	member_id bigint DEFAULT NULL, expires_at timestamptz DEFAULT NULL, waits_for bigint DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	company record;
	template record;
	html text;
	made bigint := nextval('sales_crm.message_body_message_id_seq');
	tag text := made || '.' || right(replace(gen_random_uuid()::text, '-', ''), 16);
	header_id text;
	thread record;
	filed bigint;
	files jsonb;
BEGIN
	to_address := sales_crm.check_address('to_address', to_address);
	to_name := sales_crm.check_header('to_name', to_name);
	subject := sales_crm.check_header('subject', subject);
	reply_to := sales_crm.check_address('reply_to', reply_to);
	SELECT c.name, c.locale, c.sender_email, c.bounce_email INTO company FROM sales_crm.company c;
	IF company.sender_email IS NULL THEN
		-- Whatever a member is told by e-mail is told in the database, too
		IF member_id IS NOT NULL THEN
			RETURN NULL;
		END IF;
		RAISE EXCEPTION 'the company has no address to send e-mail from'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				HINT = 'UPDATE sales_crm.company SET sender_email = ''sales@example.com''.';
	END IF;
	IF to_address IS NULL OR EXISTS (
		SELECT FROM sales_crm.suppressed_address s WHERE s.address IN (lower(to_address), sales_crm.hidden_address(to_address))) THEN
		RETURN NULL;
	END IF;
	locale := coalesce(locale, company.locale);
	opportunity_id := coalesce(opportunity_id, CASE WHEN quote_id IS NOT NULL THEN (SELECT q.opportunity_id FROM sales_crm.quote q WHERE q.quote_id = quote_id) END);
	data := sales_crm.email_data(quote_id, opportunity_id, locale) || jsonb_build_object('recipient', jsonb_build_object('name', to_name, 'email', to_address)) || coalesce(data, '{}');
	SELECT t.subject, t.body_text, t.body_html INTO template
	FROM sales_crm.email_template t WHERE t.email_template_id = sales_crm.find_email_template(event, locale);
	IF NOT FOUND AND (subject IS NULL OR body IS NULL) THEN
		RETURN NULL;
	END IF;
	subject := coalesce(subject, sales_crm.header_text(sales_crm.render_text(template.subject, data)), event);
	html := CASE WHEN body IS NULL AND template.body_html IS NOT NULL THEN sales_crm.render_template(template.body_html, data) END;
	body := coalesce(body, sales_crm.render_text(template.body_text, data));
	html := coalesce(html, sales_crm.email_html(body, locale));
	header_id := tag || '@' || split_part(company.sender_email, '@', 2);
	SELECT coalesce(jsonb_agg(jsonb_build_object('attachment_id', a.attachment_id, 'file_name', a.file_name, 'media_type', a.media_type) ORDER BY x.n), '[]')
	INTO files FROM unnest(attachments) WITH ORDINALITY AS x (attachment_id, n) JOIN sales_crm.attachment a ON a.attachment_id = x.attachment_id;
	-- The conversation with that address about that opportunity
	SELECT e.message_id, e.thread_id INTO thread FROM sales_crm.email e
	WHERE e.opportunity_id = opportunity_id AND member_id IS NULL AND e.message_id IS NOT NULL
		AND (lower(e.from_address) = lower(to_address) OR to_address = ANY (e.to_addresses))
	ORDER BY e.sent_at DESC, e.email_id DESC LIMIT 1;
	made := sales_crm.queue_message('email', event,
		jsonb_build_object('message_id', header_id, 'from', company.sender_email, 'from_name', sales_crm.header_text(company.name),
			'reply_to', coalesce(reply_to, CASE WHEN member_id IS NULL THEN data #>> '{seller,email}' END),
			'to', to_address, 'to_name', to_name, 'subject', subject, 'text', body, 'html', html,
			'in_reply_to', thread.message_id, 'references', sales_crm.email_references(thread.thread_id),
			'envelope_from', replace(coalesce(company.bounce_email, company.sender_email), '%', tag),
			'auto_submitted', member_id IS NOT NULL, 'date', now(), 'attachments', files),
		message_id => made, recipient => to_address, dedup_key => dedup_key, expires_at => expires_at,
		order_key => coalesce(order_key, 'quote ' || quote_id || ' ' || lower(to_address)),
		opportunity_id => opportunity_id, quote_id => quote_id, waits_for => waits_for);
	IF made IS NOT NULL AND member_id IS NULL AND opportunity_id IS NOT NULL AND event <> 'quote.code' THEN
		INSERT INTO sales_crm.email AS e (opportunity_id, thread_id, direction, state, message_id, in_reply_to,
			from_address, from_name, to_addresses, subject, body_text, body_html)
		VALUES (opportunity_id, thread.thread_id, 'outgoing', 'queued', header_id, thread.message_id,
			company.sender_email, sales_crm.header_text(company.name), array[to_address], subject,
			sales_crm.hide_tokens(body), sales_crm.hide_tokens(html))
		RETURNING e.email_id INTO filed;
		UPDATE sales_crm.message_body b SET email_id = filed WHERE b.message_id = made;
	END IF;
	RETURN made;
END
$$;
COMMENT ON FUNCTION sales_crm.queue_email(text, text, text, text, jsonb, bigint, bigint, text, text, text, bigint[], text, text, bigint, timestamptz, bigint) IS
	'Queues an e-mail made of the template of an event, or of subject and body, and files it with the opportunity, unless it is to a member (member_id). Returns the message; NULL where dedup_key was queued before, the address is in suppressed_address or the event has no active template. Errors: 22023 for an address or header with line breaks or of another form, 55000 when company.sender_email is not set, SC110';

CREATE FUNCTION sales_crm.email_references(thread_id bigint)
RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN (
		SELECT coalesce(jsonb_agg(r.message_id ORDER BY r.sent_at), '[]')
		FROM (
			SELECT e.message_id, e.sent_at FROM sales_crm.email e
			WHERE e.thread_id = email_references.thread_id AND e.message_id IS NOT NULL
			ORDER BY e.sent_at DESC LIMIT 10) r);
END
$$;
COMMENT ON FUNCTION sales_crm.email_references(bigint) IS
	'Message-IDs of the last e-mails of a thread, in their order: what the header References has';

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
