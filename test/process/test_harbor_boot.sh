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
fails "no_address" "*setting 'address' is missing*" 'address = false'
fails "no_master_setting" "*setting 'master' is missing*" 'master = false'
fails "an_address_that_is_none" "*cannot listen on 'nonsense': Invalid address nonsense (host:port*" 'address = "nonsense"'
fails "a_port_that_nobody_can_dial" "*'address' is '127.0.0.1:0': *" 'address = "127.0.0.1:0"'
fails "a_master_that_is_no_address" "*connect to the master at 'nonsense': Invalid address nonsense (host:port*" \
	'master = "nonsense"'
fails "master_port_in_use" "*cannot listen on '127.0.0.1:$held_port'*" \
	"standalone = \"127.0.0.1:$held_port\""
finish
