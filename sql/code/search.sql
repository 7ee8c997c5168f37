CREATE FUNCTION sales_crm.search_query(question text)
RETURNS tsquery LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	language regconfig := (SELECT CASE left(c.locale, 2) WHEN 'fr' THEN 'french' WHEN 'nl' THEN 'dutch' WHEN 'de' THEN 'german'
		WHEN 'en' THEN 'english' WHEN 'es' THEN 'spanish' WHEN 'it' THEN 'italian' WHEN 'pt' THEN 'portuguese' ELSE 'simple' END::regconfig
		FROM sales_crm.company c);
	word text;
	stem text;
	wanted text[] := '{}';
	spoken text[] := '{}';
BEGIN
	FOR word IN
		SELECT DISTINCT l.lexeme FROM unnest(to_tsvector('simple', left(question, 400))) l LIMIT 16
	LOOP
		-- A word of grammar has no stem, and finds nothing unless it is all there is
		stem := (SELECT l.lexeme FROM unnest(to_tsvector(language, word)) l LIMIT 1);
		spoken := spoken || (quote_literal(word) || ':*');
		IF stem IS NOT NULL THEN
			-- As far as the stem is a beginning of the word: happi is none of happy, which happ is
			stem := CASE WHEN language = 'english'::regconfig THEN regexp_replace(stem, 'i$', '') ELSE stem END;
			WHILE left(word, length(stem)) <> stem LOOP
				stem := left(stem, -1);
			END LOOP;
			wanted := wanted || (quote_literal(CASE WHEN length(stem) < 3 THEN word ELSE stem END) || ':*');
		END IF;
	END LOOP;
	IF spoken = '{}' THEN
		RETURN NULL;
	END IF;
	RETURN to_tsquery('simple', array_to_string(CASE WHEN wanted = '{}' THEN spoken ELSE wanted END, ' & '));
END
$$;
COMMENT ON FUNCTION sales_crm.search_query(text) IS
	'A question as search() understands it: every word, by its stem in the company''s language, as the beginning of a word; NULL when it has no words';

CREATE FUNCTION sales_crm.search(question text, max_rows integer DEFAULT 50)
RETURNS TABLE (kind text, record_id bigint, title text, account_id bigint, opportunity_id bigint, rank real)
LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_variable
DECLARE
	query tsquery := sales_crm.search_query(question);
	word text := lower(btrim(question));
	whole boolean := sales_crm.sees_everything();
BEGIN
	IF query IS NULL THEN
		RETURN;
	END IF;
	-- As the owner, since an index by words is of use only where policies do not come first; each row
	-- is then seen or not. From each source at most a thousand are looked at: who gets more has to go
	-- on typing.
	RETURN QUERY
	SELECT f.kind, f.record_id, f.title, f.account_id, f.opportunity_id,
		(ts_rank(f.document, query) * f.weight + CASE WHEN lower(f.title) = word THEN 2
			WHEN starts_with(lower(f.title), word) THEN 1 ELSE 0 END)::real AS rank
	FROM (
		(SELECT 'account' AS kind, a.account_id AS record_id, a.name AS title, a.account_id, NULL::bigint AS opportunity_id, 4 AS weight,
			to_tsvector('simple'::regconfig, a.name || ' ' || coalesce(a.city, '') || ' ' || coalesce(a.email, '') || ' ' || coalesce(a.vat_number, '')) AS document
		FROM sales_crm.account a
		WHERE to_tsvector('simple'::regconfig, a.name || ' ' || coalesce(a.city, '') || ' ' || coalesce(a.email, '') || ' ' || coalesce(a.vat_number, '')) @@ query
			AND (whole OR sales_crm.sees('account', a.account_id))
		LIMIT 1000)
		UNION ALL
		(SELECT 'contact', k.contact_id, k.name, k.account_id, NULL, 4,
			to_tsvector('simple'::regconfig, k.name || ' ' || coalesce(k.email, '') || ' ' || coalesce(k.job_title, ''))
		FROM sales_crm.contact k
		WHERE to_tsvector('simple'::regconfig, k.name || ' ' || coalesce(k.email, '') || ' ' || coalesce(k.job_title, '')) @@ query
			AND (whole OR sales_crm.sees('contact', k.contact_id))
		LIMIT 1000)
		UNION ALL
		(SELECT 'opportunity', o.opportunity_id, o.name, o.account_id, o.opportunity_id, 3,
			to_tsvector('simple'::regconfig, o.name || ' ' || coalesce(left(o.description, 100000), ''))
		FROM sales_crm.opportunity o
		WHERE to_tsvector('simple'::regconfig, o.name || ' ' || coalesce(left(o.description, 100000), '')) @@ query
			AND (whole OR sales_crm.sees('opportunity', o.opportunity_id))
		LIMIT 1000)
		UNION ALL
		(SELECT 'note', n.note_id, left(n.body, 200), n.account_id, n.opportunity_id, 1,
			to_tsvector('simple'::regconfig, left(n.body, 100000))
		FROM sales_crm.note n
		WHERE to_tsvector('simple'::regconfig, left(n.body, 100000)) @@ query
			AND (whole OR sales_crm.sees('note', n.note_id))
		LIMIT 1000)
		UNION ALL
		(SELECT 'email', e.email_id, e.subject, e.account_id, e.opportunity_id, 1,
			to_tsvector('simple'::regconfig, e.subject || ' ' || coalesce(e.from_address, '') || ' ' || coalesce(left(e.body_text, 100000), ''))
		FROM sales_crm.email e
		WHERE to_tsvector('simple'::regconfig, e.subject || ' ' || coalesce(e.from_address, '') || ' ' || coalesce(left(e.body_text, 100000), '')) @@ query
			AND (whole OR sales_crm.sees('email', e.email_id))
		LIMIT 1000)) f
	ORDER BY 6 DESC, f.kind, f.record_id
	LIMIT max_rows;
END
$$;
COMMENT ON FUNCTION sales_crm.search(text, integer) IS
	'Accounts, contacts, opportunities, notes and e-mails with all words of a question, best first: words match by their beginning, so it answers while one types, and by their stem in the company''s language. Looks at no more than 1,000 of each source, among those that the session sees';
