# Three nodes, each in a network namespace of its own, joined by a cable that delays, loses and is cut.
# TEST_LONG=1 adds a cable that stays cut until the last call has ended.
if [ -z "${NETWORK_INSIDE:-}" ]; then
	skip() {
		echo "1..0 # SKIP $1"
		exit 0
	}
	for tool in ip unshare nsenter; do
		command -v "$tool" >/dev/null || skip "there is no command $tool"
	done
	[ -c /dev/net/tun ] || skip "there is no /dev/net/tun"
	own="unshare -Urn"
	$own true 2>/dev/null || own="unshare -n"
	probe="ip tuntap add dev probe mode tun"
	# shellcheck disable=SC2086
	$own $probe >/dev/null 2>&1 || skip "this user cannot make a network namespace with a TUN device"
	export NETWORK_INSIDE=1
	# shellcheck disable=SC2086
	exec $own sh "$0"
fi
. test/process/lib.sh
. test/process/harbor.sh
. test/process/network.sh

# wire LINE...: the state of the cable.
wire() {
	printf '%s\n' "$@" >"$TEST_TMP/wire"
	[ -e "$TEST_TMP/wire.pid" ] || return
	rm -f "$TEST_TMP/wire.read"
	kill -HUP "$(cat "$TEST_TMP/wire.pid")"
	wait_for test -e "$TEST_TMP/wire.read"
}

other_namespace() {
	[ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/$$/ns/net)" ]
}

# place ID: makes the namespace of a node.
place() {
	unshare -n sleep 1000 &
	echo $! >"$TEST_TMP/place$1.pid"
	wait_for other_namespace "$(cat "$TEST_TMP/place$1.pid")"
}

# boot_there ID: a node in its namespace.
boot_there() {
	skynet=$SKYNET
	printf '#!/bin/sh\nexec nsenter -t %s -n "%s" "$@"\n' \
		"$(cat "$TEST_TMP/place$1.pid")" "$SKYNET" >"$TEST_TMP/enter$1"
	chmod +x "$TEST_TMP/enter$1"
	SKYNET=$TEST_TMP/enter$1
	boot "$1" "master = '10.99.0.1:2013'
address = '10.99.0.$1:2526'
$([ "$1" != 1 ] || echo "standalone = '10.99.0.1:2013'")
harbor_heartbeat = 2
cluster_heartbeat = 5
network_deadline = 1000
network_big_size = 20000
network_pause = 5"
	SKYNET=$skynet
}

wire "delay 0"
each place 1 2 3
perl test/process/network_wire.pl "$TEST_TMP" "$(cat "$TEST_TMP/place1.pid")" \
	"$(cat "$TEST_TMP/place2.pid")" "$(cat "$TEST_TMP/place3.pid")" &
echo $! >"$TEST_TMP/wire.pid"
wait_for test -e "$TEST_TMP/wire.read" || {
	check "there_is_a_cable" false
	finish
}
name_nodes "n1 = '10.99.0.1:2527'" "n2 = '10.99.0.2:2527'" "n3 = '10.99.0.3:2527'"
each boot_there 1 2 3
start_load 1 2 3
check "near: all_nodes_answer_each_other" all_answer 1 2 3
stop_load 1 2 3
each ended_calls 1 2 3
baseline 1 2 3

# ---- far away ----
wire "delay 50" "loss 5"
start_load 1 2 3
check "far: all_nodes_answer_each_other" all_answer 1 2 3
check "far: they_go_on" all_answer 1 2 3
sound far 1 2 3
loses_nothing "far: nothing_is_lost" 1 harbor2 1 cluster2 2 harbor3 2 cluster3 3 harbor1 3 cluster1

# ---- a network in two parts ----
wire "delay 5"
start_load 1 2 3
all_answer 1 2 3
wire "delay 5" "cut 1 3" "cut 2 3"
check "parted: calls_to_the_other_part_fail" more 1 dead_node harbor3
check "parted: also_from_there" more 3 dead_node harbor2
check "parted: those_by_cluster_end_at_their_deadline" more 2 timeout cluster3 1
check "parted: those_without_one_when_nothing_is_heard_for_long" more 2 dead_node cluster3 1
check "parted: within_a_part_calls_are_answered" more 1 reply 2
wire "delay 5"
check "parted: all_answer_when_it_is_one_again" all_answer 1 2 3
sound parted 1 2 3
loses_nothing "parted: within_a_part_nothing_is_lost" 1 harbor2 1 cluster2 2 harbor1 2 cluster1

# ---- a cable that stays cut ----
if [ "${TEST_LONG:-0}" = 1 ]; then
	start_load 1 2 3
	all_answer 1 2 3
	wire "cut 1 2" "cut 2 3"
	stop_load 1 2 3
	check "unplugged: every_call_ends_while_it_lasts" each ended_calls 1 2 3
	wire "delay 5"
	start_load 1 2 3
	check "unplugged: all_answer_when_it_is_over" all_answer 1 2 3
	sound unplugged 1 2 3
fi

each kill_node 1 2 3
finish
