#!/bin/bash
# The processes: they start, end, and come back in every way a server knows, and never stand in the way of anyone.
cd "$(dirname "$0")/../.." || exit 1
. test/lib/cluster.sh

folder=$(mktemp -d)
chmod 755 "$folder"
trap 'ph_stop "$folder/a" immediate; ph_stop "$folder/b" immediate; rm -rf "$folder"' EXIT
tests=0

ok() {	# name, command ...
	local name=$1
	shift
	tests=$((tests + 1))
	if "$@"; then echo "ok $tests - $name"; else echo "not ok $tests - $name"; fi
}

sql() {	# database, statement
	psql -XAtq -v ON_ERROR_STOP=1 -d "$1" -c "$2" 2>&1
}

equal() {	# got, expected
	[ "$1" = "$2" ] || { printf '# got:      %s\n# expected: %s\n' "$1" "$2"; return 1; }
}

differ() {	# got, not expected
	[ -n "$1" ] && [ "$1" != "$2" ] || { printf '# got: %s\n' "$1"; return 1; }
}

# Until the statement gives the value; the limit is for a machine under load.
soon() {	# database, statement, value [seconds]
	local got='' deadline=$((SECONDS + ${4:-30}))
	while [ "$SECONDS" -lt "$deadline" ]; do
		got=$(sql "$1" "$2")
		[ "$got" = "$3" ] && return
		sleep 0.05
	done
	printf '# never: %s\n# got:      %s\n# expected: %s\n' "$2" "$got" "$3"
	return 1
}

within() {	# seconds, command ...
	local limit=$1 start=$SECONDS
	shift
	"$@" >"$folder/within" 2>&1 || { sed 's/^/# /' "$folder/within"; return 1; }
	[ $((SECONDS - start)) -le "$limit" ] || { echo "# took $((SECONDS - start)) s"; return 1; }
}

says() {	# pattern, database, statement
	sql "$2" "\\set VERBOSITY verbose" >/dev/null
	PGOPTIONS='' psql -XAtq -v VERBOSITY=verbose -d "$2" -c "$3" 2>&1 | grep -q -e "$1"
}

workers_of() {	# database: how many backends show as workers
	echo "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker' AND datname = '$1'"
}

worker_pid() {
	sql "$1" "SELECT pid FROM pg_stat_activity WHERE backend_type = 'planthub worker' AND datname = '$1' ORDER BY application_name LIMIT 1"
}

launcher="SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub launcher'"

set_to() {	# setting, value
	sql postgres "ALTER SYSTEM SET $1 = $2" && sql postgres 'SELECT pg_reload_conf()' >/dev/null
}

changed() {	# database, process id: another process has taken over
	soon "$1" "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker' AND datname = '$1' AND pid <> $2" 1
}

# ---- preloaded ----

ph_server "$folder" && ph_cluster "$folder/a" 'fsync = off' || exit 1
ok 'the launcher runs' soon postgres "$launcher" 1
ok 'no worker stays where there is no extension' soon postgres "$(workers_of postgres)" 0
sql postgres 'CREATE DATABASE one' && sql postgres 'CREATE DATABASE two'
sql one 'BEGIN; CREATE EXTENSION planthub; COMMIT' && sql two 'CREATE EXTENSION planthub'
ok 'CREATE EXTENSION starts a worker' soon one "$(workers_of one)" 1
ok 'in every database' soon two "$(workers_of two)" 1
ok 'its name shows version and number' soon one "SELECT application_name = 'planthub ' ||
	(SELECT extversion FROM pg_extension WHERE extname = 'planthub') || ' worker 0'
	FROM pg_stat_activity WHERE backend_type = 'planthub worker' AND datname = 'one'" t
ok 'workers() shows it' soon one "SELECT worker_no, state, failures FROM planthub.workers()" '0|running|0'

old=$(worker_pid one)
sql one "SELECT pg_terminate_backend($old)" >/dev/null
ok 'a terminated worker comes back' changed one "$old"
ok 'its failure is counted' soon one 'SELECT failures FROM planthub.workers()' 1
old=$(sql one "SELECT pid FROM pg_stat_activity WHERE backend_type = 'planthub launcher'")
worker=$(worker_pid one)
sql one "SELECT pg_terminate_backend($old)" >/dev/null
ok 'a terminated launcher comes back' soon one "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub launcher' AND pid <> $old" 1
ok 'and adopts the workers' equal "$(worker_pid one)" "$worker"
sql one "SELECT pg_terminate_backend($worker)" >/dev/null
ok 'and looks after them' changed one "$worker"
old=$(worker_pid one)
kill -9 "$old"
ok 'kill -9 of a worker: it comes back' changed one "$old"
ok 'and so does that of the other database' soon two "$(workers_of two)" 1
old=$(sql one "SELECT pid FROM pg_stat_activity WHERE backend_type = 'planthub launcher'")
kill -9 "$old"
ok 'kill -9 of the launcher: all come back' soon one "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'planthub%' AND pid <> $old" 3
ph_kill "$folder/a"
ph_start "$folder/a"
ok 'kill -9 of the postmaster: all come back' soon one "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'planthub%'" 3

# ---- settings ----

set_to planthub.workers 2
ok 'planthub.workers = 2' soon one "$(workers_of one)" 2
ok 'both know it' soon one "SELECT string_agg(worker_no || state, ',' ORDER BY worker_no) FROM planthub.workers()" '0running,1running'
set_to planthub.enabled off
ok 'planthub.enabled = off ends them' soon one "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker'" 0
ok 'start() says why it cannot' says 'ERROR:  55000: planthub workers are switched off' one 'SELECT planthub.start()'
set_to planthub.enabled on
ok 'planthub.enabled = on brings them back' soon one "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker'" 4
set_to planthub.workers 1
ok 'planthub.workers = 1' soon one "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker'" 2
sql one 'SELECT planthub.stop()' >/dev/null
ok 'stop() returns when they are gone' equal "$(sql one "$(workers_of one)")" 0
sql one 'SELECT planthub.stop()' >/dev/null
ok 'and leaves other databases alone' soon two "$(workers_of two)" 1
sql one 'SELECT planthub.start()' >/dev/null
ok 'start() returns when they run' equal "$(sql one "$(workers_of one)")" 1
ok 'a wrong crash point is refused' says '22023' postgres "ALTER SYSTEM SET planthub.debug_crash = 'sometimes'"

# ---- idle ----

# Statements are seen by their transactions and scans of the tables; workers poll for a while after their start.
quiet="SELECT sum(coalesce(idx_scan, 0) + seq_scan) FROM pg_stat_user_tables WHERE schemaname = 'planthub'"
calm() {
	local before after tries
	for tries in $(seq 20); do
		before=$(sql one "$quiet"); sleep 2; after=$(sql one "$quiet")
		[ "$before" = "$after" ] && return
	done
	echo "# still $before, then $after"
	return 1
}
ok 'an idle worker reads no table' calm
ok 'and holds no transaction' equal "$(sql one "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'planthub worker' AND (xact_start IS NOT NULL OR backend_xmin IS NOT NULL)")" 0

# ---- extension and database go ----

ok 'DROP EXTENSION is prompt' within 3 sql one 'DROP EXTENSION planthub'
ok 'and the worker goes' soon one "$(workers_of one)" 0
sql one 'CREATE EXTENSION planthub'
ok 'CREATE EXTENSION again brings it back' soon one "$(workers_of one)" 1
old=$(worker_pid one)
sql one 'BEGIN; DROP EXTENSION planthub; CREATE EXTENSION planthub; COMMIT'
ok 'another extension, another worker' changed one "$old"
ok 'CREATE DATABASE TEMPLATE is prompt' within 4 sql postgres 'CREATE DATABASE three TEMPLATE one'
ok 'and the worker is back after it' soon one "$(workers_of one)" 1
ok 'ALTER DATABASE RENAME is prompt' within 4 sql postgres 'ALTER DATABASE one RENAME TO uno'
ok 'and the worker is back after it' soon uno "$(workers_of uno)" 1
ok 'DROP DATABASE is prompt' within 4 sql postgres 'DROP DATABASE uno'
ok 'DROP DATABASE WITH (FORCE) is prompt' within 4 sql postgres 'DROP DATABASE two WITH (FORCE)'
sql template1 'CREATE EXTENSION planthub'
sql postgres 'CREATE DATABASE four'
ok 'no worker in a template' soon postgres "$(workers_of template1)" 0
sql four 'SELECT planthub.start()' >/dev/null
ok 'a database made from it has one' soon four "$(workers_of four)" 1

# ---- prepared transactions ----

sql four "BEGIN; SELECT planthub.create_site('p1', 'Plant 1'); PREPARE TRANSACTION 'p'" >/dev/null
ok 'a prepared transaction does not stop the worker' soon four "$(workers_of four)" 1
sql four "COMMIT PREPARED 'p'"
ok 'fast shutdown is prompt' within 5 ph_stop "$folder/a"
ok 'nothing crashed that was not killed' equal "$(grep -c 'was terminated by signal' "$folder/a/server.log")" \
	"$(grep -c 'was terminated by signal 9' "$folder/a/server.log")"

# ---- not preloaded, few places ----

unset PGPORT
ph_cluster "$folder/b" 'fsync = off' "shared_preload_libraries = ''" 'max_worker_processes = 3' || exit 1
sql postgres 'CREATE EXTENSION planthub'
ok 'CREATE EXTENSION starts launcher and worker without preload' soon postgres "$(workers_of postgres)" 1
ph_stop "$folder/b"
ph_start "$folder/b"
ok 'after a restart none runs' equal "$(sql postgres "$launcher")" 0
sql postgres 'SELECT planthub.start()' >/dev/null
ok 'start() brings them back' equal "$(sql postgres "$(workers_of postgres)")" 1
sql postgres 'CREATE DATABASE five' && sql five 'CREATE EXTENSION planthub'
ok 'without a free place, start() says so' says 'ERROR:  55000: could not start the planthub workers' five 'SELECT planthub.start()'
sql postgres 'SELECT planthub.stop()' >/dev/null
ok 'a place that becomes free is used' soon five "$(workers_of five)" 1
# A crash of the server forgets stop(): the only place would go to the first database that has the extension.
sql postgres 'DROP EXTENSION planthub'
old=$(worker_pid five)
kill -9 "$old"
ok 'kill -9 of a worker without preload: it comes back' changed five "$old"

echo "1..$tests"
