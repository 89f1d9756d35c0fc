# What multicastd sends to other nodes, and what it takes from them: the bytes of the reference. Node 1
# runs the real one; on node 2 the test service speaks for itself, on node 3 it poses as an owner.
. test/process/lib.sh
. test/process/harbor.sh

# chunk ID CHUNK: as ask, but the chunk may have several lines.
chunk() {
	ask "$1" "$(printf '%s' "$2" | tr '\n\t' '  ')"
}

raw='raw = {}
	function hex(text) return (text:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
	function bytes(text) return (text:gsub("..", function(h) return string.char(tonumber(h, 16)) end)) end
	skynet.register_protocol { name = "multicast", id = 2, unpack = skynet.tostring,
		dispatch = function(session, source, text)
			raw[#raw + 1] = ("%d %x %s"):format(session, source >> 24, hex(text))
		end }
	skynet.dispatch("lua", function(session, source, ...)
		raw[#raw + 1] = hex(skynet.packstring(...))
		if session > 0 then last = source skynet.retpack(nil) end
	end)
	function request(text) return hex(skynet.tostring(skynet.rawcall(owner, "lua", bytes(text)))) end
	function send(text) skynet.rawsend(owner, "lua", bytes(text)) end'
listen='mc = require "skynet.multicast" got = {}
	function hear(id)
		c = mc.new { channel = id, dispatch = function(_, source, ...)
			got[#got + 1] = (source >> 24) .. ":" .. table.concat({ ... }, ",")
		end }
		c:subscribe()
		return c.channel
	end'

up 1
up 2
up 3
chunk 1 "$listen" >/dev/null
chunk 2 "$raw" >/dev/null
chunk 3 "$raw" >/dev/null

# ---- a foreign node and our owner ----
is "the first channel is 1" "$(ask 1 'hear()')" 1
is "the datacenter has the service of node 1" \
	"$(chunk 2 'owner = skynet.call("DATACENTER", "lua", "QUERY", "multicast", 1)
		return owner >> 24')" 1
is "SUBR is answered with nil" "$(ask 2 'request "24535542520a01"')" 00
ask 1 'c:publish("hello", 1)' >/dev/null
check "a publication arrives as its bytes" answers 2 'raw[#raw]' "1 1 2c68656c6c6f0a01"
ask 2 'skynet.redirect(owner, skynet.self(), "multicast", 1, bytes "2c66726f6d320a02")' >/dev/null
check "one of the other node is delivered" answers 1 'got[#got]' "2:from2,2"
check "and comes back with its source" answers 2 'raw[#raw]' "1 2 2c66726f6d320a02"
ask 2 'skynet.redirect(owner, skynet.self(), "multicast", 1, bytes "ffffffffffffffff")' >/dev/null
ask 2 'skynet.redirect(owner, skynet.self(), "multicast", 0x7fffff01, "nothing")' >/dev/null
check "eight bytes are no pointer" answers 2 'raw[#raw]' "1 2 ffffffffffffffff"
ask 2 'send "2c55535542520a01"' >/dev/null
ask 1 'c:publish "x"' >/dev/null
check "after USUBR the owner goes on" answers 1 'got[#got]' "1:x"
is "without the node that left" "$(ask 2 '#raw')" 3
is "which may come back" "$(ask 2 'request "24535542520a01"')" 00
ask 2 'send "1c44454c0a01"' >/dev/null
check "DEL is passed on as DELR" answers 2 'raw[#raw]' 2444454c520a01
is "SUBR for a deleted channel is answered with true" "$(ask 2 'request "24535542520a01"')" 09

# ---- our subscribers and a foreign owner ----
ask 3 'skynet.call("DATACENTER", "lua", "UPDATE", "multicast", 3, skynet.self())' >/dev/null
is "we subscribe to a channel of another node" "$(ask 1 'hear(3)')" 3
is "with SUBR" "$(ask 3 'raw[1]')" 24535542520a03
ask 3 'skynet.redirect(last, 0x02000007, "multicast", 3, bytes "2c66726f6d320a02")' >/dev/null
check "we take what its owner sends" answers 1 'got[#got]' "2:from2,2"
ask 1 'c:publish("z")' >/dev/null
check "we publish to its owner" answers 3 'raw[2]' "3 1 0c7a"
ask 1 'c:unsubscribe()' >/dev/null
check "we leave with USUBR" answers 3 'raw[3]' 2c55535542520a03
ask 1 'c:subscribe() c:delete()' >/dev/null
check "we delete with DEL" answers 3 'raw[5]' 1c44454c0a03
ask 1 'hear(3)' >/dev/null
ask 3 'skynet.send(last, "lua", "DELR", 3)' >/dev/null
ask 3 'skynet.redirect(last, 0x02000007, "multicast", 3, bytes "0c78")' >/dev/null
ask 3 'skynet.call(last, "lua", "SUBR", 1025)' >/dev/null
is "after DELR nothing is delivered" "$(ask 1 '#got')" 4
for id in 3 2 1; do
	kill_node $id TERM
done
finish
