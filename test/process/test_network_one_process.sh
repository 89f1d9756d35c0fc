# Three nodes of one process under load, whose harbor messages stay in memory, and one of them that ends and
# comes back as a process of its own.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/network.sh

for id in 1 2 3; do
	eval "cluster_port_$id=$(free_port)"
done
# shellcheck disable=SC2154
name_nodes "n1 = '127.0.0.1:$cluster_port_1'" "n2 = '127.0.0.1:$cluster_port_2'" \
	"n3 = '127.0.0.1:$cluster_port_3'"
for id in 1 2 3; do
	node $id "$(settings)"
done
start n1 "$TEST_TMP/n2" "$TEST_TMP/n3"
can_be_asked() {
	wait_for ask "$1" true >/dev/null
}
each can_be_asked 1 2 3
each attend 1 2 3

start_load 1 2 3
check "quiet: all_nodes_answer_each_other" all_answer 1 2 3
stop_load 1 2 3
each ended_calls 1 2 3
baseline 1
start_load 1 2 3
all_answer 1 2 3
stop_load 1 2 3
each ended_calls 1 2 3
check "quiet: order_holds_at_the_others_too" each faultless 2 3
sound quiet 1
loses_nothing "quiet: nothing_is_lost" 1 harbor2 1 cluster2 2 harbor3 2 cluster3 3 harbor1 3 cluster1

# ---- one of them ends ----
start_load 1 2 3
all_answer 1 2 3
ask 3 'skynet.abort()' >/dev/null
check "end: calls_by_harbor_fail" more 1 dead_node harbor3
check "end: calls_by_cluster_fail" more 2 dead_node cluster3
check "end: the_others_go_on" more 2 reply 1

# ---- another process takes its place ----
boot 3
load_from 3 1 2
check "return: it_answers" all_answer 1 2 3
stop_load 2 3
each ended_calls 2 3
check "return: order_holds_at_the_others_too" each faultless 2 3
sound return 1
loses_nothing "return: the_others_lose_nothing" 1 harbor2 1 cluster2 2 harbor1 2 cluster1

kill_node 3 TERM
is "the_process_of_one_ends_well" "$status" 0
kill_node 1 TERM
is "the_process_of_two_ends_well" "$status" 0
finish
