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
			m.member_id, m.name AS member, m.active, m.is_manager, coalesce(m.visibility, y.visibility) AS visibility,
			r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE') AS sees_everything
		FROM pg_roles r
		JOIN pg_class c ON c.oid = 'sales_crm.opportunity'::regclass
		CROSS JOIN sales_crm.company y
		LEFT JOIN sales_crm.member m ON m.login = r.rolname
		WHERE r.rolname <> ALL (SELECT 'sales_crm_' || l FROM unnest(sales_crm.access_levels()) l)
			AND (m.member_id IS NOT NULL OR r.rolsuper OR r.rolbypassrls OR r.oid IN (SELECT x.member FROM given x));
		COMMENT ON VIEW sales_crm.access_overview IS
			'Which roles of the cluster have which access, directly or through groups of your own, and which members they are';
		COMMENT ON COLUMN sales_crm.access_overview.levels IS 'As of grant_access(); NULL = none';
		COMMENT ON COLUMN sales_crm.access_overview.sees_everything IS 'Superusers, roles with BYPASSRLS and those of the tables'' owner: policies do not hold for them';
	END IF;

	-- Row-level security. Each table says whose its rows are; what a policy reads of other tables is
	-- what the session sees of them. New rows are checked by sees_now(), which knows what the same
	-- statement made; on a row that changes keys, reference_access() does that.
	PERFORM sales_crm.setup_policy('opportunity', 'opportunity_visible', 'ALL',
		'sales_crm.sees_owner(owner_id) OR owner_id IS NULL AND sales_crm.sees_unowned()');
	PERFORM sales_crm.setup_policy('account', 'account_visible', 'ALL',
		'sales_crm.sees_owner(owner_id) OR owner_id IS NULL AND sales_crm.sees_unowned()
		OR EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.account_id = account.account_id)');
	PERFORM sales_crm.setup_policy('contact', 'contact_visible', 'ALL',
		'EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = contact.account_id)',
		'sales_crm.sees_now(''account'', account_id)');
	PERFORM sales_crm.setup_policy('account_merge', 'account_merge_visible', 'SELECT',
		'EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = account_merge.kept_id)');
	PERFORM sales_crm.setup_policy('opportunity_change', 'opportunity_change_visible', 'SELECT',
		'EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = opportunity_change.opportunity_id)');
	PERFORM sales_crm.setup_policy('phase_stay', 'phase_stay_visible', 'SELECT',
		'EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = phase_stay.opportunity_id)');
	PERFORM sales_crm.setup_policy('product_line', 'product_line_visible', 'ALL',
		'EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = product_line.opportunity_id)',
		'sales_crm.sees_now(''opportunity'', opportunity_id)');
	PERFORM sales_crm.setup_policy('discount_approval', 'discount_approval_visible', 'ALL',
		'EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = discount_approval.opportunity_id)',
		'sales_crm.sees_now(''opportunity'', opportunity_id)');

	-- Tasks and appointments: of whom they are for, too
	PERFORM sales_crm.setup_policy('task', 'task_visible', 'ALL',
		'sales_crm.sees_owner(assignee_id) OR created_by = (SELECT sales_crm.current_member())
		OR opportunity_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = task.opportunity_id)
		OR account_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = task.account_id)
		OR num_nonnulls(assignee_id, opportunity_id, account_id) = 0 AND sales_crm.sees_unowned()');
	PERFORM sales_crm.setup_policy('task_change', 'task_change_visible', 'SELECT',
		'EXISTS (SELECT FROM sales_crm.task t WHERE t.task_id = task_change.task_id)');
	PERFORM sales_crm.setup_policy('appointment', 'appointment_visible', 'ALL',
		'sales_crm.sees_owner(organiser_id) OR created_by = (SELECT sales_crm.current_member())
		OR opportunity_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = appointment.opportunity_id)
		OR account_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = appointment.account_id)
		OR num_nonnulls(organiser_id, opportunity_id, account_id) = 0 AND sales_crm.sees_unowned()
		OR sales_crm.attends(appointment_id)');
	PERFORM sales_crm.setup_policy('appointment_attendee', 'appointment_attendee_visible', 'ALL',
		'EXISTS (SELECT FROM sales_crm.appointment p WHERE p.appointment_id = appointment_attendee.appointment_id)',
		'sales_crm.sees_now(''appointment'', appointment_id) AND (contact_id IS NULL OR sales_crm.sees_now(''contact'', contact_id))');
	PERFORM sales_crm.setup_policy('appointment_change', 'appointment_change_visible', 'SELECT',
		'EXISTS (SELECT FROM sales_crm.appointment p WHERE p.appointment_id = appointment_change.appointment_id)');
	PERFORM sales_crm.setup_policy('calendar_feed', 'calendar_feed_own', 'ALL',
		'member_id = (SELECT sales_crm.current_member()) OR (SELECT sales_crm.is_admin())');

	-- The history of a sale
	PERFORM sales_crm.setup_policy('note', 'note_visible', 'ALL',
		'opportunity_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = note.opportunity_id)
		OR account_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = note.account_id)
		OR contact_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.contact k WHERE k.contact_id = note.contact_id)', 'true');
	PERFORM sales_crm.setup_policy('email', 'email_visible', 'ALL',
		'opportunity_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = email.opportunity_id)
		OR account_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = email.account_id)
		OR num_nonnulls(opportunity_id, account_id) = 0 AND sales_crm.sees_unowned()', 'true');
	PERFORM sales_crm.setup_policy('attachment', 'attachment_visible', 'ALL',
		'opportunity_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = attachment.opportunity_id)
		OR account_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.account a WHERE a.account_id = attachment.account_id)
		OR email_id IS NOT NULL AND EXISTS (SELECT FROM sales_crm.email e WHERE e.email_id = attachment.email_id)', 'true');
	PERFORM sales_crm.setup_policy('attachment_content', 'attachment_content_admin', 'SELECT', '(SELECT sales_crm.is_admin())');
	PERFORM sales_crm.setup_policy('quote_document', 'quote_document_visible', 'SELECT',
		'EXISTS (SELECT FROM sales_crm.quote q WHERE q.quote_id = quote_document.quote_id)');
	PERFORM sales_crm.setup_policy('suppressed_address', 'suppressed_address_manager', 'ALL', '(SELECT sales_crm.is_manager())');

	-- Quotes
	PERFORM sales_crm.setup_policy('quote', 'quote_visible', 'ALL',
		'EXISTS (SELECT FROM sales_crm.opportunity o WHERE o.opportunity_id = quote.opportunity_id)',
		'sales_crm.sees_now(''opportunity'', opportunity_id)');
	PERFORM sales_crm.setup_policy('quote_line', 'quote_line_visible', 'ALL',
		'EXISTS (SELECT FROM sales_crm.quote q WHERE q.quote_id = quote_line.quote_id)',
		'sales_crm.sees_now(''quote'', quote_id)');
	PERFORM sales_crm.setup_policy(q.relation, q.relation || '_visible', 'SELECT',
		format('EXISTS (SELECT FROM sales_crm.quote q WHERE q.quote_id = %I.quote_id)', q.relation))
	FROM unnest(array['quote_link', 'quote_event', 'signature', 'change_request', 'refusal']) AS q (relation);
	PERFORM sales_crm.setup_policy('notification', 'notification_own', 'ALL', 'member_id = (SELECT sales_crm.current_member()) OR (SELECT sales_crm.is_admin())');

	-- The forecast, by the owners of its cells
	PERFORM sales_crm.setup_policy(f.relation, f.relation || '_visible', 'SELECT',
		'sales_crm.sees_owner(owner_id) OR owner_id IS NULL AND sales_crm.sees_unowned()')
	FROM unnest(array['forecast_cell', 'forecast_day', 'forecast_ledger']) AS f (relation);
	PERFORM sales_crm.setup_policy('target', 'target_visible', 'ALL',
		'sales_crm.sees_owner(member_id) OR (SELECT sales_crm.sees_everything())
		OR EXISTS (SELECT FROM sales_crm.member m WHERE m.team_id = target.team_id AND sales_crm.sees_owner(m.member_id))');

	-- What is deleted is gone: managers do it, and whoever made the row where it is the work of one
	PERFORM sales_crm.setup_policy(d.relation, d.relation || '_delete', 'DELETE', '(SELECT sales_crm.is_manager())', kind => 'RESTRICTIVE')
	FROM unnest(array['opportunity', 'account', 'contact']) AS d (relation);
	PERFORM sales_crm.setup_policy(d.relation, d.relation || '_delete', 'DELETE',
		'created_by = (SELECT sales_crm.current_member()) OR (SELECT sales_crm.is_manager())', kind => 'RESTRICTIVE')
	FROM unnest(array['task', 'appointment', 'note', 'email', 'attachment']) AS d (relation);
	PERFORM sales_crm.setup_policy('note', 'note_update', 'UPDATE',
		'created_by = (SELECT sales_crm.current_member()) OR (SELECT sales_crm.is_manager())', kind => 'RESTRICTIVE');
	PERFORM sales_crm.setup_policy('target', 'target_' || c.command, c.command, CASE WHEN c.command <> 'INSERT' THEN '(SELECT sales_crm.is_manager())' END,
		CASE WHEN c.command <> 'DELETE' THEN '(SELECT sales_crm.is_manager())' END, 'RESTRICTIVE')
	FROM unnest(array['INSERT', 'UPDATE', 'DELETE']) AS c (command);

	-- New rows: made by who makes them, about what the session sees
	PERFORM sales_crm.setup_policy(n.relation, n.relation || '_insert', 'INSERT', NULL, concat_ws(' AND ',
		'(created_by IS NOT DISTINCT FROM (SELECT sales_crm.current_member()) OR (SELECT sales_crm.is_admin()))',
		(SELECT string_agg(format('(%1$s_id IS NULL OR sales_crm.sees_now(%1$L, %1$s_id))', r.kind), ' AND ' ORDER BY r.n)
			FROM unnest(n.kinds) WITH ORDINALITY AS r (kind, n))), 'RESTRICTIVE')
	FROM (VALUES
		('opportunity', '{}'::text[]),
		('task', '{opportunity,account}'),
		('appointment', '{opportunity,account}'),
		('note', '{opportunity,account,contact}'),
		('email', '{opportunity,account,contact}'),
		('attachment', '{opportunity,account,email}')) AS n (relation, kinds);
	PERFORM sales_crm.setup_policy('discount_approval', 'discount_approval_insert', 'INSERT', NULL,
		'requested_by IS NOT DISTINCT FROM (SELECT sales_crm.current_member()) OR (SELECT sales_crm.is_admin())', 'RESTRICTIVE');
	IF sales_crm.setup_lacks('opportunity', 'opportunity_20_access_insert') THEN
		CREATE TRIGGER opportunity_20_access_insert AFTER INSERT ON sales_crm.opportunity
			REFERENCING NEW TABLE AS new_opportunity
			FOR EACH STATEMENT EXECUTE FUNCTION sales_crm.opportunity_access();
	END IF;
	IF sales_crm.setup_lacks('opportunity', 'opportunity_20_access_update') THEN
		CREATE TRIGGER opportunity_20_access_update AFTER UPDATE ON sales_crm.opportunity
			REFERENCING OLD TABLE AS old_opportunity NEW TABLE AS new_opportunity
			FOR EACH STATEMENT EXECUTE FUNCTION sales_crm.opportunity_access();
	END IF;
	PERFORM sales_crm.setup_reference_trigger(t.relation, t.fields)
	FROM (VALUES
		('opportunity', '{created_by}'::text[]),
		('contact', '{account_id}'),
		('task', '{opportunity_id,account_id,created_by}'),
		('appointment', '{opportunity_id,account_id,created_by}'),
		('appointment_attendee', '{appointment_id,contact_id}'),
		('note', '{opportunity_id,account_id,contact_id,created_by}'),
		('quote', '{opportunity_id,contact_id,created_by}'),
		('quote_line', '{quote_id}'),
		('email', '{opportunity_id,account_id,contact_id,created_by,direction,from_address,from_name,to_addresses,cc_addresses,subject,body_text,body_html}'),
		('attachment', '{opportunity_id,account_id,email_id,created_by}')) AS t (relation, fields);

	-- What was made just now gets its rights; what has some already keeps them as they are
	PERFORM sales_crm.setup_grants(quote_ident(c.relname), CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END)
	FROM pg_class c
	WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relacl IS NULL AND c.relkind IN ('r', 'v', 'S')
		AND (c.relkind = 'S' OR c.relname IN (SELECT m.object FROM sales_crm.grant_matrix() m));
