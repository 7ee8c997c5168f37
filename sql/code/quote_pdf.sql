CREATE FUNCTION sales_crm.quote_pdf_state(quote_id bigint, status text, OUT attachment_id bigint, OUT expected boolean)
RETURNS record LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_quote_pdf_state';
COMMENT ON FUNCTION sales_crm.quote_pdf_state(bigint, text) IS
	'The PDF that belongs to a quote in a status: signed has one with the evidence, withdrawn none. expected: it is being made';

CREATE FUNCTION sales_crm.quote_pdf(token text, OUT file_name text, OUT content bytea, OUT ready boolean)
RETURNS record LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link CONSTANT record := sales_crm.find_quote_link(token, false);
	state record;
BEGIN
	SELECT s.attachment_id, s.expected INTO state
	FROM sales_crm.quote q, sales_crm.quote_pdf_state(q.quote_id, q.status) s WHERE q.quote_id = link.quote_id;
	ready := state.attachment_id IS NOT NULL;
	IF ready THEN
		SELECT a.file_name, c.content INTO file_name, content
		FROM sales_crm.attachment a JOIN sales_crm.attachment_content c USING (sha256) WHERE a.attachment_id = state.attachment_id;
	ELSIF NOT state.expected THEN
		RAISE EXCEPTION 'quote has no PDF'
			USING ERRCODE = 'SC102', DETAIL = 'None was made, and none is being made.', HINT = 'Read it on the page.';
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_pdf(text) IS
	'The PDF of the quote behind a link, with its evidence once signed; ready is false while sales_crm_sender makes it. Errors: SC103, SC102 where there is none to wait for';
