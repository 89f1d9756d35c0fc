# The small game of examples/ with all its nodes in one process.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/game.sh

start_game() {
	start game "$CONF/config.master" "$CONF/config.login" "$CONF/config.data" "$CONF/config.battle" \
		"$CONF/config.game" "$CONF/config.game2"
	logged game "login: open for players" && logged game "login: game1 is there" &&
		logged game "login: game2 is there"
}

settings
echo 'include "conf/config.slave"' >"$TEST_TMP/game" # the last one of the command line
check "all_nodes_come_up_in_one_process" start_game
game=$pid

cp "$CONF/config.client" "$TEST_TMP/client"
login_port=$(open_port login "$TEST_TMP/game.out")
run client -D "login_port=$login_port" -D "players=alice bob carl dora"
is "four_players_play_a_session" "$status $err" "0 "
seen() { contains "$TEST_TMP/client.out" "$1"; }
check "each_enters_a_game_node" seen "alice: ok welcome to game"
check "both_game_nodes_are_used" sh -c 'grep -q "welcome to game1," "$1" && grep -q "welcome to game2," "$1"' \
	sh "$TEST_TMP/client.out"
for player in alice bob carl dora; do
	check "the_chat_reaches_$player" seen "$player: chat alice good morning"
	check "the_team_reaches_$player" seen "$player: team alice follow me"
	check "${player}_fights" seen "$player: battle over: "
done
check "all_four_are_in_the_team" seen "dora: ok alice bob carl dora"
is "two_of_them_win" "$(grep -c 'wins 1$' "$TEST_TMP/client.out")" 2
check "it_ends" seen "client: the session is over"

driver
say "M.port = $login_port" >/dev/null
is "a_wrong_password_is_refused" "$(say 'return enter("alice")')" "error wrong name or password"
is "another_one_is_new" "$(say 'return register("erik")')" "ok"
like "and_enters" "$(say 'return enter("erik")')" "ok welcome to game*, erik"
kill -TERM "$game"
like "stopping_sends_players_home" "$(say 'return P.erik:expect "bye"')" "bye the node is stopping"
ended game
is "all_nodes_stop_in_order" "$status $err" "0 "
contains "$TEST_TMP/game.out" "is not saved"
is "and_everybody_is_saved" $? 1

check "the_game_starts_again" start_game
say "M.port = $(open_port login "$TEST_TMP/game.out")" >/dev/null
like "players_are_known" "$(say 'return enter("erik")')" "ok welcome to game*, erik"
is "as_they_were" "$(say 'return P.erik:request "stats"')" "ok coins 10 battles 0 wins 0"
kill -TERM "$pid"
ended game
is "it_stops_in_order_once_more" "$status $err" "0 "
end_driver
finish
