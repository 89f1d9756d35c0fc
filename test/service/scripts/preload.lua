-- Runs in every service of a node before its main chunk: leaves what it got.
PRELOADED = { -- luacheck: ignore 111
	words = table.pack(...),
	path = package.path,
	is_stock = debug.getinfo(require).what == "C",
}
