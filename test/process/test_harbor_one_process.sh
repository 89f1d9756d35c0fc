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
nodes=
while [ $id -le "$count" ]; do
	# so many ports could not be picked without meeting those of connections
	eval "port_$id=0"
	node $id "address = \"unix:$TEST_TMP/h$id\"
shutdown_timeout = 60
harbor_heartbeat = 60" # a busy machine is no reason to give each other up
	[ $id -eq 1 ] || nodes="$nodes $TEST_TMP/n$id"
	id=$((id + 1))
done
# shellcheck disable=SC2086
start n1 $nodes
check "${count}_nodes_boot_in_one_process" wait_for ask "$count" 'true'
# the connections to the master are all that they need: two ends for each, and two listeners
[ ! -d /proc/self/fd ] ||
	[ "$(find "/proc/$(cat "$TEST_TMP/n1.pid")/fd" -lname 'socket:*' | wc -l)" -le $((count * 4 + 4)) ]
ok "without_sockets_between_them" $?
check "the_last_one_calls_the_first" answers "$count" \
	'skynet.call("NODE1", "lua", "echo", "x")' x
check "each_node_gets_its_name" answers 1 \
	"(function() for i = 1, $count do harbor.queryname('NODE' .. i) end return 'all' end)()" all
kill -TERM "$(cat "$TEST_TMP/n1.pid")"
ended n1
is "they_end_well" "$status" 0
finish
