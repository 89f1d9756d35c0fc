# A network of three nodes under load, with harbor and cluster links between all of them, whose processes
# die, stop, move and run out of descriptors.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/network.sh
heartbeat=1

for id in 1 2 3; do
	eval "cluster_port_$id=$(free_port)"
done
names() {
	# shellcheck disable=SC2154
	name_nodes "n1 = '127.0.0.1:$cluster_port_1'" "n2 = '127.0.0.1:$cluster_port_2'" \
		"n3 = '127.0.0.1:$cluster_port_3'"
}
names
each boot 1 2 3
start_load 1 2 3
check "quiet: all_nodes_answer_each_other" all_answer 1 2 3
stop_load 1 2 3
each ended_calls 1 2 3
baseline 1 2 3
start_load 1 2 3
all_answer 1 2 3
sound quiet 1 2 3
loses_nothing "quiet: nothing_is_lost" 1 harbor2 1 cluster2 3 harbor1 3 cluster1

# ---- a process that dies and comes back ----
start_load 1 2 3
all_answer 1 2 3
kill_node 3
check "kill: calls_by_harbor_fail" more 1 dead_node harbor3
check "kill: calls_by_cluster_fail" more 2 dead_node cluster3
boot 3
load_from 3 1 2
check "kill: it_answers_again" all_answer 1 2 3
sound kill 1 2 3
loses_nothing "kill: others_lose_nothing" 1 harbor2 1 cluster2 2 harbor1 2 cluster1

# ---- a process that stands still ----
baseline 3
start_load 1 2 3
all_answer 1 2 3
freeze n2
check "stop: it_is_found_by_its_silence" more 1 dead_node harbor2
check "stop: others_go_on" more 1 reply 3
thaw n2
check "stop: it_answers_again" all_answer 1 2 3
sound stop 1 2 3
loses_nothing "stop: others_lose_nothing" 1 harbor3 1 cluster3 3 harbor1 3 cluster1

# ---- another address for a name ----
name_nodes "n3b = 'unix:$TEST_TMP/n3b'"
check "move: the_node_listens_at_the_new_address" answers 3 \
	'pcall(require "skynet.cluster".open, "n3b")' "true n3b"
baseline 3
start_load 1 2 3
all_answer 1 2 3
name_nodes "n3 = 'unix:$TEST_TMP/n3b'"
check "move: the_names_are_read" logged n1 "load: n3 is changed"
check "move: all_nodes_answer" all_answer 1 2 3
sound move 1 2 3
loses_nothing "move: nothing_is_lost" 1 cluster3 2 cluster3 1 cluster2 2 cluster1

# ---- the master dies ----
start_load 1 2 3
all_answer 1 2 3
kill_node 1
check "master: the_others_go_on_by_harbor" more 2 reply harbor3
check "master: the_others_go_on_by_cluster" more 3 reply cluster2
names
boot 1
load_from 1 2 3
check "master: it_answers_again" all_answer 1 2 3
sound master 1 2 3
loses_nothing "master: others_lose_nothing" 2 harbor3 2 cluster3 3 harbor2 3 cluster2

# ---- no more descriptors ----
kill_node 2
(
	ulimit -n 64
	boot 2
)
start_load 1 2 3
all_answer 1 2 3
stop_load 1 2 3
each ended_calls 1 2 3
baseline 1 2 3
start_load 1 2 3
all_answer 1 2 3
# shellcheck disable=SC2016
perl -MIO::Socket::INET -e 'my @s = map { IO::Socket::INET->new(PeerAddr => "127.0.0.1",
	PeerPort => $ARGV[0]) } 1 .. 100; open F, ">", $ARGV[1] or die; close F; sleep 1000' \
	"$cluster_port_2" "$TEST_TMP/strangers" &
echo $! >"$TEST_TMP/strangers.pid"
wait_for test -e "$TEST_TMP/strangers"
full() {
	[ "$(descriptors 2)" -ge 62 ]
}
check "full: strangers_take_all_descriptors" wait_for full
check "full: it_still_answers" more 1 reply 2
kill_node 3
boot 3
load_from 3 1 2
check "full: a_third_node_can_join" more 3 reply 1
kill -KILL "$(cat "$TEST_TMP/strangers.pid")"
echo 0 >"$TEST_TMP/strangers.status"
check "full: all_nodes_answer_when_the_strangers_have_gone" all_answer 1 2 3
sound full 1 2 3
loses_nothing "full: others_lose_nothing" 1 harbor2 1 cluster2

# ---- one after the other is stopped in order and started ----
start_load 1 2 3
for rolled in 2 3 1; do
	all_answer 1 2 3
	kill_node $rolled TERM
	is "rolling: node_${rolled}_stops_in_order" "$status" 0
	boot $rolled
	load_from $rolled 1 2 3
done
check "rolling: all_nodes_answer" all_answer 1 2 3
sound rolling 1 2 3
each kill_node 1 2 3
finish
