	IF sales_crm.setup_lacks('unit') THEN
		CREATE TABLE sales_crm.unit (
			code text NOT NULL,
			name text NOT NULL,
			active boolean NOT NULL DEFAULT true,
			CONSTRAINT unit_pkey PRIMARY KEY (code),
			CONSTRAINT unit_code_form CHECK (code ~ '^[A-Z0-9]{2,3}$'),
			CONSTRAINT unit_name_length CHECK (char_length(name) BETWEEN 1 AND 200 AND name ~ '\S')
		);
		COMMENT ON TABLE sales_crm.unit IS 'Units in which products are sold';
		COMMENT ON COLUMN sales_crm.unit.code IS 'Code of UN/ECE Recommendation 20 (or 21, after an X), as e-invoices want it';
		COMMENT ON COLUMN sales_crm.unit.name IS 'What people read';
		COMMENT ON COLUMN sales_crm.unit.active IS 'False: no longer offered; old lines keep it';
		INSERT INTO sales_crm.unit (code, name)
		SELECT code, en FROM sales_crm.seed_units();
	END IF;
