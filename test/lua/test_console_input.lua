---What arrives at a console, cut into lines and words: also when it is garbage.
local input = require "skynet.console.input"
local output = require "skynet.console.output"
local tap = require "tap"

---A reader of the pieces of a list.
local function reader_of(pieces)
	local i = 0
	return input.reader(function()
		i = i + 1
		return pieces[i] or false
	end)
end

---Bytes that are often special, and any others.
local function random_text(size)
	local special = " \t\r\n\0\255:/.\27"
	local bytes = {}
	for i = 1, size do
		if math.random() < 0.5 then
			local at = math.random(#special)
			bytes[i] = special:sub(at, at)
		else
			bytes[i] = string.char(math.random(0, 255))
		end
	end
	return table.concat(bytes)
end

---A text cut into pieces of random size.
local function pieces_of(text)
	local pieces, position = {}, 1
	while position <= #text do
		local size = math.random(1, 40)
		pieces[#pieces + 1] = text:sub(position, position + size - 1)
		position = position + size
	end
	return pieces
end

local function splits()
	tap.is_deeply(input.split "stat 100\r", { "stat", "100" }, "splits words at white space")
	tap.is_deeply(input.split "", {}, "finds no word in an empty line")
	tap.is_deeply(input.split " \t\r", {}, "finds no word in a blank line")
	tap.is(input.rest("call :1 1, 'a  b' \r", 2), "1, 'a  b'", "keeps blanks inside the rest")
	tap.is(input.rest("call", 2), "", "finds no rest behind the last word")
	tap.is(input.rest("call :1", 2), "", "finds no rest behind just enough words")
end

local function splits_anything()
	for i = 1, 2000 do
		local text = random_text(math.random(0, 80))
		local words = input.split(text)
		for _, word in ipairs(words) do
			if word == "" or word:find "%s" then
				return tap.fail("words have no white space", ("%q"):format(text))
			end
		end
		if table.concat(words) ~= text:gsub("%s", "") then
			return tap.fail("words lose nothing", ("%q"):format(text))
		end
		local count = math.random(0, 4)
		local rest = input.rest(text, count)
		local expected = table.concat(words, "", math.min(count, #words) + 1)
		if rest:gsub("%s", "") ~= expected then
			return tap.fail("the rest is what follows the words", ("%d of %q"):format(i, text))
		end
	end
	tap.pass "splits random bytes without losing any"
end

local function reads_lines()
	local reader = reader_of { "one\ntw", "o", "\n\nthree" }
	tap.is(reader:line(), "one", "reads a line")
	tap.is(reader:line(), "two", "reads a line that comes in pieces")
	tap.is(reader:line(), "", "reads an empty line")
	tap.is(reader:line(), nil, "drops a line without an end")
	tap.is(reader:line(), nil, "stays at the end")
	reader:unread "back"
	tap.is(reader:line(), "back", "reads a line that was put back")
	reader = reader_of { "POST\nbo", "dy!\nnext\n" }
	tap.is(reader:line(), "POST", "reads a line before bytes")
	tap.is(reader:bytes(4), "body", "reads a number of bytes")
	tap.is(reader:line(), "!", "reads a line behind bytes")
	tap.is(reader:line(), "next", "reads on")
	tap.is(reader:bytes(1), nil, "reads no bytes at the end")
end

local function bounds_lines()
	local reader = reader_of { ("x"):rep(input.MAX_LINE), "\nnext\n" }
	tap.is(#reader:line(), input.MAX_LINE, "takes the longest line")
	tap.is(reader:line(), "next", "reads on behind the longest line")
	local line, err = reader_of({ ("x"):rep(input.MAX_LINE + 1), "\n" }):line()
	tap.is(line, nil, "refuses a longer line")
	tap.is(err, "line too long", "says why")
	local fetched = 0
	reader = input.reader(function()
		fetched = fetched + 1
		return ("x"):rep(1024)
	end)
	tap.is(reader:line(), nil, "gives up on a line without an end")
	tap.ok(fetched <= input.MAX_LINE // 1024 + 1, "takes no more than it has to")
end

local function reads_anything()
	for i = 1, 500 do
		local text = random_text(math.random(0, 400))
		local reader, lines = reader_of(pieces_of(text)), {}
		for line in function() return reader:line() end do
			lines[#lines + 1] = line .. "\n"
		end
		if table.concat(lines) ~= (text:match "^(.*\n)" or "") then
			return tap.fail("lines lose nothing", ("%d %q"):format(i, text))
		end
	end
	tap.pass "cuts random bytes into lines without losing any"
end

local function http(text)
	local reader = reader_of(pieces_of(text))
	local first = reader:line()
	return input.http(reader, first)
end

local function reads_http()
	tap.ok(input.is_http "GET /list HTTP/1.1\r", "knows a GET request")
	tap.ok(input.is_http "POST / HTTP/1.1\r", "knows a POST request")
	tap.ok(not input.is_http "GETTING", "knows what is no request")
	tap.is(http("GET /stat/100 HTTP/1.1\r\nHost: x\r\n\r\n").command, "stat 100",
		"takes the command from the path")
	tap.is(http("GET / HTTP/1.1\r\n\r\n").command, "", "takes an empty path")
	tap.is(http("POST / HTTP/1.0\r\nContent-Length: 8\r\n\r\nping :01").command, "ping :01",
		"takes the command from the body")
	for _, line in ipairs { "Origin: http://page", "Referer: http://page/x",
		"Sec-Fetch-Site: cross-site", "User-Agent: Mozilla/5.0 (X11)" } do
		tap.is(http("GET / HTTP/1.1\r\nHost: x\r\n" .. line .. "\r\n\r\n").browser, true,
			"knows a web browser by " .. line)
	end
	tap.is(http("GET / HTTP/1.1\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\n\r\n").browser, false,
		"and what is none")
	tap.is(http("GET /x HTTP/1.1\r\nauthorization: bearer secret\r\n\r\n").token, "secret",
		"takes the token from the header")
	local function refuses(text, err, name)
		local request, reason = http(text)
		tap.is(request, nil, name)
		tap.is(reason, err, name .. ", saying why")
	end
	refuses("GET /x HTTP/1.1\r\n", "request ends early", "refuses half a request")
	refuses("POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nshort", "request ends early",
		"refuses half a body")
	refuses("POST / HTTP/1.1\r\nContent-Length: 8193\r\n\r\n", "request body too long",
		"refuses a long body before it comes")
	refuses("POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", "request body too long",
		"refuses a negative size")
	refuses("GET /x HTTP/1.1\r\nnonsense\r\n\r\n", "malformed request header",
		"refuses a malformed header")
	refuses("GET /x HTTP/1.1\r\n" .. ("a: b\r\n"):rep(4096) .. "\r\n", "request header too long",
		"refuses an endless header")
	refuses("GET \r\n\r\n", "malformed request", "refuses a request without a path")
end

local function http_survives_anything()
	for i = 1, 500 do
		local text = "POST / HTTP/1.1\r\n" .. random_text(math.random(0, 200))
		local ok, request, err = pcall(http, text)
		if not ok or not request and not err then
			return tap.fail("requests of garbage are refused", ("%d %q %s"):format(i, text, request))
		end
	end
	tap.pass "refuses HTTP requests made of garbage"
end

local function compares_secrets()
	tap.ok(input.same_secret("secret", "secret"), "knows the right secret")
	for _, wrong in ipairs { "", "secre", "secrets", "Secret", "secret\0", "xecret" } do
		tap.ok(not input.same_secret(wrong, "secret"), ("refuses %q"):format(wrong))
	end
end

local function write(result)
	local lines = {}
	output.write(result, function(line)
		lines[#lines + 1] = line
	end)
	return table.concat(lines, "\n")
end

local function formats()
	tap.is(write(nil), "", "writes nothing for nil")
	tap.is(write "text", "text", "writes a string as it is")
	tap.is(write(42), "42", "writes a number")
	tap.is(write(false), "false", "writes a boolean")
	tap.is(write { b = 1, a = { y = 2, x = true } }, "a\tx:true\ty:2\nb\t1",
		"writes a table by its keys")
	tap.is(output.size(1023), "1023", "writes a small size as it is")
	tap.is(output.size(1536), "1.5K", "writes a size in K")
	tap.is(output.size(3 * 1024 * 1024), "3.0M", "writes a size in M")
	tap.is(output.age(150), "1.5s", "writes an age in seconds")
	tap.is(output.age(6500), "1:05", "writes an age in minutes")
	tap.is(output.age(366100), "1:01:01", "writes an age in hours")
end

tap.run(function()
	math.randomseed(20240607)
	splits()
	splits_anything()
	reads_lines()
	bounds_lines()
	reads_anything()
	reads_http()
	http_survives_anything()
	compares_secrets()
	formats()
end)
