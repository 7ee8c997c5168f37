	IF sales_crm.setup_lacks('exchange_rate') THEN
		CREATE TABLE sales_crm.exchange_rate (
			from_currency text NOT NULL,
			to_currency text NOT NULL,
			valid_on date NOT NULL,
			rate numeric NOT NULL,
			CONSTRAINT exchange_rate_pkey PRIMARY KEY (from_currency, to_currency, valid_on),
			CONSTRAINT exchange_rate_from_currency_fkey FOREIGN KEY (from_currency) REFERENCES sales_crm.currency,
			CONSTRAINT exchange_rate_to_currency_fkey FOREIGN KEY (to_currency) REFERENCES sales_crm.currency,
			CONSTRAINT exchange_rate_between_two CHECK (from_currency <> to_currency),
			CONSTRAINT exchange_rate_valid_on_finite CHECK (isfinite(valid_on)),
			CONSTRAINT exchange_rate_range CHECK (rate > 0 AND rate < 1e15)
		);
		COMMENT ON TABLE sales_crm.exchange_rate IS
			'Exchange rates by day, for forecast_in(): the latest at or before a day counts on it, of the pair or of its inverse';
		COMMENT ON COLUMN sales_crm.exchange_rate.rate IS 'What one unit of from_currency is worth in to_currency';
		COMMENT ON COLUMN sales_crm.exchange_rate.valid_on IS 'First day on which it counts, until that of the next';
	END IF;
	IF sales_crm.setup_lacks('exchange_rate', 'exchange_rate_10_guard') THEN
		CREATE TRIGGER exchange_rate_10_guard BEFORE UPDATE OR DELETE ON sales_crm.exchange_rate
			FOR EACH ROW EXECUTE FUNCTION sales_crm.exchange_rate_guard();
	END IF;
	IF sales_crm.setup_lacks('exchange_rate', 'exchange_rate_10_truncate') THEN
		CREATE TRIGGER exchange_rate_10_truncate BEFORE TRUNCATE ON sales_crm.exchange_rate
			FOR EACH STATEMENT EXECUTE FUNCTION sales_crm.exchange_rate_guard();
	END IF;
