	IF sales_crm.setup_lacks('suppressed_address') THEN
		CREATE TABLE sales_crm.suppressed_address (
			address text NOT NULL,
			reason text NOT NULL DEFAULT 'manual',
			detail text,
			created_at timestamptz NOT NULL DEFAULT now(),
			CONSTRAINT suppressed_address_pkey PRIMARY KEY (address),
			CONSTRAINT suppressed_address_address_form CHECK (
				address ~ '^([^@[:space:][:cntrl:]]+@[^@[:space:][:cntrl:]]+|sha256:[0-9a-f]{64})$' AND address = lower(address)),
			CONSTRAINT suppressed_address_reason_known CHECK (reason IN ('bounced', 'complained', 'manual'))
		);
		COMMENT ON TABLE sales_crm.suppressed_address IS
			'Addresses that get no e-mail: those that bounced for good, and those that somebody entered; DELETE one to try again';
		COMMENT ON COLUMN sales_crm.suppressed_address.address IS 'In lower case; hidden_address() of it once erase_person() was asked to forget it';
		COMMENT ON COLUMN sales_crm.suppressed_address.detail IS 'What the other side said';
	END IF;
