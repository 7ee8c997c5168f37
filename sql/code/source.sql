CREATE FUNCTION sales_crm.source_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	used bigint;
BEGIN
	IF TG_OP <> 'DELETE' THEN
		NEW.position := coalesce(NEW.position,
			(SELECT coalesce(max(s.position), 0) + 1 FROM sales_crm.source s));
		RETURN NEW;
	END IF;
	SELECT count(*) INTO used FROM sales_crm.opportunity o WHERE o.source_id = OLD.source_id;
	IF used > 0 THEN
		RAISE EXCEPTION 'source "%" is in use', OLD.name
			USING ERRCODE = 'object_in_use',
				DETAIL = format('Opportunities that came from it: %s.', used),
				HINT = 'Set active to false instead: it is no longer offered, and the history keeps it.';
	END IF;
	RETURN OLD;
END
$$;
COMMENT ON FUNCTION sales_crm.source_guard() IS
	'Row trigger of source: puts new ones last, refuses to delete one in use';
