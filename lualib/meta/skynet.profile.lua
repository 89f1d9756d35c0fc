---@meta skynet.profile

---CPU time of coroutines. In a service, `coroutine.resume` and `coroutine.wrap` are these.
---@class skynet.profile
local profile = {}

---Begins to count the thread CPU time that `co` and what it resumes use.
---@param co thread? the running coroutine
function profile.start(co) end

---Ends what `start` began.
---@param co thread? the running coroutine
---@return number seconds
function profile.stop(co) end

---@async
---@param co thread
---@param ... any
---@return boolean ok
---@return any ... results or the error
function profile.resume(co, ...) end

---@param func fun(...): ...
---@return fun(...): ...
function profile.wrap(func) end

return profile
