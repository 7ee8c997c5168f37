-- The same with row triggers in PL/pgSQL, as one finds them.
CREATE SCHEMA twin;
DO $$
DECLARE
	relation text;
	made record;
BEGIN
	FOREACH relation IN ARRAY array['opportunity', 'phase_stay', 'opportunity_change', 'task'] LOOP
		EXECUTE format('CREATE TABLE twin.%I (LIKE sales_crm.%I INCLUDING ALL)', relation, relation);
		FOR made IN
			SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
			WHERE conrelid = ('sales_crm.' || relation)::regclass AND contype = 'f'
		LOOP
			EXECUTE format('ALTER TABLE twin.%I ADD CONSTRAINT %I %s', relation, made.conname,
				replace(made.definition, 'sales_crm.opportunity(', 'twin.opportunity('));
		END LOOP;
	END LOOP;
END
$$;

CREATE FUNCTION twin.current_member() RETURNS bigint LANGUAGE plpgsql STABLE AS $$
DECLARE
	setting text := current_setting('sales_crm.member_id', true);
BEGIN
	IF setting <> '' THEN
		RETURN (SELECT member_id FROM sales_crm.member WHERE active AND member_id = setting::bigint);
	END IF;
	RETURN (SELECT member_id FROM sales_crm.member WHERE active AND login = session_user::text);
END
$$;

CREATE FUNCTION twin.add_working_days("from" date, days integer) RETURNS date LANGUAGE plpgsql STABLE AS $$
DECLARE
	day date := "from";
BEGIN
	WHILE days > 0 LOOP
		day := day + 1;
		IF extract(isodow FROM day) < 6 AND NOT EXISTS (SELECT FROM sales_crm.holiday WHERE holiday_on = day) THEN
			days := days - 1;
		END IF;
	END LOOP;
	RETURN day;
END
$$;

CREATE FUNCTION twin.opportunity_before() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	target sales_crm.phase;
	pipeline sales_crm.pipeline;
	decimals int;
	field text;
	me bigint := twin.current_member();
BEGIN
	IF NEW.pipeline_id IS NULL THEN
		SELECT pipeline_id INTO NEW.pipeline_id FROM sales_crm.pipeline WHERE is_default;
	END IF;
	IF NEW.phase_id IS NULL THEN
		SELECT phase_id INTO NEW.phase_id FROM sales_crm.phase
		WHERE pipeline_id = NEW.pipeline_id AND outcome IS NULL AND active ORDER BY position LIMIT 1;
	END IF;
	SELECT * INTO pipeline FROM sales_crm.pipeline WHERE pipeline_id = NEW.pipeline_id;
	SELECT * INTO target FROM sales_crm.phase WHERE phase_id = NEW.phase_id;
	IF target.pipeline_id <> NEW.pipeline_id OR NOT target.active OR NOT pipeline.active THEN
		RAISE EXCEPTION 'phase % cannot be entered', NEW.phase_id;
	END IF;
	FOREACH field IN ARRAY target.required_fields LOOP
		IF to_jsonb(NEW) ->> field IS NULL THEN
			RAISE EXCEPTION 'phase % requires %', target.name, field;
		END IF;
	END LOOP;
	IF NEW.currency IS NULL THEN
		SELECT currency INTO NEW.currency FROM sales_crm.company;
	END IF;
	SELECT minor_units INTO decimals FROM sales_crm.currency WHERE code = NEW.currency;
	IF NOT FOUND OR NEW.amount < 0 OR NEW.amount >= 1e15 OR scale(trim_scale(NEW.amount)) > decimals THEN
		RAISE EXCEPTION 'amount % is not one of %', NEW.amount, NEW.currency;
	END IF;
	NEW.owner_id := coalesce(NEW.owner_id, me);
	NEW.created_by := coalesce(NEW.created_by, me);
	NEW.created_at := coalesce(NEW.created_at, NEW.phase_since, now());
	NEW.phase_since := coalesce(NEW.phase_since, NEW.closed_at, NEW.created_at);
	IF target.outcome IS NOT NULL THEN
		NEW.closed_at := coalesce(NEW.closed_at, NEW.phase_since);
	ELSIF NEW.closed_at IS NOT NULL THEN
		RAISE EXCEPTION 'an open opportunity has no closed_at';
	END IF;
	IF NEW.created_at > NEW.phase_since OR NEW.phase_since > NEW.closed_at
		OR greatest(NEW.phase_since, NEW.closed_at) > clock_timestamp()
	THEN
		RAISE EXCEPTION 'times are not in order';
	END IF;
	NEW.updated_at := now();
	NEW.revision := 1;
	RETURN NEW;
END
$$;
CREATE FUNCTION twin.opportunity_after() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	me bigint := twin.current_member();
BEGIN
	INSERT INTO twin.phase_stay (opportunity_id, phase_id, entered_at, by)
	VALUES (NEW.opportunity_id, NEW.phase_id, NEW.phase_since, me);
	IF NEW.closed_at IS NULL THEN
		INSERT INTO twin.task (opportunity_id, assignee_id, follow_up_rule_id, subject, due_on, origin, created_by)
		SELECT NEW.opportunity_id,
			CASE r.assignee WHEN 'owner' THEN NEW.owner_id WHEN 'creator' THEN NEW.created_by ELSE r.member_id END,
			r.follow_up_rule_id, r.subject,
			CASE WHEN r.working_days THEN twin.add_working_days(current_date, r.due_in_days)
				ELSE current_date + r.due_in_days END,
			'follow_up', me
		FROM sales_crm.follow_up_rule r
		WHERE r.active AND (r.pipeline_id IS NULL OR r.pipeline_id = NEW.pipeline_id)
			AND (r.phase_id IS NULL OR r.phase_id = NEW.phase_id);
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER opportunity_before BEFORE INSERT ON twin.opportunity
	FOR EACH ROW EXECUTE FUNCTION twin.opportunity_before();
CREATE TRIGGER opportunity_after AFTER INSERT ON twin.opportunity
	FOR EACH ROW EXECUTE FUNCTION twin.opportunity_after();
