-- Promise: quote_funnel says what became of the quotes that were sent. Facts are drawn at random,
-- acted out with the verbs, and added up here one by one, without the view's tables.
BEGIN;
SELECT plan(7);
SET client_min_messages = warning;
SELECT round(random()::numeric, 6) AS seed \gset
SELECT setseed(:seed) \g /dev/null

-- Months end elsewhere than in the time zone of the session
SET timezone = 'UTC';
UPDATE sales_crm.company SET time_zone = 'Pacific/Auckland';
INSERT INTO sales_crm.member (name) VALUES ('Ann'), ('Ben');
INSERT INTO sales_crm.account (name) VALUES ('Acme');
-- What happens to each: half are sent near the end of a month
CREATE TEMP TABLE fact AS
SELECT n, (array[NULL, 'Ann', 'Ben'])[1 + floor(random() * 3)] AS owner, (array['EUR', 'USD'])[1 + floor(random() * 2)] AS currency, floor(random() * 100000) / 100 + 1 AS price,
	timestamptz '2026-01-31 11:00+00' + floor(random() * 3) * interval '1 month' + (random() - 0.5) * (CASE WHEN random() < 0.5 THEN interval '2 hours' ELSE interval '20 days' END) AS sent_at,
	(array['draft', 'nothing', 'viewed', 'signed', 'paper', 'change', 'declined', 'expired', 'past', 'withdrawn'])[1 + floor(random() * 10)] AS fate,
	random() * interval '50 hours' AS until_view, random() * interval '100 hours' AS until_answer,
	NULL::bigint AS quote_id, NULL::text AS token
FROM generate_series(1, 150) n;
DO $$
DECLARE
	f record;
	made bigint;
	hash bytea;
	link text;
BEGIN
	FOR f IN SELECT * FROM pg_temp.fact LOOP
		INSERT INTO sales_crm.opportunity (name, account_id, currency, owner_id)
		SELECT 'Deal ' || f.n, a.account_id, f.currency, (SELECT m.member_id FROM sales_crm.member m WHERE m.name = f.owner) FROM sales_crm.account a RETURNING opportunity_id INTO made;
		INSERT INTO sales_crm.product_line (opportunity_id, name, unit_price) VALUES (made, 'Lamp', f.price);
		made := sales_crm.create_quote(made);
		UPDATE pg_temp.fact SET quote_id = made WHERE n = f.n;
		CONTINUE WHEN f.fate = 'draft';
		link := (sales_crm.send_quote(made)).token;
		SELECT q.snapshot_sha256 INTO hash FROM sales_crm.quote q WHERE q.quote_id = made;
		IF f.fate IN ('viewed', 'signed', 'change', 'declined') OR f.n % 3 = 0 AND f.fate <> 'nothing' THEN
			PERFORM sales_crm.record_view(link);
		END IF;
		CASE f.fate
			WHEN 'signed' THEN PERFORM sales_crm.sign_quote(link, hash, 'An', request_key => 'k', consent_text => 'I agree.');
			WHEN 'paper' THEN PERFORM sales_crm.record_paper_signature(made, 'An', 'scan');
			WHEN 'change' THEN PERFORM sales_crm.request_change(link, 'Blue', request_key => 'k');
			WHEN 'declined' THEN PERFORM sales_crm.decline_quote(link, request_key => 'k');
			WHEN 'withdrawn' THEN PERFORM sales_crm.withdraw_quote(made);
			ELSE NULL;
		END CASE;
	END LOOP;
END
$$;
-- The times of the facts; two ways of being expired: by time, and written down
SET session_replication_role = replica;
UPDATE sales_crm.quote q SET sent_at = f.sent_at, viewed_at = CASE WHEN q.viewed_at IS NOT NULL THEN f.sent_at + f.until_view END,
	answered_at = CASE WHEN q.answered_at IS NOT NULL THEN f.sent_at + f.until_view + f.until_answer END,
	valid_until = CASE WHEN f.fate IN ('past', 'expired') THEN sales_crm.today() - 1 ELSE sales_crm.today() END
FROM fact f WHERE f.quote_id = q.quote_id AND q.sent_at IS NOT NULL;
UPDATE sales_crm.signature s SET signed_at = f.sent_at + f.until_view + f.until_answer FROM fact f WHERE f.quote_id = s.quote_id;
UPDATE sales_crm.quote q SET status = 'expired' FROM fact f WHERE f.quote_id = q.quote_id AND f.fate = 'expired';
SET session_replication_role = origin;

-- middle(HOURS): the median, by sorting and counting
CREATE FUNCTION pg_temp.middle(hours numeric[]) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
	sorted CONSTANT numeric[] := array(SELECT h FROM unnest(hours) h WHERE h IS NOT NULL ORDER BY h);
	n CONSTANT integer := cardinality(sorted);
BEGIN
	RETURN CASE WHEN n > 0 THEN (sorted[(n + 1) / 2] + sorted[n / 2 + 1]) / 2 END;
END
$$;
CREATE TEMP TABLE expected (month date, owner text, currency text, sent int DEFAULT 0, viewed int DEFAULT 0, answered int DEFAULT 0, signed int DEFAULT 0,
	changes int DEFAULT 0, declined int DEFAULT 0, expired int DEFAULT 0, withdrawn int DEFAULT 0, sent_net numeric DEFAULT 0, signed_net numeric DEFAULT 0,
	to_view numeric[] DEFAULT '{}', to_answer numeric[] DEFAULT '{}', to_signature numeric[] DEFAULT '{}', PRIMARY KEY (month, owner, currency));
DO $$
DECLARE
	f record;
	is_signed boolean;
	is_answered boolean;
	is_viewed boolean;
	view_hours numeric;
	answer_hours numeric;
BEGIN
	FOR f IN SELECT x.*, to_char(x.sent_at AT TIME ZONE 'Pacific/Auckland', 'YYYY-MM-01')::date AS month, coalesce(x.owner, '–') AS whose FROM pg_temp.fact x WHERE x.fate <> 'draft' LOOP
		INSERT INTO pg_temp.expected (month, owner, currency) VALUES (f.month, f.whose, f.currency) ON CONFLICT DO NOTHING;
		is_signed := f.fate IN ('signed', 'paper');
		is_answered := is_signed OR f.fate IN ('change', 'declined');
		is_viewed := f.fate IN ('viewed', 'signed', 'change', 'declined') OR f.n % 3 = 0 AND f.fate <> 'nothing';
		view_hours := extract(epoch FROM f.until_view) / 3600;
		answer_hours := extract(epoch FROM f.until_answer) / 3600;
		UPDATE pg_temp.expected e SET sent = sent + 1, viewed = viewed + is_viewed::int, answered = answered + is_answered::int, signed = signed + is_signed::int,
			changes = changes + (f.fate = 'change')::int, declined = declined + (f.fate = 'declined')::int, expired = expired + (f.fate IN ('past', 'expired'))::int,
			withdrawn = withdrawn + (f.fate = 'withdrawn')::int, sent_net = sent_net + f.price, signed_net = signed_net + f.price * is_signed::int,
			to_view = to_view || CASE WHEN is_viewed THEN view_hours END, to_answer = to_answer || CASE WHEN is_viewed AND is_answered THEN answer_hours END,
			to_signature = to_signature || CASE WHEN is_signed THEN view_hours + answer_hours END
		WHERE e.month = f.month AND e.owner = f.whose AND e.currency = f.currency;
	END LOOP;
END
$$;

SELECT cmp_ok((SELECT count(*) FROM expected), '>=', 12::bigint, 'the facts are of several months, owners and currencies');
SELECT bag_eq('SELECT month, owner, currency, sent::int, viewed::int, answered::int, signed::int, changes_requested::int, declined::int, expired::int, withdrawn::int FROM sales_crm.quote_funnel',
	'SELECT month, owner, currency, sent, viewed, answered, signed, changes, declined, expired, withdrawn FROM expected', 'counts are those of the facts, seed ' || :seed);
SELECT bag_eq('SELECT month, owner, currency, sent_net::numeric, signed_net::numeric, signed_percent::numeric FROM sales_crm.quote_funnel',
	'SELECT month, owner, currency, sent_net, signed_net, round(100.0 * signed / sent, 2) FROM expected', 'so are amounts, seed ' || :seed);
-- Rounded here and there: a hundredth may differ
SELECT is_empty($$
	SELECT e.month, e.owner, e.currency, v.have, v.want
	FROM expected e JOIN sales_crm.quote_funnel f USING (month, owner, currency)
	CROSS JOIN LATERAL (VALUES (f.median_hours_to_view, pg_temp.middle(e.to_view)), (f.median_hours_from_view_to_answer, pg_temp.middle(e.to_answer)),
		(f.median_hours_to_signature, pg_temp.middle(e.to_signature))) v (have, want)
	WHERE num_nulls(v.have, v.want) = 1 OR abs(v.have - v.want) > 0.01$$, 'medians are in the middle, seed ' || :seed);
SELECT results_eq('SELECT DISTINCT owner_id, owner FROM sales_crm.quote_funnel ORDER BY 1', $$SELECT 0::bigint, '–' UNION SELECT member_id, name FROM sales_crm.member ORDER BY 1$$, 'owners by key and name');
SELECT is((SELECT sum(sent) FROM sales_crm.quote_funnel), (SELECT count(*)::numeric FROM fact WHERE fate <> 'draft'), 'drafts are not in it, all others once');
-- A version counts by itself
SELECT sum(sent) AS before FROM sales_crm.quote_funnel \gset
SELECT sales_crm.send_quote(sales_crm.revise_quote((SELECT min(quote_id) FROM fact WHERE fate = 'change'))) \g /dev/null
SELECT is((SELECT sum(sent) FROM sales_crm.quote_funnel), :before + 1.0, 'so is its next version');
SELECT * FROM finish();
ROLLBACK;
