CREATE FUNCTION sales_crm.due_quote_reminder(
	OUT quote_id bigint, OUT opportunity_id bigint, OUT rules text[], OUT valid_until date)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT q.quote_id, q.opportunity_id, array_agg(r.rule ORDER BY r.rule), q.valid_until
	FROM sales_crm.quote q
	JOIN sales_crm.quote_template t USING (quote_template_id)
	CROSS JOIN LATERAL (VALUES
		('unviewed', q.status = 'sent' AND q.sent_at + make_interval(days => t.remind_unviewed_days) <= clock_timestamp()),
		('unanswered', q.status = 'viewed' AND q.viewed_at + make_interval(days => t.remind_unanswered_days) <= clock_timestamp()),
		('expiring', q.valid_until - t.remind_expiring_days <= sales_crm.local_date(clock_timestamp()))) AS r (rule, is_due)
	WHERE q.status IN ('sent', 'viewed') AND q.valid_until >= sales_crm.local_date(clock_timestamp()) AND r.is_due
		AND NOT EXISTS (
			SELECT FROM sales_crm.quote_event e
			WHERE e.quote_id = q.quote_id AND e.kind = 'reminded' AND e.data -> 'rules' ? r.rule
				AND (r.rule <> 'expiring' OR e.data ->> 'valid_until' = q.valid_until::text))
	GROUP BY q.quote_id
$$;
COMMENT ON FUNCTION sales_crm.due_quote_reminder() IS
	'Quotes whose template asks for a reminder now (remind_unviewed_days, remind_unanswered_days, remind_expiring_days) that was not given yet: each rule once, expiring once more when the quote was extended. None for quotes that were answered, withdrawn, superseded or have expired';

CREATE FUNCTION sales_crm.remind_quotes()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	due record;
	mail record;
	token text;
	made bigint;
	problem text;
	done bigint := 0;
BEGIN
	FOR due IN
		SELECT d.* FROM sales_crm.due_quote_reminder() d ORDER BY d.opportunity_id, d.quote_id LIMIT 1000
	LOOP
		-- Somebody at work on it comes first, in the order of all: opportunity, quote
		PERFORM FROM sales_crm.opportunity o WHERE o.opportunity_id = due.opportunity_id FOR KEY SHARE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		PERFORM FROM sales_crm.quote q
		WHERE q.quote_id = due.quote_id AND q.status IN ('sent', 'viewed') AND q.valid_until = due.valid_until
		FOR NO KEY UPDATE SKIP LOCKED;
		CONTINUE WHEN NOT FOUND;
		PERFORM sales_crm.append_quote_event(due.quote_id, 'reminded',
			data => jsonb_build_object('rules', to_jsonb(due.rules), 'valid_until', due.valid_until::text));
		problem := NULL;
		-- To whom it was e-mailed, by a link of its own, since nobody knows the first one's token any more
		FOR mail IN
			SELECT l.* FROM sales_crm.quote_link l
			WHERE l.quote_id = due.quote_id AND l.channel = 'email' AND l.follows_id IS NULL AND l.revoked_at IS NULL
				AND (l.expires_at IS NULL OR l.expires_at > clock_timestamp())
			ORDER BY l.quote_link_id
		LOOP
			-- One that cannot be sent holds up no other
			BEGIN
				token := sales_crm.make_token();
				INSERT INTO sales_crm.quote_link AS n (quote_id, token_sha256, token_tail, channel, recipient_name, recipient_email, contact_id, expires_at, follows_id)
				VALUES (mail.quote_id, sales_crm.token_sha256(token), right(token, 4), 'email', mail.recipient_name, mail.recipient_email, mail.contact_id,
					mail.expires_at, mail.quote_link_id)
				RETURNING n.quote_link_id INTO made;
				PERFORM sales_crm.queue_quote_email(made, 'quote.reminder',
					(SELECT rtrim(coalesce(c.portal_url, ''), '/') FROM sales_crm.company c) || '/q/' || token);
			EXCEPTION WHEN invalid_parameter_value OR object_not_in_prerequisite_state THEN
				problem := concat_ws(E'\n', problem, format('%s: %s.', mail.recipient_email, SQLERRM));
			END;
		END LOOP;
		PERFORM sales_crm.notify_seller(due.quote_id, 'quote.reminder', problem, jsonb_build_object('rules', to_jsonb(due.rules)));
		done := done + 1;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION sales_crm.remind_quotes() IS
	'Gives the reminders that are due, to those whom the quote was e-mailed and to the seller, and returns of how many quotes; up to 1,000 at a time, and none of a quote that somebody is working on. For housekeeping()';
