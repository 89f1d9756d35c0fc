# The allocator's own report goes to stderr, and a heap profile that is not compiled in does no harm.
. test/process/lib.sh

config node <<'END'
start = "reports_memory"
END
run node
is "the_node_ends_well" "$status" 0
out=$(cat "$TEST_TMP/node.out")
# without jemalloc there is none
if ! contains "$TEST_TMP/node.out" "allocated 0"; then
	like "the_report_is_on_stderr" "$err" "*jemalloc statistics*"
fi
like "a_heap_profile_has_a_status" "$out" "*profile integer*"
like "options_are_a_text" "$out" "*false bad argument #1 to '*dumpinfo' (string expected, got table)*"
finish
