--- For each lualib/meta/<module>.lua: the functions it declares are those of the loaded C module.
local tap = require "tap"

local META_FOLDER <const> = "lualib/meta"

local function declared(path)
	local names = {}
	for line in io.lines(path) do
		local name = line:match "^function [%w_]+[.]([%w_]+)%s*%(" or line:match "^[%w_]+[.]([%w_]+)%s*="
		if name then
			names[name] = true
		end
	end
	return names
end

local function names_only_in(one, other)
	local list = {}
	for name in pairs(one) do
		if other[name] == nil then
			list[#list + 1] = tostring(name)
		end
	end
	table.sort(list)
	return table.concat(list, " ")
end

tap.run(function()
	local list <close> = assert(io.popen("ls " .. META_FOLDER))
	for file in list:lines() do
		local module = file:match "^(.*)%.lua$"
		if module then
			local ok, loaded = pcall(require, module)
			if tap.ok(ok and type(loaded) == "table", module .. " loads as a table") then
				local names = declared(META_FOLDER .. "/" .. file)
				tap.is(names_only_in(loaded, names), "", module .. " has nothing that is not declared")
				tap.is(names_only_in(names, loaded), "", module .. " has all that is declared")
			else
				tap.note(loaded)
			end
		end
	end
end)
