CREATE FUNCTION sales_crm.render_template(template text, data jsonb DEFAULT '{}', partials jsonb DEFAULT '{}')
RETURNS text LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_render_template';
COMMENT ON FUNCTION sales_crm.render_template(text, jsonb, jsonb) IS
	'A Mustache template filled with data, values escaped for HTML; partials holds a template per name. Errors: SC110 where the template is not valid, with its line and column; 54000 beyond the limits of doc/template.md';

CREATE FUNCTION sales_crm.check_template(template text)
RETURNS boolean LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_check_template';
COMMENT ON FUNCTION sales_crm.check_template(text) IS
	'Whether a Mustache template can be read: true. Errors: SC110 with line and column where it cannot';

CREATE FUNCTION sales_crm.check_signature_png(image bytea, OUT width integer, OUT height integer)
RETURNS record LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_check_signature_png';
COMMENT ON FUNCTION sales_crm.check_signature_png(bytea) IS
	'Width and height of the picture of a signature: one still PNG, complete, up to 512 KiB and 4000 × 2000 pixels. Errors: 22023';
