	IF sales_crm.setup_lacks('opportunity_overview') THEN
		CREATE VIEW sales_crm.opportunity_overview WITH (security_invoker = true) AS
		SELECT o.opportunity_id, o.name,
			CASE WHEN p.outcome IS NULL THEN 'open' ELSE p.outcome END AS status,
			o.account_id, a.name AS account, o.contact_id, k.name AS contact,
			o.pipeline_id, l.name AS pipeline, o.phase_id, p.name AS phase, p.color,
			o.owner_id, m.name AS owner, o.source_id, s.name AS source,
			o.amount::numeric(22,4) AS amount, o.currency, o.expected_on,
			sales_crm.effective_probability(p.outcome, p.probability, o.probability_override)::numeric(5,2) AS probability,
			(o.amount * sales_crm.effective_probability(p.outcome, p.probability, o.probability_override) / 100)::numeric(22,4) AS weighted_amount,
			p.forecast_category, o.lost_reason_id, r.name AS lost_reason, o.description, o.external_id, o.custom,
			o.phase_since, sales_crm.today() - sales_crm.local_date(o.phase_since) AS days_in_phase,
			o.closed_at IS NULL AND p.rotting_days IS NOT NULL
				AND o.phase_since < now() - make_interval(days => p.rotting_days) AS rotting,
			o.closed_at, o.created_at, o.created_by, b.name AS creator, o.updated_at, o.revision,
			o.discount_percent::numeric(7,4) AS discount_percent, o.discount_amount::numeric(22,4) AS discount_amount,
			o.prices_include_tax, o.vat_method,
			(e.totals ->> 'net')::numeric(22,4) AS net, (e.totals ->> 'vat')::numeric(22,4) AS vat,
			(e.totals ->> 'gross')::numeric(22,4) AS gross,
			coalesce(e.totals -> 'taxes', '[]') AS taxes, coalesce(e.product_lines, '[]') AS product_lines,
			t.next_task_on, coalesce(t.open_tasks, 0) AS open_tasks,
			coalesce(t.tasks, '[]') AS tasks, coalesce(y.phase_stays, '[]') AS phase_stays,
			coalesce(h.appointments, '[]') AS appointments, coalesce(x.emails, '[]') AS emails,
			coalesce(n.notes, '[]') AS notes, coalesce(f.attachments, '[]') AS attachments,
			coalesce(g.quotes, '[]') AS quotes
		FROM sales_crm.opportunity o
		JOIN sales_crm.account a USING (account_id)
		JOIN sales_crm.pipeline l USING (pipeline_id)
		JOIN sales_crm.phase p USING (pipeline_id, phase_id)
		LEFT JOIN sales_crm.contact k ON k.contact_id = o.contact_id
		LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
		LEFT JOIN sales_crm.member b ON b.member_id = o.created_by
		LEFT JOIN sales_crm.source s USING (source_id)
		LEFT JOIN sales_crm.lost_reason r USING (lost_reason_id)
		LEFT JOIN LATERAL (
			SELECT min(x.due_on) FILTER (WHERE x.done_at IS NULL) AS next_task_on,
				count(*) FILTER (WHERE x.done_at IS NULL) AS open_tasks,
				jsonb_agg(jsonb_build_object('task_id', x.task_id, 'subject', x.subject, 'due_on', x.due_on,
					'assignee_id', x.assignee_id, 'assignee', n.name, 'priority', x.priority,
					'origin', x.origin, 'done_at', x.done_at)
					ORDER BY x.done_at DESC NULLS FIRST, x.due_on, x.task_id) AS tasks
			FROM sales_crm.task x LEFT JOIN sales_crm.member n ON n.member_id = x.assignee_id
			WHERE x.opportunity_id = o.opportunity_id) t ON true
		LEFT JOIN LATERAL (
			SELECT sales_crm.totals(i.quantity, i.unit_price, i.discount_percent, i.discount_amount,
					i.tax_percent, i.tax_category, i.optional, o.discount_percent, o.discount_amount,
					o.vat_method, o.currency, o.prices_include_tax) AS totals,
				jsonb_agg(jsonb_build_object('product_line_id', i.product_line_id, 'kind', i.kind,
					'product_id', i.product_id, 'name', i.name, 'description', i.description,
					'extra_description', i.extra_description, 'quantity', i.quantity, 'unit', i.unit,
					'unit_price', i.unit_price, 'discount_percent', i.discount_percent,
					'discount_amount', i.discount_amount, 'tax_category', i.tax_category,
					'tax_percent', i.tax_percent, 'optional', i.optional)
					ORDER BY i.position, i.product_line_id) AS product_lines
			FROM sales_crm.product_line i
			WHERE i.opportunity_id = o.opportunity_id
			HAVING count(*) > 0) e ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('phase_id', z.phase_id, 'phase', q.name,
				'entered_at', z.entered_at, 'left_at', z.left_at) ORDER BY z.entered_at, z.left_at, z.phase_stay_id) AS phase_stays
			FROM sales_crm.phase_stay z JOIN sales_crm.phase q USING (phase_id)
			WHERE z.opportunity_id = o.opportunity_id) y ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('appointment_id', x.appointment_id, 'subject', x.subject, 'location', x.location,
				'starts_at', x.starts_at, 'ends_at', x.ends_at, 'all_day', x.all_day, 'organiser_id', x.organiser_id,
				'organiser', v.name, 'cancelled_at', x.cancelled_at) ORDER BY x.starts_at, x.appointment_id) AS appointments
			FROM sales_crm.appointment x LEFT JOIN sales_crm.member v ON v.member_id = x.organiser_id
			WHERE x.opportunity_id = o.opportunity_id) h ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('email_id', x.email_id, 'direction', x.direction, 'from_address', x.from_address,
				'from_name', x.from_name, 'to_addresses', to_jsonb(x.to_addresses), 'subject', x.subject, 'sent_at', x.sent_at,
				'thread_id', x.thread_id) ORDER BY x.sent_at DESC, x.email_id DESC) AS emails
			FROM sales_crm.email x WHERE x.opportunity_id = o.opportunity_id) x ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('note_id', x.note_id, 'body', x.body, 'format', x.format,
				'created_at', x.created_at, 'created_by', x.created_by, 'creator', v.name)
				ORDER BY x.created_at DESC, x.note_id DESC) AS notes
			FROM sales_crm.note x LEFT JOIN sales_crm.member v ON v.member_id = x.created_by
			WHERE x.opportunity_id = o.opportunity_id) n ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('attachment_id', x.attachment_id, 'file_name', x.file_name, 'media_type', x.media_type,
				'size', x.size, 'sha256', encode(x.sha256, 'hex'), 'email_id', x.email_id, 'created_at', x.created_at)
				ORDER BY x.created_at DESC, x.attachment_id DESC) AS attachments
			FROM sales_crm.attachment x WHERE x.opportunity_id = o.opportunity_id) f ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('quote_id', x.quote_id, 'number', x.number, 'version', x.version,
				'status', CASE WHEN x.status IN ('sent', 'viewed') AND x.valid_until < sales_crm.today() THEN 'expired' ELSE x.status END,
				'valid_until', x.valid_until, 'currency', x.currency, 'net', x.totals -> 'net', 'gross', x.totals -> 'gross',
				'sent_at', x.sent_at, 'viewed_at', x.viewed_at, 'answered_at', x.answered_at) ORDER BY x.created_at DESC, x.quote_id DESC) AS quotes
			FROM sales_crm.quote x WHERE x.opportunity_id = o.opportunity_id) g ON true;
		COMMENT ON VIEW sales_crm.opportunity_overview IS
			'The screen of an opportunity: one row with its state, names, probability, product lines, totals, tasks, phases, appointments, e-mails, notes, attachments and quotes';
		COMMENT ON COLUMN sales_crm.opportunity_overview.status IS 'open, won, lost or expired';
		COMMENT ON COLUMN sales_crm.opportunity_overview.probability IS 'Percent: the opportunity''s own while open, else the phase''s';
		COMMENT ON COLUMN sales_crm.opportunity_overview.days_in_phase IS 'Calendar days since phase_since in the company''s time zone';
		COMMENT ON COLUMN sales_crm.opportunity_overview.net IS 'Total of the product lines without VAT, after all discounts; NULL without lines';
		COMMENT ON COLUMN sales_crm.opportunity_overview.taxes IS 'JSON array of the rates of VAT, as in opportunity_total';
		COMMENT ON COLUMN sales_crm.opportunity_overview.product_lines IS 'JSON array of product lines in their order';
		COMMENT ON COLUMN sales_crm.opportunity_overview.tasks IS 'JSON array of tasks, open ones first';
		COMMENT ON COLUMN sales_crm.opportunity_overview.phase_stays IS 'JSON array of phases it was in, oldest first';
		COMMENT ON COLUMN sales_crm.opportunity_overview.appointments IS 'JSON array in the order of time';
		COMMENT ON COLUMN sales_crm.opportunity_overview.emails IS 'JSON array, newest first, without bodies';
		COMMENT ON COLUMN sales_crm.opportunity_overview.notes IS 'JSON array, newest first';
		COMMENT ON COLUMN sales_crm.opportunity_overview.attachments IS 'JSON array, newest first; download_attachment() gives the content';
		COMMENT ON COLUMN sales_crm.opportunity_overview.quotes IS 'JSON array, newest first; quote_overview has more';
	END IF;

	IF sales_crm.setup_lacks('transition_rule') THEN
		CREATE VIEW sales_crm.transition_rule AS SELECT * FROM sales_crm.transition_rules();
		COMMENT ON VIEW sales_crm.transition_rule IS
			'The rules of moving through phases, in the order in which they are tried';
	END IF;
