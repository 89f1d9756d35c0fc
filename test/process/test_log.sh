# Where log lines go, rotation, and a disk that is full.
. test/process/lib.sh
log=$TEST_TMP/node.log

config plain </dev/null
start plain
logged plain "idle: up"
kill -TERM "$pid" 2>/dev/null
ended plain
check "lines_on_stdout_show_their_source" grep -qE '^\[:[0-9a-f]{8}\] idle: up$' "$TEST_TMP/plain.out"

config stamped <<'END'
logger_timestamp = true
END
start stamped
logged stamped "idle: up"
kill -TERM "$pid" 2>/dev/null
ended stamped
check "and_the_time_when_asked" grep -qE \
	'^[0-9]{2}/[0-9]{2}/[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{2} \[:[0-9a-f]{8}\] idle: up$' \
	"$TEST_TMP/stamped.out"

config node <<END
logger = "$log"
END
echo "from before" >"$log"
start node
check "lines_go_to_the_file" wait_for contains "$log" "idle: up"
check "behind_what_was_there" contains "$log" "from before"
check "with_the_time" grep -qE '^[0-9/]{8} [0-9:.]{11} \[:[0-9a-f]{8}\] idle: up$' "$log"
mv "$log" "$log.1"
kill -HUP "$pid"
check "SIGHUP_opens_the_file_anew" wait_for test -e "$log"
kill -TERM "$pid" 2>/dev/null
ended node
is "it_stops_in_order" "$status" 0
check "late_lines_are_in_the_new_file" test -s "$log"

ln -s /dev/full "$TEST_TMP/full.log"
config full <<END
logger = "$TEST_TMP/full.log"
start = "writes_log"
END
start full
check "a_node_lives_on_when_the_disk_is_full" wait_for contains "$TEST_TMP/full.err" "still here"
is "and_says_so_once" "$(grep -c 'cannot write the log' "$TEST_TMP/full.err")" 1
rm "$TEST_TMP/full.log"
kill -HUP "$pid"
check "the_log_takes_lines_again" wait_for test -e "$TEST_TMP/full.log"
kill -TERM "$pid" 2>/dev/null
ended full
is "stops_in_order" "$status" 0
check "the_log_says_how_many_lines_were_lost" grep -qE \
	'error: [0-9]+ log lines were lost here: No space left on device' "$TEST_TMP/full.log"
finish
