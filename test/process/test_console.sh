#!/bin/sh
# The console service: starts what standard input names, and survives its end.
set -u
work=${TEST_TMP:-$(mktemp -d)}
skynet=${TEST_SKYNET:-./skynet}
count=0
failed=0

check() {
	count=$((count + 1))
	if [ "$1" -eq 0 ]; then
		echo "ok $count - $2"
	else
		failed=$((failed + 1))
		echo "not ok $count - $2"
		sed 's/^/#   /' "$work/console.log"
	fi
}

# Waits until the log has a line that matches.
logged() {
	tries=0
	until grep -q "$1" "$work/console.log" 2>/dev/null; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || return 1
		sleep 0.1
	done
}

cat >"$work/console.config" <<END
thread = 2
harbor = 0
start = "console"
logger = "$work/console.log"
luaservice = "./test/service/?.lua;./service/?.lua"
END

mkfifo "$work/stdin"
"$skynet" "$work/console.config" <"$work/stdin" &
node=$!
trap 'kill -KILL $node 2>/dev/null' EXIT
exec 3>"$work/stdin"

printf 'puppet one  two\r\n' >&3
logged 'LAUNCH snlua puppet one two'
check $? "starts the service that a line names"
printf '\n   \nthere_is_none\nsnax there_is_none\npup' >&3
printf 'pet three\n' >&3
logged 'LAUNCH snlua puppet three'
check $? "goes on after empty lines and failures"
exec 3>&-
logged 'end of standard input'
check $? "says that standard input has ended"
kill -0 $node
check $? "lets the node live after that"
kill -TERM $node
wait $node
check $? "leaves nothing behind that holds up the end of the node"
trap - EXIT

# The debug console ends a node.
sed -e 's/^start = .*/start = "console_stopper"/' -e 's/console\.log/stop.log/' \
	"$work/console.config" >"$work/stop.config"
timeout 60 "$skynet" "$work/stop.config"
check $? "stop at the debug console ends the node with status 0"
grep -q 'Stopped from the debug console' "$work/stop.log"
check $? "the log says who stopped the node"
echo "1..$count"
[ $failed -eq 0 ]
