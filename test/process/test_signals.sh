# Signals and the exit status they lead to.
. test/process/lib.sh

for name in TERM INT; do
	config node </dev/null
	start node
	logged node "idle: up"
	kill -$name "$pid"
	ended node
	is "SIG${name}_stops_in_order" "$status $err" "0 "
done

config hooks <<'END'
start = "stops_well first"
END
start hooks
logged hooks "stops_well: up"
kill -TERM "$pid" 2>/dev/null
ended hooks
is "stop_hooks_run_newest_service_first" \
	"$status $(grep -o 'stop hook of .*' "$TEST_TMP/hooks.out" | tr '\n' ' ')" \
	"0 stop hook of second stop hook of first "

config held <<'END'
start = "holds_stop"
shutdown_timeout = 0.3
END
start held
logged held "holds_stop: up"
kill -TERM "$pid" 2>/dev/null
ended held
is "a_hook_that_does_not_end_is_given_up" "$status" 1
like "and_the_reason_names_the_service" "$err" "skynet: $TEST_TMP/held: *:*"
is "in_one_line" "$(lines "$err")" 1

for name in TERM INT; do
	expected=143
	[ $name = TERM ] || expected=130
	config held <<-'END'
		start = "holds_stop"
		shutdown_timeout = 1000
	END
	start held
	logged held "holds_stop: up"
	kill -$name "$pid"
	logged held "holds_stop: asked to stop"
	kill -$name "$pid"
	ended held
	is "a_second_SIG${name}_ends_it_at_once" "$status" "$expected"
done

config node </dev/null
start node
logged node "idle: up"
kill -PIPE "$pid"
kill -HUP "$pid"
check "SIGPIPE_and_SIGHUP_leave_it_alive" kill -0 "$pid"
kill -TERM "$pid" 2>/dev/null
ended node
is "and_it_still_stops_in_order" "$status" 0
finish
