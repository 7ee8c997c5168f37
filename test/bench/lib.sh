# To be sourced by run: what the figures share. Each WORD.sh begins in a database bench that has the
# extension and nothing else; its temporary files go to $work with names that begin with WORD.

seconds=${SECONDS_EACH:-5}

psql() { as_tester psql -XAtq -v ON_ERROR_STOP=1 -d bench "$@"; }
# timed SQL: milliseconds that one statement takes
timed() { psql -c '\timing on' -c "$1" | sed -n 's/^Time: \([0-9.]*\) ms.*/\1/p'; }
# tps FILE [CLIENTS]: transactions a second, prepared
tps() {
	as_tester pgbench -n -c "${2:-4}" -j 2 -M prepared -T "$seconds" -f "$1" bench 2>/dev/null |
		sed -n 's/^tps = \([0-9.]*\).*/\1/p'
}
median() { sort -n | awk '{v[NR] = $1} END {print (NR % 2) ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2}'; }
# figure NAME OURS THEIRS UNIT GOAL: a line of the table, from files with one value per round
figure() {
	ours=$(median <"$2") theirs=$(median <"$3")
	awk -v n="$1" -v o="$ours" -v t="$theirs" -v u="$4" -v g="$5" \
		'BEGIN {printf "%-58s %10.1f %10.1f %-4s %6.2fx  goal %s\n", n, o, t, u, o / t, g}'
}
# setting NAME VALUE: of the server, from now on
setting() { psql -c "ALTER SYSTEM SET $1 = $2" -c 'SELECT pg_reload_conf()' >/dev/null; }
