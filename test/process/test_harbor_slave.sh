# A member of the network between a scripted master and scripted peers, byte by byte: what a reference
# node saw it do, and where ours does better.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/harbor_peer.sh

port_2=$(free_port)
service_query=0a0c513c53455256494345
service_name=0f0c4e3c534552564943452208000001
report=00000018345245504f525422......02020000..0a000008........

# slave NAME STEP...: node 2, whose master is the script, and what happens after its H.
slave() {
	name=$1
	shift
	begin
	is "$name" "$(peer - open "$master_port" accept keep main control 0c48 "$@")" ok
	kill_node 2 2>/dev/null
}

begin() {
	master_port=$(free_port)
	node 2
	start n2
}

# joined NAME STEP...: after it has come up with a link to peer 1, kept as "one".
joined() {
	name=$1
	shift
	begin
	is "$name" "$(peer - open "$master_port" accept keep main control 0c48 send 040c570a01 \
		dial "$port_2" keep one send 01 expect 02 main expect $service_query send $service_name \
		use one expect "$report" as 1 answer 1 00 main control 0c522c4e4f444532 as 5 \
		is "$(asking 2 '"up"')" up "$@")" ok
	kill_node 2 2>/dev/null
}

# announced PORT: C for harbor 5 there
announced() {
	hello 5 "$1" | sed 's/^..0c48/&/; s/0c48/0c43/'
}

# refused NAME TEXT STEP...: it ends with a status, and says why in one line.
refused() {
	name=$1 text=$2
	shift 2
	begin
	is "$name" "$(peer - open "$master_port" accept keep main control 0c48 "$@")" ok
	ended n2
	like "$name: says_why" "$status $err" "$text"
	is "$name: in_one_line" "$(lines "$err")" 1
}

# do CHUNK: a step in which node 2 does something
do_there() {
	asking 2 "$1"
}

# ---- joining ----
# with a table behind W that says that node 5, which will dial, is one of ours
heartbeat=1
slave "a_peer_of_ours_that_says_nothing_at_all_is_lost" send 0d0c570a0106246f7572730c0500 \
	dial "$port_2" send 05 \
	is "grep -c 'harbor 5 is disconnected: the peer is silent' '$TEST_TMP/n2.out'" 1
# from here on the script may take its time
heartbeat=3600
begin
is "H_has_id_and_address_as_in_the_reference" "$(peer - open "$master_port" accept \
	control "0c480a02$(hello 2 "$port_2" | cut -c11-)")" ok
kill_node 2 2>/dev/null
begin
is "a_peer_that_knows_its_address_may_dial_before_there_is_a_master" "$(peer - is \
	"perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(\"127.0.0.1:$port_2\") ? 1 : 0'" 1 \
	dial "$port_2" send 01 expect 02)" ok
kill_node 2 2>/dev/null
slave "the_first_member_asks_for_SERVICE_at_once" send 030c5702 expect $service_query
slave "an_extension_behind_W_that_makes_no_sense_is_ignored" \
	send 1a0c570206246f7572730a075c696e6361726e6174696f6e060000 expect $service_query
slave "values_behind_W_that_are_not_known_are_ignored" send 110c57020624636170730a0100246d6f7265 \
	expect $service_query
slave "a_W_with_a_negative_count_waits_for_nobody" send 070c5722ffffffff expect $service_query
joined "a_newcomer_is_dialled_and_reports"
refused "a_W_without_a_number" "[1-9]* skynet: *not answer as a master*" send 040c570c78 closed
refused "C_instead_of_W" "[1-9]* skynet: *not answer as a master*" send 100c430a015c3132372e302e302e313a31 closed
refused "garbage_instead_of_W" "[1-9]* skynet: *not answer as a master*" send 020707 closed
refused "the_end_instead_of_W" "[1-9]* skynet: *harbor id 2 may be taken" half closed
refused "a_reason_instead_of_W" "[1-9]* skynet: *refuses this node: go away" send 0a0c453c676f2061776179 closed
refused "a_reason_that_is_no_text_instead_of_W" "[1-9]* skynet: *not answer as a master*" send 040c450600 closed
slave "a_boot_waits_for_the_service_manager_of_the_network_and_says_so" send 030c5702 expect $service_query \
	is "grep -c 'waiting for the global name SERVICE' '$TEST_TMP/n2.out'" 1 dial "$port_2" keep one send 01 expect 02 \
	main send $service_name use one expect "$report" as 1 answer 1 00 is "$(asking 2 '"up"')" up
slave "a_boot_outlives_the_node_with_the_service_manager" send 040c570a01 dial "$port_2" keep one send 01 \
	expect 02 main expect $service_query send $service_name use one expect "$report" half closed \
	dial "$port_2" keep two send 01 expect 02 main expect $service_query send $service_name \
	use two expect "$report" as 1 answer 1 00 is "$(asking 2 '"up"')" up

# ---- links ----
# as one of ours: node 1, with {incarnation = 5}
announced_1() {
	set -- "$(hello 1 "$1" | cut -c7-)065c696e6361726e6174696f6e0a0500"
	set -- "0c43$1"
	printf '%02x%s' $((${#1} / 2)) "$1"
}
p=$(free_port)
slave "of_two_connections_made_at_once_that_of_the_lower_id_stays" send 030c5702 expect $service_query \
	send $service_name open "$p" send "$(announced_1 "$p")" accept keep two expect 02 \
	dial "$port_2" send 01 expect 02 skip 41 expect "$report" as 1 answer 1 00 is "$(asking 2 '"up"')" up \
	use two closed
p=$(free_port)
joined "the_other_one_is_closed_by_the_other_end" open "$p" send "$(announced "$p")" accept keep two expect 02 \
	run "$(do_there 'skynet.send(0x05000010, "lua", "q1")')" dial "$port_2" send 05 silent \
	use two send 05 expect 0000000f147131020000..0a00001000000000
p=$(free_port)
joined "what_waits_for_a_link_leaves_in_order_when_the_peer_has_said_its_id" \
	open "$p" send "$(announced "$p")" meet 02 \
	run "$(do_there 'skynet.send(0x05000010, "lua", "q1") skynet.send(0x05000010, "lua", "q2")')" \
	silent send 05 expect 0000000f147131020000..0a00001000000000 \
	expect 0000000f147132020000..0a00001000000000
p=$(free_port)
joined "what_is_sent_to_a_node_not_heard_of_waits_for_it" \
	run "$(do_there 'skynet.send(0x05000010, "lua", "early")')" \
	open "$p" send "$(announced "$p")" meet 02 send 05 \
	expect 000000122c6561726c79020000..0a00001000000000
p=$(free_port)
joined "what_is_sent_to_a_name_has_its_handle_when_the_link_comes_later" \
	run "$(do_there 'later("call", "NMQ", "hello")')" expect 060c511c4e4d51 \
	send 0b0c4e1c4e4d512233000005 open "$p" send "$(announced "$p")" meet 02 send 05 \
	expect 000000122c68656c6c6f020000..0a000033........ answer 1 0a2a \
	is "$(asking 2 'done.call')" 42
p=$(free_port)
joined "a_name_that_is_learned_during_the_handshake_does_not_overtake_it" \
	open "$p" send "$(announced "$p")" meet 02 keep five \
	run "$(do_there 'later("call", "NMH", "hello")')" main expect 060c511c4e4d48 \
	send 0b0c4e1c4e4d482233000005 is "$(asking 2 'harbor.queryname "NMH" >> 24')" 5 \
	use five silent send 05 expect 000000122c68656c6c6f020000..0a000033........
p=$(free_port)
more=$(announced "$p" | cut -c3-)0624636170730a01001c746f6b
joined "values_behind_C_that_are_not_known_are_ignored" \
	open "$p" send "$(printf %02x $((${#more} / 2)))$more" meet 02 send 05 \
	is "$(asking 2 'harbor.connect(5)')" ""
p=$(free_port)
joined "a_wrong_id_ends_the_link_and_the_calls_that_wait" \
	open "$p" send "$(announced "$p")" meet 02 run "$(do_there 'later("call", 0x05000010, "x")')" \
	send 63 closed is "$(asking 2 'done.call')" dead_node \
	run "$(do_there 'later("later", 0x05000010, "x")')" is "$(asking 2 'done.later')" dead_node
p=$(free_port)
joined "an_address_that_is_said_again_is_dialled_again" \
	open "$p" send "$(announced "$p")" meet 02 send 63 closed \
	main send 040c440a05 send "$(announced "$p")" meet 02 send 05 \
	is "$(asking 2 'harbor.connect(5)')" ""
p=$(free_port)
joined "a_node_of_the_reference_that_cannot_be_reached_is_given_up_with_a_line" \
	send "$(announced "$p")" \
	is "grep -c 'harbor 5 at 127.0.0.1:$p is not dialled any more' '$TEST_TMP/n2.out'" 1
p=$(free_port)
joined "the_end_of_a_link_is_told_to_who_waits" \
	open "$p" send "$(announced "$p")" meet 02 send 05 is "$(asking 2 'harbor.connect(5)')" "" \
	run "$(do_there 'skynet.fork(function() harbor.link(5) done.link = "broken" end)
		later("call", 0x05000010, "pending")')" \
	expect 000000143c70656e64696e67020000..0a000010........ half closed \
	is "$(asking 2 'done.link')" broken is "$(asking 2 'done.call')" dead_node
joined "a_D_from_the_master_ends_waiting_but_not_a_link_that_works" \
	run "$(do_there 'skynet.fork(function() harbor.link(1) done.link = "gone" end)')" \
	send 040c440a01 is "$(asking 2 'done.link')" gone \
	run "$(do_there 'skynet.send(0x01000010, "lua", "afterD")')" \
	use one expect 0000001334616674657244020000..0a00001000000000
joined "a_second_connection_of_a_linked_node_is_closed" \
	dial "$port_2" send 01 closed
joined "a_frame_behind_the_id_of_a_dialer_is_lost_and_the_link_works" \
	dial "$port_2" send 050000000d78050000090affff0000000005 expect 02 \
	send 0000000d78050000090affff0000000006 expect 0000000c02ffff000700000900000006

# ---- the master ----
joined "letters_that_are_not_known_are_ignored" send 080c5a0a010a020a03 \
	send 0e0c4e3441465445525a2244000001 is "$(asking 2 'harbor.queryname "AFTERZ"')" 16777284
joined "values_of_the_master_that_make_no_sense_are_ignored" \
	send 020c43 send 040c430a05 send 0f0c43025c3132372e302e302e313a31 \
	send 100c430a025c3132372e302e302e313a31 send 090c4322000100000c78 send 060c430c350c78 \
	send 060c430a050a07 \
	is "grep -c 'ignored an invalid C message' '$TEST_TMP/n2.out'" 7 \
	send 020c4e send 0b0c4e3c4649465445454e02 \
	send 180c4e84535353535353535353535353535353532244000001 send 080c4e042244000001 \
	send 090c4e0a072244000001 send 060c4e06000600 \
	is "grep -c 'ignored an invalid name' '$TEST_TMP/n2.out'" 6 \
	send 1d0c430a05446e6f6e73656e7365065c696e6361726e6174696f6e060000 send 070c430a06040a07 \
	send 290c430a076c756e69783a2f6e6f2f73756368065c696e6361726e6174696f6e0c78246f7572730a0700 \
	send 020c44 send 040c440c78 send 030c4402 send 070c442200010000 send 040c440600 send 040c570a09 \
	send 040c450600 send 040c500a01 \
	send fe0c5a15f9007a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a7a \
	send 0e0c4e3441465445525a2244000001 is "$(asking 2 'harbor.queryname "AFTERZ"')" 16777284 \
	run "$(do_there 'skynet.send(0x01000010, "lua", "afterD")')" \
	use one expect 0000001334616674657244020000..0a00001000000000
joined "values_behind_N_that_are_not_known_are_ignored" \
	send 140c4e3441465445525a22440000012c6578747261 \
	is "$(asking 2 'harbor.queryname "AFTERZ"')" 16777284
joined "a_handle_that_is_no_integer_is_ignored" send 0f0c4e1c46464642000000000000f83f \
	send 0d0c4e2c4c415445522244000001 is "$(asking 2 'harbor.queryname "LATER"')" 16777284
joined "size_0_ends_the_connection" \
	run "$(do_there 'skynet.fork(function() harbor.linkmaster() done.master = "lost" end)')" \
	send 00 closed is "$(asking 2 'done.master')" lost
joined "a_new_master_is_told_names_and_questions" \
	run "$(do_there 'skynet.fork(function() harbor.linkmaster() done.master = "lost" end)
		skynet.fork(function() done.name = harbor.queryname "WANTED" end)')" \
	control 0c513457414e544544 run "$(do_there 'skynet.send("UNKNOWN", "lua", "x")')" control 0c513c554e4b4e4f574e \
	half closed is "$(asking 2 'done.master')" lost \
	accept control 0c480a02 send 030c5702 control 0c522c4e4f444532 control 0c513457414e544544 \
	control 0c513c554e4b4e4f574e \
	send 0e0c4e3457414e5445442244000001 is "$(asking 2 'done.name')" 16777284 \
	run "$(do_there 'skynet.send(0x01000010, "lua", "afterD")')" \
	use one expect 0000001334616674657244020000..0a00001000000000
joined "a_new_master_is_asked_for_known_names_too_which_may_belong_to_others_by_now" \
	half closed accept control 0c480a02 send 030c5702 control 0c522c4e4f444532 \
	control 0c513c53455256494345 is "$(asking 2 'harbor.queryname "SERVICE" >> 24')" 1 \
	send 0f0c4e3c53455256494345220c000005 \
	run "$(do_there 'while harbor.queryname "SERVICE" >> 24 ~= 5 do skynet.sleep(1) end')"
finish
