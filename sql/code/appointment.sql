-- No extension for GiST is required: a member and a range of time become one range of numbers,
-- each member having a lane of 2^34 seconds (544 years) from 1900 on. Whole seconds, rounded
-- outwards: what the index finds is checked again exactly.
CREATE FUNCTION sales_crm.member_time(member_id bigint, busy tstzrange)
RETURNS int8range LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT int8range(
		member_id * 17179869184 + floor(extract(epoch FROM lower(busy) - timestamptz '1900-01-01 00:00+00'))::bigint,
		member_id * 17179869184 + ceil(extract(epoch FROM upper(busy) - timestamptz '1900-01-01 00:00+00'))::bigint)
$$;
COMMENT ON FUNCTION sales_crm.member_time(bigint, tstzrange) IS
	'A range that overlaps another one just where a member and a time do, to the second: what the index behind appointment_conflict is made of';

CREATE FUNCTION sales_crm.appointment_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.organiser_id := coalesce(NEW.organiser_id, sales_crm.current_member());
		NEW.created_by := coalesce(NEW.created_by, sales_crm.current_member());
		NEW.time_zone := coalesce(NEW.time_zone, (SELECT c.time_zone FROM sales_crm.company c));
		NEW.ends_at := coalesce(NEW.ends_at, NEW.starts_at + CASE WHEN NEW.all_day
			THEN interval '1 microsecond' ELSE interval '1 hour' END);
	ELSIF NEW.uid <> OLD.uid THEN
		RAISE EXCEPTION 'uid of an appointment cannot be changed'
			USING ERRCODE = 'restrict_violation', COLUMN = 'uid',
				DETAIL = 'Calendars know the appointment by it.',
				HINT = 'Cancel the appointment and make another one.';
	END IF;
	IF TG_OP = 'INSERT' OR NEW.time_zone IS DISTINCT FROM OLD.time_zone THEN
		IF NOT sales_crm.calendar_knows_zone(NEW.time_zone) THEN
			RAISE EXCEPTION 'time zone "%" is not known', NEW.time_zone
				USING ERRCODE = 'invalid_parameter_value', COLUMN = 'time_zone',
					HINT = 'SELECT name FROM pg_timezone_names lists the known ones, such as Europe/Brussels.';
		END IF;
	END IF;
	IF NEW.all_day THEN
		NEW.starts_at := date_trunc('day', NEW.starts_at, NEW.time_zone);
		IF NEW.ends_at > date_trunc('day', NEW.ends_at, NEW.time_zone) THEN
			NEW.ends_at := ((NEW.ends_at AT TIME ZONE NEW.time_zone)::date + 1)::timestamp AT TIME ZONE NEW.time_zone;
		END IF;
	END IF;
	IF TG_OP = 'UPDATE' AND (NEW.starts_at, NEW.ends_at, NEW.all_day, NEW.location, NEW.subject, NEW.organiser_id, NEW.cancelled_at IS NULL)
		IS DISTINCT FROM (OLD.starts_at, OLD.ends_at, OLD.all_day, OLD.location, OLD.subject, OLD.organiser_id, OLD.cancelled_at IS NULL)
	THEN
		NEW.revision := OLD.revision + 1;
		NEW.updated_at := now();
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.appointment_guard() IS
	'Row trigger of appointment: fills in organiser, time zone and end, makes whole days whole, counts revisions. Errors: 22023 for an unknown time zone, 23001 for another uid';

CREATE FUNCTION sales_crm.appointment_history()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.organiser_id IS NOT NULL AND (TG_OP = 'INSERT' OR NEW.organiser_id IS DISTINCT FROM OLD.organiser_id) THEN
		INSERT INTO sales_crm.appointment_attendee (appointment_id, member_id, answer)
		VALUES (NEW.appointment_id, NEW.organiser_id, 'accepted')
		ON CONFLICT (appointment_id, member_id) DO NOTHING;
	END IF;
	IF TG_OP = 'INSERT' THEN
		RETURN NULL;
	END IF;
	IF (NEW.starts_at, NEW.ends_at, NEW.cancelled_at) IS DISTINCT FROM (OLD.starts_at, OLD.ends_at, OLD.cancelled_at) THEN
		-- The guard of attendees computes it again
		UPDATE sales_crm.appointment_attendee SET busy = NULL WHERE appointment_id = NEW.appointment_id;
	END IF;
	INSERT INTO sales_crm.appointment_change (appointment_id, opportunity_id, field, old, new, by)
	SELECT NEW.appointment_id, NEW.opportunity_id, v.field, v.old, v.new, sales_crm.current_member()
	FROM (VALUES
		('starts_at', to_char(OLD.starts_at AT TIME ZONE NEW.time_zone, 'YYYY-MM-DD HH24:MI'),
			to_char(NEW.starts_at AT TIME ZONE NEW.time_zone, 'YYYY-MM-DD HH24:MI')),
		('ends_at', to_char(OLD.ends_at AT TIME ZONE NEW.time_zone, 'YYYY-MM-DD HH24:MI'),
			to_char(NEW.ends_at AT TIME ZONE NEW.time_zone, 'YYYY-MM-DD HH24:MI')),
		('location', OLD.location, NEW.location),
		('subject', OLD.subject, NEW.subject),
		('organiser_id', OLD.organiser_id::text, NEW.organiser_id::text),
		('cancelled_at', to_char(OLD.cancelled_at AT TIME ZONE NEW.time_zone, 'YYYY-MM-DD HH24:MI'),
			to_char(NEW.cancelled_at AT TIME ZONE NEW.time_zone, 'YYYY-MM-DD HH24:MI'))) AS v (field, old, new)
	WHERE v.old IS DISTINCT FROM v.new;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.appointment_history() IS
	'Row trigger of appointment: the organiser attends, attendees'' time follows the appointment, appointment_change keeps what was';

CREATE FUNCTION sales_crm.appointment_attendee_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NEW.answer <> 'needs_action' AND (TG_OP = 'INSERT' OR NEW.answer <> OLD.answer) THEN
		NEW.answered_at := coalesce(NEW.answered_at, now());
		IF TG_OP = 'UPDATE' AND NEW.answered_at = OLD.answered_at THEN
			NEW.answered_at := now();
		END IF;
	END IF;
	-- Locked, so that the appointment does not move meanwhile
	SELECT tstzrange(a.starts_at, a.ends_at) INTO NEW.busy
	FROM sales_crm.appointment a
	WHERE a.appointment_id = NEW.appointment_id AND a.cancelled_at IS NULL
		AND NEW.member_id IS NOT NULL AND NEW.answer <> 'declined'
	FOR SHARE;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.appointment_attendee_guard() IS
	'Row trigger of appointment_attendee: keeps answered_at, and the time the appointment takes of a member';

CREATE FUNCTION sales_crm.verify_appointments(
	OUT appointment_id bigint, OUT member_id bigint, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT t.appointment_id, t.member_id, 'busy is not the time of the appointment'
	FROM sales_crm.appointment_attendee t
	JOIN sales_crm.appointment a USING (appointment_id)
	WHERE t.busy IS DISTINCT FROM CASE WHEN a.cancelled_at IS NULL AND t.member_id IS NOT NULL AND t.answer <> 'declined'
		THEN tstzrange(a.starts_at, a.ends_at) END
	UNION ALL
	SELECT a.appointment_id, a.organiser_id, 'the organiser does not attend'
	FROM sales_crm.appointment a
	WHERE a.organiser_id IS NOT NULL AND NOT EXISTS (SELECT FROM sales_crm.appointment_attendee t
		WHERE t.appointment_id = a.appointment_id AND t.member_id = a.organiser_id)
$$;
COMMENT ON FUNCTION sales_crm.verify_appointments() IS
	'Recomputes what triggers keep about attendees and returns each difference: never a row, unless rows were written with triggers off or the organiser was taken out';
