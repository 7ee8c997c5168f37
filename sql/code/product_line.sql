CREATE FUNCTION sales_crm.product_line_guard()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_product_line_guard';
COMMENT ON FUNCTION sales_crm.product_line_guard() IS
	'Row trigger of product_line: fills in from product, price list and tax rate what was not given, and checks values. Errors: 23502, 23503, 23514';

CREATE FUNCTION sales_crm.product_line_amount()
RETURNS trigger LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_product_line_amount';
COMMENT ON FUNCTION sales_crm.product_line_amount() IS
	'Statement trigger of product_line: makes the amount of each opportunity touched the discounted net total of its lines, once per statement. Errors: SC004 for lines of a closed opportunity, SC201 for too much discount, 23514, 22003';

CREATE FUNCTION sales_crm.product_line_truncate()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF EXISTS (SELECT FROM sales_crm.opportunity) THEN
		RAISE EXCEPTION 'product lines cannot be truncated while there are opportunities'
			USING ERRCODE = 'restrict_violation',
				DETAIL = 'Lines of closed opportunities are frozen.',
				HINT = 'DELETE lines of open opportunities, or TRUNCATE sales_crm.opportunity CASCADE.';
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.product_line_truncate() IS
	'Statement trigger of product_line: it is truncated only together with the opportunities';

CREATE FUNCTION sales_crm.tax_rate_follow()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- The line's guard takes over what the rate says now
	UPDATE sales_crm.product_line l SET tax_percent = n.percent, tax_category = n.category
	FROM new_rate n JOIN old_rate p USING (tax_rate_id), sales_crm.opportunity o
	WHERE l.tax_rate_id = n.tax_rate_id AND (n.percent, n.category) IS DISTINCT FROM (p.percent, p.category)
		AND o.opportunity_id = l.opportunity_id AND o.closed_at IS NULL;
	UPDATE sales_crm.quote_line l SET tax_percent = n.percent, tax_category = n.category
	FROM new_rate n JOIN old_rate p USING (tax_rate_id), sales_crm.quote q
	WHERE l.tax_rate_id = n.tax_rate_id AND (n.percent, n.category) IS DISTINCT FROM (p.percent, p.category)
		AND q.quote_id = l.quote_id AND q.status = 'draft';
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.tax_rate_follow() IS
	'Statement trigger of tax_rate: a change of percent or category reaches the lines of open opportunities and of drafts of quotes';

CREATE FUNCTION sales_crm.add_product(opportunity_id bigint, product_id bigint, quantity numeric DEFAULT 1)
RETURNS bigint LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO sales_crm.product_line (opportunity_id, product_id, quantity) VALUES ($1, $2, $3)
	RETURNING product_line_id
$$;
COMMENT ON FUNCTION sales_crm.add_product(bigint, bigint, numeric) IS
	'Adds a product to an opportunity, as its last line, and returns the line''s key: name, description, unit, tax rate, cost and the price for the quantity in the opportunity''s currency are the product''s. The same as an INSERT of these three';

CREATE FUNCTION sales_crm.move_product_line(product_line_id bigint, after_id bigint DEFAULT NULL)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	moved record;
	before numeric;
	behind numeric;
	place numeric;
BEGIN
	-- The table, the line, its opportunity: in the order in which every writer of lines locks
	LOCK TABLE sales_crm.product_line IN ROW EXCLUSIVE MODE;
	SELECT l.product_line_id, l.opportunity_id INTO moved FROM sales_crm.product_line l WHERE l.product_line_id = move_product_line.product_line_id FOR NO KEY UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'product line % does not exist', move_product_line.product_line_id USING ERRCODE = 'no_data_found',
			HINT = 'SELECT product_line_id FROM sales_crm.product_line_overview shows those there are.';
	END IF;
	IF after_id = moved.product_line_id THEN
		RETURN;
	END IF;
	-- One drag at a time within an opportunity: the next one sees where this one put its line
	PERFORM FROM sales_crm.opportunity o WHERE o.opportunity_id = moved.opportunity_id FOR NO KEY UPDATE;
	IF after_id IS NOT NULL THEN
		SELECT l.position INTO before FROM sales_crm.product_line l
		WHERE l.product_line_id = after_id AND l.opportunity_id = moved.opportunity_id;
		IF NOT FOUND THEN
			RAISE EXCEPTION 'product line % is not on the same opportunity', after_id USING ERRCODE = 'no_data_found',
				DETAIL = format('Line %s belongs to opportunity %s.', moved.product_line_id, moved.opportunity_id),
				HINT = 'Name a line of that opportunity, or NULL to put the line first.';
		END IF;
	END IF;
	SELECT l.position INTO behind FROM sales_crm.product_line l
	WHERE l.opportunity_id = moved.opportunity_id AND l.product_line_id <> moved.product_line_id
		AND (after_id IS NULL OR (l.position, l.product_line_id) > (before, after_id))
	ORDER BY l.position, l.product_line_id LIMIT 1;
	place := CASE
		WHEN behind IS NULL THEN nextval(pg_get_serial_sequence('sales_crm.product_line', 'product_line_id'))
		WHEN before IS NULL THEN behind - 1
		ELSE trim_scale((before + behind) * 0.5) END;
	IF place <= before OR place >= behind OR scale(place) > 1000 THEN
		-- The gap is used up: whole numbers again
		UPDATE sales_crm.product_line l SET position = n.place
		FROM (SELECT k.product_line_id, row_number() OVER (ORDER BY k.position, k.product_line_id) AS place
			FROM sales_crm.product_line k WHERE k.opportunity_id = moved.opportunity_id) n
		WHERE l.product_line_id = n.product_line_id AND l.position <> n.place;
		PERFORM sales_crm.move_product_line(moved.product_line_id, after_id);
		RETURN;
	END IF;
	UPDATE sales_crm.product_line l SET position = place WHERE l.product_line_id = moved.product_line_id;
END
$$;
COMMENT ON FUNCTION sales_crm.move_product_line(bigint, bigint) IS
	'Puts a line right after another one of its opportunity, or first (NULL); writes one row. Errors: P0002 when a line is not there, SC004 when the opportunity is closed';

CREATE FUNCTION sales_crm.line_cost(product_line_id bigint)
RETURNS numeric LANGUAGE sql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT l.unit_cost
	FROM sales_crm.product_line l JOIN sales_crm.opportunity o USING (opportunity_id)
	WHERE l.product_line_id = $1 AND sales_crm.is_manager()
		AND (sales_crm.sees_owner(o.owner_id) OR o.owner_id IS NULL AND sales_crm.sees_unowned())
$$;
COMMENT ON FUNCTION sales_crm.line_cost(bigint) IS
	'unit_cost of a visible product line, for managers; NULL for others';

CREATE FUNCTION sales_crm.verify_product_lines(OUT opportunity_id bigint, OUT problem text)
RETURNS SETOF record LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH state AS (
		SELECT o.opportunity_id, o.amount, o.closed_at, t.net, t.vat, t.gross, t.amount AS price_total, t.discount, t.items,
			(SELECT sum(r.base) FROM jsonb_to_recordset(t.taxes) AS r (base numeric)) AS bases,
			(SELECT sum(r.discount) FROM jsonb_to_recordset(t.taxes) AS r (discount numeric)) AS discounts,
			l.stale, o.prices_include_tax
		FROM sales_crm.opportunity o
		JOIN sales_crm.opportunity_total t USING (opportunity_id)
		CROSS JOIN LATERAL (
			SELECT bool_or(x.tax_category IS NULL OR x.tax_percent IS NULL) AS stale
			FROM sales_crm.product_line x WHERE x.opportunity_id = o.opportunity_id AND x.kind = 'item') l
	)
	SELECT s.opportunity_id, c.problem
	FROM state s
	CROSS JOIN LATERAL (VALUES
		(s.items > 0 AND s.amount IS DISTINCT FROM s.net, 'amount is not the net total of its lines'),
		(s.bases IS DISTINCT FROM s.net AND s.items > 0, 'bases do not sum to the net total'),
		(s.discounts IS DISTINCT FROM s.discount AND s.items > 0, 'discounts do not sum to the discount'),
		(s.net + s.vat <> s.gross, 'net and VAT are not the gross total'),
		(s.prices_include_tax AND s.gross <> s.price_total - s.discount, 'gross is not what prices come to'),
		(s.stale, 'a line without tax')
	) AS c (holds, problem)
	WHERE c.holds
$$;
COMMENT ON FUNCTION sales_crm.verify_product_lines() IS
	'Recomputes the totals of all opportunities with product lines and returns each difference from their amounts: never a row, unless rows were written with triggers off';
