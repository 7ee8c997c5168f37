CREATE FUNCTION sales_crm.opportunity_follow_up()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_opportunity_follow_up';
COMMENT ON FUNCTION sales_crm.opportunity_follow_up() IS
	'Statement trigger of opportunity: adds the tasks that follow_up_rule asks for and closes those of opportunities that were completed, for all rows of the statement at once';

CREATE FUNCTION sales_crm.add_working_days("from" date, days integer)
RETURNS date LANGUAGE c STABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_add_working_days';
COMMENT ON FUNCTION sales_crm.add_working_days(date, integer) IS
	'The day that lies so many working days (Monday to Friday, without sales_crm.holiday) after a day; with 0 the day itself or the first working day after it. Errors: 22023 when days is not within 0 to 3650';
