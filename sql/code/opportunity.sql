CREATE FUNCTION sales_crm.opportunity_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_opportunity_guard';
COMMENT ON FUNCTION sales_crm.opportunity_guard() IS
	'Row trigger of opportunity: fills in what was not given, checks values and transitions, keeps phase_since, closed_at and revision. Decides, writes nothing else. Errors: SC001 to SC004, SC201, 23502, 23503, 23514';

-- Without a SET clause, so that the planner inlines it.
CREATE FUNCTION sales_crm.effective_probability(outcome text, phase_probability numeric, probability_override numeric)
RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT CASE WHEN $1 IS NULL THEN coalesce($3, $2) ELSE $2 END';
COMMENT ON FUNCTION sales_crm.effective_probability(text, numeric, numeric) IS
	'Percent with which an opportunity counts: its own while the phase has no outcome, else the phase''s';
