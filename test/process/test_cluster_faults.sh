# Nodes of a cluster under load whose peer stops, goes on, dies and returns, or has no descriptors left: every
# call ends, in order, and nothing stays behind.
. test/process/lib.sh

port=$(free_port)
echo "server = '127.0.0.1:$port'" >"$TEST_TMP/names.lua"
config server <<-END
	start = "cluster_order"
	cluster = "$TEST_TMP/names.lua"
	cluster_heartbeat = 1
END
config client <<-END
	start = "cluster_load"
	cluster = "$TEST_TMP/names.lua"
	cluster_heartbeat = 1
END

# count TEXT NUMBER: the client has logged it that often.
count() {
	test "$(grep -cF -- "$1" "$TEST_TMP/client.out")" -ge "$2"
}
# descriptors PID
descriptors() {
	find "/proc/$1/fd" -mindepth 1 2>/dev/null | wc -l
}
# same_descriptors PID NUMBER: it has no more than that.
same_descriptors() {
	test "$(descriptors "$1")" -le "$2"
}
# resident PID: KiB
resident() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status"
}

start server
server=$pid
logged server "cluster_order: up"
idle=$(descriptors "$server")
start client
client=$pid
logged client "cluster_load: up"
# Once it has failed and been answered, all is warm.
freeze server
check "a_stopped_peer_fails_its_calls" logged client "calls fail: dead_node"
thaw server
check "it_answers_when_it_goes_on" logged client "answered again"
warm=$(descriptors "$client")
memory=$(resident "$client")

freeze server
check "a_second_stop_is_found_too" wait_for count "calls fail: dead_node" 2
thaw server
check "and_the_return" wait_for count "answered again" 2
check "connections_of_the_past_are_closed" wait_for same_descriptors "$server" $((idle + 1))

kill -KILL "$server"
check "a_killed_peer_fails_its_calls" wait_for count "calls fail: dead_node" 3
ended server
grep -F "out of order" "$TEST_TMP/server.out" >"$TEST_TMP/disorder"
start server
server=$pid
check "its_successor_answers" wait_for count "answered again" 3

check "descriptors_are_back" wait_for same_descriptors "$client" "$warm"
now=$(resident "$client")
# A sanitizer keeps what was freed.
[ -n "${SKYNET_SANITIZE:-}" ] || check "memory_is_back" test "$now" -le $((memory + 65536))
kill -TERM "$client"
ended client
is "the_client_stops_in_order" "$status" 0
check "every_call_has_ended_once" contains "$TEST_TMP/client.out" \
	"all ended: wrong 0, waiting 0, queued 0"
kill -TERM "$server"
ended server
grep -F "out of order" "$TEST_TMP/server.out" >>"$TEST_TMP/disorder"
is "order_held" "$(head -n 5 "$TEST_TMP/disorder")" ""
finish
