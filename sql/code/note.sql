CREATE FUNCTION sales_crm.note_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.created_by := coalesce(NEW.created_by, sales_crm.current_member());
	ELSIF NEW.body <> OLD.body THEN
		NEW.updated_at := now();
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.note_guard() IS
	'Row trigger of note: fills in who wrote it, keeps when its text was last changed';
