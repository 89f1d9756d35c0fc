# Daemon mode: the command returns when the child is up, and the pid file is true as long as it lives.
. test/process/lib.sh
pid_file=$TEST_TMP/daemon.pid

config node <<END
daemon = "$pid_file"
logger = "$TEST_TMP/node.log"
END
printf '4194303999\nolder and longer\n' >"$pid_file"
run node
is "the_command_returns_0_in_silence" "$status $err$(cat "$TEST_TMP/node.out")" "0 "
pid=$(cat "$pid_file")
check "the_pid_file_holds_the_pid_of_the_child" kill -0 "$pid"
is "and_nothing_else" "$(lines "$(cat "$pid_file"; echo x)")" 2
check "the_child_is_up" wait_for contains "$TEST_TMP/node.log" "idle: up"
is "its_output_goes_nowhere" "$(readlink /proc/"$pid"/fd/0 /proc/"$pid"/fd/1 /proc/"$pid"/fd/2 |
	sort -u)" /dev/null
run node
is "a_second_start_is_refused" "$status $err" "1 skynet: Skynet is already running, pid = $pid."
check "the_first_one_lives_on" kill -0 "$pid"
kill -TERM "$pid" 2>/dev/null
check "the_pid_file_goes_with_the_child" wait_for test ! -e "$pid_file"
trap - EXIT
trap 'rm -f "$pid_file"; clean_up' EXIT

# The nodes have ended, the process has not. A sanitizer wants to be loaded first.
if [ -z "${SKYNET_SANITIZE:-}" ]; then
	${CC:-cc} -std=gnu99 -Wall -Wextra -Werror -fPIC -shared -o "$TEST_TMP/lingering.so" \
		test/process/module/lingering.c
	config lingering <<END
daemon = "$pid_file"
END
	gone() { ! kill -0 "$1" 2>/dev/null; }
	LD_PRELOAD=$TEST_TMP/lingering.so LINGER=$TEST_TMP/linger run lingering
	pid=$(cat "$pid_file")
	kill -TERM "$pid"
	check "a_process_can_be_slow_to_end" wait_for test -e "$TEST_TMP/linger"
	check "its_pid_file_is_there_that_long" test -s "$pid_file"
	kill -TERM "$pid"
	check "a_second_signal_ends_it_at_once" wait_for gone "$pid"
	check "and_it_leaves_no_pid_file" test ! -e "$pid_file"
	rm -f "$TEST_TMP/linger"
fi

config bad <<END
daemon = "$pid_file"
logservice = "no_such_log"
END
run bad
[ "$status" -ne 0 ]
ok "a_failing_start_is_seen_in_the_status" $?
like "and_its_reason_on_stderr" "$err" "skynet: $TEST_TMP/bad: Can't launch no_such_log service*"
check "and_leaves_no_pid_file" test ! -e "$pid_file"

config late <<END
daemon = "$pid_file"
logger = "$TEST_TMP/late.log"
start = "no_such_start"
END
run late
[ "$status" -ne 0 ]
ok "so_is_a_missing_start_script" $?
like "and_its_reason" "$err" "skynet: $TEST_TMP/late: *no_such_start*"
check "it_leaves_no_pid_file" wait_for test ! -e "$pid_file"

config nowhere <<'END'
daemon = "/nonexistent/skynet.pid"
END
run nowhere
is "a_pid_file_that_cannot_be_written_is_an_error" "$status $err" \
	"1 skynet: cannot open pid file '/nonexistent/skynet.pid': No such file or directory"

config off <<'END'
daemon = false
END
start off
check "false_is_no_daemon" logged off "idle: up"
kill -TERM "$pid" 2>/dev/null
ended off
is "it_stops_in_order" "$status" 0
finish
