CREATE FUNCTION sales_crm.explain_transition(
	opportunity_id bigint, phase_id bigint,
	OUT rule text, OUT errcode text, OUT message text, OUT detail text, OUT hint text)
RETURNS SETOF record LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'scrm_explain_transition';
COMMENT ON FUNCTION sales_crm.explain_transition(bigint, bigint) IS
	'Every condition that keeps an opportunity from moving to a phase, for the current member: one row each with the SQLSTATE, message, detail and hint that the move would raise; no row when it may move. Errors: P0002 when the opportunity does not exist';

CREATE FUNCTION sales_crm.transition_rules(
	OUT rule text, OUT from_state text, OUT to_state text, OUT policy text,
	OUT condition text, OUT verdict text, OUT errcode text, OUT description text)
RETURNS SETOF record LANGUAGE c IMMUTABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_transition_rules';
COMMENT ON FUNCTION sales_crm.transition_rules() IS
	'The rules of moving through phases as the code has them, in the order in which they are tried: the first that matches decides';
