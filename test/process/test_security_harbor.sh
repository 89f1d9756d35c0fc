# Nodes of a harbor network that authenticate, and others that do not.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/security.sh

# refused ID TEXT LINES: a node that cannot join says why in one line.
refused() {
	node "$1" "$3"
	run "n$1"
	[ "$status" -ne 0 ] && [ "$status" -lt 124 ]
	ok "${4}_ends_with_a_status" $?
	like "${4}_says_why" "$err" "*$2*"
	is "${4}_says_it_in_one_line" "$(lines "$err")" 1
}

# network KIND: two nodes that authenticate talk, through the death of one.
network() {
	is "${1}_is_what_the_nodes_use" "$(guards 1 kind)" "$1"
	is "${1}_lets_calls_pass" "$(ask 2 'skynet.call("NODE1", "lua", "echo", 1, "two")')" "1 two"
	is "${1}_lets_large_messages_pass" \
		"$(ask 2 '#skynet.call("NODE1", "lua", "echo", ("x"):rep(1 << 22))')" 4194304
	ask 2 'for i = 1, 2000 do skynet.send("NODE1", "lua", "count") end' >/dev/null
	check "${1}_lets_many_messages_pass" answers 1 'count' 2000
	kill_node 2
	up 2 "$2"
	check "${1}_lets_a_node_come_back" answers 1 \
		'pcall(skynet.call, harbor.queryname "NODE2", "lua", "echo", "again")' "true again"
}

# ---- a shared secret ----
up 1 "$secret"
up 2 "$secret"
network secret "$secret"
is "no_service_sees_the_secret" "$(ask 1 'skynet.getenv "auth_secret"')" nil
refused 3 "it has another secret" "$other_secret" a_node_with_another_secret
refused 3 "the other side has auth_secret, this node has neither auth_secret nor tls_cert" "" \
	a_node_without_a_secret
check "strangers_are_counted" counts_to 1 failed 2
is "garbage_ends_their_connections" "$(strangers "$master_port" 5 'GET / HTTP/1.0\r\n\r\n' && echo yes)" yes
is "silence_ends_their_connections" "$(strangers "$port_1" 5 '' && echo yes)" yes
is "a_thousand_strangers_are_all_sent_away" "$(strangers "$port_1" 1000 '\0\0SKYG' && echo yes)" yes
check "refusals_are_logged" contains "$TEST_TMP/n1.out" "refused a connection of 127.0.0.1:"
[ "$(grep -c 'refused a connection' "$TEST_TMP/n1.out")" -lt 40 ]
ok "but_not_each_of_them" $?
is "the_network_works_on" "$(ask 2 'skynet.call("NODE1", "lua", "echo", "x")')" x
up 3 "$secret"
check "a_good_node_from_their_address_is_let_in" answers 3 \
	'pcall(skynet.call, "NODE1", "lua", "echo", "x")' "true x"
[ "$(cat "$TEST_TMP"/*.out "$TEST_TMP"/*.err | grep -c 'long enough')" = 0 ]
ok "the_secret_is_in_no_log" $?
for id in 3 2 1; do
	kill_node $id TERM
done

# ---- TLS ----
ca ours
ca theirs
cert one ours
cert two ours
cert three theirs
up 1 "$(tls one ours)"
up 2 "$(tls two ours)"
network tls "$(tls two ours)"
refused 3 "certificate that is not accepted" "$(tls three theirs)" a_node_of_another_authority
refused 3 "the other side wants TLS" "$secret" a_node_with_a_secret
cert four ours
refused 3 "its name is not 'four'" "$(tls four ours)
tls_name = 'four'" a_node_that_asks_for_a_name
for id in 2 1; do
	kill_node $id TERM
done

# ---- the master does without ----
up 1
refused 2 "the other side closed when asked to authenticate: it has neither" "$secret
auth_timeout = 60" a_node_with_a_secret_of_a_network_without
check "the_master_says_why" contains "$TEST_TMP/n1.out" \
	": the other side has auth_secret, this node has neither auth_secret nor tls_cert"
kill_node 1 TERM

# ---- a list of addresses that may do without ----
up 1 "$secret
auth_allow = '127.0.0.1'"
up 2
check "an_allowed_node_is_let_in_without" answers 2 \
	'pcall(skynet.call, "NODE1", "lua", "echo", "x")' "true x"
check "it_is_counted" counts_to 1 allowed 1
for id in 2 1; do
	kill_node $id TERM
done

# ---- a hundred nodes in one process ----
count=${HARBOR_NODES:-100}
[ -z "${SKYNET_SANITIZE:-}" ] || count=${HARBOR_NODES:-20}
set --
for id in $(seq 1 "$count"); do
	eval "port_$id=0"
	node "$id" "$(tls one ours)
address = 'unix:$TEST_TMP/h$id'"
	[ "$id" -eq 1 ] || set -- "$@" "$TEST_TMP/n$id"
done
start n1 "$@"
all_up() {
	[ "$(grep -c 'test node is up' "$TEST_TMP/n1.out")" -eq "$count" ]
}
check "${count}_nodes_with_tls_boot_in_one_process" wait_for all_up
check "the_last_one_calls_the_first" answers "$count" \
	'pcall(skynet.call, harbor.queryname "NODE1", "lua", "echo", "x")' "true x"
is "only_links_to_the_master_have_needed_it" \
	"$(guards 1 accepted) $(guards "$count" accepted) $(guards "$count" dialled)" "$count 0 1"
kill_node 1 TERM
is "they_end_well" "$status" 0
finish
