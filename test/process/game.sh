# Helpers for tests of the small game in examples/: . test/process/lib.sh and harbor.sh first.
# shellcheck shell=sh disable=SC2154

CONF=$TEST_TMP/conf

# role NAME [LINE...]: a config that is examples/config.NAME on ports that are free.
role() {
	role=$1
	shift
	{
		echo "include \"$PWD/examples/config.$role\""
		echo "cluster = \"$CONF/clustername.lua\""
		echo 'console_port = 0'
		echo 'if master then master = "127.0.0.1:'"$master_port"'" end'
		[ $# -eq 0 ] || printf '%s\n' "$@"
	} >"$CONF/config.$role"
}

# settings: configs of all roles in $CONF, and a second game node in config.game2.
settings() {
	mkdir -p "$CONF"
	master_port=$(free_port)
	login_port=$(free_port)
	for name in master battle data game1 game2; do
		echo "$name = \"127.0.0.1:$(free_port)\""
	done >"$CONF/clustername.lua"
	role master "standalone = master" "address = \"127.0.0.1:$(free_port)\""
	role slave "address = \"127.0.0.1:$(free_port)\""
	role login "address = \"127.0.0.1:$(free_port)\"" "login_port = $login_port"
	role data "store_file = \"$TEST_TMP/players.store\""
	role battle "battle_tick = battle_tick or 2"
	role game "address = \"127.0.0.1:\" .. (node == \"game2\" and $(free_port) or $(free_port))" \
		"game_port = 0"
	printf 'number = 2\ninclude "config.game"\n' >"$CONF/config.game2"
	role client "login_port = $login_port"
}

# driver: starts a node that plays for us; ask it with `say CHUNK`. P holds the connections of players.
driver() {
	cat >"$TEST_TMP/driver.lua" <<-END
		local game = require "game.connection"
		local M = { players = {} }
		function M.register(name)
			return (game.ask_login("127.0.0.1", $login_port, "register " .. name .. " secret"))
		end
		-- Enters the game, trying again while nodes come up.
		function M.enter(name)
			local connection, answer
			for _ = 1, $DEADLINE do
				connection, answer = game.enter("127.0.0.1", $login_port, name, "secret")
				if connection or not answer:find "again" then
					break
				end
				require "skynet".sleep(50)
			end
			M.players[name] = connection or M.players[name]
			return answer
		end
		function M.login(name, password)
			return (game.ask_login("127.0.0.1", $login_port, "login " .. name .. " " .. password))
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
	ask players 'for k, v in pairs(require "driver") do _ENV[k] = v end; P = players' >/dev/null
}

# say CHUNK: prints what it returns.
say() { ask players "$(printf %s "$1" | tr '\n' ' ')"; }

end_driver() {
	kill -TERM "$(cat "$TEST_TMP/nplayers.pid")"
	ended nplayers
}
