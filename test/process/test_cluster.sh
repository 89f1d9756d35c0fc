# Nodes of a cluster that die and move: waiting calls fail, the file of names is followed.
. test/process/lib.sh

# server NAME: a node that listens where names-NAME says.
server() {
	echo "server = '127.0.0.1:$(free_port)'" >"$TEST_TMP/names-$1.lua"
	config "$1" <<-END
		start = "cluster_server"
		who = "$1"
		cluster = "$TEST_TMP/names-$1.lua"
	END
	start "$1"
	logged "$1" "cluster_server: up"
}

server first
first=$pid
server second
second=$pid
cp "$TEST_TMP/names-first.lua" "$TEST_TMP/names.lua"
config client <<-END
	start = "cluster_client"
	cluster = "$TEST_TMP/names.lua"
END
start client
client=$pid
check "a_node_answers" logged client "answered by first"

echo "server = ?" >"$TEST_TMP/names.lua"
check "a_wrong_file_is_reported" logged client "error: cluster keeps its names:"

kill -STOP "$first" && kill -CONT "$first"
kill -KILL "$first"
check "a_waiting_call_to_a_killed_node_fails" logged client \
	"waiting call ended: false dead_node"
check "later_calls_fail_too" logged client "answered by nobody"
check "its_end_is_told" logged client "event server down"

mv "$TEST_TMP/names-second.lua" "$TEST_TMP/names.lua"
check "the_file_is_read_when_it_changes" logged client "event server changed"
check "the_new_address_is_used" logged client "answered by second"

echo "server = false" >"$TEST_TMP/names-down.lua"
mv "$TEST_TMP/names-down.lua" "$TEST_TMP/names.lua"
# count TEXT NUMBER: the client has logged it that often.
count() {
	test "$(grep -cF -- "$1" "$TEST_TMP/client.out")" -ge "$2"
}
check "false_in_the_file_closes_the_link" wait_for count "event server down" 2
wait_for count "cluster: names are read again" 2
kill -HUP "$client"
check "it_is_read_on_SIGHUP" wait_for count "cluster: names are read again" 3
kill -TERM "$client"
ended client
is "the_client_stops_in_order" "$status $err" "0 "
kill -TERM "$second"
ended second
ended first
finish
