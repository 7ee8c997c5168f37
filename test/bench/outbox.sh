# The outbox: what waking the senders costs writers; how fast messages are claimed and completed, also
# with a million finished ones behind an old snapshot, where VACUUM can take nothing away.

psql -c 'SELECT sales_crm.activate_sending()' >/dev/null
cat >"$work/outbox.write" <<'SQL'
SELECT sales_crm.queue_message('email', 'notification', '{"message_id": "1@example.com", "subject": "Hello"}', recipient => 'a@example.com');
SQL
cat >"$work/outbox.hand" <<'SQL'
BEGIN;
SELECT sales_crm.queue_message('email', 'notification', '{"message_id": "1@example.com", "subject": "Hello"}', recipient => 'a@example.com');
NOTIFY sales_crm_outbox;
COMMIT;
SQL
# writers FILE MODE: transactions a second of 64 clients that queue a message each
writers() { PGOPTIONS="-c sales_crm.notify=$2" tps "$1" 64; }

# Somebody listens meanwhile
mkfifo "$work/outbox.listen"
as_tester psql -XAtq -d bench <"$work/outbox.listen" >/dev/null 2>&1 &
exec 7>"$work/outbox.listen"
echo 'LISTEN sales_crm_outbox;' >&7
for delay in 0 1000; do
	setting commit_delay "$delay"
	for _ in $(seq "$rounds"); do
		writers "$work/outbox.write" gated >>"$work/outbox.gated.$delay"
		writers "$work/outbox.write" off >>"$work/outbox.off.$delay"
		writers "$work/outbox.write" always >>"$work/outbox.always.$delay"
		writers "$work/outbox.hand" off >>"$work/outbox.hand.$delay"
	done
	figure "64 writers, gated against no wake-up, commit_delay $delay" "$work/outbox.gated.$delay" "$work/outbox.off.$delay" tps ">= 0.95x"
	figure "  always (beside it), against no wake-up" "$work/outbox.always.$delay" "$work/outbox.off.$delay" tps "none"
	figure "  plain NOTIFY (beside it), against no wake-up" "$work/outbox.hand.$delay" "$work/outbox.off.$delay" tps "none"
done
setting commit_delay 0
exec 7>&-
PGOPTIONS='-c client_min_messages=warning' psql -c 'TRUNCATE sales_crm.message_body CASCADE' -c 'VACUUM ANALYZE sales_crm.message, sales_crm.message_body'

cat >"$work/outbox.procedures" <<'SQL'
CREATE TABLE result (name text, value numeric);
CREATE PROCEDURE queue(amount integer) LANGUAGE sql AS $$
	WITH b AS (
		INSERT INTO sales_crm.message_body (kind, event, recipient, payload)
		SELECT 'email', 'notification', 'a@example.com', jsonb_build_object('message_id', i || '@example.com', 'subject', 'Hello',
			'text', repeat('Hello world. ', 40), 'html', repeat('<p>Hello world.</p>', 40))
		FROM generate_series(1, amount) i RETURNING message_id)
	INSERT INTO sales_crm.message (message_id, kind) SELECT message_id, 'email' FROM b
$$;
-- drain(most): claims and completes in batches of 200, each a transaction, and says how many a second
CREATE PROCEDURE drain(most bigint) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
	done bigint := 0;
	ids bigint[];
	fences bigint[];
BEGIN
	WHILE done < most LOOP
		SELECT array_agg(message_id), array_agg(fence) INTO ids, fences FROM sales_crm.claim_messages('bench', 200, kinds => '{email}');
		COMMIT;
		EXIT WHEN ids IS NULL;
		PERFORM sales_crm.complete_messages(ids, fences);
		COMMIT;
		done := done + cardinality(ids);
	END LOOP;
	INSERT INTO result VALUES ('rate', done / extract(epoch FROM clock_timestamp() - began));
END
$$;
-- look(label): 101 times, 100 messages are queued, claimed and completed; notes how long each claim took
CREATE PROCEDURE look(label text) LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz;
	took numeric;
	ids bigint[];
	fences bigint[];
BEGIN
	FOR i IN 1 .. 101 LOOP
		CALL queue(100);
		COMMIT;
		began := clock_timestamp();
		SELECT array_agg(message_id), array_agg(fence) INTO ids, fences FROM sales_crm.claim_messages('bench', 100, kinds => '{email}');
		COMMIT;
		took := 1000 * extract(epoch FROM clock_timestamp() - began);
		PERFORM sales_crm.complete_messages(ids, fences);
		INSERT INTO result VALUES (label, took);
		COMMIT;
	END LOOP;
END
$$;
SQL
psql -f "$work/outbox.procedures"

for _ in $(seq "$rounds"); do
	psql -c 'CALL queue(20000)' -c 'CALL drain(20000)'
done
psql -c "SELECT value FROM result WHERE name = 'rate'" >"$work/outbox.rate"
printf '5000\n' >"$work/outbox.goal"
figure "claim and complete, batches of 200, against 5,000 a second" "$work/outbox.rate" "$work/outbox.goal" "1/s" ">= 1x"

# One sender's session beside a snapshot as old as it, and in turn one in a database that has finished nothing
million=${MILLION:-1000000}
PGOPTIONS='-c client_min_messages=warning' psql -c 'TRUNCATE sales_crm.message_body CASCADE' -c 'VACUUM ANALYZE sales_crm.message, sales_crm.message_body'
as_tester createdb bench_empty
as_tester psql -XAtq -d bench_empty -c 'CREATE EXTENSION sales_crm' -c 'SELECT sales_crm.activate_sending()' -f "$work/outbox.procedures" >/dev/null
as_tester psql -XAtq -d bench -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT count(*) FROM sales_crm.message' -c 'SELECT pg_sleep(86400)' >/dev/null 2>&1 &
sleep 1
mkfifo "$work/outbox.crowded" "$work/outbox.empty" "$work/outbox.said"
exec 8<>"$work/outbox.said"
as_tester psql -XAtq -d bench <"$work/outbox.crowded" >&8 &
exec 5>"$work/outbox.crowded"
as_tester psql -XAtq -d bench_empty <"$work/outbox.empty" >&8 &
exec 6>"$work/outbox.empty"
# turn FD SQL: has a session do something, and waits until it is done
turn() { printf '%s\n\\echo done\n' "$2" >&"$1" && read -r _ <&8; }
turn 5 "CALL look('warm');"
turn 6 "CALL look('warm');"
turn 5 "DO \$\$ BEGIN FOR i IN 1 .. $million / 20000 LOOP CALL queue(20000); COMMIT; CALL drain(20000); COMMIT; END LOOP; END \$\$;"
for _ in 1 2 3 4 5; do
	turn 5 "CALL look('look');"
	turn 6 "CALL look('look');"
done
exec 5>&- 6>&-
psql -c "SELECT value FROM result WHERE name = 'look'" >"$work/outbox.look"
as_tester psql -XAtq -d bench_empty -c "SELECT value FROM result WHERE name = 'look'" >"$work/outbox.none"
figure "claiming 100, $million finished behind an old snapshot" "$work/outbox.look" "$work/outbox.none" ms "<= 1.2x"
psql -c "SELECT format('dead index entries that no VACUUM could take away: %s; slowest of 505 claims then: %s ms; all claims and completions: %s/s',
	(SELECT n_dead_tup FROM pg_stat_user_tables WHERE relid = 'sales_crm.message'::regclass),
	(SELECT round(max(value), 1) FROM result WHERE name = 'look'),
	(SELECT round(avg(value)) FROM result WHERE name = 'rate'))"
# What a sender pays that has just connected
psql <<'SQL'
CALL queue(100);
\timing on
SELECT 'first claim of another session' FROM (SELECT count(*) FROM sales_crm.claim_messages('bench', 100, kinds => '{email}')) c;
SQL
psql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(86400)%' AND pid <> pg_backend_pid()" >/dev/null
as_tester dropdb --force bench_empty
