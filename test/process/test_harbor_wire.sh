# What services say to each other between nodes, byte by byte as recorded between nodes of the reference:
# answers of our node to a scripted member, and what our node sends to it.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/harbor_peer.sh

up 1
# low CHUNK: the last 24 bits of a handle of node 1, as hex
low() {
	ask 1 "('%06x'):format(($1) & 0xffffff)" | tr -d '\n'
}
node=$(low 'skynet.self()')
slave=$(low 'skynet.localname ".cslave"')
tree=$(low 'harbor.queryname "DATACENTER"')
manager=$(low 'harbor.queryname "SERVICE"')

# frame PAYLOAD TYPE LOW SESSION: from service 7 of harbor 5 to that of node 1
frame() {
	printf '%08x%s05000007%s%s%08x' $((${#1} / 2 + 12)) "$1" "$2" "$3" "$4"
}

# reply PAYLOAD TYPE LOW SESSION: what comes back from there
reply() {
	printf '%08x%s01%s%s000007%08x' $((${#1} / 2 + 12)) "$1" "$3" "$2" "$4"
}

# answered NAME LOW PAYLOAD ANSWER TYPE: a request of type lua, and the answer
answered() {
	frames "$1" send "$(frame "$3" 0a "$2" 6)" expect "$(reply "$4" "$5" "$2" 6)"
}

# ---- requests ----
answered "a_call_is_answered" "$node" 246563686f0a011c74776f 0a011c74776f 01
answered "an_answer_without_values_is_empty" "$node" 246563686f "" 01
answered "an_error_of_the_handler_has_no_text" "$node" 2c7261697365 "" 07
answered "what_cannot_be_unpacked_is_an_error" "$node" 07 "" 07
answered "an_unknown_command_of_the_slave_is_an_error" "$slave" 246563686f "" 07
name=4c2e6c61756e63686572
answered "the_slave_answers_local_names" "$slave" "4c51554552594e414d45$name" "22..000001" 01
frames "two_requests_in_one_piece_are_answered_in_order" \
	send "$(frame 246563686f0a01 0a "$node" 6)$(frame 246563686f0a02 0a "$node" 7)" \
	expect "$(reply 0a01 01 "$node" 6)$(reply 0a02 01 "$node" 7)"
frames "a_type_that_is_not_registered_is_an_error" \
	send "$(frame 68656c6c6f c8 "$node" 15)" expect "$(reply "" 07 "$node" 15)"
large=$(printf '%0120000d' 0)
frames "a_large_request_and_answer_are_one_frame_each" \
	send "$(frame "246563686f1560ea$large" 0a "$node" 28)" \
	expect "$(reply "1560ea$large" 01 "$node" 28)"
frames "text_and_traces_are_not_answered" send "$(frame 68656c6c6f 00 "$node" 0)" \
	send "$(frame 3a30333030303030372d31 0c "$node" 0)" \
	send "$(frame 246563686f34747261636564 0a "$node" 24)" \
	expect "$(reply 34747261636564 01 "$node" 24)"
frames "answers_that_nobody_waits_for_are_dropped" \
	send "$(frame 02 01 "$node" 12345)$(frame "" 07 "$node" 12345)$(frame 44203220 00 "$slave" 0)" \
	send "$(frame 246563686f 0a "$node" 24)" expect "$(reply "" 01 "$node" 24)"

# ---- ends ----
idle=$(low '(function() idle = skynet.newservice "harbor_quiet" return idle end)()')
frames "a_service_that_ends_fails_the_requests_that_it_has" \
	send "$(frame 2c6e65766572 0a "$idle" 20)$(frame 2c6e65766572 0a "$idle" 21)" \
	send "$(frame 0c78 0a "$slave" 22)" expect "$(reply "" 07 "$slave" 22)" \
	run "$(asking 1 'skynet.kill(idle)')" \
	expect "$(reply "" 07 "$idle" 20)$(reply "" 07 "$idle" 21)"
frames "what_a_service_that_has_ended_asked_for_is_not_answered" \
	send "$(frame 24686f6c64 0a "$node" 8)$(frame "" 07 "$node" 0)" \
	is "$(asking 1 'held and held(true, "late")')" false \
	send "$(frame 246563686f 0a "$node" 9)" expect "$(reply "" 01 "$node" 9)"

# ---- the shared tree ----
frames "the_tree_is_changed_and_read" \
	send "$(frame 345550444154450c610c620a2a 0a "$tree" 43)" expect "$(reply "" 01 "$tree" 43)" \
	send "$(frame 2c51554552590c610c62 0a "$tree" 44)" expect "$(reply 0a2a 01 "$tree" 44)" \
	send "$(frame 345550444154450c610c620a2b 0a "$tree" 45)" expect "$(reply 0a2a 01 "$tree" 45)" \
	send "$(frame 2c51554552590c61 0a "$tree" 46)" expect "$(reply 060c620a2b00 01 "$tree" 46)" \
	send "$(frame 2c51554552592c6e6f6b65790c78 0a "$tree" 63)" expect "$(reply "" 01 "$tree" 63)" \
	send "$(frame 2c51554552592c6e6f6b6579 0a "$tree" 64)" expect "$(reply "" 01 "$tree" 64)"
frames "who_waits_for_a_value_is_told_before_who_sets_it" \
	send "$(frame 2457414954146b31146b32 0a "$tree" 52)" \
	send "$(frame 34555044415445146b31146b320c76 0a "$tree" 51)" \
	expect "$(reply 0c76 01 "$tree" 52)$(reply "" 01 "$tree" 51)"
frames "nothing_is_set_below_a_value" \
	send "$(frame 345550444154450c730a01 0a "$tree" 57)" expect "$(reply "" 01 "$tree" 57)" \
	send "$(frame 345550444154450c730c740a01 0a "$tree" 58)" expect "$(reply "" 07 "$tree" 58)"

# ---- services of the network ----
frames "a_manager_reports_launches_and_queries" \
	send "$(frame 345245504f52542206000005 0a "$manager" 2)" expect "$(reply 00 01 "$manager" 2)" \
	send "$(frame 344c41554e43482c4069646c65 0a "$manager" 3)" \
	expect "$(reply 22......01 01 "$manager" 3)" \
	send "$(frame 2c51554552592c4069646c65 0a "$manager" 4)" \
	expect "$(reply 22......01 01 "$manager" 4)"
frames "a_service_that_cannot_be_launched_is_nil_and_a_text" \
	send "$(frame 344c41554e434884406e6f5f737563685f73657276696365 0a "$manager" 4)" \
	expect 000000 skip 1 expect 00

# ---- the debug protocol, and what a peer of other habits may send ----
frames "a_ping_is_answered_with_nothing" \
	send "$(frame 2450494e47 09 "$node" 9)" expect "$(reply "" 01 "$node" 9)"
frames "support_of_a_type_is_told" \
	send "$(frame 3c535550504f52541c6c7561 09 "$node" 10)" expect "$(reply 09 01 "$node" 10)"
frames "words_for_nobody_are_not_answered" send "$(frame 43415053 07 000000 1)" \
	send "$(frame "" c8 000000 7)" expect "$(reply "" 07 000000 7)"

# ---- what our services send ----
hi=146869
frames "a_call_and_a_message" \
	run "$(asking 1 'skynet.send(0x05000009, "lua", "hi") later("call", 0x05000009, "hi")')" \
	expect "0000000f${hi}01${node}0a00000900000000" expect "0000000f${hi}01${node}0a000009........" \
	answer 1 0a2a is "$(asking 1 'done.call')" 42
frames "an_empty_error_fails_a_call" \
	run "$(asking 1 'later("failed", 0x05000009, "hi")')" \
	expect "0000000f${hi}01${node}0a000009........" answer 7 "" is "$(asking 1 'done.failed')" error
frames "a_trace_goes_before_its_request" \
	run "$(asking 1 'skynet.fork(function() skynet.trace()
		pcall(skynet.call, 0x05000009, "lua", "hi") end)')" \
	expect "000000173a................2d3101${node}0c00000900000000" \
	expect "0000000f${hi}01${node}0a000009........"
finish
