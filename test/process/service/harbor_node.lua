---A node of a test network: runs what comes over the socket at setting `ask`, one chunk per
---connection up to the end of the line, and answers with its values. Globals of the chunks stay.
local skynet = require "skynet"
require "skynet.manager"
local socket = require "skynet.socket"
local harbor = require "skynet.harbor"

local function describe(...)
	local values = table.pack(...)
	for i = 1, values.n do
		values[i] = tostring(values[i])
	end
	return table.concat(values, " ")
end

local environment = setmetatable({ skynet = skynet, harbor = harbor, done = {} }, { __index = _G })

---Call in a task of its own; the outcome is put into `done[key]`.
function environment.later(key, address, ...)
	local arguments = table.pack(...)
	skynet.fork(function()
		local ok, result = pcall(skynet.call, address, "lua",
			table.unpack(arguments, 1, arguments.n))
		environment.done[key] = ok and describe(result)
			or skynet.error_kind(result) or "error"
	end)
end

local function answer(fd)
	socket.start(fd)
	local line = socket.readline(fd)
	if line then
		local chunk, err = load("return " .. line, "=ask", "t", environment)
		if not chunk then
			chunk, err = load(line, "=ask", "t", environment)
		end
		local result = chunk and describe(select(2, pcall(chunk))) or err
		socket.write(fd, result .. "\n")
	end
	socket.close(fd)
end

skynet.start(function()
	skynet.dispatch("lua", function(_, _, what, ...)
		if what == "echo" then
			skynet.retpack(...)
		elseif what == "raise" then
			error "on purpose"
		elseif what == "hold" then
			environment.held = skynet.response()
		elseif what == "never" then
			skynet.wait({})
		elseif what == "count" then
			environment.count = (environment.count or 0) + 1
		elseif what == "numbered" then
			-- how many came, and how many of them not when it was their turn
			local numbers = environment.numbers or { 0, 0 }
			environment.numbers = numbers
			numbers[1] = numbers[1] + 1
			numbers[2] = numbers[2] + (... == numbers[1] and 0 or 1)
			skynet.ret()
		elseif what == "numbers" then
			skynet.retpack(table.unpack(environment.numbers))
		end
	end)
	local listener = socket.listen(skynet.getenv "ask")
	socket.start(listener, function(fd)
		skynet.fork(answer, fd)
	end)
	local name = skynet.getenv "global_name"
	if name then
		skynet.register(name)
	end
	skynet.error "test node is up"
end)
