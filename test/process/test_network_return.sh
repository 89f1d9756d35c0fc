# What is known of a node must not be taken for that of the process which comes back under its id.
. test/process/lib.sh
. test/process/harbor.sh

up 1
up 2
ask 2 'harbor.globalname("WORKER", skynet.self())' >/dev/null
is "a_name_is_called" "$(ask 1 'skynet.call("WORKER", "lua", "echo", "first")')" first
kill_node 2
is "while_its_node_is_gone_calls_fail_at_once" \
	"$(ask 1 'skynet.error_kind(select(2, pcall(skynet.call, "WORKER", "lua", "echo")))')" dead_node

# The same handle as before is another service now, that of NODE2.
up 2
check "the_node_is_back" answers 1 'pcall(skynet.call, "NODE2", "lua", "echo", "x")' "true x"
ask 1 'later("worker", "WORKER", "echo", "second")' >/dev/null
is "what_is_sent_later_is_answered" "$(ask 1 'skynet.call("NODE2", "lua", "echo", "x")')" x
is "a_call_waits_until_the_name_is_registered_again" "$(ask 1 'done.worker')" nil
ask 2 'harbor.globalname("WORKER", skynet.self())' >/dev/null
check "then_it_is_answered" answers 1 'done.worker' second

each_ends() {
	kill_node 2 TERM && kill_node 1 TERM
}
check "they_end_well" each_ends
finish
