-- CREATE EXTENSION alone gives a CRM that works; the code belongs to the extension, the tables to
-- the database's owner.
CREATE EXTENSION sales_crm;

-- Members are code only
SELECT DISTINCT d.classid::regclass::text AS member
FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'sales_crm'
ORDER BY 1;
SELECT c.relname, c.relkind FROM pg_class c
WHERE c.relnamespace = 'sales_crm'::regnamespace AND c.relkind IN ('r', 'v')
ORDER BY c.relkind, c.relname;

-- A fresh database has a pipeline with its phases, and what else one needs to begin
SELECT p.position, p.name, p.probability, p.outcome, p.on_quote_signed, p.forecast_category,
	p.rotting_days, p.required_fields
FROM sales_crm.phase p JOIN sales_crm.pipeline l USING (pipeline_id)
WHERE l.name = 'Standard' AND l.is_default ORDER BY p.position;
SELECT name, locale, time_zone, currency, vat_method, fiscal_year_start_month FROM sales_crm.company;
SELECT name FROM sales_crm.source ORDER BY position;
SELECT name FROM sales_crm.lost_reason ORDER BY position;
SELECT subject, due_in_days, working_days, assignee FROM sales_crm.follow_up_rule;
SELECT count(*) > 150 AS many_currencies, bool_or(code = 'EUR' AND minor_units = 2) AS eur,
	bool_or(code = 'JPY' AND minor_units = 0) AS jpy, bool_or(code = 'KWD' AND minor_units = 3) AS kwd
FROM sales_crm.currency;

-- The data are not lost by accident
\set VERBOSITY terse
DROP EXTENSION sales_crm;
\set VERBOSITY default

-- The functions are not everybody's
CREATE ROLE regress_nobody;
SET ROLE regress_nobody;
SELECT sales_crm.today();
SELECT count(*) FROM sales_crm.opportunity;
RESET ROLE;
DROP ROLE regress_nobody;
