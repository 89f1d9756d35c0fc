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

for when in start later; do
	config "stuck_$when" <<-END
		start = "never_returns $when"
		shutdown_timeout = 1
	END
	start "stuck_$when"
	logged "stuck_$when" "never_returns: looping"
	kill -TERM "$pid" 2>/dev/null
	ended "stuck_$when"
	like "a_service_that_never_returns_is_named_at_the_timeout: $when" "$status $err" \
		"1 skynet: $TEST_TMP/stuck_$when: shutdown timeout: service :00000008 does not return*"
	is "in_one_line: $when" "$(lines "$err")" 1
done

for name in TERM INT; do
	config boot <<-'END'
		start = "stopped_in_boot"
	END
	start boot
	logged boot "stopped_in_boot: waiting"
	kill -$name "$pid" 2>/dev/null
	ended boot
	is "SIG${name}_during_the_boot_stops_in_order" "$status $err" "0 "
	check "and_runs_stop_hooks: $name" contains "$TEST_TMP/boot.out" "stop hook of older"
done

# One node is up, the other waits for a master that does not answer.
hold_port
master=$(free_port)
config first <<END
harbor = 1
standalone = "127.0.0.1:$master"
master = "127.0.0.1:$master"
address = "127.0.0.1:$(free_port)"
END
config waits <<END
harbor = 2
master = "127.0.0.1:$held_port"
address = "127.0.0.1:$(free_port)"
END
start waits "$TEST_TMP/first"
logged waits "[:02000004] LAUNCH snlua cslave"
logged waits "idle: up"
kill -TERM "$pid" 2>/dev/null
ended waits
is "nodes_stop_in_order_while_one_of_them_boots" "$status $err" "0 "

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
