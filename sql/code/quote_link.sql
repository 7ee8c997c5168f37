CREATE FUNCTION sales_crm.quote_link_guard()
RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF TG_OP = 'DELETE' THEN
		RAISE EXCEPTION 'links of quotes are kept'
			USING ERRCODE = 'SC101', DETAIL = 'They tell who got the quote.', HINT = 'Make it useless: SELECT sales_crm.revoke_quote_link(…).';
	END IF;
	-- A contact may be deleted
	IF (NEW.quote_link_id, NEW.quote_id, NEW.token_sha256, NEW.token_tail, NEW.channel, NEW.recipient_name, NEW.recipient_email, NEW.created_at, NEW.created_by)
		IS DISTINCT FROM (OLD.quote_link_id, OLD.quote_id, OLD.token_sha256, OLD.token_tail, OLD.channel, OLD.recipient_name, OLD.recipient_email, OLD.created_at, OLD.created_by)
		OR NEW.contact_id IS NOT NULL AND NEW.contact_id IS DISTINCT FROM OLD.contact_id
		OR OLD.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
		OR OLD.first_viewed_at IS NOT NULL AND NEW.first_viewed_at IS DISTINCT FROM OLD.first_viewed_at
		OR NEW.views < OLD.views THEN
		RAISE EXCEPTION 'link % of quote % is not editable', OLD.quote_link_id, OLD.quote_id
			USING ERRCODE = 'SC101', DETAIL = 'A link can expire and be revoked; who got it stays.',
				HINT = 'Make another: SELECT * FROM sales_crm.make_quote_link(…).';
	END IF;
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.quote_link_guard() IS
	'Row trigger of quote_link: links are revoked, not changed or deleted. Errors: SC101';

CREATE FUNCTION sales_crm.add_quote_link(quote_id bigint, channel text DEFAULT 'link', recipient_name text DEFAULT NULL,
	recipient_email text DEFAULT NULL, contact_id bigint DEFAULT NULL, expires_at timestamptz DEFAULT NULL,
	OUT quote_link_id bigint, OUT token text)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_add_quote_link';
COMMENT ON FUNCTION sales_crm.add_quote_link(bigint, text, text, text, bigint, timestamptz) IS
	'make_quote_link(), for those who have locked the quote, and asked already whether the session may and whether it was sent';

CREATE FUNCTION sales_crm.make_quote_link(quote_id bigint, channel text DEFAULT 'link', recipient_name text DEFAULT NULL,
	recipient_email text DEFAULT NULL, contact_id bigint DEFAULT NULL, expires_at timestamptz DEFAULT NULL,
	OUT quote_link_id bigint, OUT token text)
RETURNS record LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	quote record;
BEGIN
	PERFORM sales_crm.require_quote(quote_id);
	quote := sales_crm.lock_quote(quote_id);
	IF quote.sent_at IS NULL OR quote.status IN ('withdrawn', 'superseded') THEN
		RAISE EXCEPTION 'quote % has no links', quote.number
			USING ERRCODE = 'SC102', DETAIL = format('Its status is %s.', quote.status),
				HINT = 'SELECT * FROM sales_crm.send_quote(…) makes the first link of a draft.';
	END IF;
	SELECT l.quote_link_id, l.token INTO quote_link_id, token
	FROM sales_crm.add_quote_link(quote_id, channel, recipient_name, recipient_email, contact_id, expires_at) l;
END
$$;
COMMENT ON FUNCTION sales_crm.make_quote_link(bigint, text, text, text, bigint, timestamptz) IS
	'Makes a link to a quote that was sent, and returns its token, which is shown this once. A link of the same recipient and channel before it is revoked, which is how one is issued anew. Address and name: the contact''s when not given. Errors: P0002, SC102 before sending and after withdrawal, 23514 for a bad address or channel';

CREATE FUNCTION sales_crm.revoke_quote_link(quote_link_id bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_variable
DECLARE
	link record;
BEGIN
	SELECT l.quote_id, l.revoked_at INTO link FROM sales_crm.quote_link l WHERE l.quote_link_id = revoke_quote_link.quote_link_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION 'link % does not exist', quote_link_id USING ERRCODE = 'no_data_found';
	END IF;
	PERFORM sales_crm.require_quote(link.quote_id);
	PERFORM sales_crm.lock_quote(link.quote_id);
	UPDATE sales_crm.quote_link l SET revoked_at = clock_timestamp()
	WHERE l.quote_link_id = revoke_quote_link.quote_link_id AND l.revoked_at IS NULL;
	IF FOUND THEN
		PERFORM sales_crm.append_quote_event(link.quote_id, 'link_revoked', data => jsonb_build_object('link', quote_link_id::text));
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.revoke_quote_link(bigint) IS
	'Makes a link lead nowhere, for good. Errors: P0002';

CREATE FUNCTION sales_crm.find_quote_link(token text, locking boolean, OUT quote_id bigint, OUT quote_link_id bigint)
RETURNS record LANGUAGE c
AS 'MODULE_PATHNAME', 'scrm_find_quote_link';
COMMENT ON FUNCTION sales_crm.find_quote_link(text, boolean) IS
	'The quote that a token leads to; locking says whether to lock it, after its opportunity. Errors: SC103 for a token that is unknown, revoked, expired or malformed, all alike';

CREATE FUNCTION sales_crm.quote_successor(quote_link_id bigint)
RETURNS bigint LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE later AS (
		SELECT l.quote_id, lower(coalesce(l.recipient_email, l.recipient_name, '')) AS recipient, 0 AS step
		FROM sales_crm.quote_link l WHERE l.quote_link_id = $1
		UNION ALL
		SELECT q.quote_id, v.recipient, v.step + 1 FROM later v JOIN sales_crm.quote q ON q.supersedes_id = v.quote_id
	)
	SELECT v.quote_id FROM later v JOIN sales_crm.quote q USING (quote_id)
	WHERE v.step > 0 AND q.sent_at IS NOT NULL AND q.status <> 'withdrawn' AND EXISTS (
		SELECT FROM sales_crm.quote_link n
		WHERE n.quote_id = v.quote_id AND n.revoked_at IS NULL AND (n.expires_at IS NULL OR n.expires_at > clock_timestamp())
			AND lower(coalesce(n.recipient_email, n.recipient_name, '')) = v.recipient)
	ORDER BY v.step DESC LIMIT 1
$$;
COMMENT ON FUNCTION sales_crm.quote_successor(bigint) IS
	'The newest version after a link''s quote that the recipient of the link was sent as well, or NULL';

CREATE FUNCTION sales_crm.follow_quote(token text)
RETURNS text LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link CONSTANT record := sales_crm.find_quote_link(token, false);
	successor CONSTANT bigint := sales_crm.quote_successor(link.quote_link_id);
	made text := sales_crm.make_token();
	made_id bigint;
BEGIN
	IF successor IS NULL THEN
		RAISE EXCEPTION 'quote has no newer version for this recipient'
			USING ERRCODE = 'SC102', HINT = 'Ask the sender for the present one.';
	END IF;
	PERFORM sales_crm.lock_quote(successor);
	INSERT INTO sales_crm.quote_link AS n (quote_id, token_sha256, token_tail, channel, recipient_name, recipient_email, contact_id, follows_id)
	SELECT successor, sales_crm.token_sha256(made), right(made, 4), l.channel, l.recipient_name, l.recipient_email, l.contact_id, l.quote_link_id
	FROM sales_crm.quote_link l WHERE l.quote_link_id = link.quote_link_id
	RETURNING n.quote_link_id INTO made_id;
	PERFORM sales_crm.append_quote_event(successor, 'link_created', made_id, jsonb_build_object('follows', link.quote_link_id::text, 'tail', right(made, 4)));
	RETURN made;
END
$$;
COMMENT ON FUNCTION sales_crm.follow_quote(text) IS
	'The token of a new link to the newest version of a quote, for who holds a link to an older one and was sent the new one, too; earlier links stay in force. Errors: SC103, SC102 when there is none';

CREATE FUNCTION sales_crm.is_past(valid_until date)
RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	RETURN sales_crm.local_date(clock_timestamp()) > $1;
END
$$;
COMMENT ON FUNCTION sales_crm.is_past(date) IS
	'Whether the last day of a quote is over, in the company''s time zone';

CREATE FUNCTION sales_crm.open_quote(token text, ip inet DEFAULT NULL, user_agent text DEFAULT NULL,
	OUT status text, OUT html text, OUT snapshot_sha256 bytea, OUT quote_number text, OUT version integer, OUT title text, OUT locale text,
	OUT currency text, OUT gross text, OUT valid_until date, OUT company jsonb, OUT seller jsonb, OUT recipient_name text, OUT recipient_email text,
	OUT signer_name text, OUT answered_at timestamptz, OUT code_required boolean, OUT has_successor boolean, OUT channel text, OUT has_pdf boolean)
RETURNS record LANGUAGE c STABLE
AS 'MODULE_PATHNAME', 'scrm_open_quote';
COMMENT ON FUNCTION sales_crm.open_quote(text, inet, text) IS
	'What the page behind a link shows: the status of the quote now, its document as it was sent (NULL once withdrawn) and what the forms need. Changes nothing and answers nothing, whoever opens it. Errors: SC103';

CREATE FUNCTION sales_crm.record_view(token text, ip inet DEFAULT NULL, user_agent text DEFAULT NULL)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET enable_seqscan = off
SET jit = off
AS $$
DECLARE
	link record;
	quote record;
BEGIN
	link := sales_crm.find_quote_link(token, true);
	UPDATE sales_crm.quote_link l
	SET views = least(l.views::bigint + 1, 2147483647), last_viewed_at = clock_timestamp(),
		first_viewed_at = coalesce(l.first_viewed_at, clock_timestamp()),
		first_viewed_ip = CASE WHEN l.first_viewed_at IS NULL THEN ip ELSE l.first_viewed_ip END,
		first_viewed_user_agent = CASE WHEN l.first_viewed_at IS NULL THEN left(user_agent, 1000) ELSE l.first_viewed_user_agent END
	WHERE l.quote_link_id = link.quote_link_id;
	UPDATE sales_crm.quote q SET status = 'viewed', viewed_at = clock_timestamp()
	WHERE q.quote_id = link.quote_id AND q.status = 'sent' AND NOT sales_crm.is_past(q.valid_until)
	RETURNING q.* INTO quote;
	IF FOUND THEN
		PERFORM sales_crm.notify_seller(quote.quote_id, 'quote.viewed');
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.record_view(text, inet, text) IS
	'Says that a person looks at the quote behind a link: counts, and makes a sent quote viewed, once. Errors: SC103';
