CREATE FUNCTION sales_crm.record_bounce(
	reference text, address text DEFAULT NULL, status text DEFAULT NULL, diagnostic text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	tag text[] := regexp_match(lower(reference), '([0-9]{1,18})\.([0-9a-f]{16})');
	bounced record;
BEGIN
	-- The second part is not to be guessed, so that nobody can bounce what others have sent
	SELECT b.message_id, b.email_id, lower(b.recipient) AS recipient INTO bounced
	FROM sales_crm.message_body b
	WHERE b.message_id = tag[1]::bigint AND b.kind = 'email' AND b.payload ->> 'message_id' LIKE tag[1] || '.' || tag[2] || '@%';
	IF NOT FOUND THEN
		RETURN NULL;
	END IF;
	UPDATE sales_crm.email e
	SET problem = left(concat_ws(' ', status, diagnostic), 2000), bounced_at = now(),
		state = CASE WHEN status LIKE '4%' THEN e.state ELSE 'bounced' END
	WHERE e.email_id = bounced.email_id AND e.state IN ('sent', 'bounced');
	-- Full mailboxes and what is too large today may work tomorrow
	IF status IS NULL OR status LIKE '5%' AND status NOT IN ('5.2.2', '5.2.3', '5.3.4') THEN
		INSERT INTO sales_crm.suppressed_address (address, reason, detail)
		VALUES (bounced.recipient, 'bounced', left(concat_ws(' ', status, diagnostic), 2000))
		ON CONFLICT ON CONSTRAINT suppressed_address_pkey DO NOTHING;
	END IF;
	RETURN bounced.message_id;
END
$$;
COMMENT ON FUNCTION sales_crm.record_bounce(text, text, text, text) IS
	'What a delivery status notification says: reference is the address that it came to, or the Message-ID of the e-mail it is about; status as RFC 3463. The e-mail is marked and the address gets no more, unless the failure may pass. Returns the message, or NULL when there is no such one; address is what the notification says and decides nothing';
