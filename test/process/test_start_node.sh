# start_node.sh: its commands, its exit statuses, and that a failure costs nothing else.
. test/process/lib.sh

export SKYNET_ROOT="$PWD" SKYNET_BIN="$PWD/${SKYNET#./}" SKYNET_CONFIG="$TEST_TMP/conf"
real_tmp=$(cd -- "$TEST_TMP" && pwd -P)
export SKYNET_VAR="$real_tmp/var" SKYNET_START_TIMEOUT=25 SKYNET_STOP_TIMEOUT="$DEADLINE"
case $SKYNET in /*) SKYNET_BIN=$SKYNET ;; esac
run_folder=$SKYNET_VAR/run log_folder=$SKYNET_VAR/log
mkdir "$SKYNET_CONFIG"

# role NAME <LINES: the config of a role.
role() {
	config "conf/config.$1"
}

# node ARGUMENT...: runs start_node.sh; sets $status, $out and $err.
node() {
	"${start_node:-./start_node.sh}" "$@" >"$TEST_TMP/out" 2>"$TEST_TMP/err" </dev/null
	status=$?
	out=$(cat "$TEST_TMP/out")
	err=$(cat "$TEST_TMP/err")
}

pid_of() { cat "$run_folder/$1.pid" 2>/dev/null; }
in_log() { contains "$log_folder/$1.log" "$2"; }

# What a failed test leaves running.
end_nodes() {
	for file in "$run_folder"/*.pid; do
		[ ! -s "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null
	done
	[ -z "${sleeper:-}" ] || kill "$sleeper" 2>/dev/null
	clean_up
}
trap end_nodes EXIT

role game </dev/null
role data </dev/null
role fails <<'END'
start = "fails_to_start"
END
role wrong <<'END'
thread = 0
END
role holds <<'END'
start = "holds_stop"
shutdown_timeout = 1
END

# ---- A life ----

node game1
is "start_returns_when_the_node_is_up" "$status $err" "0 "
pid=$(pid_of game1)
check "and_its_pid_file_is_true" kill -0 "$pid"
is "and_says_what_it_has_done" "$out" \
	"start_node: 'game1' is up, role game, pid $pid, log '$log_folder/game1.log'"
check "its_output_is_in_its_log" wait_for in_log game1 "idle: up"
node status game1
is "status_of_a_running_node_is_0" "$status $out" \
	"0 start_node: 'game1' is running, role game, pid $pid"
node start game1
is "a_second_start_is_refused" "$status $err" \
	"8 start_node: 'game1' is running already, pid $pid"
check "and_the_first_one_lives_on" kill -0 "$pid"

ln -s "$PWD/start_node.sh" "$TEST_TMP/link"
ln -s "$real_tmp/var" "$TEST_TMP/linked"
folder=$SKYNET_VAR start_node=$TEST_TMP/link
for SKYNET_VAR in "$folder/" "$real_tmp/./var" "$TEST_TMP/linked"; do
	node start game1
	is "however_the_folder_is_written: ${SKYNET_VAR#"$real_tmp"}" \
		"$status $err" "8 start_node: 'game1' is running already, pid $pid"
done
SKYNET_VAR=$folder start_node=

# One that was started between a look at the pid file and our own start.
cat >"$TEST_TMP/hasty" <<END
#!/bin/sh
case "\$*" in *--check*) ;; *) "$SKYNET_BIN" "\$@" ;; esac
exec "$SKYNET_BIN" "\$@"
END
chmod +x "$TEST_TMP/hasty"
true_bin=$SKYNET_BIN SKYNET_BIN=$TEST_TMP/hasty
node start hasty game
SKYNET_BIN=$true_bin
is "so_is_one_that_comes_too_late" "$status $err" \
	"8 $(printf '%s\n' "skynet: Skynet is already running, pid = $(pid_of hasty)." \
		"start_node: 'hasty' was started meanwhile, pid $(pid_of hasty)")"
node stop hasty

mv "$log_folder/game1.log" "$log_folder/game1.log.1"
node reload game1
is "reload_says_what_is_read_again" "$status $out" \
	"0 start_node: 'game1' opens its log anew and reads cluster names, secrets and certificates again"
check "and_opens_the_log_anew" wait_for test -e "$log_folder/game1.log"

node start second data -D 'greeting=two words *' -Dother=1
is "two_nodes_run_side_by_side" "$status $err" "0 "
second=$(pid_of second)
like "settings_reach_the_node" "$(tr '\0' '|' <"/proc/$second/cmdline" 2>/dev/null ||
	ps -ww -o args= -p "$second" | tr ' ' '|')" "*node=second|*data_path=*|*greeting=two*words*\**other=1*"
node status
is "status_without_a_name_tells_of_all" "$status $out" "0 $(
	echo "start_node: 'game1' is running, role game, pid $pid"
	echo "start_node: 'second' is running, role data, pid $second"
)"

node restart second
is "restart_succeeds" "$status $err" "0 "
[ "$(pid_of second)" != "$second" ]
ok "with_a_new_process" $?
is "of_the_same_role_and_settings" "$(cat "$run_folder/second.node")" "$(
	printf 'data\ngreeting=two words *\nother=1'
)"

echo 'thread = "many"' >>"$SKYNET_CONFIG/config.data"
second=$(pid_of second)
node restart second
is "restart_with_a_wrong_config_is_refused" "$status" 6
check "and_leaves_the_running_node_alone" kill -0 "$second"
role data </dev/null

node stop second
is "stop_returns_when_the_node_has_ended" "$status $out" "0 start_node: 'second' has stopped"
gone() { ! kill -0 "$1" 2>/dev/null; }
check "and_its_process_is_gone" wait_for gone "$second"
node stop second
is "stopping_a_stopped_node_is_no_error" "$status $out" "0 start_node: 'second' is not running"
node status second
is "status_of_a_stopped_node_is_3" "$status $out" "3 start_node: 'second' is not running"
node reload second
is "reload_of_a_stopped_node_is_7" "$status $err" "7 start_node: 'second' is not running"
node status
is "status_of_all_tells_that_one_is_down" "$status" 3

# ---- After a kill ----

kill -KILL "$pid"
wait_for gone "$pid"
node status game1
is "status_of_a_killed_node_is_1" "$status $out" \
	"1 start_node: 'game1' is dead, but its pid file '$run_folder/game1.pid' is there"
node reload game1
is "a_killed_node_cannot_be_reloaded" "$status" 7
sleep 1000 &
sleeper=$!
echo $sleeper >"$run_folder/game1.pid"
node stop game1
is "a_process_that_got_the_pid_is_not_the_node" "$status $out" \
	"0 start_node: 'game1' is not running"
check "and_is_left_alone" kill -0 $sleeper
echo $sleeper >"$run_folder/game1.pid"
node start game1
is "a_start_removes_a_stale_pid_file" "$status $err" "0 "
like "and_says_so" "$out" "start_node: 'game1' left a stale pid file (process $sleeper), removing it*"
check "the_other_process_is_still_there" kill -0 $sleeper
kill $sleeper
printf 'rubbish\n' >"$run_folder/second.pid"
node start second
is "a_pid_file_without_a_pid_does_no_harm" "$status $err" "0 "
node stop second
: >"$run_folder/second.pid"
node stop second
check "one_of_a_node_that_is_just_starting_stays" test -e "$run_folder/second.pid"
printf 'rubbish\n' >"$run_folder/second.pid"
node stop second
node status second
is "and_is_removed_by_a_stop" "$status" 3

# ---- What can go wrong ----

node start game7 nosuch
is "an_unknown_role_is_an_error_that_names_the_known_ones" "$status $err" \
	"2 start_node: unknown role 'nosuch' of node 'game7'; those in '$SKYNET_CONFIG' are: data fails game holds wrong"
configs=$SKYNET_CONFIG
SKYNET_CONFIG=$configs/none
node start game7
SKYNET_CONFIG=$configs
is "so_is_a_folder_that_is_none" "$status $err" \
	"2 start_node: no folder '$configs/none' with configs (see SKYNET_CONFIG)"
node start a/b game
like "a_name_is_no_path" "$status $err" "2 start_node: 'a/b' is no name of a node*"
node start x ../conf/config.game
is "a_role_is_no_path" "$status" 2
node start x game data
is "one_role_is_enough" "$status $err" \
	"2 start_node: 'data' is too much: the role is 'game' already"
node start x game -D nonsense
is "a_setting_has_a_key" "$status $err" \
	"2 start_node: '-D nonsense' is not of the form KEY=VALUE"
node stop game1 now
is "a_word_too_many_is_an_error" "$status $err" \
	"2 start_node: 'now' is too much: stop wants a name only"
node
is "no_arguments_are_an_error" "$status" 2
like "that_shows_the_help" "$err" "*start_node.sh stop NAME*SKYNET_STOP_TIMEOUT*"
node --help
is "help_is_none" "$status $err" "0 "

node start wrong1
is "a_config_with_an_error_is_not_started" "$status $err" \
	"6 start_node: the config of 'wrong1' has an error: skynet: $SKYNET_CONFIG/config.wrong:7: Invalid thread 0 , should be in [1,1024]"
check "and_leaves_no_pid_file" test ! -e "$run_folder/wrong1.pid"
node start fails1
is "a_node_that_fails_to_start_is_an_error" "$status" 1
like "with_its_reason" "$err" "skynet: $SKYNET_CONFIG/config.fails: *fails_to_start*"
like "and_the_end_of_its_log" "$err" "*the end of '$log_folder/fails1.log':*Boot failed*"
node status fails1
is "it_is_not_running_then" "$status" 3

cat >"$TEST_TMP/slow.lua" <<END
local skynet = require "skynet"
skynet.start(function()
	skynet.error "still thinking"
	io.open "$TEST_TMP/nobody_writes" -- so that it cannot be stopped in order either
end)
END
mkfifo "$TEST_TMP/nobody_writes"
role slow <<END
start = "slow"
luaservice = "./service/?.lua;$TEST_TMP/?.lua"
END
SKYNET_START_TIMEOUT=2
# On a busy machine it may take longer than that until there is a line at all.
has_thought() {
	node start slow1
	contains "$TEST_TMP/err" "still thinking"
}
wait_for has_thought
is "a_node_that_does_not_come_up_in_time_is_an_error" "$status" 1
like "that_shows_its_last_lines" "$err" \
	"start_node: 'slow1' was not up after 2 s*still thinking*"
node status slow1
is "and_ends_it" "$status $out" "3 start_node: 'slow1' is not running"
SKYNET_START_TIMEOUT=soon
node start slow1
is "a_timeout_is_a_number" "$status $err" \
	"2 start_node: SKYNET_START_TIMEOUT='soon' is not a number of seconds"
SKYNET_START_TIMEOUT=25

node start holds1
check "a_node_that_will_not_stop_is_up" wait_for in_log holds1 "holds_stop: up"
node stop holds1
is "stop_says_who_held_it" "$status" 1
like "by_its_name" "$err" "start_node: 'holds1' has stopped, but not in order: *shutdown timeout*"

node start holds1 holds -D shutdown_timeout=600
wait_for in_log holds1 "holds_stop: up"
pid=$(pid_of holds1)
SKYNET_STOP_TIMEOUT=1
node stop holds1
is "a_stop_that_takes_too_long_is_reported" "$status" 1
like "with_the_pid_and_what_to_do" "$err" "start_node: 'holds1', pid $pid, is still running 1 s after*"
kill -KILL "$pid"
SKYNET_STOP_TIMEOUT=$DEADLINE

SKYNET_BIN=$TEST_TMP/nothing
node start x game
is "a_missing_executable_is_named" "$status $err" \
	"5 start_node: no executable '$TEST_TMP/nothing' (build it with make, or set SKYNET_BIN)"
case $SKYNET in /*) SKYNET_BIN=$SKYNET ;; *) SKYNET_BIN=$PWD/${SKYNET#./} ;; esac
: >"$TEST_TMP/file"
SKYNET_RUN=$TEST_TMP/file/run node start x game
is "a_folder_that_cannot_be_made_is_named" "$status $err" \
	"4 start_node: cannot make folder '$TEST_TMP/file/run'"

# ---- In the foreground ----

./start_node.sh run front game >"$TEST_TMP/front.out" 2>"$TEST_TMP/front.err" &
front=$!
check "run_stays_in_the_foreground" wait_for contains "$TEST_TMP/front.out" "idle: up"
kill -TERM $front
wait $front
is "and_is_the_process_itself" "$? $(cat "$TEST_TMP/front.err")" "0 "
node stop game1
is "everything_has_stopped_in_order" "$status" 0
unset SKYNET_ROOT SKYNET_BIN SKYNET_CONFIG

# ---- Installed ----

prefix="$TEST_TMP/a prefix"
sh 3rd/install.sh install "$prefix" >"$TEST_TMP/install.out"
is "install_succeeds" $? 0
start_node=$prefix/bin/start_node.sh
rm -rf "$prefix/lib/skynet/examples"
mkdir -p "$prefix/etc/skynet"
cat >"$prefix/etc/skynet/config.idle" <<END
harbor = 0
start = "idle"
luaservice = "./service/?.lua;$PWD/test/process/service/?.lua"
END
node idle3
is "an_installed_node_starts" "$status $err" "0 "
check "and_is_up" wait_for in_log idle3 "idle: up"
node stop idle3
is "and_stops" "$status $out" "0 start_node: 'idle3' has stopped"
check "the_systemd_unit_names_the_prefix" contains "$prefix/lib/systemd/system/skynet@.service" \
	"ExecStart=$prefix/bin/start_node.sh start %i"
sh 3rd/install.sh uninstall "$prefix"
is "uninstall_leaves_nothing_but_what_is_ours" \
	"$(cd "$prefix" && find . -type f)" "./etc/skynet/config.idle"

finish
