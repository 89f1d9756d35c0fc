# Nodes of one harbor network in one process: as between processes, without sockets for messages.
. test/process/lib.sh
. test/process/harbor.sh

node 1
node 2
node 3
start n1 "$TEST_TMP/n2" "$TEST_TMP/n3"
for id in 1 2 3; do
	check "node_${id}_can_be_asked" wait_for ask $id 'true'
done
for id in 1 2 3; do
	for other in 1 2 3; do
		is "node_${id}_calls_node_$other" \
			"$(ask $id "skynet.call('NODE$other', 'lua', 'echo', $id, $other)")" \
			"$id $other"
	done
done
is "errors_come_back" \
	"$(ask 2 'skynet.error_kind(select(2, pcall(skynet.call, 0x01fffff0, "lua", "echo")))')" \
	dead_service

# a name that is known well to those that stay
ask 3 'harbor.globalname("MOVED", skynet.newservice "idle")' >/dev/null
check "a_service_with_a_name_is_reached" answers 2 \
	'skynet.error_kind(select(2, pcall(skynet.call, "MOVED", "lua", "echo")))' remote

# ---- one of them ends ----
ask 1 'later("call", harbor.queryname "NODE3", "never")' >/dev/null
ask 1 'skynet.fork(function() harbor.link(3) done.link = "broken" end)' >/dev/null
ask 1 'old = harbor.queryname "NODE3"' >/dev/null
ask 3 'skynet.abort()' >/dev/null
check "who_watches_its_link_is_told" answers 1 'done.link' broken
check "a_call_to_it_fails" answers 1 'done.call ~= nil' true
is "a_later_call_fails_at_once" "$(ask 1 'pcall(skynet.call, old, "lua", "echo")' | cut -d' ' -f1)" \
	false
is "the_others_still_talk" "$(ask 1 'skynet.call("NODE2", "lua", "echo", "x")')" x

# ---- another process takes its place ----
up 3
check "the_id_can_be_taken_by_another_process" answers 2 \
	'pcall(skynet.call, "NODE3", "lua", "echo", "x")' "true x"
is "it_reaches_the_process" "$(ask 3 'skynet.call("NODE2", "lua", "echo", "x")')" x
ask 3 'harbor.globalname "MOVED"' >/dev/null
check "its_names_are_not_those_of_the_node_before" answers 2 \
	'pcall(skynet.call, "MOVED", "lua", "echo", "x")' "true x"
check "nor_for_who_asks" answers 2 'harbor.queryname "MOVED" == harbor.queryname "NODE3"' true
kill_node 3 TERM
kill -TERM "$(cat "$TEST_TMP/n1.pid")"
ended n1
is "the_process_ends_well" "$status" 0

# ---- many ----
count=${HARBOR_NODES:-100}
[ -z "${SKYNET_SANITIZE:-}" ] || count=${HARBOR_NODES:-20}
id=1
set --
while [ $id -le "$count" ]; do
	# so many ports could not be picked without meeting those of connections
	eval "port_$id=0"
	node $id "address = \"unix:$TEST_TMP/h$id\""
	[ $id -eq 1 ] || set -- "$@" "$TEST_TMP/n$id"
	id=$((id + 1))
done
cp "$TEST_TMP/n1" "$TEST_TMP/many"
start many "$@"
check "${count}_nodes_boot_in_one_process" wait_for ask "$count" 'true'
# the connections to the master are all that they need: two ends for each, and two listeners
[ ! -d /proc/self/fd ] ||
	[ "$(find "/proc/$(cat "$TEST_TMP/many.pid")/fd" -lname 'socket:*' | wc -l)" -le $((count * 4 + 4)) ]
ok "without_sockets_between_them" $?
check "the_last_one_calls_the_first" answers "$count" \
	'skynet.call("NODE1", "lua", "echo", "x")' x
check "each_node_gets_its_name" answers 1 \
	"(function() for i = 1, $count do harbor.queryname('NODE' .. i) end return 'all' end)()" all

# ---- one of many, and then the one with the master, end and come back as processes of their own ----
# calls FROM TO
calls() {
	answers "$1" "pcall(skynet.call, harbor.queryname 'NODE$2', 'lua', 'echo', 'x')" "true x"
}
has_left_its_ports() {
	# shellcheck disable=SC2016,SC2154
	! perl -MIO::Socket::INET -e \
		'exit !IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => shift)' \
		"$master_port" && [ ! -S "$TEST_TMP/h1" ]
}
middle=$((count / 2))
ask "$count" "old = harbor.queryname 'NODE$middle'" >/dev/null
ask "$middle" 'skynet.abort()' >/dev/null
check "calls_to_one_that_has_ended_fail" answers "$count" \
	'skynet.error_kind(select(2, pcall(skynet.call, old, "lua", "echo")))' dead_node
wait_for test ! -S "$TEST_TMP/h$middle"
start "n$middle"
check "it_is_reached_when_it_comes_back" calls "$count" "$middle"
check "and_reaches_the_others" calls "$middle" "$count"
# names that a node has not heard of before are the master's to tell
check "a_third_one_has_a_name" calls "$count" 2
ask "$middle" 'later("call", harbor.queryname "NODE1", "never")' >/dev/null
ask 1 'skynet.abort()' >/dev/null
check "who_is_outside_sees_its_link_end" answers "$middle" 'done.call ~= nil' true
check "without_a_master_the_others_still_talk" answers "$count" \
	"pcall(skynet.call, 'NODE2', 'lua', 'echo', 'x')" "true x"
# its listeners go with its services
wait_for has_left_its_ports
start n1
check "a_new_master_learns_their_names" calls 1 "$count"
check "its_node_is_reached" calls "$count" 1
check "also_by_the_one_outside" calls "$middle" 1
for name in "n$middle" n1 many; do
	kill -TERM "$(cat "$TEST_TMP/$name.pid")"
	ended "$name"
	is "${name}_ends_well" "$status" 0
done
finish
