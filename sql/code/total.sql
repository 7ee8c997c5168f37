CREATE FUNCTION sales_crm.compute_totals(lines jsonb, discount_percent numeric DEFAULT NULL,
	discount_amount numeric DEFAULT NULL, method text DEFAULT NULL, currency text DEFAULT NULL,
	prices_include_tax boolean DEFAULT false)
RETURNS jsonb LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_compute_totals';
COMMENT ON FUNCTION sales_crm.compute_totals(jsonb, numeric, numeric, text, text, boolean) IS
	'What an offer comes to. Lines are objects with quantity, unit_price, discount_percent or discount_amount, tax_percent and tax_category, or tax_rate_id, optional, kind (item, heading, text) and currency; method and currency default to the company''s. Gives list, amount, discount, net, vat and gross, taxes (one object per rate) and lines (amount, discount, net, base each). Errors: 23514, 23502, 23503, 22003, 22023';

CREATE FUNCTION sales_crm.totals_add(state internal, quantity numeric, unit_price numeric,
	discount_percent numeric, discount_amount numeric, tax_percent numeric, tax_category text,
	optional boolean, offer_discount_percent numeric, offer_discount_amount numeric, method text,
	currency text, prices_include_tax boolean)
RETURNS internal LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_totals_add';
COMMENT ON FUNCTION sales_crm.totals_add(internal, numeric, numeric, numeric, numeric, numeric, text, boolean, numeric, numeric, text, text, boolean) IS
	'Step of the aggregate totals()';

CREATE FUNCTION sales_crm.totals_add_with_lines(state internal, quantity numeric, unit_price numeric,
	discount_percent numeric, discount_amount numeric, tax_percent numeric, tax_category text,
	optional boolean, offer_discount_percent numeric, offer_discount_amount numeric, method text,
	currency text, prices_include_tax boolean)
RETURNS internal LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_totals_add_with_lines';
COMMENT ON FUNCTION sales_crm.totals_add_with_lines(internal, numeric, numeric, numeric, numeric, numeric, text, boolean, numeric, numeric, text, text, boolean) IS
	'Step of the aggregate totals_with_lines()';

CREATE FUNCTION sales_crm.totals_final(state internal)
RETURNS jsonb LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_totals_final';
COMMENT ON FUNCTION sales_crm.totals_final(internal) IS
	'Last step of the aggregates totals() and totals_with_lines()';

CREATE AGGREGATE sales_crm.totals(quantity numeric, unit_price numeric, discount_percent numeric,
	discount_amount numeric, tax_percent numeric, tax_category text, optional boolean,
	offer_discount_percent numeric, offer_discount_amount numeric, method text, currency text,
	prices_include_tax boolean)
(SFUNC = sales_crm.totals_add, STYPE = internal, SSPACE = 600, FINALFUNC = sales_crm.totals_final,
	FINALFUNC_MODIFY = read_write, PARALLEL = safe);
COMMENT ON AGGREGATE sales_crm.totals(numeric, numeric, numeric, numeric, numeric, text, boolean, numeric, numeric, text, text, boolean) IS
	'compute_totals() for the lines of each group, without its lines: what the whole offer has is the same in all rows of a group. A row without quantity is a heading or text';

CREATE AGGREGATE sales_crm.totals_with_lines(quantity numeric, unit_price numeric, discount_percent numeric,
	discount_amount numeric, tax_percent numeric, tax_category text, optional boolean,
	offer_discount_percent numeric, offer_discount_amount numeric, method text, currency text,
	prices_include_tax boolean)
(SFUNC = sales_crm.totals_add_with_lines, STYPE = internal, FINALFUNC = sales_crm.totals_final,
	FINALFUNC_MODIFY = read_write, PARALLEL = safe);
COMMENT ON AGGREGATE sales_crm.totals_with_lines(numeric, numeric, numeric, numeric, numeric, text, boolean, numeric, numeric, text, text, boolean) IS
	'totals() with what each line comes to, in the order of the rows';
