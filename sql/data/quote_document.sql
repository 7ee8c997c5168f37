	IF sales_crm.setup_lacks('quote_document') THEN
		CREATE TABLE sales_crm.quote_document (
			quote_id bigint NOT NULL,
			purpose text NOT NULL,
			attachment_id bigint NOT NULL,
			html_sha256 bytea NOT NULL,
			sealed text,
			created_at timestamptz NOT NULL DEFAULT now(),
			CONSTRAINT quote_document_pkey PRIMARY KEY (quote_id, purpose),
			CONSTRAINT quote_document_quote_id_fkey FOREIGN KEY (quote_id) REFERENCES sales_crm.quote ON DELETE CASCADE,
			CONSTRAINT quote_document_attachment_id_fkey FOREIGN KEY (attachment_id) REFERENCES sales_crm.attachment ON DELETE CASCADE,
			CONSTRAINT quote_document_purpose_known CHECK (purpose IN ('quote', 'signed'))
		);
		COMMENT ON TABLE sales_crm.quote_document IS
			'PDFs of quotes, made by sales_crm_sender: of what was sent, and of what was signed. A row that is deleted is made again by queue_pdf()';
		COMMENT ON COLUMN sales_crm.quote_document.purpose IS 'quote, or signed: with the evidence of the signature';
		COMMENT ON COLUMN sales_crm.quote_document.html_sha256 IS 'Of the document that it was made of; for quote that is quote.html_sha256';
		COMMENT ON COLUMN sales_crm.quote_document.sealed IS 'Who sealed it; unsealed where that failed and is tried again; NULL = no seal is asked for';
	END IF;
	CREATE INDEX IF NOT EXISTS quote_document_attachment_id_idx ON sales_crm.quote_document (attachment_id);
