---@meta skynet.debugchannel

---One-way queues of text between two services, and hooks that suspend: for the debugger.
---@class skynet.debugchannel
local debugchannel = {}

---@class skynet.debugchannel.channel
local channel = {}

---@param text string
function channel:write(text) end

---Waits for text; blocks the whole thread meanwhile.
---@param timeout number? tenths of a second, at most a minute; 0
---@return string?
function channel:read(timeout) end

---@return skynet.debugchannel.channel
---@return lightuserdata handle for `connect` in another service
function debugchannel.create() end

---The reading end of a channel; there can be one.
---@param handle lightuserdata
---@return skynet.debugchannel.channel
function debugchannel.connect(handle) end

---As debug.sethook; when `func` returns true at a line or count event, the task is suspended until
---`wakeup`.
---@param thread thread the running one when left out
---@param func (fun(event: string, line: integer?): boolean?)?
---@param mask string?
---@param count integer?
---@overload fun(func: function?, mask: string?, count: integer?)
function debugchannel.sethook(thread, func, mask, count) end

---Lets a task go on that its hook has suspended.
---@param co thread
---@return boolean done
function debugchannel.wakeup(co) end

return debugchannel
