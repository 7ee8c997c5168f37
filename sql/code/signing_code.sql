-- The code that a customer gets by e-mail before signing, where the template asks for it.
--
-- A wrong code is an error, and an error rolls back: counting attempts where they are compared would
-- count none. So digits are presented first, which spends an attempt and says nothing; signing looks
-- for the right ones among those that another transaction, a committed one, has presented.

CREATE FUNCTION sales_crm.make_signing_code()
RETURNS text LANGUAGE c VOLATILE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'scrm_make_signing_code';
COMMENT ON FUNCTION sales_crm.make_signing_code() IS
	'Six digits, each number of 000000 to 999999 as likely as the others';

CREATE FUNCTION sales_crm.signing_code_sha256(salt bytea, code text)
RETURNS bytea LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$ SELECT sha256(salt || convert_to(regexp_replace(code, '\s', '', 'g'), 'UTF8')) $$;
COMMENT ON FUNCTION sales_crm.signing_code_sha256(bytea, text) IS
	'What is kept of a code; spaces that were typed in it do not count';

CREATE FUNCTION sales_crm.request_signing_code(token text)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link CONSTANT record := sales_crm.find_quote_link(token, true);
	opened CONSTANT record := sales_crm.open_quote(token);
	now CONSTANT timestamptz := clock_timestamp();
	code CONSTANT text := sales_crm.make_signing_code();
	-- The same 32 random bytes that a token is made of
	salt CONSTANT bytea := sales_crm.token_sha256(sales_crm.make_token());
	recent bigint;
BEGIN
	IF opened.code_required IS NOT TRUE OR opened.status NOT IN ('sent', 'viewed') THEN
		RAISE EXCEPTION 'quote % asks for no code', opened.quote_number
			USING ERRCODE = 'SC102', DETAIL = format('It is %s.', opened.status);
	END IF;
	IF opened.recipient_email IS NULL THEN
		RAISE EXCEPTION 'signing code cannot be sent'
			USING ERRCODE = 'SC108', DETAIL = 'The link has no e-mail address.',
				HINT = 'Ask the seller for a link that was made for your address.';
	END IF;
	SELECT count(*) INTO recent FROM sales_crm.signing_code c
	WHERE c.quote_link_id = link.quote_link_id AND c.created_at > now - interval '1 hour';
	IF recent >= 5 THEN
		RAISE EXCEPTION 'signing code cannot be sent'
			USING ERRCODE = 'SC108', DETAIL = 'Five codes were sent in an hour.', HINT = 'Try again later.';
	END IF;
	DELETE FROM sales_crm.signing_code c WHERE c.quote_link_id = link.quote_link_id AND c.created_at < now - interval '1 day';
	INSERT INTO sales_crm.signing_code (quote_link_id, salt, code_sha256, created_at, expires_at)
	VALUES (link.quote_link_id, salt, sales_crm.signing_code_sha256(salt, code), now, now + interval '10 minutes');
	PERFORM sales_crm.append_quote_event(link.quote_id, 'code_sent', link.quote_link_id);
	PERFORM sales_crm.queue_email('quote.code', opened.recipient_email, opened.recipient_name, opened.locale,
		jsonb_build_object('code', code, 'quote', jsonb_build_object('number', opened.quote_number, 'title', opened.title)),
		quote_id => link.quote_id, expires_at => now + interval '10 minutes');
END
$$;
COMMENT ON FUNCTION sales_crm.request_signing_code(text) IS
	'E-mails six digits, good for ten minutes, to whom a link was made for; codes before it are good no more. Errors: SC103, SC102 where none is asked for, SC108 without an address or after five in an hour';

CREATE FUNCTION sales_crm.present_signing_code(token text, code text)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	link CONSTANT record := sales_crm.find_quote_link(token, true);
	sent record;
	spent integer;
BEGIN
	SELECT c.signing_code_id, c.salt, c.expires_at INTO sent
	FROM sales_crm.signing_code c WHERE c.quote_link_id = link.quote_link_id ORDER BY c.signing_code_id DESC LIMIT 1;
	SELECT count(*) INTO spent FROM sales_crm.signing_code_attempt a WHERE a.signing_code_id = sent.signing_code_id;
	IF sent.expires_at IS NULL OR sent.expires_at <= clock_timestamp() OR spent >= 5 THEN
		RAISE EXCEPTION 'signing code is spent'
			USING ERRCODE = 'SC108', DETAIL = 'None was sent, it is older than ten minutes, or five attempts were made.',
				HINT = 'Ask for a new one: SELECT sales_crm.request_signing_code(token).';
	END IF;
	INSERT INTO sales_crm.signing_code_attempt (signing_code_id, position, guess_sha256, at)
	VALUES (sent.signing_code_id, spent + 1, sales_crm.signing_code_sha256(sent.salt, coalesce(code, '')), clock_timestamp());
	RETURN 4 - spent;
END
$$;
COMMENT ON FUNCTION sales_crm.present_signing_code(text, text) IS
	'Spends an attempt on digits, before and in another transaction than sign_quote() with the same ones; returns how many are left, and not whether the digits are right. Errors: SC103, SC108 for a code that is spent';

CREATE FUNCTION sales_crm.use_signing_code(quote_link_id bigint, code text)
RETURNS void LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	IF NOT EXISTS (
		SELECT FROM (
			SELECT c.signing_code_id, c.salt, c.code_sha256, c.expires_at FROM sales_crm.signing_code c
			WHERE c.quote_link_id = use_signing_code.quote_link_id ORDER BY c.signing_code_id DESC LIMIT 1) c
		JOIN sales_crm.signing_code_attempt a USING (signing_code_id)
		WHERE c.expires_at > clock_timestamp() AND c.code_sha256 = sales_crm.signing_code_sha256(c.salt, use_signing_code.code)
			AND a.guess_sha256 = c.code_sha256 AND a.claimed_by <> pg_current_xact_id()) THEN
		RAISE EXCEPTION 'signing code is wrong'
			USING ERRCODE = 'SC108', DETAIL = 'It is not the one that was sent last, or was not presented.',
				HINT = 'Present it in a transaction of its own: SELECT sales_crm.present_signing_code(token, code).';
	END IF;
END
$$;
COMMENT ON FUNCTION sales_crm.use_signing_code(bigint, text) IS
	'Called by sign_quote(): returns when a code is right and was presented in time. Errors: SC108';
