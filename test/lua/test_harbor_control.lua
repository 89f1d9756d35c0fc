-- Messages between members and master: the bytes of the reference, both ways, and what is none.
local skynet = require "skynet"
local control = require "skynet.harbor_control"
local socket = require "skynet.socket"
local tap = require "tap"

local function bytes_of(hex)
	return (hex:gsub("%x%x", function(digits)
		return string.char(tonumber(digits, 16))
	end))
end

---Two ends of a connection.
local function connect()
	local address = "unix:" .. skynet.getenv "test_tmp" .. "/control"
	local far
	local listener = control.listen(address, function(fd)
		far = fd
	end)
	local near = assert(socket.open(address))
	tap.eventually(function()
		return far
	end, "a connection is accepted")
	socket.start(far)
	socket.close(listener)
	return near, far
end

local function test_vectors(near, far)
	for _, vector in ipairs(dofile "test/vectors/harbor_control.lua") do
		local bytes = bytes_of(vector.hex)
		local name = ("%s %s"):format(vector[1], vector[2])
		control.write(near, table.unpack(vector))
		tap.is(socket.read(far, #bytes), bytes, name .. " is sent as by the reference")
		socket.write(near, bytes)
		tap.is_deeply({ control.read(far) }, { table.unpack(vector) }, "and read")
	end
end

local function test_extensions(near, far)
	control.write(near, "W", 3, nil)
	tap.is(socket.read(far, 5), bytes_of "040c570a03", "nils at the end are left out")
	control.write(near, "H", 2, "x", { incarnation = 7 })
	local letter, id, address, extension = control.read(far)
	tap.is_deeply({ letter, id, address }, { "H", 2, "x" }, "an extension stands behind")
	tap.is_deeply(control.extension(extension), { incarnation = 7 }, "and is a table")
	tap.is(control.extension "x", nil, "other values are none")
	tap.raises(function()
		control.write(near, "H", 1, ("x"):rep(250))
	end, "too long", "more than 255 bytes are not sent")
end

local function test_what_is_none()
	for name, hex in pairs {
		["size 0"] = "00",
		["a number"] = "020a07",
		["nil"] = "0100",
		["what cannot be unpacked"] = "020707",
		["a string that is cut off"] = "020c",
	} do
		local near, far = connect()
		socket.write(near, bytes_of(hex))
		socket.close(near)
		tap.is(control.read(far), nil, name .. " is no message")
		socket.close(far)
	end
end

local function test_silence()
	local near, far = connect()
	socket.timeout(far, 1)
	tap.is_deeply({ control.read(far) }, { nil, "timeout" }, "silence is told from the end")
	socket.write(near, "\5")
	tap.is_deeply({ control.read(far) }, { nil, "timeout" }, "within a message too")
	socket.close(near)
	tap.is_deeply({ control.read(far) }, {}, "the end is just nil")
end

local function test_values()
	for _, id in ipairs { 1, 255 } do
		tap.ok(control.is_id(id), ("%d is a harbor id"):format(id))
	end
	for _, id in ipairs { 0, 256, -1, 1.0, "1", {} } do
		tap.ok(not control.is_id(id), ("%s is none"):format(tostring(id)))
	end
	for failures = 0, 100 do
		local pause = control.backoff(failures)
		if pause < 1 or pause > 500 then
			tap.fail(("a pause of %d after %d failures"):format(pause, failures))
		end
	end
	tap.is(control.harbor_of(0xff000001), 255, "the harbor id is in the high bits")
end

tap.run(function()
	local near, far = connect()
	test_vectors(near, far)
	test_extensions(near, far)
	test_what_is_none()
	test_silence()
	test_values()
end)
