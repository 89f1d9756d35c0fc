# Helpers for tests of the small game in examples/: . test/process/lib.sh and harbor.sh first.
# shellcheck shell=sh disable=SC2154

CONF=$TEST_TMP/conf

# role NAME [LINE...]: a config that is examples/config.NAME, with its own addresses.
role() {
	role=$1
	shift
	{
		echo "include \"$PWD/examples/config.$role\""
		echo "cluster = \"$CONF/clustername.lua\""
		echo 'console_port = 0'
		echo "if master then master = \"unix:$TEST_TMP/master\" end"
		echo "if address then address = \"unix:$TEST_TMP/\" .. harbor end"
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$CONF/config.$role"
}

# settings: configs of all roles in $CONF, and a second game node in config.game2. Nodes listen for each
# other on paths, and for clients on ports that the system picks.
settings() {
	mkdir -p "$CONF"
	for name in master battle data game1 game2; do
		echo "$name = \"unix:$TEST_TMP/cluster-$name\""
	done >"$CONF/clustername.lua"
	role master "standalone = master"
	role slave
	role login "login_port = 0"
	role data "store_file = \"$TEST_TMP/players.store\""
	role battle "battle_tick = battle_tick or 2"
	role game "game_port = 0"
	printf 'number = 2\ninclude "config.game"\n' >"$CONF/config.game2"
	role client
}

# open_port NODE FILE: prints where that node says in its log that it is open for players.
open_port() {
	sed -n "s/.*$1: open for players at 127.0.0.1:\([0-9]*\).*/\1/p" "$2" | tail -n 1
}

# driver: starts a node that plays for us; ask it with `say CHUNK`. P holds the connections of players,
# M.port is where they log in.
driver() {
	cat >"$TEST_TMP/driver.lua" <<-END
		local game = require "game.connection"
		local M = { players = {} }
		M.M = M
		function M.register(name)
			return (game.ask_login("127.0.0.1", M.port, "register " .. name .. " secret"))
		end
		-- Enters the game, trying again while nodes come up.
		function M.enter(name)
			local connection, answer
			for _ = 1, $DEADLINE do
				connection, answer = game.enter("127.0.0.1", M.port, name, "secret")
				if connection or not answer:find "again" then
					break
				end
				require "skynet".sleep(50)
			end
			M.players[name] = connection or M.players[name]
			return answer
		end
		function M.login(name, password)
			return (game.ask_login("127.0.0.1", M.port, "login " .. name .. " " .. password))
		end
		-- Waits until the connection of a player is closed from the other side.
		function M.closed(connection)
			connection:wait(function() end, $DEADLINE * 100)
			return connection.closed
		end
		return M
	END
	config nplayers <<-END
		start = "harbor_node"
		lua_path = "./lualib/?.lua;./examples/?.lua;$TEST_TMP/?.lua"
		ask = "unix:$TEST_TMP/nplayers.ask"
	END
	start nplayers
	logged nplayers "test node is up"
	say 'for k, v in pairs(require "driver") do _ENV[k] = v end; P = players' >/dev/null
}

# say CHUNK: prints what it returns.
say() { ask players "$(printf %s "$1" | tr '\n' ' ')"; }

end_driver() {
	kill -TERM "$(cat "$TEST_TMP/nplayers.pid")"
	ended nplayers
}
