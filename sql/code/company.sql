CREATE FUNCTION sales_crm.company_guard()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP IN ('DELETE', 'TRUNCATE') THEN
		RAISE EXCEPTION 'the company cannot be deleted'
			USING ERRCODE = 'restrict_violation',
				DETAIL = 'A database holds exactly one company.',
				HINT = 'UPDATE sales_crm.company instead.';
	END IF;
	IF NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = NEW.time_zone) THEN
		RAISE EXCEPTION 'time zone "%" is not known', NEW.time_zone
			USING ERRCODE = 'invalid_parameter_value', COLUMN = 'time_zone',
				HINT = 'SELECT name FROM pg_timezone_names lists the known ones, such as Europe/Brussels.';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.company_guard() IS
	'Trigger of company: one row that stays, with a known time zone';
