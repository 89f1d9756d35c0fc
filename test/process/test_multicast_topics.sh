# Topics between the nodes of a cluster: three processes that know each other by name, one that the others
# know by two names, one that dies and comes back, one that moves.
. test/process/lib.sh
. test/process/harbor.sh

names=$TEST_TMP/names.lua

# place NAME [ADDRESS]: where a node is, for all of them.
place() {
	if [ -f "$names" ]; then
		grep -v "^$1 " "$names" >"$names.new"
	fi
	echo "$1 = \"${2:-unix:$TEST_TMP/$1.sock}\"" >>"$names.new"
	mv "$names.new" "$names"
}

# join NAME [LINE]: starts a node of the cluster.
join() {
	{
		cat <<-END
			harbor = 0
			start = "harbor_node"
			cluster = "$names"
			ask = "unix:$TEST_TMP/n$1.ask"
		END
		[ $# -lt 2 ] || printf '%s\n' "$2"
	} | config "n$1"
	rm -f "$TEST_TMP/n$1.ask"
	if [ -z "${TOGETHER:-}" ]; then
		start "n$1"
		prepare "$1"
	fi
}

# chunk NAME CHUNK: as ask, but the chunk may have several lines.
chunk() {
	ask "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"
}

prepare() {
	wait_for says "$1" 1 1
	chunk "$1" 'cluster = require "skynet.cluster" mc = require "skynet.multicast"
		got, dup, seen = {}, 0, {}
		function hear(name)
			t = mc.topic(name, { dispatch = function(_, source, who, number)
				got[#got + 1] = who .. number
				if seen[who .. number] then dup = dup + 1 end
				seen[who .. number] = true
				if (number - 1) ~= (last and last[who] or number - 1) then gap = (gap or 0) + 1 end
				last = last or {}
				last[who] = number
			end })
			return t:subscribe()
		end
		function say(name, who, from, to)
			local t = mc.topic(name)
			for i = from, to do t:publish(who, i) end
		end
		function info(key)
			return skynet.call(skynet.uniqueservice "multicastd", "debug", "INFO")[key]
		end' >/dev/null
	ask "$1" "cluster.open '$1'" >/dev/null
}

cases() {
	ask a 'hear "world"' >/dev/null
	ask b 'hear "world"' >/dev/null
	ask a 'say("world", "a", 1, 100)' >/dev/null
	check "$1: what a node publishes reaches another" answers b '#got, got[100]' "100 a100"
	is "$1: and the subscribers of the node itself, once" "$(ask a '#got, dup')" "100 0"
	is "$1: in order" "$(ask b 'got[1], got[50], gap, dup')" "a1 a50 nil 0"
	ask c 'say("world", "c", 1, 100)' >/dev/null
	check "$1: a node that only publishes is heard as well" answers b '#got, gap, dup' "200 nil 0"
	check "$1: by all" answers a '#got, gap, dup' "200 nil 0"
	is "$1: what nobody wants does not travel" \
		"$(ask c 'say("other", "c", 1, 10) return info("outbox_messages")')" 0
	ask c 'hear "other"' >/dev/null
	ask b 'say("other", "b", 1, 1)' >/dev/null
	check "$1: a topic of its own" answers c '#got, got[1]' "1 b1"
	ask b 't:unsubscribe()' >/dev/null
	ask a 'say("world", "a", 101, 110)' >/dev/null
	check "$1: a node that has left" answers a '#got' 210
	is "$1: gets no more" "$(ask b '#got')" 200
	ask b 't:subscribe()' >/dev/null
	ask a 'say("world", "a", 111, 111)' >/dev/null
	check "$1: it may come back" answers b '#got, got[201]' "201 a111"
	check "$1: nothing waits any more" answers a 'info "outbox_messages"' 0
	ask a 'mc.topic("world"):publish("big", 1, ("x"):rep(1 << 20))' >/dev/null
	check "$1: a large message arrives" answers b 'got[#got]' big1
	like "$1: a topic has a name" "$(ask a 'pcall(mc.topic, "")')" "*bad topic ''*"
	like "$1: and a handler if it is to be heard" "$(ask a 'pcall(mc.topic("x").subscribe, mc.topic("x"))')" \
		"*no dispatch function*"
	is "$1: a deleted object ends" "$(ask b 't:delete() return pcall(t.publish, t, 1)' |
		grep -c 'was deleted')" 1
	ask a 'say("world", "a", 112, 112)' >/dev/null
	check "$1: others do not" answers a 'got[#got]' a112
}

for name in a b c; do
	place "$name"
done
for name in a b c; do
	join "$name"
done
cases "three processes"

# ---- death and return ----
ask b 'got, seen, last = {}, {}, nil hear "world"' >/dev/null
kill_node b
ask a 'say("world", "a", 113, 120)' >/dev/null
check "the others go on when a node has died" answers a 'got[#got]' a120
join b
ask b 'hear "world"' >/dev/null
ask a 'say("world", "a", 121, 130)' >/dev/null
check "a node that came back subscribes again" answers b '#got, got[1], dup' "10 a121 0"
ask b 'say("world", "b", 1, 10)' >/dev/null
check "and is heard by those that had subscribed before" answers a 'got[#got]' b10
is "each message came once" "$(ask a 'dup')" 0

# ---- another address ----
ask a 'at = cluster.open(0)' >/dev/null
address=$(ask a '(function() local ip, port = cluster.open(0) return "127.0.0.1:" .. port end)()')
ask b 'got, seen, last = {}, {}, nil' >/dev/null
ask a 'skynet.fork(function() say("world", "a", 131, 1130) end)' >/dev/null
place a "$address"
check "nothing is lost or doubled when an address changes" answers b '#got, gap, dup' "1000 nil 0"

# ---- two names ----
place alias "unix:$TEST_TMP/a.sock"
check "a second name is seen" wait_for contains "$names" alias
ask a 'say("world", "a", 1131, 1140)' >/dev/null
check "a node with two names is heard once" answers b '#got, gap, dup' "1010 nil 0"

# ---- pressure ----
ask b 'got, seen, last = {}, {}, nil' >/dev/null
freeze nb
ask a 'local t = mc.topic "world" for i = 1, 300 do t:publish("a", 2000 + i, ("x"):rep(100000)) end' \
	>/dev/null
check "what waits for a node that does not read is bounded" answers a \
	'info("outbox_bytes") <= 16777216, info("outbox_dropped") > 0' "true true"
thaw nb
check "the newest arrives when it goes on" answers b 'got[#got], dup' "a2300 0"
check "and nothing waits" answers a 'info "outbox_messages"' 0

for name in c b a; do
	kill_node $name TERM
	is "node $name ends in order" "$status" 0
done

# ---- three nodes of one process ----
TOGETHER=1
place a
grep -v alias "$names" >"$names.new"
mv "$names.new" "$names"
rm -f "$TEST_TMP"/*.sock
for name in a b c; do
	join "$name"
done
start na "$TEST_TMP/nb" "$TEST_TMP/nc"
for name in a b c; do
	prepare "$name"
done
cases "one process"
kill_node a TERM
finish
