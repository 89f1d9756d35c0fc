# Sixteen large calls at a time in both directions between two nodes, more than their buffers may hold: all
# are answered, and small ones meanwhile. LARGE_SIZE: bytes of each, LARGE_ROUNDS: calls of each
# caller, LARGE_LIMIT: bytes that may wait.
. test/process/lib.sh

size=${LARGE_SIZE:-1000000}
rounds=${LARGE_ROUNDS:-2}
limit=${LARGE_LIMIT:-1500000}
cat >"$TEST_TMP/names.lua" <<-END
	left = "127.0.0.1:$(free_port)"
	right = "127.0.0.1:$(free_port)"
END

# member WHO LINE...: starts a node.
member() {
	who=$1
	shift
	{
		printf 'start = "large_calls"\nwho = "%s"\nsize = %d\nrounds = %d\n' "$who" "$size" "$rounds"
		printf '%s\n' "$@"
	} | config "$who"
	start "$who"
	eval "$who=\$pid"
}

# all_answered HOW: what both have asked for; then they end.
all_answered() {
	for who in left right; do
		check "all_calls_of_${who}_are_answered_$1" logged $who \
			"large_calls: wrong 0, failed 0, small true"
		sed -n 's/.*large_calls:/#/p' "$TEST_TMP/$who.out"
		sed -n 's/^VmHWM/# most memory/p' "/proc/$(cat "$TEST_TMP/$who.pid")/status"
	done
	# shellcheck disable=SC2154
	kill -TERM "$left" "$right"
	ended left && ended right
	is "both_stop_in_order_$1" "$status" 0
}

names="cluster = '$TEST_TMP/names.lua'"
member left "$names" "cluster_buffer_limit = $limit"
member right "$names" "cluster_buffer_limit = $limit" "cluster_buffer_policy = 'drop'"
all_answered "with_small_buffers"
member left "$names"
member right "$names"
all_answered "with_those_of_the_default"

master=127.0.0.1:$(free_port)
member left "harbor = 1" "standalone = '$master'" "master = '$master'" "address = '127.0.0.1:$(free_port)'"
member right "harbor = 2" "master = '$master'" "address = '127.0.0.1:$(free_port)'"
all_answered "over_a_harbor_link"
finish
