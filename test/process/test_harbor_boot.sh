# A member of a harbor network that cannot join says why in one line and ends with a status.
. test/process/lib.sh
. test/process/harbor.sh

# fails NAME PATTERN LINE: a node that cannot join, with a line of config that makes it so.
fails() {
	node 2 "$3"
	run n2
	[ "$status" -ne 0 ] && [ "$status" -lt 124 ]
	ok "$1" $?
	like "$1: says_why" "$err" "$2"
	is "$1: in_one_line" "$(lines "$err")" 1
}

fails "no_master" "*cannot connect to the master at '127.0.0.1:*" ''
hold_port
fails "address_in_use" "*cannot listen on '127.0.0.1:$held_port'*" \
	"address = \"127.0.0.1:$held_port\""
fails "no_address" "*'address' and 'master' are needed*" 'address = false'
fails "an_address_that_is_none" "*cannot listen on 'nonsense'*" 'address = "nonsense"'
fails "master_port_in_use" "*cannot listen on '127.0.0.1:$held_port'*" \
	"standalone = \"127.0.0.1:$held_port\""
finish
