# Peers that break in odd ways: half-closed, slow, deaf, mute, answering twice or never. Each call ends
# once, and after each the node has what it had before.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/harbor_peer.sh
heartbeat=1

up 1
up 2
descriptors() {
	find "/proc/$(cat "$TEST_TMP/n1.pid")/fd" -type l | wc -l
}
memory='(function() skynet.call(".launcher", "lua", "GC") skynet.sleep(1)
	return require("skynet.memory").total() end)()'
memory=$(one_line "$memory")
before=$(descriptors)
memory_before=$(ask 1 "$memory")

few() {
	[ "$(descriptors)" -le "$before" ]
}
little() {
	[ "$(ask 1 "$memory")" -le $((memory_before + (1 << 20))) ]
}
# back FAULT: the node has again what it had before all of them.
back() {
	check "$1: descriptors_are_back" wait_for few
	check "$1: memory_is_back" wait_for little || echo "# $memory_before, now $(ask 1 "$memory")"
}

# what node 1 sends when its test service calls service 9 of the peer with "hi", and that as a payload
called=0000000f146869010000090a000009........
hi=146869

# ---- links ----
frames "half_closed: a_waiting_call_fails" \
	run "$(asking 1 'later("half", 0x05000009, "hi")')" expect "$called" \
	half closed is "$(asking 1 'done.half')" dead_node
frames "half_closed: so_does_a_later_one" \
	half closed is "$(asking 1 'pcall(skynet.call, 0x05000009, "lua", "hi")' | sed 's/$/ | cut -c1-5/')" \
	false
back half_closed
frames "slow: a_frame_may_come_byte_by_byte" \
	drip 0000001324 is "$(asking 2 'skynet.call("NODE1", "lua", "echo", "x")')" x \
	drip 6563686f0c78050000090a00000900000007 expect 0000000e0c78010000090100000900000007
back slow
is "mute: a_link_without_an_id_is_closed_and_its_calls_fail" \
	"$(p=$(free_port); peer "$master_port" open "$p" send "$(hello 5 "$p")" expect 040c570a02 \
		meet 01 run "$(asking 1 'later("mute", 0x05000009, "hi")')" closed \
		is "$(asking 1 'done.mute')" dead_node)" ok
is "mute: who_connects_and_says_nothing_is_closed" "$(peer "$port_1" closed)" ok
is "mute: half_a_message_to_the_master_too" "$(peer "$master_port" send c80c closed)" ok
back mute
# 22 begins a message of TLS, and might be a harbor id
is "garbage: what_is_no_frame_ends_the_connection" \
	"$(peer "$port_1" send 16 expect 01 send 0301020001000001fc0303 closed)" ok
is "garbage: id_0_and_the_own_id_are_refused" \
	"$(peer "$port_1" send 00 closed dial "$port_1" send 01 closed)" ok
back garbage

# ---- answers ----
frames "twice: the_second_answer_is_dropped" \
	run "$(asking 1 'count = 0 skynet.fork(function()
		skynet.call(0x05000009, "lua", "hi") count = count + 1 end)')" \
	expect "$called" answer 1 $hi answer 1 $hi answer 7 "" \
	send 0000000d78050000090a00000000000005 expect 0000000c010000000700000900000005 \
	is "$(asking 1 'count')" 1
back twice
frames "late: an_answer_after_the_deadline_is_dropped" \
	run "$(asking 1 'skynet.fork(function() done.late = skynet.error_kind(select(2, pcall(
		skynet.call_timeout, 10, 0x05000009, "lua", "hi"))) end)')" \
	expect "$called" is "$(asking 1 'done.late')" timeout answer 1 $hi \
	is "$(asking 1 '#require("skynet.core").task_abandoned()')" 0
back late
frames "never: what_was_given_up_is_forgotten_after_a_while" \
	run "$(asking 1 'for i = 1, 50 do skynet.fork(pcall, skynet.call_timeout, 1, 0x05000009, "lua",
		"hi") end skynet.sleep(2)')" \
	expect "$called" is "$(asking 1 '#require("skynet.core").task_abandoned() > 0')" true \
	is "$(asking 1 '#require("skynet.core").task_abandoned()')" 0 \
	send 0000000d78050000090a00000000000005
back never

# ---- sessions ----
for session in 7fffffff 7ffffffe 00000001; do
	frames "session_$session: is_answered_as_it_came" \
		send "000000132465""63686f0c78050000090a000009$session" \
		expect "0000000e0c780100000901000009$session"
done
frames "session_7fffffff: is_sent_as_it_is" \
	run "$(asking 1 'skynet.redirect(0x05000009, skynet.self(), "lua", 0x7fffffff, "\x14hi")')" \
	expect 0000000f146869010000090a0000097fffffff
back session

# ---- a peer that never reads ----
frames "deaf: calls_are_refused_and_then_the_link_ends" \
	run "$(asking 1 'deaf = ("x"):rep(1 << 20) for i = 1, 80 do
		skynet.send(0x05000009, "lua", deaf) end')" \
	is "$(asking 1 'skynet.error_kind(select(2, pcall(skynet.call_timeout, 10, 0x05000009, "lua")))')" \
	overloaded \
	is "$(asking 2 'skynet.call("NODE1", "lua", "echo", "x")')" x \
	run "$(asking 1 'for i = 1, 200 do skynet.send(0x05000009, "lua", deaf) end deaf = nil')" \
	is "$(asking 1 'skynet.error_kind(select(2, pcall(skynet.call_timeout, 10, 0x05000009, "lua")))')" \
	dead_node
back deaf

# ---- one name, two nodes ----
ask 1 'skynet.name("TWICE", skynet.self())' >/dev/null
check "name: a_name_is_known_on_the_other_node" answers 2 'harbor.queryname "TWICE" >> 24' 1
ask 2 'skynet.name("TWICE", skynet.self())' >/dev/null
is "name: the_first_owner_keeps_it" "$(ask 2 'harbor.queryname "TWICE" >> 24')" 1
check "name: the_second_one_is_told_in_the_log" logged n2 "global name 'TWICE' is taken by :01"

back name
kill_node 2 TERM
is "node_2_ends_well" "$status" 0
kill_node 1 TERM
is "node_1_ends_well" "$status" 0
finish
