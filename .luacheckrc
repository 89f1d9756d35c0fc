std = "lua54"
max_line_length = 100
read_globals = { "SERVICE_NAME", "SERVICE_PATH" }
-- unused self and names that begin with an underscore are meant
ignore = { "212/self", "212/_.*", "213/_.*" }
files["lualib/loader.lua"] = { globals = { "SERVICE_NAME", "SERVICE_PATH" } }
-- definitions for the editor: bodies are empty
files["lualib/meta"] = { ignore = { "212", "241" } }
-- configs are read as assignments to globals
files["examples/config.*"] = { allow_defined_top = true, ignore = { "111", "112", "113", "131" } }
