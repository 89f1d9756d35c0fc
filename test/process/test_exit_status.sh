# The exit status of a node that ends itself.
. test/process/lib.sh

# aborts NAME ARGUMENTS STATUS STDERR
aborts() {
	config node <<-END
		start = "aborts $2"
	END
	run node
	is "$1" "$status $err" "$3 $4"
}

aborts "abort_ends_with_0" "" 0 ""
aborts "abort_gives_its_status" "7" 7 ""
aborts "abort_gives_its_reason" "3 out-of-coffee" 3 "skynet: $TEST_TMP/node: out-of-coffee"

config node <<'END'
start = "launches_nothing"
END
start node
check "a_node_survives_modules_that_are_not_there" logged node "launches_nothing: still here"
check "launching_a_missing_C_service_gives_nil" contains "$TEST_TMP/node.out" "C service: nil"
check "launching_a_missing_script_raises" contains "$TEST_TMP/node.out" "Lua service: false"
kill -TERM "$pid" 2>/dev/null
ended node
is "and_stops_in_order" "$status" 0
finish
