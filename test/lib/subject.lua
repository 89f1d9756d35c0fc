--- Services that do what a test tells them, and the log of the node.
local skynet = require "skynet"
local tap = require "tap"

local subject = {}

local HEAD <const> = "local skynet = require 'skynet' "

--- A fresh service that runs the texts it is sent.
---@return integer address
---@async
function subject.new()
	return skynet.newservice "subject"
end

--- Runs `text` in the service; it must answer.
---@param address integer
---@param text string sees session, source and `...` from the third on
---@param ... any
---@return any ...
---@async
function subject.call(address, text, ...)
	return skynet.call(address, "lua", HEAD .. text, ...)
end

--- Runs `text` in the service and answers with the values that it returns.
---@param address integer
---@param text string
---@param ... any
---@return any ...
---@async
function subject.eval(address, text, ...)
	return subject.call(address, "skynet.retpack((function(...) " .. text
		.. " end)(select(3, ...)))", ...)
end

--- Runs `text` in the service without waiting.
---@param address integer
---@param text string
---@param ... any
function subject.send(address, text, ...)
	return skynet.send(address, "lua", HEAD .. text, ...)
end

--- What the node has logged so far.
---@return string
function subject.log()
	local file <close> = assert(io.open(skynet.getenv "test_tmp" .. "/log"))
	return file:read "a"
end

--- Whether the log contains a match of `pattern`.
---@param pattern string
---@return boolean
function subject.logged(pattern)
	return subject.log():find(pattern) ~= nil
end

--- Check that the log comes to contain a match of `pattern`; its service writes when it can.
---@param pattern string
---@param name string
---@async
function subject.logs(pattern, name)
	tap.eventually(function()
		return subject.logged(pattern)
	end, name)
end

return subject
