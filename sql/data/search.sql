	-- What search() finds by, an index per source. Words as they are written, in the configuration
	-- simple, which no setting changes; the language comes in with the question.
	CREATE INDEX IF NOT EXISTS account_search_idx ON sales_crm.account USING gin
		(to_tsvector('simple'::regconfig, name || ' ' || coalesce(city, '') || ' ' || coalesce(email, '') || ' ' || coalesce(vat_number, '')));
	CREATE INDEX IF NOT EXISTS contact_search_idx ON sales_crm.contact USING gin
		(to_tsvector('simple'::regconfig, name || ' ' || coalesce(email, '') || ' ' || coalesce(job_title, '')));
	CREATE INDEX IF NOT EXISTS opportunity_search_idx ON sales_crm.opportunity USING gin
		(to_tsvector('simple'::regconfig, name || ' ' || coalesce(left(description, 100000), '')));
	CREATE INDEX IF NOT EXISTS note_search_idx ON sales_crm.note USING gin
		(to_tsvector('simple'::regconfig, left(body, 100000)));
	CREATE INDEX IF NOT EXISTS email_search_idx ON sales_crm.email USING gin
		(to_tsvector('simple'::regconfig, subject || ' ' || coalesce(from_address, '') || ' ' || coalesce(left(body_text, 100000), '')));
