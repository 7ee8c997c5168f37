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

CREATE FUNCTION twin.opportunity_before() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	target sales_crm.phase;
	decimals int;
BEGIN
	IF NEW.pipeline_id IS NULL THEN
		SELECT pipeline_id INTO NEW.pipeline_id FROM sales_crm.pipeline WHERE is_default;
	END IF;
	IF NEW.phase_id IS NULL THEN
		SELECT phase_id INTO NEW.phase_id FROM sales_crm.phase
		WHERE pipeline_id = NEW.pipeline_id AND outcome IS NULL AND active ORDER BY position LIMIT 1;
	END IF;
	SELECT * INTO target FROM sales_crm.phase WHERE phase_id = NEW.phase_id;
	IF target.pipeline_id <> NEW.pipeline_id OR NOT target.active THEN
		RAISE EXCEPTION 'phase % cannot be entered', NEW.phase_id;
	END IF;
	IF NEW.currency IS NULL THEN
		SELECT currency INTO NEW.currency FROM sales_crm.company;
	END IF;
	SELECT minor_units INTO decimals FROM sales_crm.currency WHERE code = NEW.currency;
	IF NEW.amount < 0 OR scale(trim_scale(NEW.amount)) > decimals THEN
		RAISE EXCEPTION 'amount % has too many decimals', NEW.amount;
	END IF;
	NEW.created_at := coalesce(NEW.created_at, now());
	NEW.phase_since := coalesce(NEW.phase_since, NEW.created_at);
	IF target.outcome IS NOT NULL THEN
		NEW.closed_at := coalesce(NEW.closed_at, NEW.phase_since);
	END IF;
	NEW.updated_at := now();
	RETURN NEW;
END
$$;
CREATE FUNCTION twin.opportunity_after() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO twin.phase_stay (opportunity_id, phase_id, entered_at)
	VALUES (NEW.opportunity_id, NEW.phase_id, NEW.phase_since);
	IF NEW.closed_at IS NULL THEN
		INSERT INTO twin.task (opportunity_id, assignee_id, follow_up_rule_id, subject, due_on, origin)
		SELECT NEW.opportunity_id, NEW.owner_id, r.follow_up_rule_id, r.subject, current_date + r.due_in_days, 'follow_up'
		FROM sales_crm.follow_up_rule r WHERE r.phase_id IS NULL AND r.active;
	END IF;
	RETURN NULL;
END
$$;
CREATE TRIGGER opportunity_before BEFORE INSERT ON twin.opportunity
	FOR EACH ROW EXECUTE FUNCTION twin.opportunity_before();
CREATE TRIGGER opportunity_after AFTER INSERT ON twin.opportunity
	FOR EACH ROW EXECUTE FUNCTION twin.opportunity_after();
