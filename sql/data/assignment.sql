	IF sales_crm.setup_lacks('opportunity_change', 'opportunity_change_60_tell') THEN
		CREATE TRIGGER opportunity_change_60_tell AFTER INSERT ON sales_crm.opportunity_change
			FOR EACH ROW WHEN (NEW.field = 'owner_id') EXECUTE FUNCTION sales_crm.tell_assignment();
	END IF;
	IF sales_crm.setup_lacks('task_change', 'task_change_60_tell') THEN
		CREATE TRIGGER task_change_60_tell AFTER INSERT ON sales_crm.task_change
			FOR EACH ROW WHEN (NEW.field = 'assignee_id') EXECUTE FUNCTION sales_crm.tell_assignment();
	END IF;
	IF sales_crm.setup_lacks('task', 'task_60_tell') THEN
		-- Those of rules come with each opportunity, and one's own are no news
		CREATE TRIGGER task_60_tell AFTER INSERT ON sales_crm.task
			FOR EACH ROW WHEN (NEW.assignee_id IS NOT NULL AND NEW.origin <> 'follow_up' AND NEW.assignee_id IS DISTINCT FROM NEW.created_by)
			EXECUTE FUNCTION sales_crm.tell_assignment();
	END IF;
