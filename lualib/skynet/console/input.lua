---What arrives at a console: lines of bounded length, split into words, and small HTTP requests.
---
---Nothing here knows sockets: bytes come from a function, so that tests can feed anything.
---@class skynet.console.input
local input = {}

---Longest line that is taken, without its end.
input.MAX_LINE = 65536
---Largest HTTP request that is taken: request line and headers, and likewise the body.
input.MAX_HTTP = 8192

---Split a line into words at white space.
---@param line string
---@return string[] words
function input.split(line)
	local words = {}
	for word in line:gmatch "%S+" do
		words[#words + 1] = word
	end
	return words
end

---What is behind the first `count` words of a line, without white space around it.
---@param line string
---@param count integer
---@return string rest
function input.rest(line, count)
	local position = 1
	for _ = 1, count do
		local _, last = line:find("^%s*%S+", position)
		if not last then
			return ""
		end
		position = last + 1
	end
	return (line:sub(position):match "^%s*(.-)%s*$")
end

---Compare two secrets in a time that tells nothing but the length of `given`.
---@param given string
---@param secret string
---@return boolean
function input.same_secret(given, secret)
	local difference = #given ~ #secret
	for i = 1, #given do
		-- beyond the end of the secret any byte will do: the lengths differ already
		difference = difference | (given:byte(i) ~ (secret:byte(i) or 0))
	end
	return difference == 0
end

---Cuts a stream of bytes into lines.
---@class skynet.console.reader
---@field private fetch fun(): string|false|nil
---@field private buffer string
---@field private first integer  where the bytes of the buffer begin that nobody has read
---@field private scanned integer  the buffer holds no line end from `first` to here
---@field private lines string[]  lines that were put back
local reader = {}
reader.__index = reader

---Make a reader of what `fetch` gives: some bytes at a time, false or nil at the end.
---@param fetch fun(): string|false|nil
---@return skynet.console.reader
function input.reader(fetch)
	return setmetatable({ fetch = fetch, buffer = "", first = 1, scanned = 0, lines = {} }, reader)
end

---@private
---@return boolean more  false at the end of the stream
function reader:fill()
	local bytes = self.fetch()
	if not bytes then
		return false
	end
	self.buffer = self.buffer:sub(self.first) .. bytes
	self.first = 1
	return true
end

---The next line without its end, nil at the end of the stream, or nil and a reason when it is too
---long. A last line without an end is dropped: its sender may have meant to write more.
---@async
---@param limit? integer
---@return string? line
---@return string? err
function reader:line(limit)
	local ready = table.remove(self.lines, 1)
	if ready then
		return ready
	end
	limit = limit or input.MAX_LINE
	while true do
		local position = self.buffer:find("\n", math.max(self.first, self.scanned + 1), true)
		if (position or #self.buffer + 1) - self.first > limit then
			self.buffer, self.first, self.scanned = "", 1, 0
			return nil, "line too long"
		end
		if position then
			local line = self.buffer:sub(self.first, position - 1)
			self.first, self.scanned = position + 1, 0
			return line
		end
		self.scanned = #self.buffer - self.first + 1
		if not self:fill() then
			return nil
		end
	end
end

---Put a line back: it is the next to be read.
---@param line string
function reader:unread(line)
	table.insert(self.lines, 1, line)
end

---Exactly `count` bytes, nil when the stream ends before.
---@async
---@param count integer
---@return string? bytes
function reader:bytes(count)
	while #self.buffer - self.first + 1 < count do
		if not self:fill() then
			return nil
		end
	end
	local last = self.first + count - 1
	local bytes = self.buffer:sub(self.first, last)
	self.first, self.scanned = last + 1, 0
	return bytes
end

---Whether a first line opens an HTTP request rather than being a command.
---@param line string
---@return boolean
function input.is_http(line)
	return line:find "^GET " ~= nil or line:find "^POST " ~= nil
end

---@class skynet.console.request
---@field command string  the command line asked for
---@field token? string  bearer token of the Authorization header
---@field browser boolean  a web browser sent it: maybe a page without the knowledge of its reader

---@param self skynet.console.reader
---@return table<string, string>? header  names in lower case
---@return string? err
local function read_header(self)
	local header, size = {}, 0
	while true do
		local line, err = self:line(input.MAX_HTTP)
		if not line then
			return nil, err or "request ends early"
		end
		line = line:gsub("\r$", "")
		if line == "" then
			return header
		end
		size = size + #line
		if size > input.MAX_HTTP then
			return nil, "request header too long"
		end
		local name, value = line:match "^([^%s:]+):%s*(.-)%s*$"
		if not name then
			return nil, "malformed request header"
		end
		header[name:lower()] = value
	end
end

---Whether the headers are those of a web browser. Pages cannot change them all.
---@param header table<string, string>  names in lower case
---@return boolean
local function is_of_browser(header)
	return header.origin ~= nil or header.referer ~= nil or header["sec-fetch-site"] ~= nil
		or (header["user-agent"] or ""):find "^Mozilla/" ~= nil
end

---Read the rest of an HTTP request. Slashes of a GET path stand for spaces; the body of a POST is
---the command.
---@async
---@param self skynet.console.reader
---@param first string  the request line
---@return skynet.console.request? request
---@return string? err
function input.http(self, first)
	local method, path = first:match "^(%u+) +(%S+)"
	if not method then
		return nil, "malformed request"
	end
	local header, err = read_header(self)
	if not header then
		return nil, err
	end
	local token = header.authorization and header.authorization:match "^[Bb]earer +(.+)$"
	local browser = is_of_browser(header)
	if method == "GET" then
		return { command = (path:gsub("^/", ""):gsub("/", " ")), token = token, browser = browser }
	end
	local size = header["content-length"] or "0"
	if not size:find "^%d%d?%d?%d?%d?%d?$" or tonumber(size) > input.MAX_HTTP then
		return nil, "request body too long"
	end
	local body = self:bytes(tonumber(size))
	if not body then
		return nil, "request ends early"
	end
	return { command = body, token = token, browser = browser }
end

return input
