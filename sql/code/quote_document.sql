CREATE FUNCTION sales_crm.queue_pdf(quote_id bigint, purpose text DEFAULT 'quote')
RETURNS bigint LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_queue_pdf';
COMMENT ON FUNCTION sales_crm.queue_pdf(bigint, text) IS
	'Has the PDF of a quote made, purpose quote or signed, and returns the message, also where it is queued or dead already; NULL where the PDF is there. Errors: 55000 before the quote is sent or signed';

CREATE FUNCTION sales_crm.pdf_payload(quote_id bigint, purpose text)
RETURNS jsonb LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	quote record;
	html text;
BEGIN
	SELECT q.number, q.title, q.locale, q.html, c.name AS author INTO quote
	FROM sales_crm.quote q, sales_crm.company c WHERE q.quote_id = quote_id;
	html := quote.html;
	IF purpose = 'signed' THEN
		SELECT convert_from(k.content, 'UTF8') INTO html
		FROM sales_crm.signature s
		JOIN sales_crm.attachment a ON a.attachment_id = s.attachment_id AND a.media_type = 'text/html'
		JOIN sales_crm.attachment_content k ON k.sha256 = a.sha256
		WHERE s.quote_id = quote_id;
		html := coalesce(html, sales_crm.signed_document(quote_id));
	END IF;
	RETURN jsonb_build_object('html', html, 'html_sha256', encode(sha256(convert_to(html, 'UTF8')), 'hex'),
		'title', concat_ws(', ', quote.number, nullif(quote.title, '')), 'author', quote.author, 'locale', quote.locale);
EXCEPTION WHEN OTHERS THEN
	-- One document must not keep all others back
	RETURN jsonb_build_object('html', NULL, 'problem', SQLERRM);
END
$$;
COMMENT ON FUNCTION sales_crm.pdf_payload(bigint, text) IS
	'What a PDF is made of: the quote as it was sent, or the signed document as it is attached; html is NULL where there is neither';

CREATE FUNCTION sales_crm.await_pdf(quote_id bigint, purpose text, OUT attachment_id bigint, OUT waits_for bigint)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_await_pdf';
COMMENT ON FUNCTION sales_crm.await_pdf(bigint, text) IS
	'The PDF of a quote for an e-mail to carry, or the message that makes it';

CREATE FUNCTION sales_crm.store_pdf(message_id bigint, fence bigint, content bytea, sealed text DEFAULT NULL)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	doc record;
	before bigint;
	made bigint;
	file jsonb;
BEGIN
	SELECT b.payload ->> 'purpose' AS purpose, q.quote_id, q.number, q.version, q.locale, q.opportunity_id
	INTO doc
	FROM sales_crm.message m
	JOIN sales_crm.message_body b ON b.message_id = m.message_id
	JOIN sales_crm.quote q ON q.quote_id = b.quote_id
	WHERE m.message_id = message_id AND m.fence = fence AND m.claimed_by IS NOT NULL AND m.kind = 'pdf' FOR UPDATE OF m;
	IF NOT FOUND THEN
		PERFORM sales_crm.lease_lost(message_id);
	END IF;
	IF sales_crm.media_type_of(content) IS DISTINCT FROM 'application/pdf' THEN
		RAISE EXCEPTION 'content is not a PDF' USING ERRCODE = 'invalid_parameter_value';
	END IF;
	INSERT INTO sales_crm.attachment AS a (opportunity_id, file_name, media_type, content)
	VALUES (doc.opportunity_id, sales_crm.quote_file_name(doc.number, doc.version, doc.purpose, doc.locale), 'application/pdf', content)
	RETURNING a.attachment_id, jsonb_build_object('attachment_id', a.attachment_id, 'file_name', a.file_name, 'media_type', a.media_type)
	INTO made, file;
	SELECT d.attachment_id INTO before FROM sales_crm.quote_document d WHERE d.quote_id = doc.quote_id AND d.purpose = doc.purpose FOR UPDATE;
	INSERT INTO sales_crm.quote_document AS d (quote_id, purpose, attachment_id, html_sha256, sealed)
	VALUES (doc.quote_id, doc.purpose, made, decode(sales_crm.pdf_payload(doc.quote_id, doc.purpose) ->> 'html_sha256', 'hex'), sealed)
	ON CONFLICT ON CONSTRAINT quote_document_pkey DO UPDATE
	SET attachment_id = excluded.attachment_id, html_sha256 = excluded.html_sha256, sealed = excluded.sealed, created_at = now();
	-- One that could not be sealed yet is replaced, also where an e-mail is to carry it
	UPDATE sales_crm.message_body b
	SET payload = jsonb_set(b.payload, '{attachments}', file || coalesce((
		SELECT jsonb_agg(x) FROM jsonb_array_elements(b.payload -> 'attachments') x WHERE (x ->> 'attachment_id')::bigint IS DISTINCT FROM before), '[]'))
	WHERE b.message_id IN (SELECT m.message_id FROM sales_crm.message m WHERE m.waits_for = message_id
		UNION ALL SELECT d.message_id FROM sales_crm.message_dead d WHERE d.waits_for = message_id);
	DELETE FROM sales_crm.attachment a WHERE a.attachment_id = before;
	IF sealed = 'unsealed' THEN
		RETURN sales_crm.fail_message(message_id, fence, 'The seal could not be put on it; the document is there without.');
	END IF;
	PERFORM sales_crm.complete_message(message_id, fence, sealed);
	UPDATE sales_crm.message m SET waits_for = NULL, available_at = clock_timestamp() WHERE m.waits_for = message_id;
	UPDATE sales_crm.message_dead d SET waits_for = NULL WHERE d.waits_for = message_id;
	RETURN 'done';
END
$$;
COMMENT ON FUNCTION sales_crm.store_pdf(bigint, bigint, bytea, text) IS
	'Takes the PDF that a message of kind pdf asked for: it becomes an attachment of the opportunity, and e-mails that wait for it go. With sealed = unsealed it is kept, and tried again: retry or dead as fail_message(), else done. Errors: SC301, 22023 when it is no PDF, 54000 when it is too large';

CREATE FUNCTION sales_crm.quote_file_name(number text, version integer, purpose text, locale text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT left(concat_ws('-', regexp_replace(number, '[/\\[:cntrl:]]', '-', 'g'), CASE WHEN version > 1 THEN 'v' || version END,
		CASE purpose WHEN 'signed' THEN CASE left(locale, 2) WHEN 'fr' THEN 'signé' WHEN 'nl' THEN 'ondertekend' WHEN 'de' THEN 'unterzeichnet' ELSE 'signed' END END), 200) || '.pdf'
$$;
COMMENT ON FUNCTION sales_crm.quote_file_name(text, integer, text, text) IS
	'What the PDF of a quote is called';
