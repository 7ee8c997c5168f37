-- The group roles, how the matrix of grant.sql becomes rights, and what policies ask.

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
	-- Nothing is to be taken from a table that nobody was given yet
	IF kind = 'ROUTINE' OR (SELECT c.relacl IS NOT NULL FROM pg_class c WHERE c.oid = to_regclass('sales_crm.' || object)) THEN
		EXECUTE format('REVOKE ALL ON %s %s FROM PUBLIC, %s', kind, 'sales_crm.' || object,
			(SELECT string_agg('sales_crm_' || l, ', ') FROM unnest(sales_crm.access_levels()) l));
	END IF;
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
	EXECUTE (SELECT 'GRANT USAGE ON SCHEMA sales_crm TO ' || string_agg('sales_crm_' || l, ', ') FROM unnest(sales_crm.access_levels()) l);
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

CREATE FUNCTION sales_crm.is_manager()
RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_is_manager';
COMMENT ON FUNCTION sales_crm.is_manager() IS
	'Whether the session may do what is reserved for managers: its member has is_manager; or it has no member, and works as manager, admin or the owner of the tables';

CREATE FUNCTION sales_crm.is_admin()
RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_is_admin';
COMMENT ON FUNCTION sales_crm.is_admin() IS
	'Whether the session''s role is in sales_crm_admin, or one for which policies do not hold';

CREATE FUNCTION sales_crm.sees_owner_support(internal)
RETURNS internal LANGUAGE c STRICT
AS 'MODULE_PATHNAME', 'scrm_sees_owner_support';
COMMENT ON FUNCTION sales_crm.sees_owner_support(internal) IS
	'Tells the planner how many rows sees_owner() lets through, and how an index finds them';

-- Leakproof: what it says depends on nothing but the key, and its errors do not even on that
CREATE FUNCTION sales_crm.sees_owner(owner_id bigint)
RETURNS boolean LANGUAGE c STABLE STRICT LEAKPROOF PARALLEL SAFE
SUPPORT sales_crm.sees_owner_support
AS 'MODULE_PATHNAME', 'scrm_sees_owner';
COMMENT ON FUNCTION sales_crm.sees_owner(bigint) IS
	'Whether rows of a member are visible to the session: its own, its team''s or everybody''s, as company.visibility and member.visibility say';

CREATE FUNCTION sales_crm.visible_owners()
RETURNS bigint[] LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_visible_owners';
COMMENT ON FUNCTION sales_crm.visible_owners() IS
	'The members for whom sees_owner() is true';

CREATE FUNCTION sales_crm.sees_unowned()
RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_sees_unowned';
COMMENT ON FUNCTION sales_crm.sees_unowned() IS
	'Whether rows that nobody owns are visible to the session: to managers, and to who sees everything';

CREATE FUNCTION sales_crm.sees_everything()
RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_sees_everything';
COMMENT ON FUNCTION sales_crm.sees_everything() IS
	'Whether every row is visible to the session';

CREATE FUNCTION sales_crm.sees(kind text, record_id bigint)
RETURNS boolean LANGUAGE c STABLE STRICT
AS 'MODULE_PATHNAME', 'scrm_sees';
COMMENT ON FUNCTION sales_crm.sees(text, bigint) IS
	'Whether the session''s role may read a row, by the name of its table and its key; also within functions that work as the owner. Errors: 22023, and 42501 when the role has no right on the table';

CREATE FUNCTION sales_crm.sees_now(kind text, record_id bigint)
RETURNS boolean LANGUAGE c VOLATILE STRICT
AS 'MODULE_PATHNAME', 'scrm_sees_now';
COMMENT ON FUNCTION sales_crm.sees_now(text, bigint) IS
	'sees(), with what the present statement has done so far; for policies on new rows';

CREATE FUNCTION sales_crm.opportunity_access()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_opportunity_access';
COMMENT ON FUNCTION sales_crm.opportunity_access() IS
	'Statement trigger of opportunity: its account and contact were visible to the session before. Errors: 23503, as for keys of nothing';

CREATE FUNCTION sales_crm.reference_access()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	old_row jsonb := to_jsonb(OLD);
	new_row jsonb := to_jsonb(NEW);
	field text;
BEGIN
	FOREACH field IN ARRAY TG_ARGV LOOP
		CONTINUE WHEN new_row -> field = old_row -> field;
		IF field LIKE '%\_by' THEN
			IF NOT sales_crm.is_admin() THEN
				RAISE EXCEPTION 'who made a row cannot be changed'
					USING ERRCODE = 'insufficient_privilege', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = field,
						HINT = 'Leave the column as it is.';
			END IF;
		ELSIF field NOT LIKE '%\_id' THEN
			IF (old_row ->> 'created_by')::bigint IS DISTINCT FROM sales_crm.current_member() AND NOT sales_crm.is_admin() THEN
				RAISE EXCEPTION 'what somebody else wrote cannot be changed'
					USING ERRCODE = 'insufficient_privilege', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME, COLUMN = field,
						HINT = 'Write a note.';
			END IF;
		ELSIF new_row -> field <> 'null' AND NOT sales_crm.sees_now(left(field, -3), (new_row ->> field)::bigint) THEN
			RAISE EXCEPTION 'insert or update on table "%" violates foreign key constraint "%_%_fkey"', TG_TABLE_NAME, TG_TABLE_NAME, field
				USING ERRCODE = 'foreign_key_violation', SCHEMA = TG_TABLE_SCHEMA, TABLE = TG_TABLE_NAME,
					CONSTRAINT = format('%s_%s_fkey', TG_TABLE_NAME, field),
					DETAIL = format('Key is not present in table "%s".', left(field, -3));
		END IF;
	END LOOP;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.reference_access() IS
	'Row trigger of tables with keys of opportunities and the like: another one must be visible to the session, who made the row stays, and texts named are changed by who wrote them. Errors: 23503, as for keys of nothing, and 42501';

CREATE FUNCTION sales_crm.attends(appointment_id bigint)
RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT EXISTS (SELECT FROM sales_crm.appointment_attendee t
		WHERE t.appointment_id = $1 AND sales_crm.sees_owner(t.member_id))
$$;
COMMENT ON FUNCTION sales_crm.attends(bigint) IS
	'Whether somebody whose rows are visible to the session attends an appointment';

CREATE FUNCTION sales_crm.setup_policy(relation text, policy text, command text, visible text, written text DEFAULT NULL, kind text DEFAULT 'PERMISSIVE')
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT sales_crm.setup_lacks(relation)
		AND NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = to_regclass('sales_crm.' || relation) AND p.polname = policy)
	THEN
		EXECUTE format('ALTER TABLE sales_crm.%I ENABLE ROW LEVEL SECURITY', relation);
		EXECUTE format('CREATE POLICY %I ON sales_crm.%I AS %s FOR %s', policy, relation, kind, command)
			|| coalesce(' USING (' || visible || ')', '') || coalesce(' WITH CHECK (' || written || ')', '');
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_policy(text, text, text, text, text, text) IS
	'Creates a policy that is not there, on a table that is, and switches its row-level security on';

CREATE FUNCTION sales_crm.setup_reference_trigger(relation text, fields text[])
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT sales_crm.setup_lacks(relation) AND sales_crm.setup_lacks(relation, relation || '_05_access') THEN
		EXECUTE format('CREATE TRIGGER %I BEFORE UPDATE ON sales_crm.%I FOR EACH ROW WHEN (%s) EXECUTE FUNCTION sales_crm.reference_access(%s)',
			relation || '_05_access', relation,
			(SELECT string_agg(format('OLD.%1$I IS DISTINCT FROM NEW.%1$I', f), ' OR ') FROM unnest(fields) f),
			(SELECT string_agg(quote_literal(f), ', ') FROM unnest(fields) f));
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.setup_reference_trigger(text, text[]) IS
	'Gives a table the trigger that checks keys of other rows when they change';
