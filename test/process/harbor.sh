# Helpers for tests of harbor networks: . test/process/lib.sh first.
# shellcheck shell=sh disable=SC2154

# node ID [LINE]: the config nID of a member; the node with the id 1 hosts the master. Tests that wait for
# silence to be noticed set heartbeat=1; for others a machine that stands still is no reason to lose a link.
node() {
	eval "port=\${port_$1:=\$(free_port)}"
	: "${master_port:=$(free_port)}"
	{
		echo "harbor = $1"
		echo "master = \"127.0.0.1:$master_port\""
		echo "address = \"127.0.0.1:$port\""
		[ "$1" != 1 ] || echo "standalone = \"127.0.0.1:$master_port\""
		echo 'start = "harbor_node"'
		echo "harbor_heartbeat = ${heartbeat:-60}"
		echo "global_name = \"NODE$1\""
		echo "ask = \"unix:$TEST_TMP/n$1.ask\""
		[ $# -lt 2 ] || printf '%s\n' "$2"
	} | config "n$1"
	rm -f "$TEST_TMP/n$1.ask"
}

# up ID: starts a node and waits until it can be asked.
up() {
	node "$@"
	start "n$1"
	logged "n$1" "test node is up"
}

# ask ID CHUNK: prints what the chunk returns there.
ask() {
	# shellcheck disable=SC2016
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift) or exit 1;
		$s->print(shift . "\n"); print while <$s>' "$TEST_TMP/n$1.ask" "$2"
}

# one_line CHUNK: prints it without line ends, as `ask` wants it.
one_line() {
	printf '%s' "$1" | tr '\n\t' '  '
}

# answers ID CHUNK TEXT: waits until the chunk returns the text.
answers() {
	wait_for says "$@"
}

says() {
	found=$(ask "$1" "$2") && [ "$found" = "$3" ]
}

# kill_node ID [SIGNAL]
kill_node() {
	kill "-${2:-KILL}" "$(cat "$TEST_TMP/n$1.pid")"
	ended "n$1"
}

# errors_at_end ID: prints what its log says of errors since it was told to stop.
errors_at_end() {
	sed '1,/Stop: closing/d' "$TEST_TMP/n$1.out" | grep -A3 error
}
