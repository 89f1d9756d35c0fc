---@meta skynet.cluster.core

---Frames of the cluster protocol, for services that speak it themselves. Each has its 2-byte
---length in front, but for what is unpacked.
---@class skynet.cluster.core
local core = {}

---Raises for a wrong address or session.
---@param addr integer|string
---@param session integer  1 to 2^31-1
---@param msg lightuserdata|string  a block is taken
---@param sz integer?  of a block
---@return string frame
---@return integer session  for the next request
---@return string[]? parts  that follow a large one
function core.packrequest(addr, session, msg, sz) end

---As packrequest, for a message that nobody answers.
---@param addr integer|string
---@param session integer
---@param msg lightuserdata|string
---@param sz integer?
---@return string frame
---@return integer session
---@return string[]? parts
function core.packpush(addr, session, msg, sz) end

---@param tag string  at most 32768 bytes
---@return string frame
function core.packtrace(tag) end

---@param session integer
---@param ok boolean
---@param msg lightuserdata|string  stays with the caller; a text when not ok
---@param sz integer?
---@return string|string[] frame  several for a large one
function core.packresponse(session, ok, msg, sz) end

---A trace frame gives only its tag. Raises for a malformed frame.
---@param msg lightuserdata|string  without its length
---@param sz integer?
---@return integer|string|false addr  false: a part
---@return integer session
---@return lightuserdata? block  belongs to the caller; nil: parts follow
---@return integer size  of the block, or of all parts
---@return boolean padding  more follows
---@return boolean push
function core.unpackrequest(msg, sz) end

---Nothing for a malformed frame.
---@param frame string  without its length
---@return integer session
---@return boolean ok
---@return string|integer data  the size when parts follow
---@return boolean padding
function core.unpackresponse(frame) end

---Note a part in a list; first the announced size, with `msg` nil.
---@param list table
---@param msg lightuserdata?  taken
---@param sz integer
function core.append(list, msg, sz) end

---Join the parts of a list, which are ended. Nothing when they have another size than announced.
---@param list table
---@return lightuserdata block
---@return integer size
function core.concat(list) end

---@param text any
---@return boolean  true for "@name"
function core.isname(text) end

---@return string  host name and process id, without blanks
function core.nodename() end

return core
