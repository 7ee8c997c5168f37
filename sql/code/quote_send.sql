CREATE FUNCTION sales_crm.lock_quote(quote_id bigint,
	OUT number text, OUT version integer, OUT status text, OUT opportunity_id bigint, OUT quote_template_id bigint,
	OUT valid_until date, OUT sent_at timestamptz, OUT closed_at timestamptz)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_lock_quote';
COMMENT ON FUNCTION sales_crm.lock_quote(bigint) IS
	'Locks a quote, after its opportunity, and returns what it is then. Errors: P0002';

CREATE FUNCTION sales_crm.require_quote(quote_id bigint)
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_require_quote';
COMMENT ON FUNCTION sales_crm.require_quote(bigint) IS
	'Refuses a quote that the session''s role does not see, as one that does not exist. Errors: P0002';

CREATE FUNCTION sales_crm.discount_of(totals jsonb, discount_percent numeric)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT greatest(coalesce(discount_percent, 0),
		100 * (1 - ((totals ->> 'amount')::numeric - (totals ->> 'discount')::numeric) / nullif((totals ->> 'list')::numeric, 0)))
$$;
COMMENT ON FUNCTION sales_crm.discount_of(jsonb, numeric) IS
	'Percent off the list price that totals and the discount on the whole offer come to, not rounded';

-- Plans are kept while tables grow: what customers and sellers wait for must not have learnt to read
-- whole tables while they were nearly empty. Costs are not to be believed then, and JIT believes
-- them. The same in the other verbs of quotes.
CREATE FUNCTION sales_crm.check_quote_discount(quote_id bigint)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	member CONSTANT bigint := sales_crm.current_member();
	manager CONSTANT boolean := sales_crm.is_manager();
	most CONSTANT numeric := (SELECT CASE WHEN manager THEN c.max_discount_percent_of_managers ELSE c.max_discount_percent END FROM sales_crm.company c);
	given numeric;
	agreed numeric;
BEGIN
	IF member IS NULL OR most IS NULL THEN
		RETURN;
	END IF;
	SELECT greatest(sales_crm.discount_of(q.totals, q.discount_percent),
		(SELECT max(coalesce(l.discount_percent, 100 * l.discount_amount / nullif(abs(l.quantity) * l.unit_price, 0))) FROM sales_crm.quote_line l WHERE l.quote_id = q.quote_id))
	INTO given
	FROM sales_crm.quote q WHERE q.quote_id = check_quote_discount.quote_id;
	IF given <= most THEN
		RETURN;
	END IF;
	-- What was approved, and what the opportunity itself was allowed
	SELECT greatest(
		(SELECT max(a.discount_percent) FROM sales_crm.discount_approval a WHERE a.opportunity_id = o.opportunity_id AND a.status = 'approved'),
		(SELECT sales_crm.discount_of(to_jsonb(t), o.discount_percent) FROM sales_crm.opportunity_total t WHERE t.opportunity_id = o.opportunity_id),
		(SELECT max(coalesce(l.discount_percent, 100 * l.discount_amount / nullif(abs(l.quantity) * l.unit_price, 0))) FROM sales_crm.product_line l WHERE l.opportunity_id = o.opportunity_id))
	INTO agreed
	FROM sales_crm.quote q JOIN sales_crm.opportunity o USING (opportunity_id) WHERE q.quote_id = check_quote_discount.quote_id;
	IF given > coalesce(agreed, 0) THEN
		RAISE EXCEPTION 'discount is above the limit'
			USING ERRCODE = 'SC201',
				DETAIL = format('The quote would have a discount of %s %%; member %s may give %s %%.', round(given, 2), member, trim_scale(most)),
				HINT = 'SELECT sales_crm.request_discount_approval(opportunity_id, discount_percent, reason) asks a manager.';
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.check_quote_discount(bigint) IS
	'Whether the member may send a quote with its discounts: they are within the limit, approved, or no more than those of the opportunity. Errors: SC201';

CREATE FUNCTION sales_crm.snapshot_sha256(snapshot jsonb)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_snapshot_sha256';
COMMENT ON FUNCTION sales_crm.snapshot_sha256(jsonb) IS
	'The hash of a quote''s snapshot: sha256(convert_to(snapshot::text, ''UTF8''))';

CREATE FUNCTION sales_crm.document_sha256(document text)
RETURNS bytea LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_document_sha256';
COMMENT ON FUNCTION sales_crm.document_sha256(text) IS
	'The hash of a quote''s document: sha256(convert_to(document, ''UTF8''))';

CREATE FUNCTION sales_crm.freeze_quote(quote_id bigint)
RETURNS void LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_freeze_quote';
COMMENT ON FUNCTION sales_crm.freeze_quote(bigint) IS
	'Freezes a draft that send_quote() has locked: snapshot and document, with their hashes. Errors: SC201 for too much discount, 55000 for a quote without items';

CREATE FUNCTION sales_crm.queue_quote_email(quote_link_id bigint, event text, link text, subject text DEFAULT NULL, body text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	receiver record;
	pdf record;
BEGIN
	SELECT l.recipient_email AS email, l.recipient_name AS name, l.quote_id, q.locale, t.attach_pdf INTO STRICT receiver
	FROM sales_crm.quote_link l
	JOIN sales_crm.quote q ON q.quote_id = l.quote_id
	JOIN sales_crm.quote_template t ON t.quote_template_id = q.quote_template_id
	WHERE l.quote_link_id = quote_link_id;
	IF receiver.attach_pdf THEN
		pdf := sales_crm.await_pdf(receiver.quote_id, 'quote');
	ELSE
		SELECT NULL::bigint AS attachment_id, NULL::bigint AS waits_for INTO pdf;
	END IF;
	RETURN sales_crm.queue_email(event, receiver.email, sales_crm.header_text(receiver.name), receiver.locale, jsonb_build_object('link', link),
		quote_id => receiver.quote_id, subject => replace(subject, '{{link}}', link), body => replace(body, '{{link}}', link),
		attachments => array_remove(array[pdf.attachment_id], NULL), waits_for => pdf.waits_for);
END
$$;
COMMENT ON FUNCTION sales_crm.queue_quote_email(bigint, text, text, text, text) IS
	'Queues the e-mail about a quote to the recipient of a link, with the PDF where the template says so. Errors: 22023, 55000';

CREATE FUNCTION sales_crm.send_quote(quote_id bigint, channel text DEFAULT 'link', contact_id bigint DEFAULT NULL, email text DEFAULT NULL,
	subject text DEFAULT NULL, body text DEFAULT NULL, recipient_name text DEFAULT NULL,
	OUT link text, OUT message_id bigint, OUT token text, OUT quote_link_id bigint)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_send_quote';
COMMENT ON FUNCTION sales_crm.send_quote(bigint, text, bigint, text, text, text, text) IS
	'Sends a quote, which freezes a draft, and returns the link for the recipient, shown this once. channel: direct (the customer reads on the seller''s device), email (subject and body instead of the template''s; {{link}} in them is the link), link, or download (PDF). Again for another recipient, or to give one a new link. Recipient: contact_id, else email, else the quote''s contact. Errors: P0002, SC004, SC102, SC104, 22023, 55000 for a quote without items';

CREATE FUNCTION sales_crm.revise_quote(quote_id bigint)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
#variable_conflict use_variable
DECLARE
	quote record;
	made bigint;
BEGIN
	PERFORM sales_crm.require_quote(quote_id);
	quote := sales_crm.lock_quote(quote_id);
	IF quote.closed_at IS NOT NULL THEN
		RAISE EXCEPTION 'quote belongs to a closed opportunity'
			USING ERRCODE = 'SC004', DETAIL = format('The opportunity of quote %s was closed at %s.', quote.number, quote.closed_at),
				HINT = 'A manager can reopen it by moving it to an open phase of its pipeline.';
	END IF;
	IF quote.status IN ('draft', 'signed', 'superseded') THEN
		RAISE EXCEPTION 'quote cannot be revised'
			USING ERRCODE = CASE quote.status WHEN 'signed' THEN 'SC106' ELSE 'SC102' END, DETAIL = format('Quote %s is %s.', quote.number, quote.status),
				HINT = CASE quote.status WHEN 'draft' THEN 'A draft can be edited.' WHEN 'superseded' THEN 'Revise the version after it.' ELSE 'Make another quote: SELECT sales_crm.create_quote(…).' END;
	END IF;
	INSERT INTO sales_crm.quote AS n (number, version, opportunity_id, quote_template_id, valid_until, locale, currency, title, introduction, terms,
		discount_percent, discount_amount, vat_method, prices_include_tax, contact_id, customer_name, customer_address, customer_vat_number,
		supersedes_id, created_by)
	SELECT q.number, q.version + 1, q.opportunity_id, q.quote_template_id, greatest(q.valid_until, sales_crm.today() + t.valid_days), q.locale, q.currency,
		q.title, q.introduction, q.terms, q.discount_percent, q.discount_amount, q.vat_method, q.prices_include_tax, q.contact_id, q.customer_name,
		q.customer_address, q.customer_vat_number, q.quote_id, sales_crm.current_member()
	FROM sales_crm.quote q JOIN sales_crm.quote_template t USING (quote_template_id)
	WHERE q.quote_id = revise_quote.quote_id
	RETURNING n.quote_id INTO made;
	INSERT INTO sales_crm.quote_line (quote_id, position, kind, name, description, extra_description, quantity, unit, unit_price,
		discount_percent, discount_amount, tax_rate_id, tax_percent, tax_category, optional, product_id, product_line_id)
	SELECT made, l.position, l.kind, l.name, l.description, l.extra_description, l.quantity, l.unit, l.unit_price,
		l.discount_percent, l.discount_amount, l.tax_rate_id, l.tax_percent, l.tax_category, l.optional, l.product_id, l.product_line_id
	FROM sales_crm.quote_line l WHERE l.quote_id = revise_quote.quote_id
	ORDER BY l.position, l.quote_line_id;
	UPDATE sales_crm.quote q SET status = 'superseded' WHERE q.quote_id = revise_quote.quote_id;
	IF quote.sent_at IS NOT NULL THEN
		PERFORM sales_crm.queue_event('quote.superseded', quote_id, jsonb_build_object('next_quote_id', made));
	END IF;
	RETURN made;
END
$$;
COMMENT ON FUNCTION sales_crm.revise_quote(bigint) IS
	'Makes the next version of a quote, a draft with the same number, and supersedes it: its links say so from now on, and lead to the new version once that was sent. Errors: P0002, SC102 for a draft and for a superseded one, SC106 for a signed one, SC004 when the opportunity is closed';

CREATE FUNCTION sales_crm.withdraw_quote(quote_id bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
BEGIN
	PERFORM sales_crm.require_quote(quote_id);
	PERFORM sales_crm.lock_quote(quote_id);
	UPDATE sales_crm.quote q SET status = 'withdrawn' WHERE q.quote_id = withdraw_quote.quote_id AND q.status <> 'withdrawn';
	IF FOUND AND EXISTS (SELECT FROM sales_crm.quote q WHERE q.quote_id = withdraw_quote.quote_id AND q.sent_at IS NOT NULL) THEN
		PERFORM sales_crm.queue_event('quote.withdrawn', quote_id);
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.withdraw_quote(bigint) IS
	'Takes a quote back: nobody can answer it any more, and its links say so. Again does nothing. Errors: P0002, SC102, SC106 once it was answered';

CREATE FUNCTION sales_crm.extend_quote(quote_id bigint, valid_until date)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	quote record;
BEGIN
	PERFORM sales_crm.require_quote(quote_id);
	quote := sales_crm.lock_quote(quote_id);
	IF quote.status NOT IN ('sent', 'viewed', 'expired') THEN
		RAISE EXCEPTION 'quote cannot be extended'
			USING ERRCODE = 'SC101', DETAIL = format('Quote %s is %s.', quote.number, quote.status),
				HINT = CASE quote.status WHEN 'draft' THEN 'UPDATE valid_until of a draft.' ELSE 'Make the next version: SELECT sales_crm.revise_quote(…).' END;
	END IF;
	IF valid_until IS NULL OR sales_crm.is_past(valid_until) OR valid_until < quote.valid_until THEN
		RAISE EXCEPTION 'quote cannot be extended to that day'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('The last day of quote %s is %s, the day given %s.', quote.number, quote.valid_until, valid_until),
				HINT = 'Name a later day that is not over.';
	END IF;
	UPDATE sales_crm.quote q
	SET valid_until = extend_quote.valid_until,
		status = CASE WHEN q.status = 'expired' THEN CASE WHEN q.viewed_at IS NULL THEN 'sent' ELSE 'viewed' END ELSE q.status END
	WHERE q.quote_id = extend_quote.quote_id;
END
$$;
COMMENT ON FUNCTION sales_crm.extend_quote(bigint, date) IS
	'Makes an open or expired quote valid longer, and changes nothing else of it. Errors: P0002, 22023 for a day that is over or earlier, SC101 for a quote that is neither';

CREATE FUNCTION sales_crm.verify_quotes(OUT quote_id bigint, OUT number text, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT q.quote_id, q.number, 'the snapshot does not have its hash'
	FROM sales_crm.quote q WHERE q.snapshot_sha256 <> sha256(convert_to(q.snapshot::text, 'UTF8'))
	UNION ALL
	SELECT q.quote_id, q.number, 'the document does not have its hash'
	FROM sales_crm.quote q WHERE q.html_sha256 <> sha256(convert_to(q.html, 'UTF8'))
	UNION ALL
	SELECT q.quote_id, q.number, 'the event of sending has another hash'
	FROM sales_crm.quote q WHERE q.sent_at IS NOT NULL AND NOT EXISTS (
		SELECT FROM sales_crm.quote_event e
		WHERE e.quote_id = q.quote_id AND e.kind = 'sent' AND e.data ->> 'snapshot_sha256' = encode(q.snapshot_sha256, 'hex'))
	UNION ALL
	SELECT q.quote_id, q.number, 'the signature is for something else'
	FROM sales_crm.quote q JOIN sales_crm.signature s USING (quote_id) WHERE s.snapshot_sha256 <> q.snapshot_sha256
	UNION ALL
	SELECT q.quote_id, q.number, format('the quote is %s without its answer', q.status)
	FROM sales_crm.quote q
	WHERE q.status = 'signed' AND NOT EXISTS (SELECT FROM sales_crm.signature s WHERE s.quote_id = q.quote_id)
		OR q.status = 'change_requested' AND NOT EXISTS (SELECT FROM sales_crm.change_request r WHERE r.quote_id = q.quote_id)
		OR q.status = 'declined' AND NOT EXISTS (SELECT FROM sales_crm.refusal r WHERE r.quote_id = q.quote_id)
	UNION ALL
	SELECT q.quote_id, q.number, 'the quote has several final answers'
	FROM sales_crm.quote q JOIN sales_crm.signature s USING (quote_id)
	WHERE EXISTS (SELECT FROM sales_crm.change_request r WHERE r.quote_id = q.quote_id) OR EXISTS (SELECT FROM sales_crm.refusal r WHERE r.quote_id = q.quote_id)
		OR q.status <> 'signed'
	UNION ALL
	SELECT q.quote_id, q.number, 'the lines differ from the snapshot'
	FROM sales_crm.quote q
	WHERE q.sent_at IS NOT NULL AND (SELECT jsonb_agg(l - 'unit_name') FROM jsonb_array_elements(q.snapshot -> 'lines') l)
		IS DISTINCT FROM (SELECT jsonb_agg(l - 'unit_name') FROM jsonb_array_elements(sales_crm.quote_snapshot(q.quote_id) -> 'lines') l)
	UNION ALL
	SELECT q.quote_id, q.number, 'the totals are not those of the lines'
	FROM sales_crm.quote q WHERE q.totals IS DISTINCT FROM sales_crm.quote_totals(q.quote_id)
	UNION ALL
	SELECT q.quote_id, q.number, 'what the quote says differs from the snapshot'
	FROM sales_crm.quote q
	WHERE q.sent_at IS NOT NULL AND (jsonb_build_object('number', q.number, 'version', q.version::text, 'title', q.title, 'locale', q.locale,
			'currency', q.currency, 'vat_method', q.vat_method, 'introduction', q.introduction, 'terms', q.terms,
			'discount_percent', trim_scale(q.discount_percent)::text, 'discount_amount', trim_scale(q.discount_amount)::text)
		<> (SELECT jsonb_object_agg(s.key, s.value) FROM jsonb_each(q.snapshot) s WHERE s.key = ANY (array['number', 'version', 'title', 'locale',
			'currency', 'vat_method', 'introduction', 'terms', 'discount_percent', 'discount_amount']))
		OR q.valid_until < (q.snapshot ->> 'valid_until')::date)
	UNION ALL
	SELECT NULL, format('%s version %s', q.number, q.version), 'a version before it is missing'
	FROM sales_crm.quote q
	WHERE q.supersedes_id IS NOT NULL AND NOT EXISTS (SELECT FROM sales_crm.quote p WHERE p.quote_id = q.supersedes_id AND p.number = q.number AND p.version = q.version - 1)
$$;
COMMENT ON FUNCTION sales_crm.verify_quotes() IS
	'Recomputes the hashes of all quotes that were sent and compares snapshots, events, signatures and lines: a row for each that does not fit. Never a row, unless somebody switched triggers off';
