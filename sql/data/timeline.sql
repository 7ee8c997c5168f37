	IF sales_crm.setup_lacks('timeline') THEN
		CREATE VIEW sales_crm.timeline WITH (security_invoker = true) AS
		SELECT e.opportunity_id, e.at, e.kind, e.title, e.old, e.new, e.member_id, m.name AS member, e.record_id
		FROM (
			SELECT o.opportunity_id, o.created_at AS at, 'created' AS kind, o.name AS title,
				NULL::text AS old, NULL::text AS new, o.created_by AS member_id, o.opportunity_id AS record_id
			FROM sales_crm.opportunity o
			UNION ALL
			SELECT c.opportunity_id, c.at, CASE c.field WHEN 'phase_id' THEN 'phase' ELSE 'change' END,
				regexp_replace(c.field, '_id$', ''),
				sales_crm.change_text(c.field, c.old), sales_crm.change_text(c.field, c.new),
				c.by, c.opportunity_change_id
			FROM sales_crm.opportunity_change c
			UNION ALL
			SELECT t.opportunity_id, t.created_at, 'task', t.subject, NULL, NULL, t.created_by, t.task_id
			FROM sales_crm.task t WHERE t.opportunity_id IS NOT NULL
			UNION ALL
			SELECT t.opportunity_id, t.done_at, 'task done', t.subject, NULL, NULL, t.assignee_id, t.task_id
			FROM sales_crm.task t WHERE t.opportunity_id IS NOT NULL AND t.done_at IS NOT NULL
		) e
		LEFT JOIN sales_crm.member m USING (member_id);
		COMMENT ON VIEW sales_crm.timeline IS
			'Everything that happened to an opportunity, one row per event; read it ORDER BY at';
		COMMENT ON COLUMN sales_crm.timeline.kind IS 'created, phase, change, task or task done';
		COMMENT ON COLUMN sales_crm.timeline.record_id IS 'Key of the opportunity, opportunity_change or task behind the event';
	END IF;
