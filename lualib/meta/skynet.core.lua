---@meta skynet.core

---What lies under `skynet`. Services use that; this is for libraries and tools.
---@class skynet.core
local core = {}

---Makes the table of `skynet`.
---@return skynet
function core.face() end

---Sends a raw message. Without session one is allocated.
---@param addr skynet.address
---@param type integer
---@param session integer?
---@param msg string|lightuserdata a pointer is taken, also when sending fails
---@param size integer?
---@return integer|false|nil session nothing for a dead address, false when it was refused
function core.send(addr, type, session, msg, size) end

---As send, with another source.
---@param addr skynet.address
---@param source integer 0 is this service
---@param type integer
---@param session integer?
---@param msg string|lightuserdata
---@param size integer?
---@return integer|false|nil session
function core.redirect(addr, source, type, session, msg, size) end

---@return integer session
function core.genid() end

---Runs a text command of the kernel.
---@param name string
---@param param string|number|nil
---@return string?
function core.command(name, param) end

---As command, for results of the form ":hex".
---@param name string
---@param param string|number|nil
---@return integer?
function core.addresscommand(name, param) end

---As command, for numbers.
---@param name string
---@param param string|number|nil
---@return number?
function core.intcommand(name, param) end

---Writes one line to the log.
---@param ... any
function core.error(...) end

---@param handle integer
---@return integer harbor
---@return boolean is_remote
function core.harbor(handle) end

---Sets what gets every message of this service from the next one on.
---@param f fun(type: integer, msg: lightuserdata, size: integer, session: integer, source: integer)
---@param forward boolean? the messages are not freed behind f
function core.callback(f, forward) end

---Logs a trace line.
---@param tag string
---@param text string
---@param co_or_level thread|integer|nil
---@param level integer?
function core.trace(tag, text, co_or_level, level) end

---@param msg lightuserdata?
---@param size integer?
---@return string?
function core.tostring(msg, size) end

---@param ... any
---@return lightuserdata msg
---@return integer size
function core.pack(...) end

---@param ... any
---@return string
function core.packstring(...) end

---@param msg string|lightuserdata|nil
---@param size integer?
---@return any ...
function core.unpack(msg, size) end

---@param msg string|lightuserdata
---@param size integer?
function core.trash(msg, size) end

---@return integer centiseconds
function core.now() end

---@return integer nanoseconds
function core.hpc() end

---Handles a debug message: loads skynet.debug.
---@async
---@param session integer
---@param source integer
---@param ... any
function core.debug_dispatch(session, source, ...) end

---Begins a set of requests; closing it drops what is still to come.
---@param timeout_cs integer? nil waits for all
---@return userdata selection
function core.select_open(timeout_cs) end

---Sends a request whose reply belongs to the set.
---@param selection userdata
---@param addr skynet.address
---@param protocol string|integer
---@param msg string|lightuserdata
---@param size integer?
---@return integer? session nothing for an invalid address
function core.select_send(selection, addr, protocol, msg, size) end

---Waits for the next reply, which is valid until the next wait.
---@async
---@param selection userdata
---@return integer? session nil: nothing more comes
---@return boolean? answered false: the request failed; without session, true: the time is over
---@return lightuserdata? msg
---@return integer? size
function core.select_wait(selection) end

---@param selection userdata
function core.select_close(selection) end

---The tasks that are not idle.
---@return skynet.inspect.task[]
function core.task_list() end

---@return integer count tasks that wait for a session
function core.task_count() end

---@return integer[] sessions whose replies will be dropped
function core.task_abandoned() end

---@return thread? thread of the start function while it is not done
function core.task_starting() end

---@param thread thread
---@return true? nothing when it is no task that can be ended
---@return boolean ends it was to start the service, which has ended: the running task has to leave
function core.task_kill(thread) end

return core
