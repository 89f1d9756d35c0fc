# Services and values that a harbor network shares, when the node that has them or a node that waits for them
# dies and comes back.
. test/process/lib.sh
. test/process/harbor.sh

# raise ID: starts a node that can be asked; outcomes of tasks are in `done`.
raise() {
	up "$1"
	ask "$1" 'datacenter = require "skynet.datacenter"
		function try(key, f, ...)
			local arguments = table.pack(...)
			skynet.fork(function()
				local ok, result = pcall(f, table.unpack(arguments, 1, arguments.n))
				done[key] = (ok and "" or "raised ") .. tostring(result)
			end)
		end
		function unique(...) return pcall(skynet.uniqueservice, ...) end
		function list() return skynet.call(".service", "lua", "LIST") end' >/dev/null
}

# The chunks above have several lines.
ask() {
	# shellcheck disable=SC2016
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift) or exit 1;
		my $c = shift; $c =~ tr/\n\t/  /; $s->print("$c\n"); print while <$s>' "$TEST_TMP/n$1.ask" "$2"
}

raise 1
raise 2
raise 3

# ---- as long as all are there ----
is "a global service runs on the node with the master" \
	"$(ask 2 'skynet.uniqueservice(true, "idle") >> 24')" 1
is "all nodes find the same" "$(ask 3 'skynet.queryservice(true, "idle")')" \
	"$(ask 2 'skynet.uniqueservice(true, "idle")')"
ask 1 'skynet.kill(skynet.uniqueservice(true, "idle"))' >/dev/null
check "one that was killed is launched again" answers 2 \
	'(function() local ok, address = unique(true, "idle")
		return ok and (pcall(skynet.call, address, "debug", "PING")) end)()' true
like "one that cannot be launched says why" "$(ask 2 'unique(true, "no_such_service")')" \
	"false *no_such_service*"
is "values are shared" "$(ask 2 'datacenter.set("a", "b", 7)' && ask 3 'datacenter.get("a", "b")')" "
7"

# ---- a node that waits dies ----
ask 3 'try("value", datacenter.wait, "x", "y") try("service", skynet.queryservice, true, "later")' >/dev/null
check "a path is waited for" answers 2 \
	'(select(2, pcall(datacenter.wait, "x", "y", "z")):match "remote error")' "remote error"
kill_node 3
check "who died waits no more: others can wait below" answers 2 \
	'skynet.error_kind(select(2, pcall(skynet.call_timeout, 20, "DATACENTER", "lua", "WAIT", "x", "y", "z")))' \
	timeout
ask 2 'try("below", datacenter.wait, "x", "y", "z")' >/dev/null
ask 2 'datacenter.set("x", "y", "z", "found")' >/dev/null
check "so others can" answers 2 'done.below' found
raise 3
is "it finds the services again" "$(ask 3 'skynet.queryservice(true, "idle") >> 24')" 1
is "and the values" "$(ask 3 'datacenter.get("a", "b")')" 7
check "it is listed once" answers 1 \
	'(function() local count = 0 for key in pairs(list()) do
		if key:find("@3", 1, true) then count = count + 1 end end return count > 0 end)()' true

# ---- the master dies ----
ask 3 'try("value", datacenter.wait, "x", "w") try("service", skynet.queryservice, true, "later")' >/dev/null
check "somebody waits for a service" answers 3 'done.service' nil
kill_node 1
check "who waits for a value is told" answers 3 'done.value and done.value:match "^raised"' raised
check "who waits for a service as well" answers 3 'done.service and done.service:match "^raised"' raised
check "a global service is out of reach" answers 2 '(unique(true, "idle"))' false
like "for a reason that is said" "$(ask 2 'unique(true, "idle")')" "false *dead node*"
like "so are values" "$(ask 2 'pcall(datacenter.get, "a")')" "false *dead node*"
is "services of a node are there" "$(ask 2 'skynet.uniqueservice "idle" >> 24')" 2
raise 1
check "a global service comes back with the master" answers 2 \
	'(function() local ok, address = unique(true, "idle") return ok and address >> 24 end)()' 1
check "for everybody" answers 3 \
	'(function() local ok, address = unique(true, "idle") return ok and address >> 24 end)()' 1
ask 2 'try("late", skynet.queryservice, true, "later")' >/dev/null
ask 3 'datacenter.set("a", "b", 8)' >/dev/null
is "values can be shared again" "$(ask 2 'datacenter.get("a", "b")')" 8
check "the new master lists the services of the others" answers 1 \
	'(function() local seen = list() return seen["idle@2"] ~= nil end)()' true
for id in 3 2 1; do
	kill_node $id TERM
	is "node $id ends in order" "$status" 0
done
finish
