	PERFORM sales_crm.setup_roles();

	IF sales_crm.setup_lacks('access_overview') THEN
		CREATE VIEW sales_crm.access_overview WITH (security_invoker = true) AS
		WITH RECURSIVE given AS (
			SELECT g.oid AS member, substr(g.rolname, 11) AS level
			FROM pg_roles g
			WHERE g.rolname IN (SELECT 'sales_crm_' || l FROM unnest(sales_crm.access_levels()) l)
			UNION
			SELECT a.member, x.level FROM given x JOIN pg_auth_members a ON a.roleid = x.member
		)
		SELECT r.rolname::text AS role, r.rolcanlogin AS can_login,
			(SELECT array_agg(x.level ORDER BY array_position(sales_crm.access_levels(), x.level)) FROM given x WHERE x.member = r.oid) AS levels,
			m.member_id, m.name AS member, m.active, m.is_manager,
			r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE') AS sees_everything
		FROM pg_roles r
		JOIN pg_class c ON c.oid = 'sales_crm.opportunity'::regclass
		LEFT JOIN sales_crm.member m ON m.login = r.rolname
		WHERE r.rolname <> ALL (SELECT 'sales_crm_' || l FROM unnest(sales_crm.access_levels()) l)
			AND (m.member_id IS NOT NULL OR r.rolsuper OR r.rolbypassrls OR r.oid IN (SELECT x.member FROM given x));
		COMMENT ON VIEW sales_crm.access_overview IS
			'Which roles of the cluster have which access, directly or through groups of your own, and which members they are';
		COMMENT ON COLUMN sales_crm.access_overview.levels IS 'As of grant_access(); NULL = none';
		COMMENT ON COLUMN sales_crm.access_overview.sees_everything IS 'Superusers, roles with BYPASSRLS and those of the tables'' owner: policies do not hold for them';
	END IF;

	-- What was made just now gets its rights; what has some already keeps them as they are
	PERFORM sales_crm.setup_grants(quote_ident(c.relname), CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END)
	FROM pg_class c
	WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relacl IS NULL AND c.relkind IN ('r', 'v', 'S')
		AND (c.relkind = 'S' OR c.relname IN (SELECT m.object FROM sales_crm.grant_matrix() m));
