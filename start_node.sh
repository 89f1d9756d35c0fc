#!/bin/sh
# Starts, ends and asks about nodes that run in the background, each with a name, a role, a log file and
# a pid file.
#   start_node.sh [start] NAME [ROLE] [-D KEY=VALUE]...   start it; returns when it is up
#   start_node.sh run NAME [ROLE] [-D KEY=VALUE]...       the same in the foreground, log on stdout
#   start_node.sh restart NAME [ROLE] [-D KEY=VALUE]...   stop and start it; what is not given stays
#   start_node.sh stop NAME                               end it in order
#   start_node.sh reload NAME                             log opened anew; cluster names, secrets and
#                                                         certificates read again
#   start_node.sh status [NAME]                           of one node, or of all
# The config of a role is config.ROLE. ROLE is by default that of the last start, or NAME without the
# digits at its end: `start_node.sh game2` starts a node of role game. Configs see NAME as `node`.
# Exit status: 0 done or running, 1 failed (status: dead, but there is a pid file), 2 wrong arguments,
# 3 (status) not running, 4 not permitted, 5 no skynet, 6 error in the config, 7 (reload) not running,
# 8 (start) running already.
# Environment, with defaults for a source tree; relative paths in configs begin at SKYNET_ROOT:
#   SKYNET_ROOT    the tree                     SKYNET_RUN   $SKYNET_VAR/run: pid files
#   SKYNET_BIN     $SKYNET_ROOT/skynet          SKYNET_LOG   $SKYNET_VAR/log: NAME.log
#   SKYNET_CONFIG  $SKYNET_ROOT/examples        SKYNET_DATA  $SKYNET_VAR/data: configs see `data_path`
#   SKYNET_VAR     $SKYNET_ROOT/var             SKYNET_START_TIMEOUT  25: seconds until up, at most 30
#   SKYNET_STOP_TIMEOUT  shutdown_timeout of the config and 5: seconds to wait for its end
set -u

DONE=0 FAILED=1 USAGE=2 STOPPED=3 DENIED=4 MISSING=5 CONFIG=6 NOT_RUNNING=7 RUNNING=8
LOG_LINES=15

say() { printf 'start_node: %s\n' "$*"; }
fail() {
	fail_status=$1
	shift
	say "$*" >&2
	exit "$fail_status"
}
help() { sed -n '2,24s/^# \{0,1\}//p' "$0"; }

# ---- Where things are ----

find_folders() {
	here=$(own_folder) || exit $FAILED
	if [ -f "$here/lualib/loader.lua" ]; then
		root=$here bin=$here/skynet config=$here/examples var=$here/var
	else
		prefix=$(dirname -- "$here")
		root=$prefix/lib/skynet bin=$prefix/bin/skynet var=$prefix/var
		config=$prefix/etc/skynet
		[ -d "$config" ] || config=$root/examples
	fi
	root=$(absolute "${SKYNET_ROOT:-$root}") bin=$(absolute "${SKYNET_BIN:-$bin}")
	config=$(absolute "${SKYNET_CONFIG:-$config}") var=$(absolute "${SKYNET_VAR:-$var}")
	run=$(real "${SKYNET_RUN:-$var/run}") log=$(real "${SKYNET_LOG:-$var/log}")
	data=$(real "${SKYNET_DATA:-$var/data}")
}

# own_folder: prints where this script is, which may have been started by a link.
own_folder() {
	script=$0
	while [ -h "$script" ]; do
		link=$(readlink "$script") || return
		case $link in
		/*) script=$link ;;
		*) script=$(dirname -- "$script")/$link ;;
		esac
	done
	CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P
}

# real PATH: prints the one name of a folder that is the same however it is written. A node is known
# by the name of its pid file.
real() {
	path=$(absolute "$1") missing=
	until [ -d "$path" ]; do
		case ${path##*/} in
		'' | .) ;;
		*) missing=/${path##*/}$missing ;;
		esac
		path=${path%/*}
		[ -n "$path" ] || path=/
	done
	path=$(CDPATH='' cd -- "$path" && pwd -P) || path=$(absolute "$1")
	printf '%s\n' "${path%/}$missing"
}

absolute() {
	case $1 in
	/*) printf '%s\n' "$1" ;;
	*) printf '%s\n' "$PWD/$1" ;;
	esac
}

make_folders() {
	for folder in "$run" "$log" "$data"; do
		[ -d "$folder" ] || mkdir -p -- "$folder" 2>/dev/null ||
			fail $DENIED "cannot make folder '$folder'"
		[ -w "$folder" ] || fail $DENIED "cannot write in folder '$folder'"
	done
}

# seconds NAME VALUE: ends the script when the value is no count of seconds.
seconds() {
	case $2 in
	'' | *[!0-9]* | ???????*) fail $USAGE "$1='$2' is not a number of seconds" ;;
	esac
}

# ---- Arguments ----

# take_name NAME: sets $name and the names of its files.
take_name() {
	case $1 in
	'') fail $USAGE "no name of a node (try --help)" ;;
	-*) fail $USAGE "unknown option '$1' (try --help)" ;;
	*[!A-Za-z0-9_.-]* | [!A-Za-z0-9]*)
		fail $USAGE "'$1' is no name of a node: letters, digits, '_', '.' and '-' are" ;;
	esac
	[ ${#1} -le 64 ] || fail $USAGE "'$1' is longer than the 64 characters that a name may have"
	name=$1
	pid_file=$run/$name.pid log_file=$log/$name.log node_file=$run/$name.node
}

# take_settings [ROLE] [-D KEY=VALUE]...: sets $role, and $settings to one KEY=VALUE a line.
take_settings() {
	role='' settings=''
	while [ $# -gt 0 ]; do
		case $1 in
		-D)
			[ $# -ge 2 ] || fail $USAGE "-D wants KEY=VALUE"
			take_setting "$2"
			shift
			;;
		-D*) take_setting "${1#-D}" ;;
		-*) fail $USAGE "unknown option '$1' (try --help)" ;;
		*)
			[ -z "$role" ] || fail $USAGE "'$1' is too much: the role is '$role' already"
			role=$1
			;;
		esac
		shift
	done
}

take_setting() {
	case $1 in
	*"$NEWLINE"*) fail $USAGE "a setting cannot have more than one line: '$1'" ;;
	[A-Za-z_]*=*) settings=$settings$1$NEWLINE ;;
	*) fail $USAGE "'-D $1' is not of the form KEY=VALUE" ;;
	esac
}
NEWLINE='
'

# remember: what the last start was told, as far as it has not been said now.
remember() {
	[ -r "$node_file" ] || return 0
	[ -n "$role" ] || role=$(sed -n 1p "$node_file")
	[ -n "$settings" ] || settings=$(sed 1d "$node_file")
}

# find_config: sets $file to the config of the role.
find_config() {
	[ -n "$role" ] || role=${name%"${name##*[!0-9]}"}
	file=$config/config.$role
	[ -d "$config" ] || fail $USAGE "no folder '$config' with configs (see SKYNET_CONFIG)"
	case $role in
	*/*) ;;
	*) [ ! -f "$file" ] || return 0 ;;
	esac
	fail $USAGE "unknown role '$role' of node '$name'; those in '$config' are: $(roles)"
}

roles() {
	grep -lE '^[[:blank:]]*start[[:blank:]]*=' "$config"/config.* 2>/dev/null |
		sed 's|.*/config\.||' | sort | tr '\n' ' ' | sed 's/ $//'
}

# skynet ARGUMENT...: runs it with the settings of the node.
skynet() {
	set -- "$bin" "$@" -D "node=$name" -D "data_path=$data"
	saved_ifs=$IFS
	IFS=$NEWLINE
	set -f
	for setting in $settings; do
		set -- "$@" -D "$setting"
	done
	set +f
	IFS=$saved_ifs
	exec "$@" "$file"
}

check_config() {
	[ -x "$bin" ] || fail $MISSING "no executable '$bin' (build it with make, or set SKYNET_BIN)"
	cd -- "$root" 2>/dev/null || fail $MISSING "no folder '$root' (see SKYNET_ROOT)"
	found=$( (skynet --check) 2>&1) ||
		fail $CONFIG "the config of '$name' has an error: $(printf '%s\n' "$found" | tail -n 1)"
}

# ---- The process ----

# command_of PID: prints its command line, nothing when there is no such process.
command_of() {
	if [ -r "/proc/$1/cmdline" ]; then
		tr '\0' ' ' <"/proc/$1/cmdline" 2>/dev/null
	else
		ps -ww -p "$1" -o args= 2>/dev/null
	fi
}

# is_node PID: whether that process is the node. Pids are used again, so a process counts only when it
# was started with this pid file.
is_node() {
	case "$(command_of "$1") " in
	*"daemon=$pid_file "*) return 0 ;;
	esac
	return 1
}

# running: whether the node is; sets $pid to what its pid file says.
running() {
	pid=$(sed -n '1s/^\([0-9][0-9]*\).*/\1/p' "$pid_file" 2>/dev/null)
	[ -n "$pid" ] && is_node "$pid"
}

# signal NAME: to the running node.
signal() {
	if ! kill -s "$1" "$pid" 2>/dev/null && is_node "$pid"; then
		fail $DENIED "not permitted to signal '$name', pid $pid"
	fi
}

# within SECONDS COMMAND...: waits until it succeeds.
within() {
	ticks=$(($1 * 10))
	shift
	until "$@"; do
		[ $ticks -gt 0 ] || return 1
		ticks=$((ticks - 1))
		sleep 0.1
	done
}

gone() { ! is_node "$pid"; }
returned() { ! kill -s 0 "$starter" 2>/dev/null; }

log_size() {
	if [ -f "$log_file" ]; then
		wc -c <"$log_file" | tr -d ' '
	else
		echo 0
	fi
}

# show_log SIZE: the last lines of what came after the first SIZE bytes.
show_log() {
	[ "$(log_size)" -gt "$1" ] || return 0
	echo "start_node: the end of '$log_file':" >&2
	tail -c +$(($1 + 1)) "$log_file" | tail -n $LOG_LINES | sed 's/^/    /' >&2
}

# give_up: ends a node that does not come up.
give_up() {
	if running; then
		kill -s TERM "$pid" 2>/dev/null
		sleep 0.1
		kill -s TERM "$pid" 2>/dev/null # the second one ends it at once
		within 2 gone || kill -s KILL "$pid" 2>/dev/null
		rm -f -- "$pid_file"
	fi
	kill -s KILL "$starter" 2>/dev/null
}

# ---- Commands ----

# refuse_second: ends the script when the node is running; clears up after one that was killed.
refuse_second() {
	! running || fail $RUNNING "'$name' is running already, pid $pid"
	if [ -n "$pid" ]; then
		say "'$name' left a stale pid file (process $pid), removing it"
		rm -f -- "$pid_file" || fail $DENIED "cannot remove '$pid_file'"
	fi
}

start() {
	limit=${SKYNET_START_TIMEOUT:-25}
	seconds SKYNET_START_TIMEOUT "$limit"
	make_folders
	refuse_second
	size=$(log_size)
	(skynet -D "daemon=$pid_file" -D "logger=$log_file") </dev/null >/dev/null &
	starter=$!
	if ! within "$limit" returned; then
		give_up
		say "'$name' was not up after $limit s" >&2
		show_log "$size"
		exit $FAILED
	fi
	if ! wait $starter; then
		! running || fail $RUNNING "'$name' was started meanwhile, pid $pid"
		say "'$name' did not start" >&2
		show_log "$size"
		exit $FAILED
	fi
	running || fail $FAILED "'$name' has ended right after its start, see '$log_file'"
	{
		echo "$role"
		printf '%s' "$settings"
	} >"$node_file" || fail $DENIED "cannot write '$node_file'"
	say "'$name' is up, role $role, pid $pid, log '$log_file'"
}

stop() {
	if ! running; then
		# An empty one may be that of a node that is starting just now, which holds it locked.
		if [ -s "$pid_file" ]; then
			rm -f -- "$pid_file" 2>/dev/null || fail $DENIED "cannot remove '$pid_file'"
		fi
		say "'$name' is not running"
		return 0
	fi
	limit=${SKYNET_STOP_TIMEOUT:-$(stop_timeout)}
	seconds SKYNET_STOP_TIMEOUT "$limit"
	size=$(log_size)
	signal TERM
	if ! within "$limit" gone; then
		say "'$name', pid $pid, is still running $limit s after it was told to stop;" \
			"'kill -KILL $pid' ends it" >&2
		show_log "$size"
		exit $FAILED
	fi
	late=$(tail -c +$((size + 1)) "$log_file" 2>/dev/null | grep -F 'shutdown timeout:' | tail -n 1)
	[ -z "$late" ] || fail $FAILED "'$name' has stopped, but not in order: ${late#*] }"
	say "'$name' has stopped"
}

# stop_timeout: what the config says, in whole seconds, and 5 more.
stop_timeout() {
	role='' settings=''
	remember
	file=$config/config.${role:-$name}
	value=$( (cd -- "$root" && skynet --check) 2>/dev/null |
		sed -n 's/^  shutdown_timeout = \([0-9]*\).*/\1/p')
	echo $((${value:-10} + 6))
}

restart() {
	make_folders
	stop
	start
}

reload() {
	running || fail $NOT_RUNNING "'$name' is not running"
	signal HUP
	say "'$name' opens its log anew and reads cluster names, secrets and certificates again"
}

status() {
	role=''
	settings=''
	remember
	if running; then
		say "'$name' is running, role $role, pid $pid"
		return $DONE
	elif [ -e "$pid_file" ]; then
		say "'$name' is dead, but its pid file '$pid_file' is there"
		return $FAILED
	fi
	say "'$name' is not running"
	return $STOPPED
}

status_of_all() {
	worst=$STOPPED any=
	for known in "$run"/*.node; do
		[ -e "$known" ] || continue
		known=${known##*/}
		take_name "${known%.node}"
		status
		found=$?
		[ -n "$any" ] && [ $found -le $worst ] || worst=$found
		any=yes
	done
	[ -n "$any" ] || say "no node has been started in '$run'"
	return $worst
}

[ $# -gt 0 ] || {
	help >&2
	exit $USAGE
}
find_folders
action=start
case $1 in
-h | --help | help)
	help
	exit $DONE
	;;
start | run | restart | stop | reload | status)
	action=$1
	shift
	;;
esac

if [ "$action" = status ] && [ $# -eq 0 ]; then
	status_of_all
	exit $?
fi
take_name "${1:-}"
shift
case $action in
start | run | restart)
	take_settings "$@"
	remember
	find_config
	check_config
	if [ "$action" = run ]; then
		refuse_second
		skynet
	fi
	$action
	;;
*)
	[ $# -eq 0 ] || fail $USAGE "'$1' is too much: $action wants a name only"
	$action
	;;
esac
