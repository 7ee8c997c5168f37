# To be sourced: a private cluster that vanishes when the script ends.
#
#   cluster_create       makes $work, a folder of its own with a copy of the tests in $work/tree
#   cluster_start ARG…   initdb and start, as a user who is not root; sets PGHOST and PGUSER; $POSTGRES
#                        names another program to run as the server
#   cluster_keep         lets it outlive the script
#   as_tester CMD ARG…   runs a command as that user
#
# The server listens on a socket in $work alone.

pg_config=${PG_CONFIG:-pg_config}
bindir=$($pg_config --bindir)
major=$($pg_config --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
pgxs=$(dirname "$(dirname "$(dirname "$($pg_config --pgxs)")")")
top=$(cd "$(dirname "$0")/../.." && pwd)
work=

# initdb refuses to work for root
tester=
if [ "$(id -u)" -eq 0 ]; then
	tester=postgres
	id "$tester" >/dev/null 2>&1 || tester=nobody
fi

as_tester() {
	if [ -n "$tester" ]; then
		setpriv --reuid="$tester" --regid="$(id -g "$tester")" --init-groups \
			env HOME="$work" PATH="$bindir:$PATH" "$@"
	else
		env PATH="$bindir:$PATH" "$@"
	fi
}

cluster_create() {
	work=$(mktemp -d "${TMPDIR:-/tmp}/sales_crm.XXXXXX")
	trap cluster_remove EXIT
	trap 'exit 130' INT TERM HUP
	mkdir "$work/tree"
	# The tester may not be able to read the checkout; the data lies beside it
	cp -R "$top/test" "$top/expected" "$top/doc" "$top/README.md" "$work/tree"
	mkdir "$work/tree/src"
	cp -R "$top/src/bin" "$work/tree/src"
	if [ -d "$top/../shared/data" ]; then
		mkdir "$work/shared"
		cp -R "$top/../shared/data" "$work/shared/data"
	fi
	[ -z "$tester" ] || chown -R "$tester" "$work"
	cd "$work"
}

cluster_start() {
	as_tester initdb -D "$work/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 \
		--no-sync >"$work/initdb.log" 2>&1 || { cat "$work/initdb.log" >&2; return 1; }
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$work'"
		echo "max_prepared_transactions = 10"
		for setting; do echo "$setting"; done
	} | as_tester tee -a "$work/data/postgresql.conf" >/dev/null
	as_tester pg_ctl -D "$work/data" -l "$work/server.log" ${POSTGRES:+-p "$POSTGRES"} -t 300 \
		-w start >/dev/null || {
		cat "$work/server.log" >&2
		return 1
	}
	PGHOST=$work PGUSER=postgres PGPORT=5432
	export PGHOST PGUSER PGPORT
	unset PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS
}

cluster_keep() { trap - EXIT; }

cluster_remove() {
	status=$?
	trap - EXIT
	cd /
	[ ! -e "$work/data/postmaster.pid" ] ||
		as_tester pg_ctl -D "$work/data" -m immediate stop >/dev/null 2>&1 || :
	rm -rf "$work"
	exit $status
}
