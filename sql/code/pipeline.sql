-- Rules of the configuration of pipelines and phases. What an opportunity may do with them is
-- decided in src/transition_rule.c.

CREATE FUNCTION sales_crm.pipeline_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	used bigint;
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.position := coalesce(NEW.position,
			(SELECT coalesce(max(p.position), 0) + 1 FROM sales_crm.pipeline p));
		RETURN NEW;
	END IF;
	IF TG_OP = 'UPDATE' AND (NEW.active OR NOT OLD.active) THEN
		RETURN NEW;
	END IF;
	SELECT count(*) INTO used
	FROM sales_crm.opportunity o JOIN sales_crm.phase p USING (pipeline_id, phase_id)
	WHERE o.pipeline_id = OLD.pipeline_id AND (TG_OP = 'DELETE' OR p.outcome IS NULL);
	IF used > 0 THEN
		RAISE EXCEPTION 'pipeline "%" is in use', OLD.name
			USING ERRCODE = 'object_in_use',
				DETAIL = format('%s in it: %s.', CASE WHEN TG_OP = 'DELETE'
					THEN 'Opportunities' ELSE 'Open opportunities' END, used),
				HINT = CASE WHEN TG_OP = 'DELETE'
					THEN 'Move its open opportunities elsewhere and set active to false; closed ones keep it.'
					ELSE 'Close them or move them to another pipeline first.' END;
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION sales_crm.pipeline_guard() IS
	'Row trigger of pipeline: puts new ones last, refuses to delete or deactivate one in use';

CREATE FUNCTION sales_crm.pipeline_default_check()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	defaults bigint;
	others bigint;
BEGIN
	SELECT count(*) FILTER (WHERE is_default AND active), count(*)
	INTO defaults, others FROM sales_crm.pipeline;
	IF others > 0 AND defaults <> 1 THEN
		RAISE EXCEPTION 'exactly one active pipeline must be the default'
			USING ERRCODE = 'check_violation', TABLE = 'pipeline', SCHEMA = 'sales_crm',
				COLUMN = 'is_default', CONSTRAINT = 'pipeline_one_default',
				DETAIL = format('After this statement %s of %s pipelines would be.', defaults, others),
				HINT = 'Choose another in one statement: UPDATE sales_crm.pipeline SET is_default = (name = ''…'').';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.pipeline_default_check() IS
	'Statement trigger of pipeline: one active pipeline is the default, never none and never two';

CREATE FUNCTION sales_crm.phase_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	used bigint;
	past bigint := 0;
	missing text;
	what text;
BEGIN
	IF TG_OP <> 'DELETE' THEN
		IF NEW.outcome IS NOT NULL THEN
			NEW.probability := CASE WHEN NEW.outcome = 'won' THEN 100 ELSE 0 END;
			NEW.forecast_category := CASE WHEN NEW.outcome = 'won' THEN 'closed' ELSE 'omitted' END;
		END IF;
		SELECT string_agg(f, ', ') INTO missing
		FROM unnest(NEW.required_fields) f
		WHERE f IS NULL OR NOT EXISTS (
			SELECT FROM pg_attribute a
			WHERE a.attrelid = 'sales_crm.opportunity'::regclass
				AND a.attname = f AND a.attnum > 0 AND NOT a.attisdropped);
		IF missing IS NOT NULL OR array_position(NEW.required_fields, NULL) IS NOT NULL THEN
			RAISE EXCEPTION 'required field does not exist'
				USING ERRCODE = 'undefined_column', COLUMN = 'required_fields',
					DETAIL = format('sales_crm.opportunity has no column %s.', coalesce(missing, 'NULL')),
					HINT = 'Name columns of sales_crm.opportunity, such as amount, expected_on or contact_id.';
		END IF;
	END IF;
	IF TG_OP = 'INSERT' THEN
		NEW.position := coalesce(NEW.position,
			(SELECT coalesce(max(p.position), 0) + 1 FROM sales_crm.phase p
			 WHERE p.pipeline_id = NEW.pipeline_id));
		RETURN NEW;
	END IF;

	IF TG_OP = 'DELETE' THEN
		what := 'deleted';
	ELSIF OLD.active AND NOT NEW.active THEN
		what := 'deactivated';
	ELSIF OLD.outcome IS DISTINCT FROM NEW.outcome THEN
		what := 'given another outcome';
	ELSIF OLD.pipeline_id <> NEW.pipeline_id THEN
		what := 'moved to another pipeline';
	ELSE
		RETURN NEW;
	END IF;
	SELECT count(*) INTO used FROM sales_crm.opportunity o
	WHERE o.pipeline_id = OLD.pipeline_id AND o.phase_id = OLD.phase_id;
	IF TG_OP = 'DELETE' OR what = 'moved to another pipeline' THEN
		SELECT count(*) INTO past FROM sales_crm.phase_stay s
		WHERE s.phase_id = OLD.phase_id AND s.left_at IS NOT NULL;
	END IF;
	IF used + past > 0 THEN
		RAISE EXCEPTION 'phase "%" is in use and cannot be %', OLD.name, what
			USING ERRCODE = 'object_in_use',
				DETAIL = format('Opportunities in it: %s. Remembered stays: %s.', used, past),
				HINT = CASE WHEN used > 0 THEN 'Move the opportunities to another phase first.'
					ELSE 'Set active to false instead: the history keeps the phase.' END;
	END IF;
	RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END
$$;
COMMENT ON FUNCTION sales_crm.phase_guard() IS
	'Row trigger of phase: puts new ones last, pins final probabilities to 100 or 0, checks required_fields, refuses to delete, deactivate, move or give another outcome to a phase in use. Another probability takes effect at once for all open opportunities that follow the phase';
