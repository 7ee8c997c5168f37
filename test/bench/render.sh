# Rendering: the default document with 20 lines, as send_quote() and preview_quote() make it, and what
# of it the template itself takes.

psql >/dev/null <<'SQL'
SET client_min_messages = warning;
INSERT INTO sales_crm.account (name) VALUES ('Account');
INSERT INTO sales_crm.opportunity (name, account_id) SELECT 'Opportunity', account_id FROM sales_crm.account;
INSERT INTO sales_crm.product_line (opportunity_id, name, description, quantity, unit_price, discount_percent)
SELECT opportunity_id, 'Line ' || i, 'What it is', 1 + i % 9, i * 7.25, CASE i % 4 WHEN 0 THEN 5 END FROM sales_crm.opportunity, generate_series(1, 20) i;
SELECT sales_crm.create_quote(opportunity_id) FROM sales_crm.opportunity;
CREATE TABLE public.made AS SELECT sales_crm.quote_snapshot(quote_id) AS snapshot FROM sales_crm.quote;
ALTER TABLE public.made ADD body text, ADD view jsonb;
UPDATE public.made SET body = sales_crm.default_quote_body(), view = sales_crm.quote_view_data(snapshot);
-- The same work each time, on data that differ
CREATE FUNCTION public.render(whole boolean, times integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	given public.made;
	document text;
BEGIN
	SELECT * INTO given FROM public.made;
	FOR i IN 1 .. times LOOP
		IF whole THEN
			document := sales_crm.render_template(given.body, sales_crm.quote_view_data(jsonb_set(given.snapshot, '{number}', to_jsonb(i::text))));
		ELSE
			document := sales_crm.render_template(given.body, jsonb_set(given.view, '{number}', to_jsonb(i::text)));
		END IF;
	END LOOP;
END $$;
SQL
[ "$(psql -c "SELECT regexp_count(sales_crm.render_template(body, view), 'Line [0-9]+') FROM public.made")" = 20 ] ||
	{ echo "the document does not have its lines" >&2; exit 1; }
for _ in $(seq "$rounds"); do
	# A thousand of them: microseconds each
	timed 'SELECT public.render(true, 1000)' >>"$work/render.whole"
	timed 'SELECT public.render(false, 1000)' >>"$work/render.template"
done
figure "default document with 20 lines, with its data; the template alone" "$work/render.whole" "$work/render.template" us "<= 1000 us"
