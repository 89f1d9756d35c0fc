# SIGHUP: secrets, certificates and addresses are read again, for new connections alone.
. test/process/lib.sh
. test/process/harbor.sh
. test/process/security.sh

AGAIN="have been read again"

# lines_of ID TEXT: how many lines of its log have the text.
lines_of() {
	grep -cF -- "$2" "$TEST_TMP/n$1.out"
}

# hangup ID TEXT: SIGHUP; waits for one more line with the text.
hangup() {
	before=$(lines_of "$1" "$2")
	kill -HUP "$(cat "$TEST_TMP/n$1.pid")"
	wait_for more_lines "$1" "$2" "$before"
}

more_lines() {
	test "$(lines_of "$1" "$2")" -gt "$3"
}

# talks FROM TO: a call by global name.
talks() {
	answers "$1" "pcall(skynet.call, harbor.queryname 'NODE$2', 'lua', 'echo', 'x')" "true x"
}

# never_lost ID: its link to node 2 has not been.
never_lost() {
	[ "$(lines_of "$1" "harbor 2 is disconnected")" = 0 ]
}

# leave ID...: ends the nodes.
leave() {
	for id in "$@"; do
		kill_node "$id" TERM
	done
}

# ---- shared secrets ----
# secret ID TEXT: the file of a node.
secret() {
	echo "$2" >"$TEST_TMP/secret$1"
}

# secret_of ID: the line of its config.
secret_of() {
	echo "auth_secret_file = '$TEST_TMP/secret$1'"
}

old="the secret that was before"
new="the secret that comes now"
for id in 1 2; do
	secret $id "$old"
	up $id "$(secret_of $id)"
done
check "two_nodes_with_a_secret_talk" talks 2 1
secret 1 "$new"
secret 2 "$new"
check "a_new_secret_is_read_on_sighup" hangup 1 "$AGAIN"
check "on_each_node" hangup 2 "$AGAIN"
check "the_link_that_is_there_works_on" talks 2 1
secret 3 "$new"
up 3 "$(secret_of 3)"
check "new_links_use_the_new_secret" talks 3 1
check "in_both_directions" talks 2 3
secret 4 "$old"
node 4 "$(secret_of 4)"
run n4
like "the_old_one_is_refused" "$err" "*it has another secret*"
secret 1 "short"
check "a_bad_secret_is_named_with_its_file" hangup 1 \
	"auth_secret_file '$TEST_TMP/secret1': a secret of 5 bytes"
kill_node 3
up 3 "$(secret_of 3)"
check "and_what_was_read_before_counts_on" talks 3 1
rm "$TEST_TMP/secret1"
check "a_missing_file_is_named" hangup 1 "cannot read auth_secret_file '$TEST_TMP/secret1'"
check "no_link_was_lost" never_lost 1
leave 3 2 1

# ---- what the config itself says ----
for id in 1 2; do
	up $id "auth_secret = '$old'"
done
check "two_nodes_with_a_secret_in_the_config_talk" talks 2 1
for id in 1 2; do
	node $id "auth_secret = '$new'"
	check "node_${id}_reads_its_config_on_sighup" hangup $id "$AGAIN"
done
up 3 "auth_secret = '$new'"
check "new_links_use_the_secret_that_stands_there_now" talks 3 2
kill_node 3
node 3 # it does without
run n3
like "a_node_without_is_refused" "$err" "*the other side has auth_secret, this node has neither*"
allowing="auth_secret = '$new'
auth_allow = '127.0.0.1'"
for id in 1 2; do
	node $id "$allowing"
	check "node_${id}_reads_who_may_do_without" hangup $id "$AGAIN"
done
up 3
check "then_it_is_let_in_and_dialled" talks 3 2
kill_node 3
node 1 "$allowing, nonsense'"
check "an_error_in_the_config_is_named_with_its_place" hangup 1 "error: $TEST_TMP/n1:"
node 1 "auth_allow = '127.0.0.1'"
check "a_secret_that_has_gone_as_well" hangup 1 "auth_allow means nothing without auth_secret"
node 1
check "a_node_does_not_become_one_without" hangup 1 "cannot change while this one runs: restart it"
rm "$TEST_TMP/n1"
check "a_missing_config_is_named" hangup 1 "$TEST_TMP/n1"
up 3
check "and_what_was_read_before_counts_still" talks 3 1
check "the_link_of_before_was_never_lost" never_lost 1
leave 3 2 1

# ---- certificates ----
# give FILE NAME: the files of a node are those of NAME from now on.
give() {
	cp "$TEST_TMP/$2.pem" "$TEST_TMP/$1.pem"
	cp "$TEST_TMP/$2.key" "$TEST_TMP/$1.key"
}

ca before
ca after
for name in one two three; do
	cert "$name" before
	give "node_$name" "$name"
done
cp "$TEST_TMP/before.pem" "$TEST_TMP/trusted.pem"
up 1 "$(tls node_one trusted)"
up 2 "$(tls node_two trusted)"
check "two_nodes_with_certificates_talk" talks 2 1
cert three after
give node_three three
cp "$TEST_TMP/node_three.pem" "$TEST_TMP/node_one.pem"
check "a_certificate_without_its_key_is_named" hangup 1 "cannot use tls_key"
give node_one one
cat "$TEST_TMP/before.pem" "$TEST_TMP/after.pem" >"$TEST_TMP/trusted.pem"
check "a_second_authority_is_read_on_sighup" hangup 1 "$AGAIN"
check "by_the_other_node_too" hangup 2 "$AGAIN"
up 3 "$(tls node_three trusted)"
check "its_certificates_are_accepted" talks 3 1
for name in one two; do
	cert $name after
	give node_$name $name
done
check "a_new_certificate_is_read" hangup 1 "$AGAIN"
check "by_the_others_as_well" hangup 2 "$AGAIN"
kill_node 3
up 3 "$(tls node_three after)"
check "and_shown" talks 3 1
check "the_link_of_the_old_ones_works_on" talks 2 1
check "it_was_never_lost" never_lost 1
leave 3 2 1
finish
