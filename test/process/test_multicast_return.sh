# Multicast in a harbor network whose nodes die, stand still and come back, the master among them.
. test/process/lib.sh
. test/process/harbor.sh
heartbeat=1

# chunk ID CHUNK: as ask, but the chunk may have several lines.
chunk() {
	ask "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"
}

# raise ID: starts a node that can be asked to hear channels; `c` is the last one.
raise() {
	up "$1"
	chunk "$1" 'mc = require "skynet.multicast" datacenter = require "skynet.datacenter"
		got, closed = {}, {}
		function conf(id)
			return { channel = id,
				dispatch = function(object, source, ...)
					got[#got + 1] = (source >> 24) .. ":" .. table.concat({ ... }, ",")
				end,
				closed = function(object) closed[#closed + 1] = object.channel end }
		end
		function hear(id)
			c = mc.new(conf(id))
			c:subscribe()
			return c.channel
		end
		function hear_topic(name)
			topic = mc.topic(name, conf())
			topic:subscribe()
		end' >/dev/null
}

raise 1
raise 2
raise 3

# ---- a channel of an agreed number, and one that was given, when their node dies ----
given=$(ask 2 'hear()')
is "a channel of node 2" "$given" 2
ask 1 "old = mc.new(conf($given)) old:subscribe()" >/dev/null
ask 3 "old = mc.new(conf($given)) old:publish('from 3')" >/dev/null
check "is published in from another node" answers 1 'got[1]' "3:from 3"
ask 1 'hear(0x45602)' >/dev/null
ask 3 'hear(0x45602)' >/dev/null
ask 3 'c:publish("before")' >/dev/null
check "an agreed number works" answers 1 'got[#got]' "3:before"
kill_node 2
check "publishing says that its node is down" answers 1 \
	'(select(2, pcall(c.publish, c, "x"))):match("cannot publish in .*45602.: node 2 cannot be reached")' \
	"cannot publish in [Multicast:45602]: node 2 cannot be reached"
like "so does subscribing" "$(ask 1 'pcall(old.subscribe, mc.new(conf(0x45702)))')" \
	"false *node 2 *"
raise 2
is "the node gives the same number again" "$(ask 2 'hear()')" 2
check "a subscriber of the old channel is told" answers 1 'closed[1]' 2
like "a publisher as well" "$(ask 3 'pcall(old.publish, old, "x")')" "*cannot publish in ?Multicast:2?: it has ended with its node*"
is "the new channel is not the old one" "$(ask 2 '#got')" 0
ask 2 'n = mc.new(conf(0x45602)) n:publish("back")' >/dev/null
check "an agreed number is subscribed to again" answers 1 'got[#got]' "2:back"
check "by all" answers 3 'got[#got]' "2:back"
ask 3 'c:publish("forth")' >/dev/null
check "and published in as before" answers 1 'got[#got]' "3:forth"
is "once" "$(ask 1 'select("#", table.unpack(got)), got[#got - 1]')" "4 2:back"
ask 1 'c:unsubscribe() c:publish("last")' >/dev/null
check "and left" answers 3 'got[#got]' "1:last"
is "for good" "$(ask 1 'got[#got]')" "3:forth"

# ---- a node that stands still ----
ask 1 'c:subscribe()' >/dev/null
freeze n2
check "a node that stands still is down" answers 1 '(pcall(c.publish, c, "x"))' false
thaw n2
check "its channels are subscribed to again when it goes on" answers 1 \
	'(function() pcall(c.publish, c, "still") skynet.sleep(1) return got[#got] end)()' "1:still"
ask 2 'n:publish("alive")' >/dev/null
check "and reach it" answers 1 'got[#got]' "2:alive"

# ---- topics ----
kill_node 1
check "a topic can be used for the first time without the master" answers 2 'pcall(hear_topic, "world")' true
ask 3 'mc.topic("world"):publish("t", 0)' >/dev/null
check "and reaches the nodes that are there" answers 2 'got[#got]' "3:t,0"
raise 1
check "the new master is told where they are" answers 1 \
	'(datacenter.get("multicast", 2) or 0) >> 24, (datacenter.get("multicast", 3) or 0) >> 24' "2 3"
for id in 1 2 3; do
	ask $id 'hear_topic "world"' >/dev/null
done
ask 2 'topic:publish("t", 1)' >/dev/null
for id in 1 2 3; do
	check "a topic reaches node $id" answers $id 'got[#got]' "2:t,1"
done
kill_node 2
raise 2
ask 2 'hear_topic "world"' >/dev/null
ask 1 'topic:publish("t", 2)' >/dev/null
check "a node that came back hears a topic" answers 2 'got[#got]' "1:t,2"
ask 2 'topic:publish("t", 3)' >/dev/null
check "and is heard" answers 3 'got[#got]' "2:t,3"

# ---- the master ----
ask 2 'hear(0x45602)' >/dev/null
kill_node 1
check "the others go on without the master" answers 3 \
	'(function() pcall(c.publish, c, "no master") skynet.sleep(1) return got[#got] end)()' "3:no master"
raise 1
check "they tell the new one where they are" answers 1 \
	'(datacenter.get("multicast", 2) or 0) >> 24, (datacenter.get("multicast", 3) or 0) >> 24' "2 3"
ask 1 'hear(0x45602)' >/dev/null
ask 3 'c:publish("new master")' >/dev/null
check "it subscribes to their channels" answers 1 'got[#got]' "3:new master"
ask 1 'hear_topic "world"' >/dev/null
check "it is fed by both" answers 1 \
	'skynet.call(skynet.queryservice "multicastd", "debug", "INFO").feeds' 2
ask 3 'topic:publish("t", 4)' >/dev/null
check "and hears topics" answers 1 'got[#got]' "3:t,4"
ask 1 'topic:publish("t", 5)' >/dev/null
check "and is heard" answers 2 'got[#got]' "1:t,5"
for id in 3 2; do
	kill_node $id TERM
	is "node $id ends in order" "$status" 0
	is "node $id logs no error for what it waited for" "$(grep -c traceback "$TEST_TMP/n$id.out")" 0
done

# ---- two nodes start anew at once: the address of one's service is that of another one now ----
up 3
ask 3 'skynet.dispatch("lua", function(_, _, what) heard = heard or what skynet.ret() end)' >/dev/null
chunk 3 'datacenter = require("skynet.datacenter") datacenter.set("multicast_token", 3, 1)
	datacenter.set("multicast", 3, skynet.self())' >/dev/null
raise 2
like "a service is no channel" "$(ask 2 'pcall(hear, 0x45603)')" "*node 3 *no multicast service*"
ask 2 'skynet.call("NODE3", "lua", "the first")' >/dev/null
is "what has the address of a service that is gone is told nothing" "$(ask 3 heard)" "the first"
for id in 3 2 1; do
	kill_node $id TERM
	is "node $id ends in order" "$status" 0
	is "node $id ends without an error in its log" "$(errors_at_end "$id")" ""
done
finish
