CREATE FUNCTION sales_crm.opportunity_history()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_opportunity_history';
COMMENT ON FUNCTION sales_crm.opportunity_history() IS
	'Statement trigger of opportunity: writes phase_stay and opportunity_change for all rows of the statement at once';

CREATE FUNCTION sales_crm.change_text(field text, value text)
RETURNS text LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 1000
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN CASE
		WHEN field NOT LIKE '%\_id' THEN value
		WHEN field = 'account_id' THEN (SELECT a.name FROM sales_crm.account a WHERE a.account_id = value::bigint)
		WHEN field = 'contact_id' THEN (SELECT c.name FROM sales_crm.contact c WHERE c.contact_id = value::bigint)
		WHEN field = 'pipeline_id' THEN (SELECT l.name FROM sales_crm.pipeline l WHERE l.pipeline_id = value::bigint)
		WHEN field = 'phase_id' THEN (SELECT p.name FROM sales_crm.phase p WHERE p.phase_id = value::bigint)
		WHEN field IN ('owner_id', 'assignee_id', 'organiser_id')
			THEN (SELECT m.name FROM sales_crm.member m WHERE m.member_id = value::bigint)
		WHEN field = 'source_id' THEN (SELECT s.name FROM sales_crm.source s WHERE s.source_id = value::bigint)
		WHEN field = 'lost_reason_id' THEN (SELECT r.name FROM sales_crm.lost_reason r WHERE r.lost_reason_id = value::bigint)
	END;
END
$$;
COMMENT ON FUNCTION sales_crm.change_text(text, text) IS
	'What a person reads for a value that changed: the name behind a key (NULL when it is gone), else the value itself';
