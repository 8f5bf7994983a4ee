# A private server and private clusters for tests, demo and benchmarks; sourced, not run.
#
#   ph_server DIR      copies the installed PostgreSQL to DIR/server and installs the extension there: nothing on the
#                      machine is changed, and several copies can run side by side.  When PH_SERVER_DIR names a folder
#                      that has such a copy already (test/run makes one for all tests), that one is used.
#   ph_cluster DIR [setting=value ...]   makes DIR/data and starts it; connect with PGHOST, PGPORT, PGUSER as exported
#   ph_start DIR       starts it again
#   ph_stop DIR [fast|smart|immediate]   stops it
#   ph_kill DIR        kill -9 of the postmaster; returns when its children are gone too
#
# PostgreSQL refuses to run as root, so every server program runs as $PH_USER then.

PG_VERSION=${PG_VERSION:-15}
PH_USER=${PH_USER:-postgres}

# From "/": the unprivileged user may not be allowed to look into the present folder.
ph_as() {
	if [ "$(id -u)" = 0 ]; then
		runuser -u "$PH_USER" -- env -C / "$@"
	else
		"$@"
	fi
}

ph_bin() {
	echo "${PH_SERVER_DIR:-$1}/server/usr/lib/postgresql/$PG_VERSION/bin"
}

ph_server() {
	local dir=$1 lib=/usr/lib/postgresql/$PG_VERSION share=/usr/share/postgresql/$PG_VERSION
	[ -z "${PH_SERVER_DIR:-}" ] || return 0
	mkdir -p "$dir/server$lib" "$dir/server$share"
	cp -a "$lib/." "$dir/server$lib/"
	cp -a "$share/." "$dir/server$share/"
	make -s install with_llvm=no PG_CONFIG="$lib/bin/pg_config" DESTDIR="$dir/server" >"$dir/install.log" 2>&1 || {
		cat "$dir/install.log" >&2
		return 1
	}
	[ "$(id -u)" != 0 ] || chown -R "$PH_USER" "$dir"
}

ph_free_port() {
	python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

ph_cluster() {
	local dir=$1 bin
	shift
	bin=$(ph_bin "$dir")
	mkdir -p "$dir"
	[ "$(id -u)" != 0 ] || chown "$PH_USER" "$dir"
	ph_as "$bin/initdb" -D "$dir/data" -U postgres -A trust --no-sync --locale=C.UTF-8 -E UTF8 >"$dir/initdb.log"
	export PGHOST=$dir PGPORT=${PGPORT:-$(ph_free_port)} PGUSER=postgres PGDATABASE=postgres
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$dir'"
		echo "port = $PGPORT"
		echo "shared_preload_libraries = 'planthub'"
		echo "max_prepared_transactions = 20"
		echo "logging_collector = off"
		echo "lc_messages = 'C'"
		printf '%s\n' "$@"
	} | ph_as tee -a "$dir/data/postgresql.conf" >/dev/null
	PATH=$bin:$PATH
	export PATH
	ph_start "$dir"
}

ph_start() {
	ph_as "$(ph_bin "$1")/pg_ctl" -D "$1/data" -l "$1/server.log" -w -t 60 start >"$1/start.log" 2>&1 || {
		cat "$1/start.log" >&2
		tail -n 30 "$1/server.log" >&2
		return 1
	}
}

ph_stop() {
	ph_as "$(ph_bin "$1")/pg_ctl" -D "$1/data" -m "${2:-fast}" -w stop >/dev/null 2>&1 || true
}

# Whether a process runs; a dead one that nobody has waited for yet does not.
ph_alive() {
	case "$(ps -o stat= -p "$1")" in
		'' | Z*) return 1 ;;
	esac
}

ph_kill() {
	local pid child children deadline=$((SECONDS + 30))
	read -r pid <"$1/data/postmaster.pid"
	children=$(ps -o pid= --ppid "$pid")
	kill -9 "$pid"
	# A new postmaster must not meet children of the old one; they notice its death by themselves.
	for child in $pid $children; do
		while ph_alive "$child"; do
			if [ "$SECONDS" -ge "$deadline" ]; then
				echo "process $child still runs 30 s after its postmaster was killed" >&2
				return 1
			fi
			sleep 0.02
		done
	done
	# Until init has reaped the dead postmaster its process id seems taken; some containers never reap.
	deadline=$((SECONDS + 3))
	while kill -0 "$pid" 2>/dev/null; do
		if [ "$SECONDS" -ge "$deadline" ]; then
			rm -f "$1/data/postmaster.pid"
			break
		fi
		sleep 0.02
	done
}
