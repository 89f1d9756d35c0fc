# Helpers for tests of networks under faults: . test/process/lib.sh and harbor.sh first. Each node is
# member ID of a harbor network and cluster node nID, receives (network_sink) and sends (network_load).
# shellcheck shell=sh disable=SC2154

# A chunk: collected() is the memory in use after a full collection in all services, 0 if unknown.
COLLECTED='function collected() skynet.call(".launcher", "lua", "GC") skynet.sleep(1)'
COLLECTED="$COLLECTED return require('skynet.memory').total() end"

# name_nodes LINE...: the file of cluster names, which all nodes follow.
name_nodes() {
	printf '%s\n' "$@" >"$TEST_TMP/names.new"
	mv "$TEST_TMP/names.new" "$TEST_TMP/names.lua"
}

# settings [LINE]: what the config of each node has, and more.
settings() {
	echo "cluster = '$TEST_TMP/names.lua'"
	echo "lua_path = './lualib/?.lua;./lualib/?/init.lua;./test/process/service/?.lua'"
	echo "${1:-}"
}

# attend ID: gives a node that is up its load and its sink.
attend() {
	eval "descriptors_$1= memory_$1="
	ask "$1" 'sink = skynet.newservice "network_sink"' >/dev/null
	ask "$1" 'load_service = skynet.newservice "network_load"' >/dev/null
	ask "$1" "$COLLECTED" >/dev/null
}

# boot ID [LINE]: starts a node with its load and its sink.
boot() {
	up "$1" "$(settings "${2:-}")"
	attend "$1"
}

# load ID COMMAND: prints the answer of its load.
load() {
	ask "$1" "skynet.call(load_service, 'lua', $2)"
}

# load_answers ID COMMAND TEXT: waits for that answer.
load_answers() {
	answers "$1" "skynet.call(load_service, 'lua', $2)" "$3"
}

# more ID WHAT PATTERN [NUMBER]: waits until so many (10) more calls than now had that outcome.
more() {
	found=$(load "$1" "'count', '$2', '$3'")
	answers "$1" \
		"skynet.call(load_service, 'lua', 'count', '$2', '$3') >= ${found:-0} + ${4:-10}" true
}

# load_from ID TARGET...: a node begins to send, on new streams, to the others of these.
load_from() {
	sender=$1 others=''
	shift
	for other in "$@"; do
		[ "$sender" = "$other" ] || others="$others$other,"
	done
	load "$sender" "'start', {$others}" >/dev/null
}

# start_load ID...: each of them sends to all others.
start_load() {
	for id in "$@"; do
		load_from "$id" "$@"
	done
}

# stop_load ID...
stop_load() {
	for id in "$@"; do
		load "$id" "'stop'" >/dev/null
	done
}

# all_answer ID...: waits until each of them gets replies from all its targets, by both links.
all_answer() {
	for id in "$@"; do
		load "$id" "'mark'" >/dev/null
	done
	for id in "$@"; do
		load_answers "$id" "'grown'" true || {
			echo "# n$id: no replies: $(load "$id" "'grown'")"
			return 1
		}
	done
}

descriptors() {
	find "/proc/$(cat "$TEST_TMP/n$1.pid")/fd" -type l | wc -l
}

memory() {
	ask "$1" "collected()" | tr -d '\n'
}

# baseline ID...: notes what idle nodes have.
baseline() {
	for id in "$@"; do
		eval "descriptors_$id=$(descriptors "$id") memory_$id=$(memory "$id")"
	done
}

# A node that was started after the baseline has none.
has_few_descriptors() {
	eval "limit=\$descriptors_$1"
	[ "${limit:=9999}" -ge "$(descriptors "$1")" ]
}

# A mebibyte more is what caches and pools may take.
has_little_memory() {
	eval "limit=\$memory_$1"
	[ $((${limit:=0xffffffff} + (1 << 20))) -ge "$(memory "$1")" ]
}

# each COMMAND ID...: the command for each of the ids.
each() {
	command=$1
	shift
	for id in "$@"; do
		$command "$id" || return 1
	done
}

ended_calls() {
	load_answers "$1" "'count', 'pending'" 0
}

faultless() {
	echo "# n$1 $(load "$1" "'outcomes'")"
	found="$(load "$1" "'faults'") $(ask "$1" 'skynet.call(sink, "lua", "faults")')"
	[ "$found" = "0 0" ] || echo "# n$1: wrong at its load and its sink: $found"
	[ "$found" = "0 0" ]
}

few_descriptors() {
	wait_for has_few_descriptors "$1" || {
		echo "# n$1: $(descriptors "$1") descriptors, more than $limit"
		return 1
	}
}

little_memory() {
	wait_for has_little_memory "$1" || {
		echo "# n$1: $(memory "$1") bytes, more than $limit and a mebibyte"
		return 1
	}
}

# sound CASE ID...: what must hold after each case, on nodes that lived through it.
sound() {
	case=$1
	shift
	stop_load "$@"
	check "${case}: every_call_ends" each ended_calls "$@" || return
	check "${case}: order_holds_and_nothing_comes_twice" each faultless "$@"
	check "${case}: descriptors_are_back" each few_descriptors "$@"
	check "${case}: memory_is_back" each little_memory "$@"
}

# loses_nothing NAME ID STREAM ID STREAM...: all messages of these streams arrived, all calls have a reply.
loses_nothing() {
	name=$1 found='' expected=''
	shift
	while [ $# -gt 1 ]; do
		found="$found$1 to $2: $(load "$1" "'lost', '$2'"), "
		expected="$expected$1 to $2: 0, "
		shift 2
	done
	is "$name" "$found" "$expected"
}
