---A puppet under a name of its own: unique services are told apart by their names.
local path = assert(package.searchpath("puppet", SERVICE_PATH .. "?.lua"))
assert(loadfile(path))(...)
