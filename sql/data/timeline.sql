	IF sales_crm.setup_lacks('timeline') THEN
		-- One source per kind, each with an index on (opportunity_id, time): a page is a merge of them
		CREATE VIEW sales_crm.timeline WITH (security_invoker = true) AS
		SELECT e.opportunity_id, e.at, e.kind,
			sales_crm.timeline_line((SELECT sales_crm.timeline_words(c.locale) FROM sales_crm.company c), e.kind, e.title,
				sales_crm.change_text(e.title, e.old), sales_crm.change_text(e.title, e.new)) AS line,
			e.title, sales_crm.change_text(e.title, e.old) AS old, sales_crm.change_text(e.title, e.new) AS new,
			e.member_id, m.name AS member, e.record_id, e.parent_id
		FROM (
			SELECT o.opportunity_id, o.created_at AS at, 'created'::text AS kind, o.name AS title,
				NULL::text AS old, NULL::text AS new, o.created_by AS member_id, o.opportunity_id AS record_id, NULL::bigint AS parent_id
			FROM sales_crm.opportunity o
			UNION ALL
			SELECT s.opportunity_id, s.entered_at, 'phase', 'phase_id', NULL, s.phase_id::text, s.by, s.phase_stay_id, NULL
			FROM sales_crm.phase_stay s
			UNION ALL
			SELECT c.opportunity_id, c.at, 'change', c.field, c.old, c.new, c.by, c.opportunity_change_id, NULL
			FROM sales_crm.opportunity_change c WHERE c.field <> 'phase_id'
			UNION ALL
			SELECT t.opportunity_id, t.created_at, 'task', t.subject, NULL, NULL, t.created_by, t.task_id, NULL
			FROM sales_crm.task t
			UNION ALL
			SELECT t.opportunity_id, t.done_at, 'task done', t.subject, NULL, NULL, t.done_by, t.task_id, NULL
			FROM sales_crm.task t WHERE t.done_at IS NOT NULL
			UNION ALL
			SELECT c.opportunity_id, c.at, 'task change', c.field, c.old, c.new, c.by, c.task_change_id, c.task_id
			FROM sales_crm.task_change c
			UNION ALL
			SELECT a.opportunity_id, a.starts_at, 'appointment', a.subject, NULL, NULL, a.organiser_id, a.appointment_id, NULL
			FROM sales_crm.appointment a
			UNION ALL
			SELECT c.opportunity_id, c.at, 'appointment change', c.field, c.old, c.new, c.by, c.appointment_change_id, c.appointment_id
			FROM sales_crm.appointment_change c
			UNION ALL
			SELECT n.opportunity_id, n.created_at, 'note', left(n.body, 200), NULL, NULL, n.created_by, n.note_id, NULL
			FROM sales_crm.note n
			UNION ALL
			SELECT x.opportunity_id, x.sent_at, x.direction, x.subject, NULL, coalesce(x.from_name, x.from_address), x.created_by, x.email_id, x.thread_id
			FROM sales_crm.email x
			UNION ALL
			SELECT f.opportunity_id, f.created_at, 'attachment', f.file_name, NULL, NULL, f.created_by, f.attachment_id, f.email_id
			FROM sales_crm.attachment f
			UNION ALL
			SELECT q.opportunity_id, v.at, 'quote', q.number || CASE WHEN q.version > 1 THEN ' v' || q.version ELSE '' END,
				coalesce(v.data ->> 'note', v.data ->> 'reason', v.data ->> 'signer_name'), v.kind, v.member_id, v.quote_event_id, q.quote_id
			FROM sales_crm.quote q JOIN sales_crm.quote_event v USING (quote_id)
			WHERE v.kind NOT IN ('link_created', 'link_revoked', 'code_sent', 'document')
		) e
		LEFT JOIN sales_crm.member m USING (member_id)
		WHERE e.opportunity_id IS NOT NULL;
		COMMENT ON VIEW sales_crm.timeline IS
			'Everything that happened to an opportunity and is planned for it, each event once. Read it by opportunity_id, ORDER BY at DESC, kind DESC, record_id DESC; timeline_page() turns the pages';
		COMMENT ON COLUMN sales_crm.timeline.at IS 'When: of an appointment its beginning, of an e-mail its date';
		COMMENT ON COLUMN sales_crm.timeline.kind IS
			'created, phase, change, task, task done, task change, appointment, appointment change, note, incoming and outgoing (e-mails), attachment, quote';
		COMMENT ON COLUMN sales_crm.timeline.line IS 'The event in one line, in the company''s language';
		COMMENT ON COLUMN sales_crm.timeline.title IS 'Subject, file name, first words; of a change the column';
		COMMENT ON COLUMN sales_crm.timeline.old IS 'Of a change, the value before; of a quote, who signed, or the customer''s words';
		COMMENT ON COLUMN sales_crm.timeline.new IS 'Of a change, the value after; of an e-mail, who sent it; of a quote, what happened to it';
		COMMENT ON COLUMN sales_crm.timeline.record_id IS 'Key of the row behind the event, in the table of its kind';
		COMMENT ON COLUMN sales_crm.timeline.parent_id IS 'The task or appointment that changed, the thread of an e-mail, the e-mail of an attachment, the quote';
	END IF;
