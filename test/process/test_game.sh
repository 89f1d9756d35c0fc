# The small game of examples/ in seven processes, started by start_node.sh: what its players see when they
# misbehave, come twice, go away half way, and when nodes die and come back.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/game.sh

settings
export SKYNET_CONFIG="$CONF" SKYNET_VAR="$TEST_TMP/var" SKYNET_START_TIMEOUT=30
case $SKYNET in /*) export SKYNET_BIN="$SKYNET" ;; *) export SKYNET_BIN="$PWD/${SKYNET#./}" ;; esac
mkdir -p "$SKYNET_VAR/run"

end_nodes() {
	for file in "$SKYNET_VAR"/run/*.pid; do
		[ ! -s "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null
	done
	clean_up
}
trap end_nodes EXIT

node() { ./start_node.sh "$@" >>"$TEST_TMP/start.out" 2>&1; }
kill_node() {
	kill -KILL "$(cat "$SKYNET_VAR/run/$1.pid")"
	wait_for sh -c '! ./start_node.sh status "$1" >/dev/null' sh "$1"
}
in_log() { wait_for contains "$SKYNET_VAR/log/$1.log" "$2"; }

# hear NAME START: the next line of the player that begins so.
hear() { say "return P.$1:expect \"$2\""; }
ask_as() { say "return P.$1:request \"$2\""; }

for node in master slave data battle login game1 game2; do
	check "${node}_comes_up" node $node
done
check "all_are_running" node status
check "the_slave_has_called_the_master" in_log slave "slave: the leader is bob with 5 points"
in_log login "login: game1 is there"
in_log login "login: game2 is there"

login_port=$(open_port login "$SKYNET_VAR/log/login.log")
cp "$CONF/config.client" "$TEST_TMP/client"
run client -D "login_port=$login_port"
is "two_players_play_a_session" "$status $err" "0 "
check "to_its_end" contains "$TEST_TMP/client.out" "client: the session is over"

run client -D "login_port=$login_port" -D players=no-name
is "a_session_that_fails_says_why" "$status ${err##*: }" \
	"1 error a name has letters, digits and '_', at most 16"
check "and_not_that_it_is_over" sh -c '! grep -q "session is over" "$1"' sh "$TEST_TMP/client.out"

# ---- Players on two game nodes ----

driver
say "M.port = $login_port" >/dev/null
for player in anna bert cora; do
	is "${player}_registers" "$(say "return register \"$player\"")" ok
done
is "a_name_is_given_once" "$(say 'return register "anna"')" "error the name is taken"
first=$(say 'return enter "anna"')
like "anna_enters" "$first" "ok welcome to game?, anna"
# The first time it may be the same one, as long as players of the session before are being saved.
enters_another() {
	second=$(say 'return enter "bert"')
	[ "${first%,*}" != "${second%,*}" ]
}
check "bert_is_sent_to_the_other_game_node" wait_for enters_another
like "and_enters" "$second" "ok welcome to game?, bert"
like "cora_enters" "$(say 'return enter "cora"')" "ok welcome to game?, cora"

is "anna_says_something" "$(ask_as anna "say hello  world")" ok
for player in anna bert cora; do
	is "${player}_sees_it" "$(hear $player chat)" "chat anna hello  world"
done

is "anna_makes_a_team" "$(ask_as anna "team join red")" "ok anna"
is "bert_joins_from_the_other_node" "$(ask_as bert "team join red")" "ok anna bert"
is "nobody_is_in_two_teams" "$(ask_as bert "team join blue")" "error you are in a team already"
is "bert_talks_to_the_team" "$(ask_as bert "team say left flank")" ok
is "anna_hears_it" "$(hear anna team)" "team bert left flank"
is "cora_does_not" "$(say 'return P.cora:expect("team", 1) == nil')" true
is "who_is_in_no_team_cannot_talk_to_it" "$(ask_as cora "team say hi")" "error you are in no team"
is "bert_leaves_the_team" "$(ask_as bert "team leave")" ok
is "and_cora_is_second_now" "$(ask_as cora "team join red")" "ok anna cora"

# ---- Bad input ----

is "an_unknown_request_is_an_error" "$(ask_as anna "fly away")" \
	"error say stats, say, team, battle or leave"
is "an_empty_request_is_one" "$(ask_as anna "")" "error say stats, say, team, battle or leave"
is "so_are_control_characters" "$(ask_as anna 'say \0\27[2J')" \
	"error a request is text of at most 512 bytes"
is "and_a_long_one" "$(say 'return P.anna:request("say " .. ("x"):rep(600))')" \
	"error a request is text of at most 512 bytes"
is "a_bad_team_name_is_refused" "$(ask_as anna "team join a/b")" "error a team is a name"
is "a_long_name_cannot_register" "$(say 'return register(("n"):rep(17))')" \
	"error a name has letters, digits and '_', at most 16"
is "nor_one_with_a_slash" "$(say 'return register "../x"')" \
	"error a name has letters, digits and '_', at most 16"
is "a_password_has_an_end" "$(say 'return login("anna", ("p"):rep(65))')" \
	"error a password has 1 to 64 characters and no blanks"
is "a_wrong_password_is_refused" "$(say 'return login("anna", "guess")')" \
	"error wrong name or password"
is "and_an_unknown_name_alike" "$(say 'return login("nobody", "guess")')" \
	"error wrong name or password"

game_port=$(open_port game1 "$SKYNET_VAR/log/game1.log")
# bytes PORT PERL-EXPRESSION: sends them and prints what comes back until the other side closes.
# shellcheck disable=SC2016
bytes() {
	perl -MIO::Socket::INET -e '$SIG{PIPE} = "IGNORE"; alarm 100; my ($port, $text) = @ARGV;
		my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or die;
		$s->syswrite(eval $text); local $/; print scalar <$s>' "$@" | tr -cd '[:print:]'
}
is "the_gate_lets_nobody_in_without_a_token" "$(bytes "$game_port" 'pack("n/a*", "enter anna 0")')" \
	"1error the token is wrong, used or too old: log in"
like "nor_garbage" "$(bytes "$game_port" '"\x00\x05\xff\x00\xfe\x01\x02"')" "*error say 'enter NAME TOKEN'"
like "the_login_node_closes_after_five_errors" "$(bytes "$login_port" '"\xff\x00 x\n" x 20')" \
	"error say*error say*error say*error say*error say*"
is "and_at_a_line_without_end" "$(bytes "$login_port" '"x" x 5000')" ""
# A frame that never ends, and a connection that is cut in the middle of one.
# shellcheck disable=SC2016
perl -MIO::Socket::INET -e 'for (1 .. 20) { my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1",
	PeerPort => shift @ARGV || $port) or die; $port = $s->peerport; $s->syswrite("\xff\xffenter") }' \
	"$game_port"
is "anna_plays_on" "$(ask_as anna stats)" "ok coins 10 battles 0 wins 0"
is "one_who_floods_is_sent_away" "$(say 'for _ = 1, 10000 do P.cora:send "team join red" end
	return closed(P.cora)')" true
like "and_may_come_back" "$(say 'return enter "cora"')" "ok welcome to game?, cora"

say 'register "lazy"' >/dev/null
token=$(say 'return login("lazy", "secret")')
# shellcheck disable=SC2016
perl -MSocket -e 'alarm 500; my (undef, $token, $host, $port) = split / /, shift; my $file = shift;
	socket(my $s, PF_INET, SOCK_STREAM, 0); setsockopt($s, SOL_SOCKET, SO_RCVBUF, 4096);
	connect($s, sockaddr_in($port, inet_aton($host))) or die;
	syswrite($s, pack("n/a*", "enter lazy $token")); sysread($s, my $answer, 100);
	$SIG{PIPE} = "IGNORE"; my $ask = pack("n/a*", "stats") x 50;
	select(undef, undef, undef, 0.002) while syswrite($s, $ask);
	open(my $f, ">", $file); print $f $answer' "$token" "$TEST_TMP/lazy" 2>/dev/null &
# It asks until the node sends it away, which takes long on a busy machine.
limit=$DEADLINE
DEADLINE=$((limit * 4))
check "a_client_that_asks_and_does_not_read_is_sent_away" wait_for contains "$TEST_TMP/lazy" \
	"ok welcome"
DEADLINE=$limit

# ---- Twice, and half way ----

say 'old = P.anna' >/dev/null
like "anna_logs_in_a_second_time" "$(say 'return enter "anna"')" "ok welcome to game?, anna"
is "the_first_session_is_told" "$(say 'return old:expect "bye"')" "bye you have logged in elsewhere"
is "and_ends" "$(say 'return closed(old)')" true
is "the_second_one_plays" "$(ask_as anna stats)" "ok coins 10 battles 0 wins 0"

check "a_battle_node_with_long_rounds" node restart battle -D battle_tick=100000
is "anna_waits_for_a_battle" "$(ask_as anna battle)" ok
is "she_is_in_one_only" "$(ask_as anna battle)" "error you are in a battle"
is "bert_enters_it" "$(ask_as bert battle)" ok
is "it_begins" "$(hear bert "battle begins")" "battle begins: anna against bert"
is "bert_closes_his_connection" "$(say 'P.bert:close() return true')" true
is "anna_sees_him_go" "$(hear anna "battle bert")" "battle bert has left"
is "and_wins" "$(hear anna "battle over")" "battle over: anna wins after 0 rounds"
is "she_has_her_prize" "$(ask_as anna stats)" "ok coins 15 battles 1 wins 1"

# ---- The battle node dies in the middle of a battle ----

like "bert_comes_back" "$(say 'return enter "bert"')" "ok welcome to game?, bert"
ask_as anna battle >/dev/null
ask_as bert battle >/dev/null
is "a_battle_is_under_way" "$(hear anna "battle begins")$(hear bert "battle begins")" \
	"battle begins: anna against bertbattle begins: anna against bert"
kill_node battle
is "anna_is_told_that_it_is_over" "$(hear anna "battle over")" \
	"battle over: the battle node is down"
is "so_is_bert" "$(hear bert "battle over")" "battle over: the battle node is down"
is "anna_may_try_again" "$(ask_as anna battle)" ok
is "which_fails_at_once" "$(hear anna "battle over")" "battle over: the battle node is down"
is "the_chat_goes_on" "$(ask_as bert "say what was that?") $(hear anna chat)" \
	"ok chat bert what was that?"
check "the_battle_node_is_started_again" node start battle -D battle_tick=1
is "anna_finds_it" "$(ask_as anna battle)" ok
is "and_bert" "$(ask_as bert battle)" ok
like "and_they_fight_to_the_end" "$(hear anna "battle over")" "battle over: * wins after * rounds"
like "both_see_it" "$(hear bert "battle over")" "battle over: * wins after * rounds"
before=$(ask_as anna stats)
like "battles_without_an_end_do_not_count" "$before" "ok coins * battles 2 wins *"

# ---- The data node goes and comes back ----

check "the_data_node_is_restarted" node restart data
is "anna_plays_on_and_leaves" "$(ask_as anna leave)" "bye see you"
like "she_comes_back" "$(say 'return enter "anna"')" "ok welcome to game?, anna"
is "with_all_that_she_had" "$(ask_as anna stats)" "$before"
check "the_data_node_is_stopped" node stop data
is "nobody_can_log_in" "$(say 'return login("cora", "secret")')" \
	"error players cannot be looked up now, try again"
is "anna_leaves_meanwhile" "$(ask_as anna leave)" "bye see you"
check "and_cannot_be_saved_yet" wait_for grep -q "anna is not saved yet" "$SKYNET_VAR/log/game1.log" \
	"$SKYNET_VAR/log/game2.log"
check "the_data_node_is_back" node start data
like "anna_can_enter_when_she_is_saved" "$(say 'return enter "anna"')" "ok welcome to game?, anna"
is "and_has_lost_nothing" "$(ask_as anna stats)" "$before"

# ---- A game node dies, the login node is started again ----

like "cora_is_there" "$(say 'return P.cora:request "team join blue"')" "ok cora"
dead=$(say 'register "dave" return enter "dave"' | grep -o 'game[12]')
is "dave_joins_her" "$(ask_as dave "team join blue")" "ok cora dave"
kill_node "$dead"
is "dave_loses_his_connection" "$(say 'return closed(P.dave)')" true
check "the_login_node_is_restarted" node restart login
say "M.port = $(open_port login "$SKYNET_VAR/log/login.log")" >/dev/null
like "dave_enters_the_other_game_node" "$(say 'return enter "dave"')" "ok welcome to game?, dave"
like "which_lives" "$(say 'return enter "dave"')" "ok welcome to game[!${dead#game}], dave"
check "the_game_node_is_started_again" node start "$dead"
is "the_team_has_forgotten_who_was_on_the_dead_node" \
	"$(say 'enter "cora" P.cora:request "team leave" return P.cora:request "team join blue"')" "ok cora"

# ---- The master dies and comes back ----

like "anna_is_there" "$(say 'return enter "anna"')" "ok welcome to game?, anna"
is "and_joins_cora" "$(ask_as anna "team join blue")" "ok anna cora"
kill_node master
is "anna_is_told_that_the_world_has_ended" "$(hear anna team)" \
	"team is no more: the world has ended"
say 'register "eric"' >/dev/null
like "eric_enters_without_a_world" "$(say 'return enter "eric"')" "ok welcome to game?, eric"
is "what_he_says_nobody_can_hear" "$(ask_as eric "say hello")" "error the world is away, try again"
is "nor_is_there_a_team" "$(ask_as eric "team join red")" "error the world is away, try again"
check "the_master_is_started_again" node start master
chat_reaches_cora() {
	ask_as anna "say is anybody there?" >/dev/null
	[ "$(say 'return P.cora:expect("chat", 50)')" = "chat anna is anybody there?" ]
}
check "there_is_a_chat_again" wait_for chat_reaches_cora
is "and_teams" "$(ask_as anna "team join blue")" "ok anna"
like "new_players_come_in" "$(say 'return enter "dave"')" "ok welcome to game?, dave"
is "to_the_same_world" "$(ask_as dave "team join blue")" "ok anna dave"
eric_reaches_anna() {
	ask_as eric "say hello" >/dev/null
	[ "$(say 'return P.anna:expect("chat eric", 50)')" = "chat eric hello" ]
}
check "eric_has_found_it_too" wait_for eric_reaches_anna

end_driver
for node in game1 game2 login battle data slave master; do
	check "${node}_stops_in_order" node stop $node
done
node status
is "nothing_is_running" $? 3
finish
