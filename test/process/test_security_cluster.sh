# Nodes of a cluster that authenticate, and others that do not.
. test/process/lib.sh
. test/process/security.sh

# server NAME LINES: a node that listens; the file names.lua has its address.
server() {
	echo "server = '127.0.0.1:$(free_port)'" >"$TEST_TMP/names.lua"
	config "$1" <<-END
		start = "cluster_server"
		who = "$1"
		cluster = "$TEST_TMP/names.lua"
		$2
	END
	start "$1"
	logged "$1" "cluster_server: up"
}

# client NAME LINES: a node that calls until it is ended.
client() {
	config "$1" <<-END
		start = "cluster_client"
		cluster = "$TEST_TMP/names.lua"
		$2
	END
	start "$1"
}

# refused NAME LINES TEXT THERE: a client that is not let in, what it says and what the server says.
refused() {
	client "$1" "$2"
	check "$1_gets_no_answer" logged "$1" "answered by nobody"
	check "$1_says_why" logged "$1" "$3"
	check "$1_is_refused_by_the_server" logged "$node_there" "$4"
	kill "$pid"
	ended "$1"
}

node_there=keeper
server keeper "$secret"
keeper=$pid
client friend "$secret"
check "nodes_with_the_same_secret_talk" logged friend "answered by keeper"
kill "$pid"
ended friend
refused stranger "$other_secret" "the other side refuses: it has another secret" \
	"it has another secret"
refused plain "" "is lost: the other side has auth_secret, this node has neither auth_secret nor tls_cert" \
	"it does not authenticate, this node has auth_secret"
kill "$keeper"
ended keeper

ca ours
ca theirs
cert one ours
cert two ours
cert three theirs
node_there=vault
server vault "$(tls one ours)"
vault=$pid
client member "$(tls two ours)"
check "nodes_with_certificates_of_one_authority_talk" logged member "answered by vault"
kill "$pid"
ended member
refused foreigner "$(tls three theirs)" "certificate that is not accepted" "refused a connection"
kill "$vault"
ended vault

server open ""
open=$pid
client careful "$secret
auth_timeout = 60"
check "a_node_with_a_secret_talks_to_none_without" logged careful \
	"the other side closed when asked to authenticate: it has neither auth_secret nor tls_cert"
check "which_says_why_at_once" logged open \
	": the other side has auth_secret, this node has neither auth_secret nor tls_cert"
kill "$pid"
ended careful
client lenient "$secret
auth_allow = '127.0.0.1'"
check "unless_its_address_is_allowed" logged lenient "answered by open"
kill "$pid"
ended lenient
client sealed "$(tls two ours)
auth_timeout = 60"
check "the_same_goes_for_tls" logged open \
	": the other side has tls_cert, this node has neither auth_secret nor tls_cert"
kill "$pid"
ended sealed
kill "$open"
ended open
finish
