	IF fresh THEN
		CREATE TABLE sales_crm.schema_version (
			version integer CONSTRAINT schema_version_pkey PRIMARY KEY,
			applied_at timestamptz NOT NULL DEFAULT now()
		);
		COMMENT ON TABLE sales_crm.schema_version IS
			'Which versions of the tables setup() has brought this database to; the highest is the present one';
		INSERT INTO sales_crm.schema_version (version) VALUES (sales_crm.setup_version());
	END IF;
