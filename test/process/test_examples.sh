# The two example nodes, in two processes and in one: a call by global name, a call by cluster.
. test/process/lib.sh

# settings: ports for both nodes, and names of the cluster to go with them.
settings() {
	master_port=$(free_port)
	echo "master = '127.0.0.1:$(free_port)'" >"$TEST_TMP/clustername.lua"
}

# both NAME FILE: what the slave prints.
both() {
	check "$1: call_by_global_name" wait_for contains "$2" "slave: by global name: alice has 3 points"
	check "$1: call_by_cluster" wait_for contains "$2" "slave: by cluster: bob has 5 points"
	check "$1: answer_of_two_values" wait_for contains "$2" "slave: the leader is bob with 5 points"
}

# node NAME EXAMPLE PORT: a config that includes the example and moves it to free ports.
node() {
	cat >"$TEST_TMP/$1" <<-END
		include "$PWD/examples/$2"
		if standalone then standalone = "127.0.0.1:$master_port" end
		master = "127.0.0.1:$master_port"
		address = "127.0.0.1:$(free_port)"
		cluster = "$TEST_TMP/clustername.lua"
		console_port = $3
	END
}

settings
master_console=$(free_port)
node master config.master "$master_console"
node slave config.slave "$(free_port)"
start master
master=$pid
start slave
slave=$pid
both "two_processes" "$TEST_TMP/slave.out"
check "the_master_stays_up" kill -0 "$master"
check "the_slave_stays_up" kill -0 "$slave"
# shellcheck disable=SC2016
console=$(perl -MIO::Socket::INET -e 'alarm 20; my $s = IO::Socket::INET->new(
	PeerAddr => "127.0.0.1", PeerPort => shift) or die; print $s "list\n";
	while (<$s>) { print; last if /CMD (OK|Error)/ }' "$master_console")
like "with_a_debug_console" "$console" "*scoreboard*<CMD OK>*"
kill -TERM "$slave"
ended slave
is "the_slave_stops_in_order" "$status $err" "0 "
kill -TERM "$master"
ended master
is "the_master_stops_in_order" "$status $err" "0 "

settings
node master config.master "$(free_port)"
node slave config.slave "$(free_port)"
start slave "$TEST_TMP/master"
both "one_process" "$TEST_TMP/slave.out"
kill -TERM "$pid" 2>/dev/null
ended slave
is "both_nodes_stop_in_order" "$status $err" "0 "
finish
