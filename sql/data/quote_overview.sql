	IF sales_crm.setup_lacks('quote_overview') THEN
		CREATE VIEW sales_crm.quote_overview WITH (security_invoker = true) AS
		SELECT q.quote_id, q.number, q.version,
			CASE WHEN q.status IN ('sent', 'viewed') AND q.valid_until < sales_crm.today() THEN 'expired' ELSE q.status END AS status,
			NOT EXISTS (SELECT FROM sales_crm.quote n WHERE n.supersedes_id = q.quote_id) AS is_last,
			q.opportunity_id, o.name AS opportunity, o.account_id, a.name AS account, o.owner_id, m.name AS owner,
			q.quote_template_id, t.name AS template, q.title, q.customer_name, q.contact_id, k.name AS contact, q.locale,
			q.valid_until, CASE WHEN q.status IN ('sent', 'viewed') THEN q.valid_until - sales_crm.today() END AS days_left,
			q.currency, coalesce(jsonb_array_length(q.totals -> 'lines'), 0) AS lines,
			(q.totals ->> 'net')::numeric(22,4) AS net, (q.totals ->> 'vat')::numeric(22,4) AS vat,
			(q.totals ->> 'gross')::numeric(22,4) AS gross,
			q.created_at, q.created_by, q.sent_at, q.viewed_at, q.answered_at,
			coalesce(s.signer_name, r.requester_name, d.refuser_name) AS answered_by,
			coalesce(r.note, d.reason) AS answer, s.attachment_id AS signed_document_id,
			coalesce(l.links, 0) AS links, coalesce(l.views, 0) AS views, q.supersedes_id, encode(q.snapshot_sha256, 'hex') AS snapshot_sha256
		FROM sales_crm.quote q
		JOIN sales_crm.opportunity o USING (opportunity_id)
		JOIN sales_crm.account a USING (account_id)
		JOIN sales_crm.quote_template t USING (quote_template_id)
		LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
		LEFT JOIN sales_crm.contact k ON k.contact_id = q.contact_id
		LEFT JOIN sales_crm.signature s ON s.quote_id = q.quote_id
		LEFT JOIN sales_crm.change_request r ON r.quote_id = q.quote_id
		LEFT JOIN sales_crm.refusal d ON d.quote_id = q.quote_id
		LEFT JOIN LATERAL (
			SELECT count(*) FILTER (WHERE x.revoked_at IS NULL) AS links, sum(x.views) AS views
			FROM sales_crm.quote_link x WHERE x.quote_id = q.quote_id) l ON true;
		COMMENT ON VIEW sales_crm.quote_overview IS 'Quotes with their names, totals, how far they are and what was answered';
		COMMENT ON COLUMN sales_crm.quote_overview.status IS 'As in quote; expired from the day after valid_until on, whether that was written down or not';
		COMMENT ON COLUMN sales_crm.quote_overview.is_last IS 'Whether no later version of it was made';
		COMMENT ON COLUMN sales_crm.quote_overview.days_left IS 'Days to valid_until, 0 on its last day; NULL unless it waits for an answer';
		COMMENT ON COLUMN sales_crm.quote_overview.lines IS 'Items, headings and texts';
		COMMENT ON COLUMN sales_crm.quote_overview.viewed_at IS 'When a person first opened it';
		COMMENT ON COLUMN sales_crm.quote_overview.answered_by IS 'Who signed, asked for a change or declined';
		COMMENT ON COLUMN sales_crm.quote_overview.answer IS 'What they said to it: the change they want, or why they declined';
		COMMENT ON COLUMN sales_crm.quote_overview.signed_document_id IS 'The attachment with the signed document';
		COMMENT ON COLUMN sales_crm.quote_overview.links IS 'Links that are not revoked';
		COMMENT ON COLUMN sales_crm.quote_overview.views IS 'How often people looked, through all links';
	END IF;

	IF sales_crm.setup_lacks('quote_funnel') THEN
		CREATE VIEW sales_crm.quote_funnel WITH (security_invoker = true) AS
		SELECT date_trunc('month', sales_crm.local_date(q.sent_at))::date AS month, coalesce(o.owner_id, 0) AS owner_id,
			coalesce(m.name, '–') AS owner, q.currency,
			count(*) AS sent, count(q.viewed_at) AS viewed, count(q.answered_at) AS answered,
			count(s.signature_id) AS signed, count(r.change_request_id) AS changes_requested, count(d.refusal_id) AS declined,
			count(*) FILTER (WHERE q.status = 'expired' OR q.status IN ('sent', 'viewed') AND q.valid_until < sales_crm.today()) AS expired,
			count(*) FILTER (WHERE q.status = 'withdrawn') AS withdrawn,
			sum((q.totals ->> 'net')::numeric)::numeric(26,4) AS sent_net,
			coalesce(sum((q.totals ->> 'net')::numeric) FILTER (WHERE s.signature_id IS NOT NULL), 0)::numeric(26,4) AS signed_net,
			round(100.0 * count(s.signature_id) / count(*), 2)::numeric(5,2) AS signed_percent,
			round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM q.viewed_at - q.sent_at)) / 3600)::numeric, 2)::numeric(12,2) AS median_hours_to_view,
			round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM q.answered_at - q.viewed_at)) / 3600)::numeric, 2)::numeric(12,2) AS median_hours_from_view_to_answer,
			round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM s.signed_at - q.sent_at)) / 3600)::numeric, 2)::numeric(12,2) AS median_hours_to_signature
		FROM sales_crm.quote q
		JOIN sales_crm.opportunity o USING (opportunity_id)
		LEFT JOIN sales_crm.member m ON m.member_id = o.owner_id
		LEFT JOIN sales_crm.signature s ON s.quote_id = q.quote_id
		LEFT JOIN sales_crm.change_request r ON r.quote_id = q.quote_id
		LEFT JOIN sales_crm.refusal d ON d.quote_id = q.quote_id
		WHERE q.sent_at IS NOT NULL
		GROUP BY 1, o.owner_id, m.name, q.currency;
		COMMENT ON VIEW sales_crm.quote_funnel IS
			'What became of the quotes sent in each month, by owner of the opportunity and currency; versions count one by one';
		COMMENT ON COLUMN sales_crm.quote_funnel.month IS 'First day of the month in which they were sent, in the company''s time zone';
		COMMENT ON COLUMN sales_crm.quote_funnel.owner_id IS '0 where nobody owns the opportunity';
		COMMENT ON COLUMN sales_crm.quote_funnel.viewed IS 'Opened by a person';
		COMMENT ON COLUMN sales_crm.quote_funnel.answered IS 'Signed, declined, or a change asked for';
		COMMENT ON COLUMN sales_crm.quote_funnel.median_hours_to_view IS 'From sending to the first view, of those that were viewed';
		COMMENT ON COLUMN sales_crm.quote_funnel.median_hours_to_signature IS 'From sending, of those that were signed';
	END IF;

	IF sales_crm.setup_lacks('billable_line') THEN
		CREATE VIEW sales_crm.billable_line WITH (security_invoker = true) AS
		SELECT q.quote_id, q.number AS quote_number, l.quote_line_id, l.product_line_id, q.opportunity_id, o.name AS opportunity, o.account_id,
			q.customer_name AS account, q.customer_vat_number AS vat_number, l.place AS position, l.product_id, p.sku, l.name, l.description,
			l.extra_description, l.quantity::numeric(18,6) AS quantity, l.unit, u.name AS unit_name, l.unit_price::numeric(22,6) AS unit_price,
			(q.totals #>> array['lines', (l.place - 1)::text, 'amount'])::numeric(22,4) AS amount,
			(q.totals #>> array['lines', (l.place - 1)::text, 'discount'])::numeric(22,4) AS discount,
			(q.totals #>> array['lines', (l.place - 1)::text, 'net'])::numeric(22,4) AS net,
			(q.totals #>> array['lines', (l.place - 1)::text, 'base'])::numeric(22,4) AS base,
			l.tax_category, l.tax_percent, q.currency, q.prices_include_tax, q.vat_method, s.signed_at, o.closed_at
		FROM sales_crm.quote q
		JOIN sales_crm.signature s USING (quote_id)
		JOIN sales_crm.opportunity o USING (opportunity_id)
		JOIN (
			SELECT k.quote_id, k.quote_line_id, k.product_line_id, k.kind, k.product_id, k.name, k.description, k.extra_description, k.quantity,
				k.unit, k.unit_price, k.tax_category, k.tax_percent, k.optional,
				row_number() OVER (PARTITION BY k.quote_id ORDER BY k.position, k.quote_line_id) AS place
			FROM sales_crm.quote_line k) l USING (quote_id)
		LEFT JOIN sales_crm.product p ON p.product_id = l.product_id
		LEFT JOIN sales_crm.unit u ON u.code = l.unit
		WHERE q.status = 'signed' AND l.kind = 'item' AND NOT l.optional
		UNION ALL
		SELECT NULL, NULL, NULL, v.product_line_id, v.opportunity_id, v.opportunity, o.account_id, a.name, a.vat_number,
			v.position, v.product_id, v.sku, v.name, v.description, v.extra_description, v.quantity, v.unit, v.unit_name,
			v.unit_price, v.amount, v.discount, v.net, v.base, v.tax_category, v.tax_percent, v.currency,
			o.prices_include_tax, o.vat_method, NULL, o.closed_at
		FROM sales_crm.product_line_overview v
		JOIN sales_crm.opportunity o USING (opportunity_id)
		JOIN sales_crm.account a USING (account_id)
		JOIN sales_crm.phase s ON s.pipeline_id = o.pipeline_id AND s.phase_id = o.phase_id
		WHERE s.outcome = 'won' AND v.kind = 'item' AND NOT v.optional
			AND NOT EXISTS (SELECT FROM sales_crm.quote q WHERE q.opportunity_id = o.opportunity_id AND q.status = 'signed');
		COMMENT ON VIEW sales_crm.billable_line IS
			'Items to be invoiced: those of signed quotes, as they were signed; and those of opportunities won without one, which are frozen';
		COMMENT ON COLUMN sales_crm.billable_line.quote_id IS 'NULL where the opportunity was won without a signed quote';
		COMMENT ON COLUMN sales_crm.billable_line.account IS 'The customer as the quote names it';
		COMMENT ON COLUMN sales_crm.billable_line.base IS 'Net amount to be invoiced, after all discounts';
		COMMENT ON COLUMN sales_crm.billable_line.signed_at IS 'NULL without a signed quote';
	END IF;
