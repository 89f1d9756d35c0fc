# A start that fails says why in one line on stderr, and ends with a status other than 0.
. test/process/lib.sh

# fails NAME PATTERN <LINES: a node with these lines in its config.
fails() {
	config node
	run node
	[ "$status" -ne 0 ] && [ "$status" -lt 124 ]
	ok "$1" $?
	[ "$status" -ne 0 ] || echo "# exit status 0"
	like "$1: says_why" "$err" "skynet: $TEST_TMP/node$2"
	is "$1: in_one_line" "$(lines "$err")" 1
}

rm -f "$TEST_TMP/node"
run node
is "missing_config" "$status $err" \
	"1 skynet: $TEST_TMP/node: cannot open '$TEST_TMP/node': No such file or directory"

fails "syntax_error" ":7: unexpected symbol*" <<-'END'
	thread = = 2
END
fails "value_of_a_wrong_type" ":7: Invalid config table key = thread *" <<-'END'
	thread = {}
END
fails "thread_0" ":7: Invalid thread 0 , should be in [[]1,1024]" <<-'END'
	thread = 0
END
fails "unknown_variable" ":7: os.getenv() failed: SKYNET_TEST_NO_SUCH *" <<-'END'
	name = "$SKYNET_TEST_NO_SUCH"
END
fails "search_path_without_a_question_mark" ":7: Invalid C service path: *" <<-'END'
	cpath = "./cservice"
END
fails "missing_log_service" ": Can't launch no_such_log service*" <<-'END'
	logservice = "no_such_log"
END
fails "log_service_in_Lua_that_is_missing" ": *log service 'no_such_script' failed to start; *" <<-'END'
	logservice = "snlua"
	logger = "no_such_script"
END
fails "log_service_in_Lua_that_fails" ": *log service 'fails_to_start' failed to start; *" <<-'END'
	logservice = "snlua"
	logger = "fails_to_start"
END
fails "log_file_that_cannot_be_opened" ": *cannot open log file '/nonexistent/log': No such *" <<-'END'
	logger = "/nonexistent/log"
END
fails "missing_bootstrap_module" ": *no_such_module*" <<-'END'
	bootstrap = "no_such_module x"
END
fails "missing_bootstrap_script" ": *no_such_boot*" <<-'END'
	bootstrap = "snlua no_such_boot"
END
fails "missing_loader" ": *no_such_loader*" <<-'END'
	lualoader = "./no_such_loader.lua"
END
fails "search_path_without_the_libraries" ": *module 'skynet' from file*luaopen_skynet*" <<-'END'
	lua_path = "./nowhere/?.lua"
END
fails "missing_start_script" ": *no_such_start*" <<-'END'
	start = "no_such_start"
END
fails "start_script_that_does_not_load" ": *fails_to_load*" <<-'END'
	start = "fails_to_load"
END
fails "start_script_that_does_not_start" ": *fails_to_start*" <<-'END'
	start = "fails_to_start"
END
fails "reason_of_four_hundred_bytes" ": *xxx, and this is the end" <<-'END'
	start = "fails_to_start 400"
END
fails "standalone_without_harbor" ": *standalone*harbor*" <<-'END'
	standalone = "127.0.0.1:1"
END

hold_port
fails "master_port_in_use" ": *$held_port*" <<-END
	harbor = 1
	standalone = "127.0.0.1:$held_port"
	master = "127.0.0.1:$held_port"
	address = "127.0.0.1:$(free_port)"
END
master=$(free_port)
fails "own_port_in_use" ": *$held_port*" <<-END
	harbor = 1
	standalone = "127.0.0.1:$master"
	master = "127.0.0.1:$master"
	address = "127.0.0.1:$held_port"
END
fails "master_that_cannot_be_reached" ": *127.0.0.1:$master*" <<-END
	harbor = 2
	master = "127.0.0.1:$master"
	address = "127.0.0.1:$(free_port)"
END

# Numbers from math.random tell no process from another.
echo 'math.randomseed(1)' >"$TEST_TMP/seed.lua"
config first <<-END
	preload = "$TEST_TMP/seed.lua"
	harbor = 1
	standalone = "127.0.0.1:$master"
	master = "127.0.0.1:$master"
	address = "127.0.0.1:$(free_port)"
END
start first
check "a_good_master_boots" logged first "idle: up"
fails "harbor_id_that_is_taken" "*harbor id 1*taken*" <<-END
	preload = "$TEST_TMP/seed.lua"
	harbor = 1
	master = "127.0.0.1:$master"
	address = "127.0.0.1:$(free_port)"
END
check "the_first_holder_of_the_id_lives_on" kill -0 "$pid"
kill -TERM "$pid" 2>/dev/null
ended first
is "and_stops_in_order" "$status" 0

# Each start has one descriptor more than that before it, until one is up.
config node <<'END'
	start = "aborts 9"
END
for limit in 4 5 6 7 8 9 10 11 12 13 14 15 16; do
	(
		# a leak check would need descriptors of its own
		export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
		# what whoever runs this test has left open
		exec 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&-
		# shellcheck disable=SC3045
		ulimit -n "$limit"
		exec timeout -k 5 "$DEADLINE" "$SKYNET" "$TEST_TMP/node"
	) >"$TEST_TMP/node.out" 2>"$TEST_TMP/node.err"
	status=$?
	[ $status -ne 9 ] || break
	err=$(cat "$TEST_TMP/node.err")
	like "only_${limit}_descriptors" "$status $err" "1 skynet: *Too many open files"
	is "only_${limit}_descriptors: in_one_line" "$(lines "$err")" 1
done
is "a_few_more_are_enough" "$status" 9
finish
