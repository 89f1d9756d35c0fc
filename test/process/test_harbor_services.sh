# Services of the network over the death and the return of a node: the manager of unique services and
# the shared tree.
. test/process/lib.sh
. test/process/harbor.sh
heartbeat=1

# datacenter ID CHUNK
datacenter() {
	ask "$1" "require('skynet.datacenter').$2"
}

up 1
up 2
up 3

# ---- while all live ----
is "a_service_of_the_network_is_launched_where_the_master_is" \
	"$(ask 2 'skynet.uniqueservice(true, "idle") >> 24')" 1
is "all_nodes_find_the_same" \
	"$(ask 3 'skynet.queryservice(true, "idle") == skynet.uniqueservice(true, "idle")')" true
ask 3 'unique = skynet.uniqueservice "idle"' >/dev/null
listed=$(one_line '(function() for name in pairs(skynet.call(".service", "lua", "LIST")) do
	if name == "idle@3" then return "listed" end end return "not listed" end)()')
check "the_manager_lists_services_of_other_nodes" answers 1 "$listed" listed
datacenter 2 'set("a", "b", 42)' >/dev/null
is "what_one_node_has_stored_another_reads" "$(datacenter 3 'get("a", "b")')" 42

# ---- a member dies and comes back ----
ask 1 'skynet.fork(function() done.wait = require("skynet.datacenter").wait("later") end)' >/dev/null
kill_node 3
check "the_manager_forgets_a_node_that_has_died" answers 1 "$listed" "not listed"
is "its_services_live_on" "$(ask 2 'skynet.queryservice(true, "idle") >> 24')" 1
up 3
ask 3 'unique = skynet.uniqueservice "idle"' >/dev/null
check "the_manager_knows_it_when_it_has_come_back" answers 1 "$listed" listed
datacenter 3 'set("later", "now")' >/dev/null
check "who_waits_for_a_value_gets_it_from_a_node_that_has_come_back" answers 1 'done.wait' now

# ---- the master hears no more of a node that all others still reach ----
kill_node 2
master_proxy=$(free_port)
perl test/process/chaos_proxy.pl "$TEST_TMP" "master:$master_proxy:$master_port" &
echo $! >"$TEST_TMP/proxy.pid"
wait_for test -p "$TEST_TMP/proxy.in"
up 2 "master = '127.0.0.1:$master_proxy'"
ask 2 'skynet.fork(function() done.wait = require("skynet.datacenter").wait("unheard") end)' >/dev/null
ask 3 'later("held", "NODE2", "hold")' >/dev/null
check "it_is_asked_something" answers 2 'held ~= nil' true
echo "master hold" >"$TEST_TMP/proxy.in"
gone_again() {
	[ "$(grep -c "harbor 2 is gone" "$TEST_TMP/n1.out")" = 2 ]
}
check "the_master_tells_the_others_that_it_is_gone" wait_for gone_again
datacenter 1 'set("unheard", "now")' >/dev/null
check "what_it_waits_for_it_still_gets" answers 2 'done.wait' now
ask 2 'held(true, "answer")' >/dev/null
check "and_so_do_those_who_wait_for_it" answers 3 'done.held' answer
echo "master pass" >"$TEST_TMP/proxy.in"
check "it_joins_again" logged n2 "joined the master again"

# ---- the node with the master dies and comes back ----
ask 2 "$(one_line 'skynet.fork(function()
	done.kind = skynet.error_kind(select(2, pcall(require("skynet.datacenter").wait, "never"))) end)'
)" >/dev/null
kill_node 1
check "who_waits_for_a_value_is_told_that_the_node_is_dead" answers 2 'done.kind' dead_node
is "a_service_of_the_network_is_unknown_then" \
	"$(ask 2 'pcall(skynet.queryservice, true, "idle")' | cut -d' ' -f1)" false
is "services_of_the_node_are_not" "$(ask 3 'skynet.queryservice "idle" == unique')" true
up 1
check "it_can_be_launched_again" answers 2 'select(2, pcall(skynet.uniqueservice, true, "idle")) >> 24' 1
check "the_new_manager_knows_the_other_nodes" answers 1 "$listed" listed
check "the_tree_is_there_again" answers 3 \
	'pcall(require("skynet.datacenter").set, "a", "b", 43) and require("skynet.datacenter").get("a", "b")' 43

# ---- and comes back under another id ----
kill_node 1
up 4 "standalone = '127.0.0.1:$master_port'"
check "a_manager_with_another_id_is_told_of_the_others" answers 4 "$listed" listed
check "and_launches_for_them" answers 2 'select(2, pcall(skynet.uniqueservice, true, "idle")) >> 24' 4

for id in 3 2 4; do
	kill_node $id TERM
	is "node_${id}_ends_well" "$status" 0
	is "node_${id}_ends_without_an_error_in_its_log" "$(errors_at_end "$id")" ""
done
finish
