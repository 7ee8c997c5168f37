CREATE FUNCTION sales_crm.product_guard()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	NEW.currency := coalesce(NEW.currency, (SELECT c.currency FROM sales_crm.company c));
	NEW.unit := coalesce(NEW.unit, 'C62');
	NEW.tax_rate_id := coalesce(NEW.tax_rate_id, (SELECT t.tax_rate_id FROM sales_crm.tax_rate t WHERE t.is_default));
	IF NEW.tax_rate_id IS NULL THEN
		RAISE EXCEPTION 'tax rate of a product must be given'
			USING ERRCODE = 'not_null_violation', SCHEMA = 'sales_crm', TABLE = 'product', COLUMN = 'tax_rate_id',
				DETAIL = 'No row of sales_crm.tax_rate is the default.',
				HINT = 'Name a tax_rate_id, or set is_default of a rate.';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.product_guard() IS
	'Row trigger of product: fills in currency, unit and tax rate of new products';

CREATE FUNCTION sales_crm.find_price(product_id bigint, quantity numeric, currency text, valid_on date DEFAULT NULL)
RETURNS numeric LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT coalesce(
		(SELECT r.unit_price FROM sales_crm.product_price r
		 WHERE r.product_id = $1 AND r.currency = $3 AND r.min_quantity <= abs($2)
			AND r.valid_from <= coalesce($4, sales_crm.today())
		 ORDER BY r.min_quantity DESC, r.valid_from DESC LIMIT 1),
		(SELECT p.unit_price FROM sales_crm.product p WHERE p.product_id = $1 AND p.currency = $3))
$$;
COMMENT ON FUNCTION sales_crm.find_price(bigint, numeric, text, date) IS
	'The unit price of a product for a quantity in a currency on a day (default: today): that of product_price with the largest min_quantity reached, else the product''s own; NULL when there is none in the currency';

-- Planned anew each time: only a known prefix becomes a range of an index.
CREATE FUNCTION sales_crm.find_product(text text, max_rows integer DEFAULT 20,
	OUT product_id bigint, OUT sku text, OUT name text, OUT description text, OUT unit text,
	OUT unit_price numeric, OUT currency text, OUT tax_rate_id bigint)
RETURNS SETOF record LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
	prefix text := regexp_replace(lower(btrim(find_product.text)), '([\\%_])', '\\\1', 'g') || '%';
	wanted tsquery;
	found_ids bigint[];
BEGIN
	IF prefix IS NULL OR prefix = '%' OR find_product.max_rows < 1 THEN
		RETURN;
	END IF;
	-- First letters: of the sku, then of the name
	SELECT array_agg(s.product_id) INTO found_ids FROM (
		SELECT p.product_id FROM sales_crm.product p
		WHERE p.active AND lower(p.sku) LIKE prefix
		ORDER BY lower(p.sku) USING ~<~ LIMIT find_product.max_rows) s;
	IF coalesce(cardinality(found_ids), 0) < find_product.max_rows THEN
		SELECT coalesce(found_ids, '{}') || coalesce(array_agg(s.product_id), '{}') INTO found_ids FROM (
			SELECT p.product_id FROM sales_crm.product p
			WHERE p.active AND lower(p.name) LIKE prefix AND p.product_id <> ALL (coalesce(found_ids, '{}'))
			ORDER BY lower(p.name) USING ~<~, p.product_id
			LIMIT find_product.max_rows - coalesce(cardinality(found_ids), 0)) s;
	END IF;
	-- Then words that begin so, wherever they stand, from three letters on: fewer match too much
	IF cardinality(found_ids) < find_product.max_rows THEN
		SELECT string_agg(quote_literal(w) || ':*', ' & ')::tsquery INTO wanted
		FROM regexp_split_to_table(lower(find_product.text), '[^[:alnum:]]+') w WHERE char_length(w) > 2;
		IF wanted IS NOT NULL THEN
			SELECT found_ids || coalesce(array_agg(s.product_id ORDER BY s.rank DESC, s.product_id), '{}') INTO found_ids FROM (
				SELECT c.product_id, ts_rank(c.words, wanted) AS rank FROM (
					SELECT p.product_id, p.words FROM sales_crm.product p
					WHERE p.active AND p.words @@ wanted AND p.product_id <> ALL (found_ids)
					LIMIT 500) c
				ORDER BY 2 DESC, 1 LIMIT find_product.max_rows - cardinality(found_ids)) s;
		END IF;
	END IF;
	RETURN QUERY
	SELECT p.product_id, p.sku, p.name, p.description, p.unit, p.unit_price, p.currency, p.tax_rate_id
	FROM unnest(found_ids) WITH ORDINALITY AS f (product_id, place) JOIN sales_crm.product p USING (product_id)
	ORDER BY f.place;
END
$$;
COMMENT ON FUNCTION sales_crm.find_product(text, integer) IS
	'Active products, best first: those whose sku begins with the text, then whose name does, then (from three letters on) those with words in sku, name or description that begin with each of its words; no row for an empty text';
