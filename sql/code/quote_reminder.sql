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
		PERFORM sales_crm.notify_seller(due.quote_id, 'quote.reminder');
		PERFORM sales_crm.queue_event('quote.reminder', due.quote_id, jsonb_build_object('rules', to_jsonb(due.rules)));
		done := done + 1;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION sales_crm.remind_quotes() IS
	'Gives the reminders that are due, and returns how many; up to 1,000 at a time, and none of a quote that somebody is working on. For housekeeping()';
