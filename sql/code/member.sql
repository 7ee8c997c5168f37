CREATE FUNCTION sales_crm.current_member()
RETURNS bigint LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_current_member';
COMMENT ON FUNCTION sales_crm.current_member() IS
	'The member on whose behalf the session works: the setting sales_crm.member_id, else the active member whose login is the session''s role, else NULL. Errors: SC202 when the setting names no active member';
