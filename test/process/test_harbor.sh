# Three nodes of a harbor network: names, calls, errors, death, return, and a new master.
. test/process/lib.sh
. test/process/harbor.sh
heartbeat=1

up 1
up 2
up 3
is "a_node_finds_a_global_name_of_another" \
	"$(ask 2 'harbor.queryname "NODE1" >> 24')" 1
is "a_call_by_name_is_answered" "$(ask 2 'skynet.call("NODE1", "lua", "echo", 1, "two")')" "1 two"
is "a_call_by_handle_is_answered" \
	"$(ask 3 'skynet.call(harbor.queryname "NODE2", "lua", "echo", "x")')" x
is "a_message_of_a_megabyte_comes_back" \
	"$(ask 3 '#skynet.call("NODE1", "lua", "echo", ("x"):rep(1 << 20))')" 1048576
is "an_error_of_the_handler_is_remote" \
	"$(ask 2 'skynet.error_kind(select(2, pcall(skynet.call, "NODE1", "lua", "raise")))')" remote
is "a_handle_that_does_not_exist_is_dead" \
	"$(ask 2 'skynet.error_kind(select(2, pcall(skynet.call, 0x01fffff0, "lua", "echo")))')" \
	dead_service
is "a_name_longer_than_15_bytes_is_refused" \
	"$(ask 2 'pcall(skynet.call, "a_name_of_16_byt", "lua", "echo")' | cut -d' ' -f1)" false
ask 3 'for i = 1, 1000 do skynet.send("NODE1", "lua", "count") end' >/dev/null
check "one_way_messages_arrive" answers 1 'count' 1000

# ---- an id that is taken ----
node 4
sed 's/^harbor = 4/harbor = 2/' "$TEST_TMP/n4" >"$TEST_TMP/twin"
run twin
[ "$status" -ne 0 ] && [ "$status" -lt 124 ]
ok "a_node_whose_id_is_taken_ends_with_a_status" $?
like "it_says_that_the_id_is_taken" "$err" "*harbor id 2 is taken*"
is "it_says_so_in_one_line" "$(lines "$err")" 1
is "the_owner_of_the_id_lives_on" "$(ask 3 'skynet.call("NODE2", "lua", "echo", "x")')" x

# ---- a machine that stands still: all sleep for longer than silence may last ----
# At once: nobody is to see another one stand still.
at_once() {
	kill "-$1" "$(cat "$TEST_TMP/n1.pid")" "$(cat "$TEST_TMP/n2.pid")" "$(cat "$TEST_TMP/n3.pid")"
}
at_once STOP
for id in 1 2 3; do
	freeze n$id
done
sleep 5
at_once CONT
for id in 1 2 3; do
	ask $id '(function() skynet.sleep(150) end)()' >/dev/null
done
is "nobody_is_called_silent_by_who_slept_as_long" \
	"$(cat "$TEST_TMP"/n[123].out | grep -cE 'silent|lost|has left')" 0

# ---- death ----
ask 2 'later("held", harbor.queryname "NODE1", "hold")' >/dev/null
check "a_request_is_under_way" answers 1 'held ~= nil' true
ask 1 'later("call", harbor.queryname "NODE2", "never")' >/dev/null
ask 1 'skynet.fork(function() done.why = harbor.link(2) done.link = "broken" end)' >/dev/null
ask 3 'later("call", harbor.queryname "NODE2", "never")' >/dev/null
ask 1 'old = harbor.queryname "NODE2"' >/dev/null
kill_node 2
check "a_waiting_call_fails_when_the_node_dies" answers 1 'done.call' dead_node
check "so_does_that_of_the_third_node" answers 3 'done.call' dead_node
check "who_watches_the_link_is_told" answers 1 'done.link' broken
check "and_why" answers 1 'type(done.why) == "string" and #done.why > 0' true
is "who_asks_later_is_told_that_there_is_none" "$(ask 1 'harbor.link(2)')" "there is no link"
is "a_later_call_fails_at_once" \
	"$(ask 1 'skynet.error_kind(select(2, pcall(skynet.call, old, "lua", "echo")))')" dead_node

# ---- return ----
up 2
check "a_node_comes_back_under_its_id" answers 1 \
	'pcall(skynet.call, harbor.queryname "NODE2", "lua", "echo", "again")' "true again"
check "also_for_the_third_node" answers 3 \
	'pcall(skynet.call, "NODE2", "lua", "echo", "again")' "true again"
ask 1 'held(true, "too late")' >/dev/null
check "an_answer_to_the_node_before_is_not_sent" logged n1 "its node was lost before it came; 1 so far"
is "it_can_call_too" "$(ask 2 'skynet.call("NODE3", "lua", "echo", "x")')" x

# ---- the master ----
ask 2 'skynet.fork(function() harbor.linkmaster() done.master = "lost" end)' >/dev/null
kill_node 1
check "who_watches_the_master_is_told" answers 2 'done.master' lost
is "the_others_still_talk" "$(ask 2 'skynet.call("NODE3", "lua", "echo", "x")')" x
up 1
check "a_new_master_learns_the_names" answers 1 \
	'pcall(skynet.call, "NODE3", "lua", "echo", "x")' "true x"
check "the_others_reach_its_node" answers 2 \
	'pcall(skynet.call, "NODE1", "lua", "echo", "x")' "true x"

# ---- a stopped process ----
ask 1 'later("stopped", harbor.queryname "NODE3", "echo", "late")' >/dev/null
check "a_call_to_the_third_node_is_answered" answers 1 'done.stopped' late
# its name may be forgotten before it is asked for
ask 1 'three = harbor.queryname "NODE3"' >/dev/null
freeze n3
ask 1 'later("frozen", three, "echo", "late")' >/dev/null
check "a_stopped_peer_is_found_by_its_silence" answers 1 'done.frozen' dead_node
thaw n3
check "it_is_linked_again_when_it_goes_on" answers 1 \
	'pcall(skynet.call, "NODE3", "lua", "echo", "x")' "true x"

# ---- leaving ----
kill_node 3 TERM
is "a_node_that_is_told_to_stop_ends_well" "$status" 0
check "the_others_see_it_leave" wait_for contains "$TEST_TMP/n1.out" "harbor 3 has left"

kill_node 2 TERM
kill_node 1 TERM
finish
