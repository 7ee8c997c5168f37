CREATE FUNCTION sales_crm.housekeeping(OUT job text, OUT done bigint)
RETURNS SETOF record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- Who comes second has nothing to do
	IF NOT pg_try_advisory_xact_lock('sales_crm'::regnamespace::oid::integer, 2) THEN
		RETURN;
	END IF;
	job := 'compact_forecast';
	done := sales_crm.compact_forecast(100000);
	RETURN NEXT;
	job := 'expire_quotes';
	done := sales_crm.expire_quotes();
	RETURN NEXT;
	job := 'remind_quotes';
	done := sales_crm.remind_quotes();
	RETURN NEXT;
	job := 'apply_retention';
	done := sales_crm.apply_retention();
	RETURN NEXT;
	job := 'remind_members';
	done := sales_crm.remind_members();
	RETURN NEXT;
	job := 'prune_messages';
	done := sales_crm.prune_messages();
	RETURN NEXT;
	-- Last: it has what the others appended, and waits for nobody
	job := 'checkpoint_quote_events';
	done := sales_crm.checkpoint_quote_events();
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION sales_crm.housekeeping() IS
	'What is to be done now and then, each minute say: folds the forecast''s ledger, writes down which quotes have expired, reminds of quotes, extends the chain over the events of quotes, applies retention rules, gives members their reminders, forgets old messages. One row per job with how much it did; no row while another session is at it';
