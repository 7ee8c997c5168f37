CREATE FUNCTION sales_crm.next_due_on(
	due_on date, every integer, unit text, weekdays smallint[] DEFAULT NULL, day_of_month integer DEFAULT NULL)
RETURNS date LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	monday date := date_trunc('week', due_on::timestamp)::date;
	month date;
	found date;
BEGIN
	IF unit = 'day' THEN
		RETURN due_on + every;
	ELSIF unit = 'week' THEN
		IF weekdays IS NULL THEN
			RETURN due_on + 7 * every;
		END IF;
		-- Another day of this week, else the first one so many weeks later
		SELECT min(monday + d - 1) INTO found FROM unnest(weekdays) d WHERE monday + d - 1 > due_on;
		RETURN coalesce(found, monday + 7 * every - 1 + (SELECT min(d) FROM unnest(weekdays) d)::integer);
	END IF;
	month := (date_trunc('month', due_on::timestamp)
		+ make_interval(months => every * CASE unit WHEN 'year' THEN 12 ELSE 1 END))::date;
	RETURN least(month + coalesce(day_of_month, extract(day FROM due_on)::integer) - 1,
		(month + interval '1 month')::date - 1);
END
$$;
COMMENT ON FUNCTION sales_crm.next_due_on(date, integer, text, smallint[], integer) IS
	'The day after a due date in a recurrence: every so many of unit (day, week, month, year), for weeks on weekdays (1 = Monday), for months and years on a day of the month or the last one where the month is shorter';

CREATE FUNCTION sales_crm.task_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.created_by := coalesce(NEW.created_by, sales_crm.current_member());
	END IF;
	IF NEW.recurs_unit IS NOT NULL THEN
		NEW.recurs_every := coalesce(NEW.recurs_every, 1);
		IF NEW.due_on IS NULL THEN
			RAISE EXCEPTION 'a recurring task needs a due date'
				USING ERRCODE = 'check_violation', SCHEMA = 'sales_crm', TABLE = 'task', COLUMN = 'due_on',
					CONSTRAINT = 'task_recurs_complete',
					DETAIL = 'The next due date is counted from it.',
					HINT = 'Give the first one in due_on.';
		END IF;
		IF NEW.recurs_unit IN ('month', 'year') THEN
			NEW.recurs_day := coalesce(NEW.recurs_day, extract(day FROM NEW.due_on));
		END IF;
	END IF;
	IF NEW.done_at IS NULL THEN
		NEW.done_by := NULL;
	ELSIF TG_OP = 'INSERT' OR OLD.done_at IS NULL THEN
		NEW.done_by := coalesce(NEW.done_by, sales_crm.current_member());
	END IF;
	IF TG_OP = 'UPDATE' AND NEW.remind_at IS DISTINCT FROM OLD.remind_at THEN
		NEW.reminded_at := NULL;
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.task_guard() IS
	'Row trigger of task: fills in who made and who did it and the day of a monthly recurrence, makes a changed reminder due again. Errors: 23514 for a recurring task without due date';

CREATE FUNCTION sales_crm.task_history()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF OLD.done_at IS NOT NULL AND NEW.done_at IS NULL THEN
		INSERT INTO sales_crm.task_change (task_id, opportunity_id, field, by, at)
		VALUES (NEW.task_id, NEW.opportunity_id, 'done', OLD.done_by, OLD.done_at),
			(NEW.task_id, NEW.opportunity_id, 'undone', sales_crm.current_member(), now());
	END IF;
	INSERT INTO sales_crm.task_change (task_id, opportunity_id, field, old, new, by)
	SELECT NEW.task_id, NEW.opportunity_id, v.field, v.old, v.new, sales_crm.current_member()
	FROM (VALUES
		('assignee_id', OLD.assignee_id::text, NEW.assignee_id::text),
		('due_on', to_char(OLD.due_on, 'YYYY-MM-DD'), to_char(NEW.due_on, 'YYYY-MM-DD')),
		('priority', OLD.priority, NEW.priority),
		('subject', OLD.subject, NEW.subject)) AS v (field, old, new)
	WHERE v.old IS DISTINCT FROM v.new;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.task_history() IS
	'Row trigger of task: writes task_change';

CREATE FUNCTION sales_crm.task_recur()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	next_on date := NEW.due_on;
BEGIN
	IF TG_OP = 'UPDATE' AND OLD.done_at IS NOT NULL
		-- Closing an opportunity ends what its rules had begun
		OR NEW.origin = 'follow_up' AND EXISTS (SELECT FROM sales_crm.opportunity o
			WHERE o.opportunity_id = NEW.opportunity_id AND o.closed_at IS NOT NULL)
	THEN
		RETURN NULL;
	END IF;
	LOOP
		next_on := sales_crm.next_due_on(next_on, NEW.recurs_every, NEW.recurs_unit, NEW.recurs_weekdays, NEW.recurs_day);
		EXIT WHEN next_on >= sales_crm.local_date(NEW.done_at) OR next_on > NEW.recurs_until;
	END LOOP;
	IF next_on > NEW.recurs_until THEN
		RETURN NULL;
	END IF;
	INSERT INTO sales_crm.task (opportunity_id, account_id, subject, details, assignee_id, due_on, priority, origin,
		follow_up_rule_id, remind_at, recurs_every, recurs_unit, recurs_weekdays, recurs_day, recurs_until, repeats_task_id)
	VALUES (NEW.opportunity_id, NEW.account_id, NEW.subject, NEW.details, NEW.assignee_id, next_on, NEW.priority, NEW.origin,
		NEW.follow_up_rule_id,
		(SELECT (NEW.remind_at AT TIME ZONE c.time_zone + make_interval(days => next_on - NEW.due_on)) AT TIME ZONE c.time_zone
			FROM sales_crm.company c),
		NEW.recurs_every, NEW.recurs_unit, NEW.recurs_weekdays, NEW.recurs_day, NEW.recurs_until, NEW.task_id)
	ON CONFLICT (repeats_task_id) WHERE repeats_task_id IS NOT NULL DO NOTHING;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.task_recur() IS
	'Row trigger of task: the next one of a recurrence appears once when one is done, on its first day that is not before the day on which that happened';
