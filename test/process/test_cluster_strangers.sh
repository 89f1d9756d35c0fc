# Strangers at the port of a cluster node: those that close half, read nothing, send garbage or one byte at a
# time, and more of them than there are descriptors. The node serves on, and they leave nothing behind.
. test/process/lib.sh

port=$(free_port)
echo "server = '127.0.0.1:$port'" >"$TEST_TMP/names.lua"
config server <<-END
	start = "cluster_order"
	cluster = "$TEST_TMP/names.lua"
	cluster_buffer_limit = 1048576
END
config client <<-END
	start = "cluster_load"
	cluster = "$TEST_TMP/names.lua"
END

# stranger WHAT: in the background; its word is in $TEST_TMP/WHAT.word.
stranger() {
	perl test/process/cluster_stranger.pl "$1" "$port" >"$TEST_TMP/$1.word" 2>"$TEST_TMP/$1.err" &
	echo $! >"$TEST_TMP/$1.pid"
	wait_for test -s "$TEST_TMP/$1.word"
	word=$(cat "$TEST_TMP/$1.word")
}
leave() {
	kill -KILL "$(cat "$TEST_TMP/$1.pid")"
	: >"$TEST_TMP/$1.status"
}
same_descriptors() {
	test "$(find "/proc/$server/fd" -mindepth 1 | wc -l)" -le "$1"
}
resident() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$server/status"
}
# serves: a client under load is answered all the way.
serves() {
	start client
	logged client "cluster_load: up" && kill -TERM "$pid" && ended client &&
		contains "$TEST_TMP/client.out" "all ended: wrong 0, waiting 0, queued 0" &&
		! contains "$TEST_TMP/client.out" "calls fail"
}

# A sanitizer keeps what was freed.
is_bounded() {
	[ -n "${SKYNET_SANITIZE:-}" ] || [ "$(resident)" -le $((memory + 65536)) ]
}
# back STRANGER: nothing is left of it.
back() {
	check "$1: descriptors_are_back" wait_for same_descriptors "$idle"
	check "$1: memory_is_bounded" wait_for is_bounded
}

ulimit -n 100
start server
server=$pid
logged server "cluster_order: up"
idle=$(find "/proc/$server/fd" -mindepth 1 | wc -l)
check "a_node_serves" serves
memory=$(resident)

stranger halfclosed
is "who_closes_half_is_closed" "$word" closed
leave halfclosed
back halfclosed

stranger deaf
is "who_reads_nothing_is_not_listened_to" "$word" full
check "others_are_served_meanwhile" serves
check "what_waits_for_it_is_bounded" is_bounded
leave deaf
back deaf

stranger garbage
check "garbage_does_no_harm" serves
[ "$(grep -c "malformed request" "$TEST_TMP/server.out")" -lt 100 ]
ok "and_does_not_fill_the_log" $?
leave garbage
back garbage

stranger slow
is "one_byte_at_a_time_is_served" "$word" answered
leave slow
back slow

start client
client=$pid
logged client "cluster_load: up"
wait_for same_descriptors $((idle + 1))
stranger many
is "more_strangers_than_descriptors_come" "$word" crowded
check "a_connection_that_is_there_lives_on" test ! -e "$TEST_TMP/client.status"
leave many
kill -TERM "$client"
ended client
check "and_has_lost_nothing" contains "$TEST_TMP/client.out" "all ended: wrong 0, waiting 0, queued 0"
check "its_calls_did_not_fail" test "$(grep -c "calls fail" "$TEST_TMP/client.out")" -eq 0
check "later_ones_are_served" serves
back many
kill -TERM "$server"
ended server
is "the_node_stops_in_order" "$status" 0
is "order_held" "$(grep -F "out of order" "$TEST_TMP/server.out" | head -n 5)" ""
finish
