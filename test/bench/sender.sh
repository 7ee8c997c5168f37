# E-mails by sales_crm_sender to a sink on loopback: how long from the commit to DATA at 200 e-mails a
# second, and how many a second leave a full outbox, beside the least program that sends as many
# bytes with libcurl over as many connections.
parallel=10
backlog=${BACKLOG:-10000}
sink() { # sink MILLISECONDS [PROGRAM]: starts one that takes so long for an e-mail; $work/sender.port and $work/sender.log are its
	rm -f "$work/sender.port"
	as_tester "$work/${2:-smtp_sink}" "$work/sender.port" "$work/sender.log" "$1" &
	sink=$!
	while [ ! -s "$work/sender.port" ]; do sleep 0.05; done
	url=smtp://127.0.0.1:$(cat "$work/sender.port")
}
sink_end() {
	pkill -P $sink || kill $sink
	wait $sink 2>/dev/null || :
}
run_sender() { as_tester sales_crm_sender --database "host=$PGHOST user=postgres dbname=bench" --smtp-url "$url" --smtp-tls off --parallel $parallel --parallel-per-host $parallel --log-level warning "$@"; }
# rate FILE: e-mails a second, from the first to the last
rate() { awk 'NR == 1 {first = $1} {last = $1} END {print (NR - 1) / (last - first)}' "$1"; }

as_tester gcc -O2 -pthread -o "$work/smtp_sink" "$bench/smtp_sink.c"
as_tester ln -s smtp_sink "$work/smtp_sink_alone"
as_tester gcc -O2 -pthread -o "$work/smtp_loop" "$bench/smtp_loop.c" $(pkg-config --cflags --libs libcurl)
psql -c "UPDATE sales_crm.company SET sender_email = 'sales@example.com'" -c "SELECT sales_crm.activate_sending()" >/dev/null

# From commit to DATA: one writer, whose n-th transaction queues the e-mail to the n-th address
echo "SELECT sales_crm.queue_email('test', nextval('sender_n') || '@example.com', subject => 'Hello', body => 'Hello')" >"$work/sender.sql"
chmod a+r "$work/sender.sql"
psql -c 'CREATE SEQUENCE sender_n'
sink 0
run_sender &
sender=$!
sleep 2
(cd "$work" && as_tester pgbench -n -c 1 -R 200 -T $((seconds * 2)) -l --log-prefix="$work/sender_writer" -f "$work/sender.sql" bench >/dev/null 2>&1)
sleep 2
pkill -TERM -P $sender || kill $sender
wait $sender || :
sink_end
cat "$work"/sender_writer.* | awk -v sink="$work/sender.log" '
	{ commit[++n] = $5 + $6 / 1e6 }
	END {
		while ((getline line < sink) > 0) { split(line, f, " "); if (f[2] in commit) print (f[1] - commit[f[2]]) * 1000 }
	}' | sort -n >"$work/sender_latency"
awk '{v[NR] = $1} END {printf "%-58s %10.1f ms; goal <= 20\n%-58s %10.1f ms; goal <= 150\n", "commit to DATA at 200 e-mails/s, median of " NR, v[int((NR + 1) / 2)], "commit to DATA at 200 e-mails/s, p99", v[int(NR * 0.99)]}' "$work/sender_latency"
rm -f "$work"/sender_writer.*

# full MILLISECONDS NAME GOAL [SINK]: a full outbox, beside the bare loop
full() {
	: >"$work/sender_ours"
	: >"$work/sender_theirs"
	for _ in $(seq "$rounds"); do
		psql -c "SELECT count(sales_crm.queue_email('test', i || '@example.com', subject => 'Hello', body => repeat('Hello ', 50))) FROM generate_series(1, $backlog) i" -c 'VACUUM ANALYZE' >/dev/null
		sink "$1" "${4:-smtp_sink}"
		run_sender --once
		sink_end
		rate "$work/sender.log" >>"$work/sender_ours"
		sink "$1" "${4:-smtp_sink}"
		as_tester "$work/smtp_loop" "$url" "$parallel" "$backlog" "$work/sender.eml"
		sink_end
		rate "$work/sender.log" >>"$work/sender_theirs"
	done
	figure "$2" "$work/sender_ours" "$work/sender_theirs" /s "$3"
}
psql -c "SELECT repeat(E'0123456789012345678901234567890123456789012345678901234567890\r\n', 26)" >"$work/sender.eml"
chmod a+r "$work/sender.eml"
full 5 'e-mails/s, server takes 5 ms for one; bare libcurl loop' '>= 0.8'
full 0 'e-mails/s, server takes no time at all; bare libcurl loop' '>= 0.8'
full 0 '  the same, server without PIPELINING and CHUNKING' 'none' smtp_sink_alone
