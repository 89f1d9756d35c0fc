# What is known of a node must not be taken for that of the process which comes back under its id.
. test/process/lib.sh
. test/process/harbor.sh

# calls_by_name CASE: node 2 has a name, ends by the rest of the arguments, and is started again.
calls_by_name() {
	case=$1
	shift
	ask 2 'harbor.globalname("WORKER", skynet.self())' >/dev/null
	is "$case: a_name_is_called" "$(ask 1 'skynet.call("WORKER", "lua", "echo", "first")')" first
	"$@"
	check "$case: while_its_node_is_gone_calls_fail_at_once" answers 1 \
		'skynet.error_kind(select(2, pcall(skynet.call, "WORKER", "lua", "echo")))' dead_node

	# The same handle as before is another service now, that of NODE2.
	up 2
	check "$case: the_node_is_back" answers 1 \
		'pcall(skynet.call, "NODE2", "lua", "echo", "x")' "true x"
	ask 1 'done.worker = nil later("worker", "WORKER", "echo", "second")' >/dev/null
	is "$case: what_is_sent_later_is_answered" \
		"$(ask 1 'skynet.call("NODE2", "lua", "echo", "x")')" x
	is "$case: a_call_waits_for_the_name_to_be_registered_again" "$(ask 1 'done.worker')" nil
	ask 2 'harbor.globalname("WORKER", skynet.self())' >/dev/null
	check "$case: then_it_is_answered" answers 1 'done.worker' second
}

abort_node() {
	ask "$1" 'skynet.abort()' >/dev/null
}

# ---- in one process before, in two after ----
node 1
node 2
start n1 "$TEST_TMP/n2"
wait_for ask 1 true >/dev/null
wait_for ask 2 true >/dev/null
calls_by_name one abort_node 2
kill_node 2 TERM
kill_node 1 TERM

# ---- in two processes ----
up 1
up 2
calls_by_name two kill_node 2
kill_node 2 TERM

# ---- a scripted node, with the table that our nodes show; a message waits for it ----
ask 1 'skynet.send(0x0700000a, "lua", "x")' >/dev/null
peer_port=$(free_port)
address=$(printf %s "127.0.0.1:$peer_port" | od -An -v -tx1 | tr -d ' \n')
table=065c$(printf incarnation | od -An -v -tx1 | tr -d ' \n')0a0500
hello=0c480a07$(printf %02x $((${#address} / 2 * 8 + 4)))$address$table
ping=0000001070696e67010000000700000000000000
offer=000000117061727473010000000700000000000002
message=0000000e0c78........0a00000a00000000
# shellcheck disable=SC2154
is "the_first_frame_tells_who_speaks" "$(perl test/process/harbor_peer.pl "$master_port" \
	open "$peer_port" send "$(printf %02x $((${#hello} / 2)))$hello" accept expect 01 send 07 \
	expect "$ping$offer$message")" ok

kill_node 1 TERM
is "the_node_ends_well" "$status" 0
finish
