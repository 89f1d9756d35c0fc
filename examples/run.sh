#!/bin/sh
# Starts the two nodes of examples/config.master and examples/config.slave, each in a process of its
# own, and shows what they print. Ctrl-C stops the slave first, then the master.
cd "$(dirname "$0")/.." || exit 2
[ -x ./skynet ] || { echo "run.sh: build first: make" >&2; exit 1; }
master='' slave=''

# A session of its own keeps Ctrl-C from reaching both nodes at once.
own=$(command -v setsid || true)

alive() { [ -n "$1" ] && kill -0 "$1" 2>/dev/null; }

# stop PID: ends a node in order and waits for it.
stop() {
	if alive "$1"; then
		kill -TERM "$1"
		wait "$1"
	fi
}

finish() {
	trap '' INT TERM
	stop "$slave"
	stop "$master"
	exit "$1"
}
trap 'echo; echo "run.sh: stopping the slave, then the master"; finish 0' INT TERM

$own ./skynet examples/config.master &
master=$!
$own ./skynet examples/config.slave &
slave=$!

while alive $master && alive $slave; do
	sleep 1 &
	wait $!
done
echo "run.sh: a node has ended" >&2
finish 1
