# sales_crm_portal against pgbench with as many connections calling the same functions of the same
# database: what HTTP, the page and the forms cost on top. Needs the portal, perl and a C compiler.

if ! command -v sales_crm_portal >/dev/null && ! [ -x "$bindir/sales_crm_portal" ]; then
	echo "skipped: sales_crm_portal is not installed"
	return 0
fi
"${CC:-cc}" -O2 -o "$work/load" "$bench/load.c"
signed=${SIGNED:-640} # quotes that each side signs in a round
pages=1000
psql -c "CREATE ROLE portal LOGIN IN ROLE sales_crm_portal" >/dev/null
psql >/dev/null <<SQL
UPDATE sales_crm.company SET name = 'Acme', brand_color = '#1a7f5a', portal_url = 'http://127.0.0.1', sender_email = 'sales@example.com';
INSERT INTO sales_crm.member (name, email) VALUES ('Sam', 'sam@example.com');
CREATE TABLE token (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, token text, snapshot text);
CREATE SEQUENCE next_token;
GRANT SELECT ON token TO portal;
GRANT USAGE ON next_token TO portal;
CREATE PROCEDURE quotes(n int) LANGUAGE plpgsql AS \$\$
BEGIN
	CREATE TEMPORARY TABLE made ON COMMIT DROP AS WITH a AS (INSERT INTO sales_crm.account (name) SELECT 'Customer ' || i FROM generate_series(1, n) i RETURNING account_id),
		o AS (INSERT INTO sales_crm.opportunity (name, account_id, owner_id) SELECT 'Deal', account_id, (SELECT min(member_id) FROM sales_crm.member) FROM a RETURNING opportunity_id)
		SELECT * FROM o;
	INSERT INTO sales_crm.product_line (opportunity_id, name, quantity, unit_price) SELECT opportunity_id, 'Line ' || i, i, 100 FROM made, generate_series(1, 10) i;
	INSERT INTO token (token) SELECT s.token
	FROM made, sales_crm.create_quote(opportunity_id) c, sales_crm.send_quote(c, 'link', recipient_name => 'Carl') s;
	UPDATE token t SET snapshot = (SELECT encode(o.snapshot_sha256, 'hex') FROM sales_crm.open_quote(t.token) o) WHERE snapshot IS NULL;
END
\$\$;
SET synchronous_commit = off;
CALL quotes($pages);
SQL
cat >"$work/portal_open.sql" <<SQL
\set id random(1, $pages)
SELECT status, encode(snapshot_sha256, 'hex'), quote_number, version::text, title, locale, gross, valid_until::text, company->>'name', company->>'logo', company->>'brand_color',
	company->>'email', seller->>'name', seller->>'email', seller->>'phone', recipient_email, signer_name, to_char(answered_at, 'YYYY-MM-DD HH24.MI'), code_required::text,
	has_successor::text, channel, has_pdf::text
FROM sales_crm.open_quote((SELECT token FROM token WHERE id = :id), '127.0.0.1'::inet, 'bench');
SQL
cat >"$work/portal_sign.sql" <<'SQL'
SELECT s.status FROM token t, sales_crm.sign_quote(t.token, decode(t.snapshot, 'hex'), 'Carl', 'carl@example.com', NULL, '127.0.0.1', 'bench', 'key', 'I accept.') s
WHERE t.id = (SELECT nextval('next_token'));
SQL
head -c 32 /dev/urandom | as_tester tee "$work/portal_secret" >/dev/null

portal_port=$(as_tester perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1")->sockport')
as_tester tee "$work/portal.conf" >/dev/null <<CONF
database = host=$PGHOST port=$PGPORT dbname=bench user=portal
listen = 127.0.0.1:$portal_port
base_url = http://127.0.0.1:$portal_port
secret_file = $work/portal_secret
database_connections = ${POOL:-8}
connections_per_address = 0
requests_per_minute = 0
answers_per_minute = 0
token_requests_per_minute = 0
token_answers_per_minute = 0
CONF
as_tester sales_crm_portal --config "$work/portal.conf" 2>"$work/portal.log" &
sleep 1
portal_pid=$(pgrep -fn "^[^ ]*sales_crm_portal --config $work/portal.conf")

# requests FROM TO get|sign|mixed: a file for load, with forms that the secret makes valid; of the mixed
# ones each fifth is a form without a name, to be answered by 422
requests() {
	psql -c "SELECT token, snapshot FROM token WHERE id BETWEEN $1 AND $2 ORDER BY id" | perl -MDigest::SHA=hmac_sha256_hex -e '
		my ($kind, $file) = @ARGV; open my $in, "<", $file; local $/; my $secret = <$in>; $/ = "\n";
		my $cookie = "ab" x 32; my $at = sprintf "%08x", time;
		while (my $line = <STDIN>) {
			chomp $line; my ($token, $snapshot) = split /\|/, $line;
			my $mac = hmac_sha256_hex(join("", map { pack("L", length $_) . $_ } "csrf", $cookie, $token, $at), $secret);
			my $form = "csrf=$at.$mac&request_key=key&snapshot=$snapshot&email=carl%40example.com&consent=yes";
			my $head = "HTTP/1.1\r\nHost: x\r\nUser-Agent: bench\r\n";
			my $get = sub { "GET $_[0] $head\r\n" };
			my $post = sub { "POST /q/$token/sign ${head}Cookie: sales_crm=$cookie\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: " . length($_[0]) . "\r\n\r\n$_[0]" };
			print map { length($_) . "\n$_" } $kind eq "sign" ? $post->("$form&name=Carl") : $get->("/q/$token"),
				$kind eq "mixed" ? ($get->("/q/$token/document"), $get->("/q/$token/quote.pdf"), $get->("/asset/page.css"), $post->($form)) : ();
		}' "$3" "$work/portal_secret"
}
memory() { awk '/^VmRSS/ {print $2}' "/proc/$portal_pid/status"; }
no_errors() { [ "$1" = 0 ] || echo "  $1 answers were errors" >&2; }

requests 1 $pages get >"$work/portal_get.txt"
"$work/load" "$portal_port" 32 2 0 "$work/portal_get.txt" >/dev/null
warm=$(memory)
for round in $(seq "$rounds"); do
	read -r rps _ _ errors <<<"$("$work/load" "$portal_port" 32 "$seconds" 0 "$work/portal_get.txt")"
	no_errors "$errors"
	echo "$rps" >>"$work/portal_rps"
	as_tester pgbench -n -U portal -c 32 -j 2 -M prepared -T "$seconds" -f "$work/portal_open.sql" bench 2>"$work/portal_err" |
		sed -n 's/^tps = \([0-9.]*\).*/\1/p' >>"$work/portal_tps"
	read -r _ _ p99 errors <<<"$("$work/load" "$portal_port" 32 "$seconds" "$(awk "BEGIN {print $rps / 2}")" "$work/portal_get.txt")"
	no_errors "$errors"
	echo "$p99" >>"$work/portal_p99"
	psql -c 'SET synchronous_commit = off' -c "CALL quotes(2 * $signed)" >/dev/null
	first=$(psql -c "SELECT max(id) - 2 * $signed + 1 FROM token")
	requests "$first" $((first + signed - 1)) sign >"$work/portal_post.txt"
	read -r rps _ _ errors <<<"$("$work/load" "$portal_port" 32 60 0 "$work/portal_post.txt" "$signed")"
	no_errors "$errors"
	echo "$rps" >>"$work/portal_sign_rps"
	psql -c "SELECT setval('next_token', $((first + signed)), false)" >/dev/null
	as_tester pgbench -n -U portal -c 32 -j 2 -M prepared -t $((signed / 32)) -f "$work/portal_sign.sql" bench 2>"$work/portal_err" |
		sed -n 's/^tps = \([0-9.]*\).*/\1/p' >>"$work/portal_sign_tps"
done
figure "page, 32 connections, against open_quote() by pgbench" "$work/portal_rps" "$work/portal_tps" /s '>= 0.7'
figure "signing, 32 connections, against sign_quote() by pgbench" "$work/portal_sign_rps" "$work/portal_sign_tps" /s '>= 0.6'
printf '%-58s %10.1f %10s %-4s %7s  goal %s\n' "page at half that load: 99th percentile" "$(median <"$work/portal_p99")" "" ms "" "<= 50"
many=${REQUESTS:-100000}
requests 1 $pages mixed >"$work/portal_mixed.txt"
before=$(memory)
read -r _ _ _ errors <<<"$("$work/load" "$portal_port" 32 36000 0 "$work/portal_mixed.txt" "$many")"
[ "$errors" = $((many / 5)) ] || echo "  $errors answers were errors, $((many / 5)) of them wanted" >&2
printf '%-58s %10d %10d %-4s %6.2fx  goal %s\n' "memory after $many more requests" "$(memory)" "$before" kB "$(awk "BEGIN {print $(memory) / $before}")" '<= 1.05 (flat)'
echo "  resident after warming up: $warm kB"
page=0
token=$(psql -c 'SELECT token FROM token WHERE id = 1')
for path in "/q/$token" "/q/$token/document" /asset/page.css /asset/page.js /asset/brand-1a7f5a.css; do
	size=$(perl -MIO::Socket::INET -e '
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $ARGV[0]); print $s "GET $ARGV[1] HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
		local $/; my $all = <$s>; $all =~ s/.*?\r\n\r\n//s; print $all' "$portal_port" "$path" | gzip -6 | wc -c)
	page=$((page + size))
done
printf '%-58s %10d %10s %-4s %7s  goal %s\n' "page, document, style and script, gzip" "$page" "" B "" "<= 60000"
kill "$portal_pid"
wait || :
