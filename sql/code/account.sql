CREATE FUNCTION sales_crm.account_guard()
RETURNS trigger LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	NEW.owner_id := sales_crm.current_member();
	RETURN NEW;
END
$$;
COMMENT ON FUNCTION sales_crm.account_guard() IS
	'Row trigger of account: a new one without owner belongs to current_member()';

CREATE FUNCTION sales_crm.normal_account_name(name text)
RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
	SELECT btrim(regexp_replace(regexp_replace(regexp_replace(
		translate(lower(name), 'àáâãäåçèéêëìíîïñòóôõöøùúûüýÿ', 'aaaaaaceeeeiiiinoooooouuuuyy'),
		'[.''’]', '', 'g'),
		'[^[:alnum:]]+', ' ', 'g'),
		'(^| )(the|bv|bvba|nv|vof|srl|sprl|sa|sas|sarl|scrl|cv|asbl|vzw|gmbh|ag|kg|ohg|ug|ltd|limited|plc|llc|inc|corp|co|company)(?= |$)', '', 'g'))
$$;
COMMENT ON FUNCTION sales_crm.normal_account_name(text) IS
	'A name by which the same company is recognised: lower case without accents, punctuation and legal forms';

CREATE FUNCTION sales_crm.find_duplicate_accounts()
RETURNS TABLE (account_id bigint, name text, duplicate_id bigint, duplicate_name text, reasons text[])
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	trigrams text := (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm');
BEGIN
	RETURN QUERY EXECUTE $sql$
		WITH key AS MATERIALIZED (
			SELECT a.account_id, v.reason, v.value
			FROM sales_crm.account a
			CROSS JOIN LATERAL (VALUES
				('name', nullif(sales_crm.normal_account_name(a.name), '')),
				('domain', (SELECT d FROM (SELECT coalesce(
						lower(substring(a.website FROM '^(?:[a-zA-Z]+://)?(?:[wW]{3}\.)?([^/:?#\s]+\.[^/:?#\s]+)')),
						lower(substring(a.email FROM '@(.+)$'))) AS d) x
					WHERE d !~ '^(gmail|googlemail|hotmail|outlook|live|yahoo|icloud|gmx|web|proton|protonmail|telenet|skynet|orange|free)\.')),
				('vat_number', nullif(upper(regexp_replace(a.vat_number, '[^a-zA-Z0-9]', '', 'g')), '')),
				-- The last digits: countries and zeros before them are written in many ways
				('phone', (SELECT right(d, 8) FROM (SELECT regexp_replace(a.phone, '\D', '', 'g') AS d) x WHERE length(d) >= 8))
			) AS v (reason, value)
			WHERE v.value IS NOT NULL),
		pair AS (
			SELECT x.account_id, y.account_id AS duplicate_id, x.reason
			FROM key x JOIN key y ON x.reason = y.reason AND x.value = y.value AND x.account_id < y.account_id
			$sql$ || CASE WHEN trigrams IS NULL THEN '' ELSE format($sql$
			UNION
			-- Only accounts that share the beginning of a word are compared
			SELECT x.account_id, y.account_id, 'similar name'
			FROM (SELECT DISTINCT k.account_id, k.value, left(w, 4) AS word FROM key k, regexp_split_to_table(k.value, ' ') w WHERE k.reason = 'name' AND length(w) >= 3) x
			JOIN (SELECT DISTINCT k.account_id, k.value, left(w, 4) AS word FROM key k, regexp_split_to_table(k.value, ' ') w WHERE k.reason = 'name' AND length(w) >= 3) y
				ON x.word = y.word AND x.account_id < y.account_id AND x.value <> y.value AND %s.similarity(x.value, y.value) >= 0.6
			$sql$, trigrams) END || $sql$
		)
		SELECT p.account_id, a.name, p.duplicate_id, b.name, array_agg(p.reason ORDER BY p.reason)
		FROM pair p
		JOIN sales_crm.account a ON a.account_id = p.account_id
		JOIN sales_crm.account b ON b.account_id = p.duplicate_id
		GROUP BY p.account_id, a.name, p.duplicate_id, b.name
		ORDER BY count(*) DESC, p.account_id, p.duplicate_id
	$sql$;
END
$$;
COMMENT ON FUNCTION sales_crm.find_duplicate_accounts() IS
	'Pairs of accounts that may be the same, with why: name (normal_account_name()), domain of website or e-mail, vat_number, phone, and similar name where pg_trgm is installed; more reasons first';

CREATE FUNCTION sales_crm.merge_accounts(keep bigint, remove bigint)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	reference record;
BEGIN
	IF keep = remove THEN
		RAISE EXCEPTION 'an account cannot be merged with itself'
			USING ERRCODE = 'invalid_parameter_value', HINT = 'Name two accounts.';
	END IF;
	IF NOT sales_crm.is_manager() THEN
		RAISE EXCEPTION 'only managers merge accounts'
			USING ERRCODE = 'SC201', HINT = 'Ask a manager.';
	END IF;
	-- In the order of keys, so that two merges do not wait for each other
	PERFORM FROM sales_crm.account a WHERE a.account_id IN (keep, remove) ORDER BY a.account_id FOR UPDATE;
	IF (SELECT count(*) FROM sales_crm.account a WHERE a.account_id IN (keep, remove) AND sales_crm.sees('account', a.account_id)) < 2 THEN
		RAISE EXCEPTION 'account does not exist'
			USING ERRCODE = 'no_data_found', DETAIL = format('Asked for were %s and %s.', keep, remove);
	END IF;
	INSERT INTO sales_crm.account_merge (removed_id, kept_id, removed, by)
	SELECT a.account_id, keep, to_jsonb(a), sales_crm.current_member() FROM sales_crm.account a WHERE a.account_id = remove;
	-- Every foreign key to account, of the user's tables, too: those of the same owner, since their
	-- triggers run with its rights. Rows of other people's tables make the last statement fail.
	FOR reference IN
		SELECT k.conrelid::regclass AS relation, a.attname AS field
		FROM pg_constraint k JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[1]
		WHERE k.contype = 'f' AND k.confrelid = 'sales_crm.account'::regclass AND cardinality(k.conkey) = 1 AND k.conparentid = 0
			AND (SELECT c.relowner FROM pg_class c WHERE c.oid = k.conrelid) = (SELECT c.relowner FROM pg_class c WHERE c.oid = k.confrelid)
		ORDER BY k.conrelid::regclass::text COLLATE "C", a.attname
	LOOP
		EXECUTE format('UPDATE %s SET %2$I = $1 WHERE %2$I = $2', reference.relation, reference.field) USING keep, remove;
	END LOOP;
	-- What is not known of the one that stays
	UPDATE sales_crm.account k
	SET email = coalesce(k.email, r.email), phone = coalesce(k.phone, r.phone), website = coalesce(k.website, r.website),
		vat_number = coalesce(k.vat_number, r.vat_number), owner_id = coalesce(k.owner_id, r.owner_id), custom = r.custom || k.custom,
		(street, postal_code, city, country) = (SELECT CASE WHEN x THEN k.street ELSE r.street END, CASE WHEN x THEN k.postal_code ELSE r.postal_code END,
			CASE WHEN x THEN k.city ELSE r.city END, CASE WHEN x THEN k.country ELSE r.country END
			FROM (SELECT num_nonnulls(k.street, k.postal_code, k.city) > 0 AS x) y)
	FROM sales_crm.account r WHERE k.account_id = keep AND r.account_id = remove;
	DELETE FROM sales_crm.account a WHERE a.account_id = remove;
END
$$;
COMMENT ON FUNCTION sales_crm.merge_accounts(bigint, bigint) IS
	'Makes one account of two: everything that refers to remove, closed opportunities and rows of your own tables too, goes to keep, which also gets what it lacks; account_merge keeps the trace. Errors: SC201 unless a manager does it, P0002 when one does not exist, 22023 for the same, 23503 while tables of another owner refer to it';
