CREATE FUNCTION sales_crm.remind_of_tasks()
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	due record;
	done bigint := 0;
BEGIN
	FOR due IN
		SELECT t.task_id, t.subject, t.due_on, t.opportunity_id, t.remind_at, m.member_id, m.name, m.email, coalesce(m.locale, c.locale) AS locale,
			m.notify_by_email
		FROM sales_crm.task t
		JOIN sales_crm.member m ON m.member_id = t.assignee_id
		CROSS JOIN sales_crm.company c
		WHERE t.remind_at <= now() AND t.reminded_at IS NULL AND t.done_at IS NULL AND m.active
		ORDER BY t.remind_at, t.task_id LIMIT 1000
		FOR UPDATE OF t SKIP LOCKED
	LOOP
		UPDATE sales_crm.task t SET reminded_at = now() WHERE t.task_id = due.task_id;
		INSERT INTO sales_crm.notification (member_id, event, opportunity_id, subject)
		VALUES (due.member_id, 'task.reminder', due.opportunity_id, due.subject);
		IF due.notify_by_email AND sales_crm.is_address(due.email) THEN
			PERFORM sales_crm.queue_email('task.reminder', due.email, sales_crm.header_text(due.name), due.locale,
				jsonb_build_object('task', jsonb_build_object('subject', due.subject, 'due_on', sales_crm.format_date(due.due_on, due.locale))),
				opportunity_id => due.opportunity_id, member_id => due.member_id,
				dedup_key => format('task.reminder %s %s', due.task_id, extract(epoch FROM due.remind_at)));
		END IF;
		done := done + 1;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION sales_crm.remind_of_tasks() IS
	'Gives the reminders of due_reminder, as notification and e-mail, and returns how many; up to 1,000 at a time';

CREATE FUNCTION sales_crm.remind_of_appointments()
RETURNS bigint LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	due record;
	attendee record;
	done bigint := 0;
BEGIN
	FOR due IN
		SELECT a.appointment_id, a.subject, a.location, a.starts_at, a.opportunity_id,
			to_char(a.starts_at AT TIME ZONE a.time_zone, 'YYYY-MM-DD HH24:MI') AS local_start
		FROM sales_crm.appointment a
		-- The longest that remind_minutes may be
		WHERE a.starts_at > now() AND a.starts_at <= now() + interval '43200 minutes' AND a.remind_minutes IS NOT NULL
			AND a.starts_at - make_interval(mins => a.remind_minutes) <= now() AND a.cancelled_at IS NULL
			AND (a.reminded_at IS NULL OR a.reminded_at < a.starts_at - make_interval(mins => a.remind_minutes))
		ORDER BY a.starts_at, a.appointment_id LIMIT 1000
		FOR UPDATE OF a SKIP LOCKED
	LOOP
		UPDATE sales_crm.appointment a SET reminded_at = now() WHERE a.appointment_id = due.appointment_id;
		FOR attendee IN
			SELECT m.member_id, m.name, m.email, m.locale, m.notify_by_email
			FROM sales_crm.appointment_attendee t JOIN sales_crm.member m ON m.member_id = t.member_id
			WHERE t.appointment_id = due.appointment_id AND m.active AND t.answer IS DISTINCT FROM 'declined' ORDER BY m.member_id
		LOOP
			INSERT INTO sales_crm.notification (member_id, event, opportunity_id, subject, body)
			VALUES (attendee.member_id, 'appointment.reminder', due.opportunity_id, due.subject, due.local_start);
			IF attendee.notify_by_email AND sales_crm.is_address(attendee.email) THEN
				PERFORM sales_crm.queue_email('appointment.reminder', attendee.email, sales_crm.header_text(attendee.name), attendee.locale,
					jsonb_build_object('appointment', jsonb_build_object('subject', due.subject, 'location', due.location, 'starts_at', due.local_start)),
					opportunity_id => due.opportunity_id, member_id => attendee.member_id, expires_at => due.starts_at,
					dedup_key => format('appointment.reminder %s %s %s', due.appointment_id, extract(epoch FROM due.starts_at), attendee.member_id));
			END IF;
		END LOOP;
		done := done + 1;
	END LOOP;
	RETURN done;
END
$$;
COMMENT ON FUNCTION sales_crm.remind_of_appointments() IS
	'Reminds the members who attend appointments that begin within their remind_minutes, by notification and e-mail, and returns of how many; up to 1,000 at a time';

CREATE FUNCTION sales_crm.remind_members()
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN sales_crm.remind_of_tasks() + sales_crm.remind_of_appointments();
END
$$;
COMMENT ON FUNCTION sales_crm.remind_members() IS
	'Gives members the reminders of their tasks and appointments that are due, and returns how many. For housekeeping()';

CREATE FUNCTION sales_crm.prune_messages(most integer DEFAULT 10000)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	oldest timestamptz := (SELECT now() - c.keep_messages_days * interval '1 day' FROM sales_crm.company c);
	-- Before the first of these there are only messages that wait and those that discard_messages() has forgotten
	first bigint := least((SELECT min(o.message_id) FROM sales_crm.message_done o WHERE o.finished_at >= oldest),
		(SELECT min(d.message_id) FROM sales_crm.message_dead d WHERE d.died_at >= oldest), 9223372036854775807);
	gone bigint;
BEGIN
	DELETE FROM sales_crm.message_body b
	WHERE b.message_id IN (
		(SELECT o.message_id FROM sales_crm.message_done o WHERE o.finished_at < oldest ORDER BY o.finished_at LIMIT most)
		UNION ALL
		(SELECT d.message_id FROM sales_crm.message_dead d WHERE d.died_at < oldest ORDER BY d.died_at LIMIT most)
		UNION ALL
		(SELECT k.message_id FROM sales_crm.message_body k
		WHERE k.message_id < first AND k.created_at < oldest AND NOT EXISTS (SELECT FROM sales_crm.message m WHERE m.message_id = k.message_id)
			AND NOT EXISTS (SELECT FROM sales_crm.message_done o WHERE o.message_id = k.message_id)
			AND NOT EXISTS (SELECT FROM sales_crm.message_dead d WHERE d.message_id = k.message_id)
		ORDER BY k.message_id LIMIT most));
	GET DIAGNOSTICS gone = ROW_COUNT;
	RETURN gone;
END
$$;
COMMENT ON FUNCTION sales_crm.prune_messages(integer) IS
	'Forgets delivered, dead and discarded messages older than company.keep_messages_days, about so many at a time, and returns how many. For housekeeping()';

CREATE FUNCTION sales_crm.tell_assignment()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_TABLE_NAME = 'opportunity_change' THEN
		PERFORM sales_crm.tell_live('opportunity.assigned', NEW.opportunity_id);
	ELSE
		PERFORM sales_crm.tell_live('task.assigned', NEW.task_id);
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.tell_assignment() IS
	'Row trigger of opportunity_change, task and task_change: tells listeners of sales_crm_event who works on something else now';
