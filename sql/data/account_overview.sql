	IF sales_crm.setup_lacks('account_overview') THEN
		CREATE VIEW sales_crm.account_overview WITH (security_invoker = true) AS
		SELECT a.account_id, a.name, a.kind, a.email, a.phone, a.website, a.vat_number, a.street, a.postal_code, a.city, a.country,
			a.owner_id, m.name AS owner, a.external_id, a.custom, a.created_at,
			coalesce(o.open_opportunities, 0) AS open_opportunities, coalesce(o.won, 0) AS won, coalesce(o.lost, 0) AS lost,
			coalesce(s.amounts, '[]') AS amounts,
			greatest(e.at, p.at, n.at) AS last_contact_at,
			x.on AS next_step_on, x.subject AS next_step,
			coalesce(o.opportunities, '[]') AS opportunities, coalesce(k.contacts, '[]') AS contacts
		FROM sales_crm.account a
		LEFT JOIN sales_crm.member m ON m.member_id = a.owner_id
		LEFT JOIN LATERAL (
			SELECT count(*) FILTER (WHERE q.outcome IS NULL) AS open_opportunities,
				count(*) FILTER (WHERE q.outcome = 'won') AS won,
				count(*) FILTER (WHERE q.outcome IN ('lost', 'expired')) AS lost,
				jsonb_agg(jsonb_build_object('opportunity_id', y.opportunity_id, 'name', y.name,
					'status', coalesce(q.outcome, 'open'), 'phase', q.name, 'amount', y.amount, 'currency', y.currency,
					'expected_on', y.expected_on, 'closed_at', y.closed_at)
					ORDER BY y.closed_at DESC NULLS FIRST, y.expected_on, y.opportunity_id) AS opportunities
			FROM sales_crm.opportunity y JOIN sales_crm.phase q USING (pipeline_id, phase_id)
			WHERE y.account_id = a.account_id) o ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('currency', z.currency, 'open', z.open, 'won', z.won) ORDER BY z.currency) AS amounts
			FROM (SELECT y.currency, coalesce(sum(y.amount) FILTER (WHERE q.outcome IS NULL), 0) AS open,
					coalesce(sum(y.amount) FILTER (WHERE q.outcome = 'won'), 0) AS won
				FROM sales_crm.opportunity y JOIN sales_crm.phase q USING (pipeline_id, phase_id)
				WHERE y.account_id = a.account_id GROUP BY y.currency) z) s ON true
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('contact_id', c.contact_id, 'name', c.name, 'email', c.email,
				'phone', c.phone, 'job_title', c.job_title) ORDER BY c.name, c.contact_id) AS contacts
			FROM sales_crm.contact c WHERE c.account_id = a.account_id) k ON true
		LEFT JOIN LATERAL (
			SELECT max(v.sent_at) AS at FROM sales_crm.email v WHERE v.account_id = a.account_id) e ON true
		LEFT JOIN LATERAL (
			SELECT max(v.starts_at) AS at FROM sales_crm.appointment v
			WHERE v.starts_at <= now() AND v.cancelled_at IS NULL AND (v.account_id = a.account_id
				OR v.opportunity_id IN (SELECT y.opportunity_id FROM sales_crm.opportunity y WHERE y.account_id = a.account_id))) p ON true
		LEFT JOIN LATERAL (
			SELECT max(v.created_at) AS at FROM sales_crm.note v
			WHERE v.account_id = a.account_id
				OR v.opportunity_id IN (SELECT y.opportunity_id FROM sales_crm.opportunity y WHERE y.account_id = a.account_id)) n ON true
		LEFT JOIN LATERAL (
			SELECT w.on, w.subject FROM (
				SELECT v.due_on AS on, v.subject FROM sales_crm.task v
				WHERE v.done_at IS NULL AND (v.account_id = a.account_id
					OR v.opportunity_id IN (SELECT y.opportunity_id FROM sales_crm.opportunity y WHERE y.account_id = a.account_id))
				UNION ALL
				SELECT sales_crm.local_date(v.starts_at), v.subject FROM sales_crm.appointment v
				WHERE v.cancelled_at IS NULL AND v.ends_at > now() AND (v.account_id = a.account_id
					OR v.opportunity_id IN (SELECT y.opportunity_id FROM sales_crm.opportunity y WHERE y.account_id = a.account_id))) w
			ORDER BY w.on, w.subject LIMIT 1) x ON true;
		COMMENT ON VIEW sales_crm.account_overview IS
			'The screen of an account: one row with its opportunities, amounts, contacts, last contact and next step';
		COMMENT ON COLUMN sales_crm.account_overview.amounts IS 'JSON array: per currency the open and the won amount';
		COMMENT ON COLUMN sales_crm.account_overview.last_contact_at IS 'The latest e-mail, appointment that began, or note';
		COMMENT ON COLUMN sales_crm.account_overview.next_step_on IS 'Of the first open task or appointment to come; a task without date comes last';
		COMMENT ON COLUMN sales_crm.account_overview.opportunities IS 'JSON array, open ones first';
	END IF;

	IF sales_crm.setup_lacks('contact_overview') THEN
		CREATE VIEW sales_crm.contact_overview WITH (security_invoker = true) AS
		SELECT k.contact_id, k.name, k.email, k.phone, k.job_title, k.locale, k.account_id, a.name AS account, k.created_at,
			coalesce(o.opportunities, '[]') AS opportunities, e.at AS last_email_at,
			p.last_at AS last_appointment_at, p.next_at AS next_appointment_at
		FROM sales_crm.contact k
		JOIN sales_crm.account a USING (account_id)
		LEFT JOIN LATERAL (
			SELECT jsonb_agg(jsonb_build_object('opportunity_id', y.opportunity_id, 'name', y.name, 'status', coalesce(q.outcome, 'open'),
				'amount', y.amount, 'currency', y.currency) ORDER BY y.closed_at DESC NULLS FIRST, y.opportunity_id) AS opportunities
			FROM sales_crm.opportunity y JOIN sales_crm.phase q USING (pipeline_id, phase_id)
			WHERE y.contact_id = k.contact_id) o ON true
		LEFT JOIN LATERAL (
			SELECT max(v.sent_at) AS at FROM sales_crm.email v WHERE v.contact_id = k.contact_id) e ON true
		LEFT JOIN LATERAL (
			SELECT max(v.starts_at) FILTER (WHERE v.starts_at <= now()) AS last_at,
				min(v.starts_at) FILTER (WHERE v.starts_at > now()) AS next_at
			FROM sales_crm.appointment_attendee t JOIN sales_crm.appointment v USING (appointment_id)
			WHERE t.contact_id = k.contact_id AND v.cancelled_at IS NULL) p ON true;
		COMMENT ON VIEW sales_crm.contact_overview IS
			'The screen of a contact: one row with account, opportunities, last e-mail, last and next appointment';
		COMMENT ON COLUMN sales_crm.contact_overview.opportunities IS 'JSON array, open ones first';
	END IF;
