-- The group roles, and how the matrix of grant.sql becomes rights.

CREATE FUNCTION sales_crm.access_levels()
RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT array['reader', 'seller', 'manager', 'admin', 'app', 'sender', 'portal'] $$;
COMMENT ON FUNCTION sales_crm.access_levels() IS
	'What grant_access() gives: each is a group role without login, sales_crm_reader and so on';

CREATE FUNCTION sales_crm.setup_roles()
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	level text;
	found record;
BEGIN
	FOREACH level IN ARRAY sales_crm.access_levels() LOOP
		-- Roles are the cluster's: another database may have made them, even just now
		BEGIN
			IF to_regrole('sales_crm_' || level) IS NULL THEN
				EXECUTE format('CREATE ROLE %I NOLOGIN', 'sales_crm_' || level);
				EXECUTE format('COMMENT ON ROLE %I IS %L', 'sales_crm_' || level, 'sales_crm: see sales_crm.grant_access()');
			END IF;
		EXCEPTION WHEN duplicate_object OR unique_violation THEN
			NULL;
		END;
		SELECT r.rolname, concat_ws(', ',
			CASE WHEN r.rolcanlogin THEN 'LOGIN' END, CASE WHEN r.rolsuper THEN 'SUPERUSER' END,
			CASE WHEN r.rolcreaterole THEN 'CREATEROLE' END, CASE WHEN r.rolcreatedb THEN 'CREATEDB' END,
			CASE WHEN r.rolreplication THEN 'REPLICATION' END, CASE WHEN r.rolbypassrls THEN 'BYPASSRLS' END,
			(SELECT 'member of ' || string_agg(quote_ident(g.rolname), ', ' ORDER BY g.rolname)
				FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid)) AS danger
		INTO STRICT found
		FROM pg_roles r WHERE r.rolname = 'sales_crm_' || level;
		IF found.danger <> '' THEN
			RAISE EXCEPTION 'role "%" is not what sales_crm makes', found.rolname
				USING ERRCODE = 'duplicate_object',
					DETAIL = format('It has: %s.', found.danger),
					HINT = format('Find out whose it is, rename it (ALTER ROLE %1$I RENAME TO …) or drop it, and try again.', found.rolname);
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_roles() IS
	'Creates the group roles that the cluster lacks. Errors: 42710 when a role of that name has attributes or memberships that would give its members more than sales_crm grants';

CREATE FUNCTION sales_crm.setup_grants(object text, kind text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	cell record;
	names text;
	spare text;
BEGIN
	-- Lists of columns where some are guarded; spare ones are those of capitals
	SELECT format('(%s)', string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)) INTO spare
	FROM pg_attribute a
	WHERE kind = 'TABLE' AND a.attrelid = to_regclass('sales_crm.' || object) AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT EXISTS (SELECT FROM sales_crm.guarded_columns() g WHERE g.relation = object AND g.field = a.attname)
	HAVING EXISTS (SELECT FROM sales_crm.guarded_columns() g WHERE g.relation = object);
	EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC, %s', kind, 'sales_crm.' || object,
		(SELECT string_agg('sales_crm_' || l, ', ') FROM unnest(sales_crm.access_levels()) l));
	FOR cell IN
		SELECT c.key AS level, string_agg(
			CASE lower(p.letter) WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT' WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE'
				WHEN 'u' THEN 'USAGE' WHEN 'x' THEN 'EXECUTE' END
			|| CASE WHEN p.letter IN ('r', 'a', 'w') THEN coalesce(spare, '') ELSE '' END, ', ') AS rights
		FROM sales_crm.grant_matrix() m,
			jsonb_each_text(to_jsonb(m) - 'object') c,
			regexp_split_to_table(c.value, '') AS p (letter)
		WHERE m.object = regexp_replace(setup_grants.object, '\(.*', '()') AND c.value <> ''
		GROUP BY c.key
	LOOP
		EXECUTE format('GRANT %s ON %s %s TO %I', cell.rights, kind, 'sales_crm.' || object, 'sales_crm_' || cell.level);
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_grants(text, text) IS
	'Gives the group roles what the matrix says about a TABLE, SEQUENCE or ROUTINE, and nothing else of it to them and to PUBLIC';

CREATE FUNCTION sales_crm.reset_access()
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM sales_crm.setup_roles();
	PERFORM sales_crm.setup_grants(quote_ident(c.relname), CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END)
	FROM pg_class c
	WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relkind IN ('r', 'v', 'S')
		AND (c.relkind = 'S' OR c.relname IN (SELECT m.object FROM sales_crm.grant_matrix() m));
	PERFORM sales_crm.setup_grants(substr(p.oid::regprocedure::text, length('sales_crm.') + 1), 'ROUTINE')
	FROM pg_proc p
	WHERE p.pronamespace = 'sales_crm'::regnamespace AND p.prokind <> 'p';
END
$$;
COMMENT ON FUNCTION sales_crm.reset_access() IS
	'Puts the rights of the group roles back to what they are after CREATE EXTENSION; also after ALTER TABLE … ADD COLUMN on a table that has guarded columns. Rights of other roles stay';

CREATE FUNCTION sales_crm.grant_access(role regrole, level text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF level IS NULL OR level <> ALL (sales_crm.access_levels()) THEN
		RAISE EXCEPTION 'level of access "%" is not known', level
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Known are %s.', array_to_string(sales_crm.access_levels(), ', '));
	END IF;
	IF role IS NULL OR substr(role::text, 1, 10) = 'sales_crm_' AND substr(role::text, 11) = ANY (sales_crm.access_levels()) THEN
		RAISE EXCEPTION 'access is for roles of people and programs'
			USING ERRCODE = 'invalid_parameter_value', DETAIL = format('It was to be given to %s.', coalesce(role::text, 'nobody')),
				HINT = 'Name a role that logs in, or a group of your own.';
	END IF;
	EXECUTE format('GRANT %I TO %s', 'sales_crm_' || level, role);
END
$$;
COMMENT ON FUNCTION sales_crm.grant_access(regrole, text) IS
	'Lets a role read (reader), sell (seller), lead sellers (manager), configure (admin), act for any member (app), deliver messages (sender) or answer customers (portal), with the caller''s right to grant the group role. Errors: 22023, 42501';

CREATE FUNCTION sales_crm.revoke_access(role regrole, level text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	given text;
BEGIN
	IF level <> ALL (sales_crm.access_levels()) THEN
		RAISE EXCEPTION 'level of access "%" is not known', level
			USING ERRCODE = 'invalid_parameter_value',
				HINT = format('Known are %s.', array_to_string(sales_crm.access_levels(), ', '));
	END IF;
	FOR given IN
		SELECT g.rolname FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
		WHERE m.member = role AND g.rolname IN (SELECT 'sales_crm_' || l FROM unnest(sales_crm.access_levels()) l
			WHERE revoke_access.level IS NULL OR l = revoke_access.level)
	LOOP
		EXECUTE format('REVOKE %I FROM %s', given, role);
	END LOOP;
END
$$;
COMMENT ON FUNCTION sales_crm.revoke_access(regrole, text) IS
	'Takes a level of access from a role again, or every one (NULL). Sessions of the role lose it at once. Errors: 22023, 42501';
