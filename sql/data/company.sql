	IF sales_crm.setup_lacks('company') THEN
		CREATE TABLE sales_crm.company (
			company_id smallint NOT NULL DEFAULT 1,
			name text NOT NULL DEFAULT 'Our company',
			address text,
			vat_number text,
			logo bytea,
			brand_color text NOT NULL DEFAULT '#1f4e79',
			locale text NOT NULL DEFAULT 'en',
			time_zone text NOT NULL DEFAULT 'UTC',
			currency text NOT NULL DEFAULT 'EUR',
			portal_url text,
			sender_email text,
			bounce_email text,
			keep_messages_days integer NOT NULL DEFAULT 90,
			vat_method text NOT NULL DEFAULT 'en16931',
			prices_include_tax boolean NOT NULL DEFAULT false,
			max_discount_percent numeric(7,4),
			max_discount_percent_of_managers numeric(7,4),
			fiscal_year_start_month smallint NOT NULL DEFAULT 1,
			attachment_max_bytes integer NOT NULL DEFAULT 26214400,
			visibility text NOT NULL DEFAULT 'team',
			log_access boolean NOT NULL DEFAULT false,
			quote_number_format text NOT NULL DEFAULT 'Q{year}-{00000}',
			signing_supersedes_others boolean NOT NULL DEFAULT true,
			declining_closes boolean NOT NULL DEFAULT false,
			declining_lost_reason_id bigint,
			expiring_closes boolean NOT NULL DEFAULT false,
			CONSTRAINT company_pkey PRIMARY KEY (company_id),
			CONSTRAINT company_one_row CHECK (company_id = 1),
			CONSTRAINT company_currency_fkey FOREIGN KEY (currency) REFERENCES sales_crm.currency,
			CONSTRAINT company_name_length CHECK (char_length(name) BETWEEN 1 AND 200 AND name ~ '\S'),
			CONSTRAINT company_brand_color_form CHECK (brand_color ~ '^#[0-9a-fA-F]{6}$'),
			CONSTRAINT company_locale_form CHECK (locale ~ '^[a-z]{2}([_-][A-Z]{2})?$'),
			CONSTRAINT company_portal_url_form CHECK (portal_url ~ '^https?://[^[:space:][:cntrl:]]+$'),
			CONSTRAINT company_sender_email_form CHECK (sender_email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'),
			CONSTRAINT company_bounce_email_form CHECK (bounce_email ~ '^[^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+$'),
			CONSTRAINT company_keep_messages_days_range CHECK (keep_messages_days BETWEEN 1 AND 3650),
			CONSTRAINT company_vat_method_known CHECK (vat_method IN ('en16931', 'per_line')),
			CONSTRAINT company_max_discount_percent_range CHECK (max_discount_percent BETWEEN 0 AND 100),
			CONSTRAINT company_max_discount_percent_of_managers_range CHECK (max_discount_percent_of_managers BETWEEN 0 AND 100),
			CONSTRAINT company_fiscal_year_start_month_range CHECK (fiscal_year_start_month BETWEEN 1 AND 12),
			CONSTRAINT company_visibility_known CHECK (visibility IN ('own', 'team', 'all')),
			CONSTRAINT company_quote_number_format_form CHECK (char_length(quote_number_format) <= 60
				AND quote_number_format ~ '^[^{}[:cntrl:]]*(\{year\}[^{}]*\{0{1,9}\}|\{0{1,9}\}[^{}]*\{year\})[^{}[:cntrl:]]*$'),
			CONSTRAINT company_attachment_max_bytes_range CHECK (attachment_max_bytes BETWEEN 0 AND 268435456)
		);
		COMMENT ON TABLE sales_crm.company IS 'The company whose CRM this database is: one row';
		COMMENT ON COLUMN sales_crm.company.locale IS 'Language of texts, such as en, fr, nl or de; decides nothing else';
		COMMENT ON COLUMN sales_crm.company.time_zone IS 'IANA name; says on which day and in which month something happens';
		COMMENT ON COLUMN sales_crm.company.currency IS 'ISO 4217 code of opportunities that name none';
		COMMENT ON COLUMN sales_crm.company.brand_color IS '#rrggbb';
		COMMENT ON COLUMN sales_crm.company.portal_url IS 'Address under which customers reach their quotes';
		COMMENT ON COLUMN sales_crm.company.sender_email IS 'From address of e-mails';
		COMMENT ON COLUMN sales_crm.company.bounce_email IS
			'Address that e-mails which cannot be delivered come back to, with % where each one''s own part goes, such as bounce+%@example.com; NULL = sender_email';
		COMMENT ON COLUMN sales_crm.company.keep_messages_days IS 'How long delivered and dead messages of the outbox are kept';
		COMMENT ON COLUMN sales_crm.company.vat_method IS 'Of new opportunities. en16931: VAT once per rate on the discounted base; per_line: VAT rounded per line';
		COMMENT ON COLUMN sales_crm.company.prices_include_tax IS 'Whether prices of the catalogue, and of new opportunities, include VAT';
		COMMENT ON COLUMN sales_crm.company.max_discount_percent IS
			'Most that members may give, on a line and on an offer with its lines; more needs discount_approval. NULL = no limit';
		COMMENT ON COLUMN sales_crm.company.max_discount_percent_of_managers IS 'The same for managers';
		COMMENT ON COLUMN sales_crm.company.attachment_max_bytes IS 'Size up to which files are accepted, signed documents excepted; at most 256 MiB';
		COMMENT ON COLUMN sales_crm.company.visibility IS
			'Whose rows members see: own, team (with the teams below it) or all; member.visibility beats it. Managers see at least their team';
		COMMENT ON COLUMN sales_crm.company.quote_number_format IS
			'Numbers of quotes: {year}, and {00000} for the number within the year with at least so many digits';
		COMMENT ON COLUMN sales_crm.company.signing_supersedes_others IS
			'Whether the signature of one quote supersedes the other open quotes of its opportunity; else they stay open';
		COMMENT ON COLUMN sales_crm.company.declining_closes IS
			'Whether declining closes the opportunity as lost, unless another of its quotes is open';
		COMMENT ON COLUMN sales_crm.company.declining_lost_reason_id IS 'Reason of opportunities that are lost so';
		COMMENT ON COLUMN sales_crm.company.expiring_closes IS
			'Whether the expiry of a quote moves the opportunity to a phase whose outcome is expired, unless another of its quotes is open';
		COMMENT ON COLUMN sales_crm.company.log_access IS 'Whether access_log remembers who downloads attachments and exports or erases personal data';
		INSERT INTO sales_crm.company DEFAULT VALUES;
	END IF;
	IF sales_crm.setup_lacks('company', 'company_10_guard') THEN
		CREATE TRIGGER company_10_guard BEFORE INSERT OR UPDATE OR DELETE ON sales_crm.company
			FOR EACH ROW EXECUTE FUNCTION sales_crm.company_guard();
	END IF;
	IF sales_crm.setup_lacks('company', 'company_10_truncate') THEN
		CREATE TRIGGER company_10_truncate BEFORE TRUNCATE ON sales_crm.company
			FOR EACH STATEMENT EXECUTE FUNCTION sales_crm.company_guard();
	END IF;
	PERFORM sales_crm.setup_configuration_triggers('company', 'UPDATE OF time_zone');
