# Prints TCP ports of 127.0.0.1 that nobody uses, that no other test gets while this one runs, and that the system
# does not pick for the near end of a connection. No port is printed twice in a test, which may use it only later.
#   free_ports.pl FOLDER PID COUNT     FOLDER and PID are those of the test
# A test has a block of ports. The first of them is the lock: a process listens there until PID has ended.
use strict;
use warnings;
use IO::Socket::INET;
use POSIX ();

use constant { LOWEST => 10000, BLOCKS => 200, SIZE => 100 };

my ($folder, $test, $count) = @ARGV;
# A test that went on without a port could still pass.
$SIG{__DIE__} = sub { kill TERM => $test if !$^S };

sub listener {
	return IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => shift, Listen => 1, ReuseAddr => 1);
}

# The holder has FOLDER/given.pid, so that the test ends it with everything else.
sub hold {
	my ($lock) = @_;
	defined(my $pid = fork) or die "cannot fork: $!\n";
	if ($pid) {
		open my $file, ">", "$folder/given.pid" or die "$folder/given.pid: $!\n";
		print $file "$pid\n";
		return;
	}
	# Who reads from a pipe of the shell waits until nobody has the other end.
	for my $fd (0 .. 255) {
		POSIX::close($fd) if $fd != fileno $lock;
	}
	sleep 1 while kill 0, $test;
	POSIX::_exit(0);
}

# Gives the first port of a block that is now that of this test.
sub claim {
	my $first = int rand BLOCKS;
	for my $i (0 .. BLOCKS - 1) {
		my $port = LOWEST + ($first + $i) % BLOCKS * SIZE;
		my $lock = listener($port) or next;
		hold($lock);
		return $port;
	}
	die "all ports are taken by other tests\n";
}

# What was given last.
open my $state, "+>>", "$folder/given.ports" or die "$folder/given.ports: $!\n";
seek $state, 0, 0;
my $port = (<$state>)[-1] // claim();
my @found;
while (@found < $count) {
	die "a test has no more than @{[SIZE - 1]} ports\n" if ++$port % SIZE == 0;
	push @found, $port if listener($port);
}
print $state "$port\n";
print "@found";
