--- The other side of the cases: one service that counts, echoes, passes a token on and subscribes.
local skynet = require "skynet"

local count = 0
local next_peer, finish

local command = {}

---One-way message that is only counted.
function command.add()
	count = count + 1
end

---Answers with how many were counted.
function command.count()
	skynet.ret(skynet.pack(count))
end

---Answers with what it was sent.
function command.echo(...)
	skynet.ret(skynet.pack(...))
end

---Sets who gets the token next, and who is told when it has made its last step.
function command.link(peer, starter)
	next_peer, finish = peer, starter
	skynet.ret()
end

---Passes the token on, `left` more times.
function command.token(left)
	if left > 0 then
		skynet.send(next_peer, "lua", "token", left - 1)
	else
		skynet.send(finish, "lua", "finished")
	end
end

---Counts what is published in a channel from now on.
function command.subscribe(channel)
	local multicast = require "skynet.multicast"
	multicast.new({ channel = channel, dispatch = command.add }):subscribe()
	skynet.ret()
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, name, ...)
		command[name](...)
	end)
end)
