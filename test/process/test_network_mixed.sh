# Our nodes in one network with a scripted node that speaks as the reference does: load in both directions,
# nothing of our extensions for it, and an end that is noticed.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/network.sh
heartbeat=1

# reference OPTION...: starts the scripted node, after the end of the one before.
reference() {
	perl test/process/reference_node.pl "$TEST_TMP" "$@" 2>"$TEST_TMP/reference.err" &
	echo $! >"$TEST_TMP/reference.pid"
}

kill_reference() {
	kill -KILL "$(cat "$TEST_TMP/reference.pid")"
	: >"$TEST_TMP/reference.log"
}

# reference_noted TEXT
reference_noted() {
	wait_for contains "$TEST_TMP/reference.log" "$1"
}

strange() {
	grep '^strange' "$TEST_TMP/reference.log" | sort | uniq -c | head -n 5
	cat "$TEST_TMP/reference.err"
}

: >"$TEST_TMP/reference.log"
for id in 1 2 3 5 6; do
	eval "cluster_port_$id=$(free_port)"
done
# shellcheck disable=SC2154
name_nodes "n1 = '127.0.0.1:$cluster_port_1'" "n2 = '127.0.0.1:$cluster_port_2'" \
	"n3 = '127.0.0.1:$cluster_port_3'" "n5 = '127.0.0.1:$cluster_port_5'" \
	"n6 = '127.0.0.1:$cluster_port_6'"

# ---- a member of our network ----
each boot 1 2
# shellcheck disable=SC2154
reference id=5 "master=$master_port" "link=$(free_port)" ask=SINK1,SINK2 \
	"cluster=$cluster_port_5" "peer=$cluster_port_1"
check "a_node_of_the_reference_joins" reference_noted "serving"
load_from 1 1 2 5
load_from 2 1 2 5
check "it_answers" all_answer 1 2
stop_load 1 2
each ended_calls 1 2
baseline 1 2
load_from 1 1 2 5
load_from 2 1 2 5
check "it_goes_on_answering" all_answer 1 2
check "it_is_answered" reference_noted "answers 100 errors 0"
sound reference 1 2
loses_nothing "nothing_is_lost" 1 harbor5 1 cluster5 2 harbor5 2 cluster5
is "nothing_strange_reaches_it" "$(strange)" ""

# ---- its end ----
load_from 1 1 2 5
load_from 2 1 2 5
all_answer 1 2
kill_reference
check "calls_to_it_by_harbor_fail" more 1 dead_node harbor5
check "calls_to_it_by_cluster_fail" more 2 dead_node cluster5
sound its_end 1 2
loses_nothing "the_others_lose_nothing" 1 harbor2 1 cluster2 2 harbor1 2 cluster1
reference id=6 "master=$master_port" "link=$(free_port)" ask=SINK1,SINK2 \
	"cluster=$cluster_port_6" "peer=$cluster_port_1"
check "it_comes_back_with_another_id" reference_noted "serving"
load_from 1 1 2 6
check "then_it_answers" all_answer 1
check "then_it_is_answered" reference_noted "answers 100 errors 0"

# ---- the end of one of ours ----
kill_node 2
check "the_reference_hears_of_an_end" reference_noted "dead 2"
boot 2
load_from 2 1 2
check "our_node_comes_back_though_the_reference_does_not_dial_it" all_answer 1 2
sound our_end 1 2
is "nothing_strange_reached_it" "$(strange)" ""
kill_reference
each kill_node 2 1

# ---- our members, a master of the reference ----
master_port=$(free_port)
reference id=1 "standalone=$master_port" "master=$master_port" "link=$(free_port)" ask=SINK2,SINK3 \
	"cluster=$cluster_port_1" "peer=$cluster_port_2"
check "a_master_of_the_reference_is_up" reference_noted "serving"
each boot 2 3
load_from 2 1 2 3
load_from 3 1 2 3
check "our_nodes_join_it" all_answer 2 3
sound their_master 2 3
loses_nothing "nothing_is_lost_between_three" 2 harbor1 2 harbor3 3 harbor1 3 cluster1
is "nothing_strange_reaches_the_master" "$(strange)" ""
baseline 2 3
start_load 2 3
all_answer 2 3
kill_reference
check "our_nodes_talk_without_it" all_answer 2 3
reference id=1 "standalone=$master_port" "master=$master_port" "link=$(free_port)" ask=SINK2,SINK3 \
	"cluster=$cluster_port_1" "peer=$cluster_port_2"
check "they_join_a_new_one" reference_noted "joined 2"
check "all_of_them" reference_noted "joined 3"
check "they_go_on_talking" all_answer 2 3
sound new_master 2 3
loses_nothing "nothing_is_lost_between_ours" 2 harbor3 2 cluster3 3 harbor2 3 cluster2
is "nothing_strange_reaches_the_new_master" "$(strange)" ""
each kill_node 2 3
kill_reference
finish
