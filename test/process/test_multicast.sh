# Multicast between three nodes of a harbor network, first as three processes, then in one.
. test/process/lib.sh
. test/process/harbor.sh

# chunk ID CHUNK: as ask, but the chunk may have several lines.
chunk() {
	ask "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"
}

# What the nodes are told. got collects what they receive in the channel `c`.
listen='mc = require "skynet.multicast" got = got or {}
	function hear(id)
		c = mc.new { channel = id, dispatch = function(_, source, ...)
			got[#got + 1] = (source >> 24) .. ":" .. table.concat({ ... }, ",")
		end }
		return c.channel
	end'

prepare() {
	for id in 1 2 3; do
		chunk $id "$listen" >/dev/null
	done
}

cases() {
	prepare
	is "$1: an id has the harbor id of its owner in the low byte" "$(ask 2 'hear() & 255')" 2
	is "$1: the first channel of a node is its harbor id" "$(ask 1 'hear()')" 1
	ask 2 'hear(1)' >/dev/null
	ask 3 'hear(1)' >/dev/null
	is "$1: a node subscribes to a channel of another" "$(ask 2 'pcall(c.subscribe, c)')" true
	is "$1: so does a third" "$(ask 3 'pcall(c.subscribe, c)')" true
	is "$1: and the owner" "$(ask 1 'pcall(c.subscribe, c)')" true
	ask 1 'for i = 1, 100 do c:publish("n", i) end' >/dev/null
	check "$1: what the owner publishes reaches the second node" answers 2 '#got' 100
	check "$1: and the third" answers 3 '#got' 100
	is "$1: in order and once" "$(ask 3 'got[1] .. " " .. got[50] .. " " .. got[100]')" \
		"1:n,1 1:n,50 1:n,100"
	ask 2 'c:publish(("x"):rep(1 << 20))' >/dev/null
	check "$1: what another node publishes comes back to it by way of the owner" \
		answers 2 '#got, #got[#got]' "101 1048578"
	check "$1: and reaches the others" answers 3 '#got' 101
	ask 3 'c:unsubscribe()' >/dev/null
	ask 3 'c:publish("not for me")' >/dev/null
	check "$1: a publisher needs no subscription" answers 1 '#got, got[#got]' "102 3:not for me"
	is "$1: a node that has left gets no more" "$(ask 3 '#got')" 101
	ask 3 'c:subscribe()' >/dev/null
	ask 2 'c:publish("again")' >/dev/null
	check "$1: it may come back" answers 3 'got[#got]' "2:again"
	ask 3 'f = mc.new { channel = 0x12301, dispatch = function(_, _, x) fixed = x end } f:subscribe()' \
		>/dev/null
	ask 2 'mc.new { channel = 0x12301 }:publish("agreed")' >/dev/null
	check "$1: a number that all agree on needs no creator" answers 3 'fixed' agreed
	like "$1: a node that is not there owns no channels" \
		"$(chunk 2 'nobody = mc.new { channel = 0x109, dispatch = print }
			return pcall(nobody.subscribe, nobody)' | head -n 1)" "*node 9 has no multicast service*"
	ask 2 'c:delete()' >/dev/null
	check "$1: a channel can be deleted from anywhere" answers 3 \
		'(function() c:unsubscribe() return (pcall(c.subscribe, c)) end)()' false
	like "$1: subscribing to it is an error" "$(ask 3 'pcall(c.subscribe, c)')" "*no such channel*"
}

up 1
up 2
up 3
cases "three processes"

# ---- a node that dies takes its subscriptions along ----
ask 1 'hear(0x45601) c:subscribe()' >/dev/null
ask 2 'hear(0x45601) c:subscribe()' >/dev/null
ask 3 'hear(0x45601) c:subscribe()' >/dev/null
kill_node 2
ask 1 'c:publish("without 2")' >/dev/null
check "the others go on when a node has died" answers 3 'got[#got]' "1:without 2"
up 2
chunk 2 "$listen" >/dev/null
ask 2 'hear(0x45601) c:subscribe()' >/dev/null
ask 3 'c:publish("with 2")' >/dev/null
check "a node that came back subscribes again" answers 2 '#got, got[1]' "1 3:with 2"
for id in 3 2 1; do
	kill_node $id TERM
done

# ---- in one process ----
node 1
node 2
node 3
start n1 "$TEST_TMP/n2" "$TEST_TMP/n3"
for id in 1 2 3; do
	check "node $id of one process is up" answers $id '1' 1
done
cases "one process"
kill_node 1 TERM
finish
