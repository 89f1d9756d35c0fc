-- Coroutines for user code inside a service: like the stock library, but a blocking call of
-- skynet in one suspends the whole chain up to the task that the service resumes, and goes on
-- inside when it is done.
-- luacheck: max comment line length 180

---@class skynet.coroutine
---@field create fun(f: async fun(...): ...: any): thread
---@field resume fun(co: thread, ...: any): boolean, ...: any false and a message for a coroutine not made here, or blocked
---@field wrap fun(f: async fun(...): ...: any): (fun(...): ...: any) errors are raised again, with position
---@field yield async fun(...: any): ...: any
---@field status fun(co: thread): "running"|"suspended"|"normal"|"dead"|"blocked" blocked: waits for the framework
---@field running fun(): thread, boolean
---@field isyieldable fun(co: thread?): boolean
---@field close fun(co: thread): boolean, any
---@field thread fun(co: thread?): thread, boolean the thread of the task that runs co; whether that is co itself
local coroutine = require "skynet.coroutine_core"

return coroutine
