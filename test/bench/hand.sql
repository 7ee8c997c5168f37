-- The tables of sales_crm once more, with all constraints and indexes, without triggers.
CREATE SCHEMA hand;
DO $$
DECLARE
	relation text;
	made record;
BEGIN
	FOREACH relation IN ARRAY array['opportunity', 'phase_stay', 'opportunity_change', 'task', 'forecast_ledger'] LOOP
		EXECUTE format('CREATE TABLE hand.%I (LIKE sales_crm.%I INCLUDING ALL)', relation, relation);
		FOR made IN
			SELECT conname, pg_get_constraintdef(oid) AS definition FROM pg_constraint
			WHERE conrelid = ('sales_crm.' || relation)::regclass AND contype = 'f'
		LOOP
			EXECUTE format('ALTER TABLE hand.%I ADD CONSTRAINT %I %s', relation, made.conname,
				replace(made.definition, 'sales_crm.opportunity(', 'hand.opportunity('));
		END LOOP;
	END LOOP;
END
$$;
