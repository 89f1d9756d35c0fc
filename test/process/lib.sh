# Helpers of the process tests, for sh: `. test/process/lib.sh`. Nodes run in $TEST_TMP, each with the files
# NAME (its config), NAME.out, NAME.err, NAME.pid and, when it has ended, NAME.status.
# shellcheck shell=sh disable=SC2034
SKYNET=${TEST_SKYNET:-./skynet}
DEADLINE=${TEST_DEADLINE:-30}
[ -z "${SKYNET_SANITIZE:-}" ] || DEADLINE=$((DEADLINE * 4))
if [ -z "${TEST_TMP:-}" ]; then
	TEST_TMP=$(mktemp -d) || exit 2
	OWN_TMP=$TEST_TMP
fi
tests=0 failures=0

# Ends what a failed test has left running.
clean_up() {
	for file in "$TEST_TMP"/*.pid; do
		if [ -s "$file" ] && [ ! -e "${file%.pid}.status" ]; then
			kill -KILL "$(cat "$file")" 2>/dev/null
		fi
	done
	[ -z "${OWN_TMP:-}" ] || rm -rf "$OWN_TMP"
}
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

# ---- TAP ----

# ok NAME STATUS: one result.
ok() {
	tests=$((tests + 1))
	if [ "$2" -eq 0 ]; then
		echo "ok $tests - $1"
	else
		failures=$((failures + 1))
		echo "not ok $tests - $1"
	fi
}

# check NAME COMMAND...: passes when the command succeeds.
check() {
	name=$1
	shift
	"$@"
	ok "$name" $?
}

# is NAME FOUND EXPECTED
is() {
	[ "$2" = "$3" ]
	ok "$1" $?
	[ "$2" = "$3" ] || printf 'found:\n%s\nexpected:\n%s\n' "$2" "$3" | sed 's/^/# /'
}

# like NAME TEXT PATTERN: a pattern of case, so * stands for anything.
like() {
	# shellcheck disable=SC2254
	case $2 in
	$3) ok "$1" 0 ;;
	*)
		ok "$1" 1
		printf 'found:\n%s\nexpected:\n%s\n' "$2" "$3" | sed 's/^/# /'
		;;
	esac
}

# finish: the plan, and the exit status of the test.
finish() {
	echo "1..$tests"
	[ "$failures" -eq 0 ]
	exit $?
}

# ---- Waiting ----

# wait_for COMMAND...: until it succeeds, for DEADLINE seconds; it is tried once more after these.
wait_for() {
	wait_end=$(($(date +%s) + DEADLINE))
	while [ "$(date +%s)" -le $wait_end ]; do
		"$@" 2>/dev/null && return
		sleep 0.05
	done
	"$@" 2>/dev/null
}

# contains FILE TEXT
contains() {
	grep -qF -- "$2" "$1"
}

# free_port: prints a TCP port of 127.0.0.1 that nobody else uses and no other test gets.
free_port() {
	free_ports 1
}

# free_ports COUNT: prints so many, in one line.
free_ports() {
	perl test/process/free_ports.pl "$TEST_TMP" $$ "$1"
}

# hold_port: keeps a port busy until the test ends; sets $held_port.
hold_port() {
	# shellcheck disable=SC2016
	perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
		LocalPort => 0, Listen => 1); open(F, ">", shift) or die; print F $s->sockport, "\n";
		close F; sleep 1000' "$TEST_TMP/holder.port" &
	echo $! >"$TEST_TMP/holder.pid"
	wait_for test -s "$TEST_TMP/holder.port"
	held_port=$(cat "$TEST_TMP/holder.port")
}

# ---- Nodes ----

# config NAME <LINES: a config for one node without a network; later lines win. $TEST_LINES are added to each,
# so that tests can also be run with a secret or with TLS between nodes.
config() {
	{
		cat <<-'END'
			thread = 2
			harbor = 0
			shutdown_timeout = 60
			start = "idle"
			luaservice = "./service/?.lua;./test/process/service/?.lua;./examples/?.lua"
			lua_path = "./lualib/?.lua;./lualib/?/init.lua"
		END
		cat
		[ -z "${TEST_LINES:-}" ] || printf '%s\n' "$TEST_LINES"
	} >"$TEST_TMP/$1"
}

# run NAME [ARGUMENT...]: in the foreground; sets $status, and $err to what is on stderr.
run() {
	node=$1
	shift
	timeout -k 5 "$DEADLINE" "$SKYNET" "$@" "$TEST_TMP/$node" \
		>"$TEST_TMP/$node.out" 2>"$TEST_TMP/$node.err"
	status=$?
	err=$(cat "$TEST_TMP/$node.err")
}

# start NAME [ARGUMENT...]: in the background; sets $pid.
start() {
	node=$1
	shift
	rm -f "$TEST_TMP/$node.status" "$TEST_TMP/$node.pid"
	(
		# shellcheck disable=SC2016
		sh -c 'echo $$ >"$1.pid"; node=$1; program=$2; shift 2; exec "$program" "$@" "$node"' \
			sh "$TEST_TMP/$node" "$SKYNET" "$@" >"$TEST_TMP/$node.out" 2>"$TEST_TMP/$node.err"
		echo $? >"$TEST_TMP/$node.status"
	) 2>/dev/null &
	wait_for test -s "$TEST_TMP/$node.pid"
	pid=$(cat "$TEST_TMP/$node.pid")
}

# freeze NAME: the process stands still, when this returns. A signal alone does not do: on a busy machine
# threads go on for tens of milliseconds.
freeze() {
	kill -STOP "$(cat "$TEST_TMP/$1.pid")"
	wait_for stands_still "$(cat "$TEST_TMP/$1.pid")"
}

# stands_still PID: all of its threads are stopped, as far as the system tells.
stands_still() {
	[ ! -d "/proc/$1/task" ] ||
		[ "$(grep -h '^State:' "/proc/$1/task"/*/status | grep -vc 'T (stopped)')" = 0 ]
}

# thaw NAME: it goes on.
thaw() {
	kill -CONT "$(cat "$TEST_TMP/$1.pid")"
}

# ended NAME: waits for its end; sets $status and $err. Fails at the deadline.
ended() {
	wait_for test -s "$TEST_TMP/$1.status" || {
		status=none
		err=$(cat "$TEST_TMP/$1.err")
		return 1
	}
	status=$(cat "$TEST_TMP/$1.status")
	err=$(cat "$TEST_TMP/$1.err")
}

# logged NAME TEXT: waits until the node has printed it.
logged() {
	wait_for contains "$TEST_TMP/$1.out" "$2"
}

# lines TEXT: how many.
lines() {
	printf '%s' "$1" | grep -c ''
}
