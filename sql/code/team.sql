-- A function, and not part of the views that need it, since the planner has no idea how many rows a
-- recursive query gives and would expect millions.
CREATE FUNCTION sales_crm.teams_above(OUT team_id bigint, OUT upper_team_id bigint, OUT way bigint[])
RETURNS SETOF record LANGUAGE plpgsql STABLE ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN QUERY
	WITH RECURSIVE above AS (
		SELECT t.team_id, t.team_id AS upper_team_id, array[t.team_id] AS way FROM sales_crm.team t
		UNION ALL
		SELECT a.team_id, t.parent_team_id, t.parent_team_id || a.way
		FROM above a JOIN sales_crm.team t ON t.team_id = a.upper_team_id
		WHERE t.parent_team_id IS NOT NULL AND t.parent_team_id <> ALL (a.way)
	)
	SELECT a.team_id, a.upper_team_id, a.way FROM above a;
END
$$;
COMMENT ON FUNCTION sales_crm.teams_above() IS
	'Each team with itself and every team above it; way = the keys from the upper one down to it. A circle of teams ends where it began';
