-- iCalendar (RFC 5545). Lines end with a line feed until calendar_fold() writes them out.

CREATE FUNCTION sales_crm.calendar_text(value text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_calendar_text';
COMMENT ON FUNCTION sales_crm.calendar_text(text) IS 'A text as a value of iCalendar: escaped (RFC 5545, 3.3.11)';

CREATE FUNCTION sales_crm.calendar_parameter(value text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_calendar_parameter';
COMMENT ON FUNCTION sales_crm.calendar_parameter(text) IS 'A text as a parameter of iCalendar: in quotes, encoded (RFC 6868)';

CREATE FUNCTION sales_crm.calendar_fold(lines text)
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_calendar_fold';
COMMENT ON FUNCTION sales_crm.calendar_fold(text) IS 'Lines ended by CRLF and folded to 75 octets between characters (RFC 5545, 3.1)';

CREATE FUNCTION sales_crm.calendar_time_zone(time_zone text, "from" timestamptz, until timestamptz)
RETURNS text LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_calendar_time_zone';
COMMENT ON FUNCTION sales_crm.calendar_time_zone(text, timestamptz, timestamptz) IS
	'VTIMEZONE of a zone with each change of its offset between two moments. Errors: 22023 for an unknown zone';

CREATE FUNCTION sales_crm.calendar_knows_zone(time_zone text)
RETURNS boolean LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_calendar_knows_zone';
COMMENT ON FUNCTION sales_crm.calendar_knows_zone(text) IS
	'Whether a name is that of a zone of the IANA database, such as Europe/Brussels or UTC; without reading all of pg_timezone_names';

CREATE FUNCTION sales_crm.calendar_time(name text, at timestamptz, time_zone text, all_day boolean)
RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT CASE
		WHEN all_day THEN format(E'%s;VALUE=DATE:%s\n', name, to_char(at AT TIME ZONE time_zone, 'YYYYMMDD'))
		WHEN time_zone = 'UTC' THEN format(E'%s:%s\n', name, to_char(at AT TIME ZONE 'UTC', 'YYYYMMDD"T"HH24MISS"Z"'))
		ELSE format(E'%s;TZID=%s:%s\n', name, time_zone, to_char(at AT TIME ZONE time_zone, 'YYYYMMDD"T"HH24MISS')) END
$$;
COMMENT ON FUNCTION sales_crm.calendar_time(text, timestamptz, text, boolean) IS 'A line with a time in a zone, or a day';

CREATE FUNCTION sales_crm.calendar_person(name text, parameters text, person text, email text)
RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format(E'%s;CN=%s%s:%s\n', name, sales_crm.calendar_parameter(person), parameters,
		CASE WHEN email IS NULL THEN 'urn:x-sales-crm:unknown' ELSE 'mailto:' || email END)
$$;
COMMENT ON FUNCTION sales_crm.calendar_person(text, text, text, text) IS 'An ORGANIZER or ATTENDEE line';

CREATE FUNCTION sales_crm.calendar_event(appointment_id bigint)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat(E'BEGIN:VEVENT\n',
		format(E'UID:%s\nSEQUENCE:%s\n', sales_crm.calendar_text(a.uid), a.revision),
		sales_crm.calendar_time('DTSTAMP', a.updated_at, 'UTC', false),
		sales_crm.calendar_time('CREATED', a.created_at, 'UTC', false),
		sales_crm.calendar_time('LAST-MODIFIED', a.updated_at, 'UTC', false),
		sales_crm.calendar_time('DTSTART', a.starts_at, a.time_zone, a.all_day),
		sales_crm.calendar_time('DTEND', a.ends_at, a.time_zone, a.all_day),
		format(E'SUMMARY:%s\n', sales_crm.calendar_text(a.subject)),
		E'LOCATION:' || sales_crm.calendar_text(nullif(a.location, '')) || E'\n',
		E'DESCRIPTION:' || sales_crm.calendar_text(nullif(a.details, '')) || E'\n',
		format(E'STATUS:%s\n', CASE WHEN a.cancelled_at IS NULL THEN 'CONFIRMED' ELSE 'CANCELLED' END),
		(SELECT sales_crm.calendar_person('ORGANIZER', '', m.name, m.email)
			FROM sales_crm.member m WHERE m.member_id = a.organiser_id),
		(SELECT string_agg(sales_crm.calendar_person('ATTENDEE', format(';PARTSTAT=%s;RSVP=%s',
				replace(upper(t.answer), '_', '-'), CASE t.answer WHEN 'needs_action' THEN 'TRUE' ELSE 'FALSE' END),
				coalesce(m.name, k.name), coalesce(m.email, k.email)), '' ORDER BY t.appointment_attendee_id)
			FROM sales_crm.appointment_attendee t
			LEFT JOIN sales_crm.member m USING (member_id)
			LEFT JOIN sales_crm.contact k ON k.contact_id = t.contact_id
			WHERE t.appointment_id = a.appointment_id),
		E'END:VEVENT\n')
	FROM sales_crm.appointment a WHERE a.appointment_id = calendar_event.appointment_id
$$;
COMMENT ON FUNCTION sales_crm.calendar_event(bigint) IS 'The VEVENT of an appointment, or NULL when there is none';

CREATE FUNCTION sales_crm.calendar_todo(task_id bigint)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT concat(E'BEGIN:VTODO\n',
		-- The time makes it differ from that of the same key in another database
		format(E'UID:task-%s-%s@sales-crm\n', t.task_id, trunc(extract(epoch FROM t.created_at) * 1000000)),
		format(E'SEQUENCE:%s\n', (SELECT count(*) FROM sales_crm.task_change c WHERE c.task_id = t.task_id)),
		sales_crm.calendar_time('DTSTAMP', greatest(t.created_at, t.done_at,
			(SELECT max(c.at) FROM sales_crm.task_change c WHERE c.task_id = t.task_id)), 'UTC', false),
		sales_crm.calendar_time('CREATED', t.created_at, 'UTC', false),
		format(E'DUE;VALUE=DATE:%s\n', to_char(t.due_on, 'YYYYMMDD')),
		format(E'SUMMARY:%s\n', sales_crm.calendar_text(t.subject)),
		E'DESCRIPTION:' || sales_crm.calendar_text(nullif(t.details, '')) || E'\n',
		format(E'PRIORITY:%s\n', CASE t.priority WHEN 'high' THEN 1 WHEN 'normal' THEN 5 ELSE 9 END),
		CASE WHEN t.done_at IS NULL THEN E'STATUS:NEEDS-ACTION\n'
			ELSE E'STATUS:COMPLETED\n' || sales_crm.calendar_time('COMPLETED', t.done_at, 'UTC', false) END,
		E'END:VTODO\n')
	FROM sales_crm.task t WHERE t.task_id = calendar_todo.task_id
$$;
COMMENT ON FUNCTION sales_crm.calendar_todo(bigint) IS 'The VTODO of a task with a due date, or NULL when there is none';

CREATE FUNCTION sales_crm.calendar_write(appointment_ids bigint[], task_ids bigint[])
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sales_crm.calendar_fold(concat(
		E'BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//sales_crm//sales_crm 1.0//EN\nCALSCALE:GREGORIAN\n',
		(SELECT string_agg(z.component, '' ORDER BY z.time_zone) FROM (
			SELECT a.time_zone, sales_crm.calendar_time_zone(a.time_zone,
				min(a.starts_at) - interval '1 year', max(a.ends_at) + interval '1 year') AS component
			FROM sales_crm.appointment a
			WHERE a.appointment_id = ANY (appointment_ids) AND NOT a.all_day AND a.time_zone <> 'UTC'
			GROUP BY a.time_zone) z),
		(SELECT string_agg(sales_crm.calendar_event(i), '' ORDER BY n) FROM unnest(appointment_ids) WITH ORDINALITY AS u (i, n)),
		(SELECT string_agg(sales_crm.calendar_todo(i), '' ORDER BY n) FROM unnest(task_ids) WITH ORDINALITY AS u (i, n)),
		E'END:VCALENDAR\n'))
$$;
COMMENT ON FUNCTION sales_crm.calendar_write(bigint[], bigint[]) IS
	'A VCALENDAR of appointments and tasks, in the order given, with the time zones they need';

CREATE FUNCTION sales_crm.appointment_ics(appointment_id bigint)
RETURNS text LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM sales_crm.appointment a WHERE a.appointment_id = appointment_ics.appointment_id) THEN
		RAISE EXCEPTION 'appointment % does not exist', appointment_id USING ERRCODE = 'no_data_found';
	END IF;
	RETURN sales_crm.calendar_write(array[appointment_id], '{}');
END
$$;
COMMENT ON FUNCTION sales_crm.appointment_ics(bigint) IS
	'An appointment as iCalendar (RFC 5545). Errors: P0002 when it does not exist';

CREATE FUNCTION sales_crm.calendar_ics(member_id bigint, "from" date, until date)
RETURNS text LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT sales_crm.calendar_write(
		array(SELECT a.appointment_id FROM sales_crm.appointment a
			JOIN sales_crm.appointment_attendee t USING (appointment_id), sales_crm.company c
			WHERE t.member_id = $1 AND t.answer <> 'declined'
				AND a.ends_at > $2::timestamp AT TIME ZONE c.time_zone
				AND a.starts_at < ($3 + 1)::timestamp AT TIME ZONE c.time_zone
			ORDER BY a.starts_at, a.appointment_id),
		array(SELECT t.task_id FROM sales_crm.task t
			WHERE t.assignee_id = $1 AND t.done_at IS NULL AND t.due_on BETWEEN $2 AND $3
			ORDER BY t.due_on, t.task_id))
$$;
COMMENT ON FUNCTION sales_crm.calendar_ics(bigint, date, date) IS
	'A member''s calendar as iCalendar: appointments that lie within the days (both included), cancelled ones as such and declined ones not, and open tasks due on them';

CREATE FUNCTION sales_crm.create_calendar_feed(member_id bigint)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	token text := sales_crm.make_token();
BEGIN
	IF member_id IS DISTINCT FROM sales_crm.current_member() AND NOT sales_crm.is_admin() THEN
		RAISE EXCEPTION 'calendar is somebody else''s'
			USING ERRCODE = 'SC201', DETAIL = format('It is that of member %s.', member_id),
				HINT = 'Name your own member_id: SELECT sales_crm.current_member().';
	END IF;
	INSERT INTO sales_crm.calendar_feed (member_id, token_sha256)
	VALUES (create_calendar_feed.member_id, sales_crm.token_sha256(token));
	RETURN token;
END
$$;
COMMENT ON FUNCTION sales_crm.create_calendar_feed(bigint) IS
	'The token of a new secret link to a member''s calendar: shown this once, only its SHA-256 is kept. Errors: SC201 for another member''s calendar, unless an admin asks';

CREATE FUNCTION sales_crm.calendar_feed_ics(token text)
RETURNS text LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	subscriber bigint := (SELECT f.member_id FROM sales_crm.calendar_feed f JOIN sales_crm.member m USING (member_id)
		WHERE f.token_sha256 = sales_crm.token_sha256(token) AND f.revoked_at IS NULL AND m.active);
BEGIN
	IF subscriber IS NULL THEN
		RAISE EXCEPTION 'link is unknown or revoked'
			USING ERRCODE = 'SC103', HINT = 'Make a new one with sales_crm.create_calendar_feed().';
	END IF;
	RETURN sales_crm.calendar_ics(subscriber, sales_crm.today() - 92, sales_crm.today() + 366);
END
$$;
COMMENT ON FUNCTION sales_crm.calendar_feed_ics(text) IS
	'The calendar behind a secret link, from a quarter ago to a year ahead. Errors: SC103 for an unknown or revoked link, or a member who left';
