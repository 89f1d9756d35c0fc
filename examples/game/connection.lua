---The client's side of the small game: log in, enter a game node, send requests, wait for lines.
---@class game.connection
---@field private id integer
---@field private lines string[]  that have come and nobody has taken, but for answers
---@field private answers string[]
---@field private waiting boolean
---@field closed boolean?
local connection = {}
connection.__index = connection

local skynet = require "skynet"
local socket = require "skynet.socket"

---How long an answer may take, in 1/100 s.
local ANSWER_TIME <const> = 3000

---Ask the login node something.
---@async
---@param host string
---@param port integer
---@param line string
---@return string? answer
---@return string? reason
function connection.ask_login(host, port, line)
	local id, reason = socket.open(host, port)
	if not id then
		return nil, reason
	end
	socket.timeout(id, ANSWER_TIME)
	socket.write(id, line .. "\n")
	local answer
	answer, reason = socket.readline(id)
	socket.close(id)
	return answer or nil, reason
end

---@async
---@param self game.connection
local function read(self)
	while true do
		local header = socket.read(self.id, 2)
		local line = header and socket.read(self.id, (string.unpack(">I2", header)))
		if not line then
			break
		end
		local answer = line:find "^ok" or line:find "^error" or line:find "^bye see you"
		table.insert(answer and self.answers or self.lines, line)
		skynet.wakeup(self)
	end
	self.closed = true
	skynet.wakeup(self)
end

---Wait until `take` gives something; nil when it has not done so after `time`.
---@async
---@param take fun(): string?
---@param time integer?
---@return string?
function connection:wait(take, time)
	local deadline = skynet.now() + (time or ANSWER_TIME)
	repeat
		local found = take()
		if found or self.closed then
			return found
		end
		skynet.sleep(deadline - skynet.now(), self)
	until skynet.now() >= deadline
	return take()
end

---@async
---@param host string
---@param port integer
---@return game.connection?
---@return string? reason
function connection.open(host, port)
	local id, reason = socket.open(host, port)
	if not id then
		return nil, reason
	end
	local self = setmetatable({ id = id, lines = {}, answers = {} }, connection)
	skynet.fork(read, self)
	return self
end

---Log in and enter the game node that is named.
---@async
---@param host string
---@param port integer
---@param name string
---@param password string
---@return game.connection?
---@return string answer  of the game node, or of whoever refused
function connection.enter(host, port, name, password)
	local answer, reason = connection.ask_login(host, port, ("login %s %s"):format(name, password))
	local token, game_host, game_port = (answer or ""):match "^ok (%x+) (%S+) (%d+)$"
	if not token then
		return nil, answer or reason or "no answer"
	end
	local self
	self, reason = connection.open(game_host, tonumber(game_port))
	if not self then
		return nil, reason
	end
	answer = self:request(("enter %s %s"):format(name, token))
	if not answer or not answer:find "^ok" then
		self:close()
		return nil, answer or "no answer"
	end
	return self, answer
end

---Send a frame as it is.
---@param frame string
function connection:send(frame)
	socket.write(self.id, string.pack(">s2", frame))
end

---Send a request and wait for its answer.
---@async
---@param line string
---@return string? answer  nil when none has come
function connection:request(line)
	self:send(line)
	return self:wait(function()
		return table.remove(self.answers, 1)
	end)
end

---Wait for a line that begins so, other than answers. Lines before it are dropped.
---@async
---@param start string
---@param time integer?
---@return string? line
function connection:expect(start, time)
	return self:wait(function()
		while self.lines[1] do
			local line = table.remove(self.lines, 1)
			if line:sub(1, #start) == start then
				return line
			end
		end
	end, time)
end

---@async
function connection:close()
	socket.close(self.id)
end

return connection
