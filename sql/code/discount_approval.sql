CREATE FUNCTION sales_crm.discount_approval_guard()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	member bigint := sales_crm.current_member();
	most numeric := (SELECT c.max_discount_percent_of_managers FROM sales_crm.company c);
	manager boolean := sales_crm.is_manager();
BEGIN
	IF TG_OP = 'INSERT' THEN
		NEW.requested_by := coalesce(NEW.requested_by, member);
		NEW.status := coalesce(NEW.status, 'requested');
	ELSIF OLD.status <> 'requested' OR (NEW.discount_approval_id, NEW.opportunity_id, NEW.discount_percent, NEW.reason, NEW.requested_by, NEW.requested_at)
		IS DISTINCT FROM (OLD.discount_approval_id, OLD.opportunity_id, OLD.discount_percent, OLD.reason, OLD.requested_by, OLD.requested_at)
	THEN
		RAISE EXCEPTION 'a discount approval changes only by its decision'
			USING ERRCODE = 'object_not_in_prerequisite_state',
				DETAIL = format('Request %s is %s.', OLD.discount_approval_id, OLD.status),
				HINT = 'Make another request: SELECT sales_crm.request_discount_approval(…).';
	END IF;
	IF NEW.status <> 'requested' AND NOT manager THEN
		RAISE EXCEPTION 'only managers decide about discounts'
			USING ERRCODE = 'SC201',
				DETAIL = format('%s is no manager.', coalesce('Member ' || member, session_user)),
				HINT = 'Leave status at requested and ask a manager.';
	END IF;
	IF NEW.status = 'approved' AND NEW.discount_percent > most AND member IS NOT NULL THEN
		RAISE EXCEPTION 'discount is above the limit'
			USING ERRCODE = 'SC201',
				DETAIL = format('Managers may approve %s %%, the request is for %s %%.', trim_scale(most), trim_scale(NEW.discount_percent)),
				HINT = 'Reject it, or raise company.max_discount_percent_of_managers.';
	END IF;
	IF NEW.status <> 'requested' AND (TG_OP = 'UPDATE' OR NEW.decided_at IS NULL) THEN
		NEW.decided_by := member;
		NEW.decided_at := now();
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.discount_approval_guard() IS
	'Row trigger of discount_approval: a request is decided once, by a manager. Errors: SC201, 55000';

-- Works as its owner: a seller may ask for a task for a manager.
CREATE FUNCTION sales_crm.discount_approval_follow()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	deal record;
BEGIN
	SELECT o.name, o.owner_id INTO deal FROM sales_crm.opportunity o WHERE o.opportunity_id = NEW.opportunity_id;
	IF NEW.status = 'requested' THEN
		INSERT INTO sales_crm.task (opportunity_id, assignee_id, subject, details, due_on, priority, origin, created_by)
		VALUES (NEW.opportunity_id, (
				SELECT m.member_id FROM sales_crm.member m
				WHERE m.active AND m.is_manager
				ORDER BY m.team_id IS DISTINCT FROM (SELECT q.team_id FROM sales_crm.member q WHERE q.member_id = NEW.requested_by), m.member_id
				LIMIT 1),
			left(format('Approve a discount of %s %%: %s', trim_scale(NEW.discount_percent), deal.name), 400),
			NEW.reason, sales_crm.today(), 'high', 'discount_approval', NEW.requested_by);
		RETURN NULL;
	END IF;
	UPDATE sales_crm.task t SET done_at = now()
	WHERE t.opportunity_id = NEW.opportunity_id AND t.origin = 'discount_approval' AND t.done_at IS NULL;
	INSERT INTO sales_crm.task (opportunity_id, assignee_id, subject, details, due_on, priority, origin, created_by)
	VALUES (NEW.opportunity_id, coalesce(NEW.requested_by, deal.owner_id),
		left(format('Discount of %s %% %s: %s', trim_scale(NEW.discount_percent), NEW.status, deal.name), 400),
		NEW.answer, sales_crm.today(), 'high', 'discount_approval', NEW.decided_by);
	IF NEW.status = 'approved' THEN
		UPDATE sales_crm.opportunity o SET discount_percent = NEW.discount_percent, discount_amount = NULL
		WHERE o.opportunity_id = NEW.opportunity_id;
	END IF;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION sales_crm.discount_approval_follow() IS
	'Row trigger of discount_approval: a request makes a task for a manager (of the team first); its decision completes that, makes one for who asked and, when approved, sets the discount on the opportunity';

CREATE FUNCTION sales_crm.request_discount_approval(opportunity_id bigint, discount_percent numeric, reason text DEFAULT NULL)
RETURNS bigint LANGUAGE sql
SET search_path = pg_catalog, pg_temp
AS $$
	INSERT INTO sales_crm.discount_approval (opportunity_id, discount_percent, reason) VALUES ($1, $2, $3)
	RETURNING discount_approval_id
$$;
COMMENT ON FUNCTION sales_crm.request_discount_approval(bigint, numeric, text) IS
	'Asks a manager for a discount on a whole offer above the limit, and returns the key of the request: the manager gets a task. Errors: 23505 while another request for the opportunity is open';

CREATE FUNCTION sales_crm.decide_discount_approval(discount_approval_id bigint, approve boolean, answer text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
	UPDATE sales_crm.discount_approval d
	SET status = CASE WHEN approve THEN 'approved' ELSE 'rejected' END, answer = decide_discount_approval.answer
	WHERE d.discount_approval_id = decide_discount_approval.discount_approval_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'discount approval % does not exist', decide_discount_approval.discount_approval_id
			USING ERRCODE = 'no_data_found',
				HINT = 'SELECT * FROM sales_crm.discount_approval WHERE status = ''requested'' shows the open ones.';
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.decide_discount_approval(bigint, boolean, text) IS
	'Approves or rejects a request: when approved, the discount is set on the opportunity; either way who asked gets a task. Errors: SC201 unless a manager does it, 55000 when it is decided already, P0002';
