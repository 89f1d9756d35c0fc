# Ten thousand clients come to a node that has a thousand descriptors: it serves as many as it can, turns
# the others away, keeps its listener, and serves again when there is room.
. test/process/lib.sh

path=$TEST_TMP/crowd.sock
config node <<END
start = "crowded"
crowded_path = "unix:$path"
END

# Connects $3 times, holds all of them until it may end, and tells how many the node has not turned away.
cat >"$TEST_TMP/crowd.pl" <<'END'
use strict;
use warnings;
use IO::Socket::UNIX;
my ($path, $folder, $wanted) = @ARGV;
my @held;
my ($connected, $refused) = (0, 0);
while ($connected < $wanted) {
	my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path);
	if (!$s) {
		# the backlog is full for the moment
		$refused++;
		die "refused too often: $!" if $refused > 1_000_000;
		select(undef, undef, undef, 0.001);
		next;
	}
	$connected++;
	push @held, $s;
}
open(my $done, ">", "$folder/connected.tmp") or die;
print $done "$connected\n";
close $done;
rename("$folder/connected.tmp", "$folder/connected");
for (1 .. 3000) {
	last if -e "$folder/may_go";
	select(undef, undef, undef, 0.1);
}
END

# Sends a line over a new connection and prints what comes back.
ask() {
	perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Type => SOCK_STREAM,
		Peer => $ARGV[0]) or exit 1; print $s "hello\n"; $s->flush;
		eval { local $SIG{ALRM} = sub { die }; alarm 5; print scalar(<$s> // ""); }' "$path"
}

answered() {
	case $(ask) in
	"hello "*) return 0 ;;
	*) return 1 ;;
	esac
}

hard=$(ulimit -H -n)
if [ "$hard" != unlimited ] && [ "$hard" -lt 10500 ]; then
	echo "1..0 # SKIP only $hard descriptors may be used"
	exit 0
fi

# The node raises its soft limit to the hard one, so the hard one must be low.
(
	ulimit -n 1000
	exec "$SKYNET" "$TEST_TMP/node" >"$TEST_TMP/node.out" 2>"$TEST_TMP/node.err"
) &
pid=$!
echo "$pid" >"$TEST_TMP/node.pid"
check "a_node_with_1000_descriptors_is_up" logged node "crowded: up"
check "it_answers" wait_for answered

since=$(date +%s)
(ulimit -n 10500 && exec perl "$TEST_TMP/crowd.pl" "$path" "$TEST_TMP" 10000 2>"$TEST_TMP/crowd.err") &
crowd=$!
echo "$crowd" >"$TEST_TMP/crowd.pid"
check "10000_clients_get_through_to_it" wait_for test -s "$TEST_TMP/connected"
cat "$TEST_TMP/crowd.err"
check "the_log_says_that_descriptors_have_run_out" wait_for contains "$TEST_TMP/node.out" "Too many open files"
check "it_lives" kill -0 "$pid"
lines=$(grep -c "Too many open files" "$TEST_TMP/node.out")
check "and_says_so_once_a_second_at_most" test "$lines" -le $(($(date +%s) - since + 2))
touch "$TEST_TMP/may_go"
wait "$crowd"
echo 0 >"$TEST_TMP/crowd.status"
check "it_serves_again_when_they_have_gone" wait_for answered
kill -TERM "$pid"
wait "$pid"
status=$?
echo "$status" >"$TEST_TMP/node.status"
is "and_stops_in_order" "$status" 0
finish
