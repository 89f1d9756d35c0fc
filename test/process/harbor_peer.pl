# A scripted member of a harbor network: harbor_peer.pl PORT STEP...
#   send HEX      writes the bytes          expect HEX   reads as many and compares
#   dial PORT     another connection        closed       reads up to the end of the stream
#   open PORT     listens                   accept       waits for a connection there
#   main          back to the first one
# "." in an expected text stands for any digit. Prints ok, or what went wrong.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;

my $DEADLINE = 20;

sub dial {
	my ($port) = @_;
	return IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) || die "cannot dial\n";
}

# Up to $size bytes as hex; fewer at the end of the stream.
sub receive {
	my ($socket, $size) = @_;
	my $bytes = "";
	my $select = IO::Select->new($socket);
	while (length $bytes < $size) {
		$select->can_read($DEADLINE) or die "timeout after '" . unpack("H*", $bytes) . "'\n";
		my $n = sysread $socket, $bytes, $size - length $bytes, length $bytes;
		last unless $n;
	}
	return unpack "H*", $bytes;
}

my $port = shift @ARGV;
my $listener;
eval {
	my $main = dial($port);
	my $socket = $main;
	while (defined(my $step = shift @ARGV)) {
		if ($step eq "send") {
			my $bytes = pack "H*", shift @ARGV;
			syswrite $socket, $bytes;
		} elsif ($step eq "expect") {
			my $expected = shift @ARGV;
			my $found = receive($socket, length($expected) / 2);
			$found =~ /^$expected$/ or die "found '$found', not '$expected'\n";
		} elsif ($step eq "closed") {
			my $found = receive($socket, 1 << 20);
			$found eq "" or die "found '$found', not the end\n";
		} elsif ($step eq "dial") {
			$socket = dial(shift @ARGV);
		} elsif ($step eq "open") {
			$listener = IO::Socket::INET->new(LocalAddr => "127.0.0.1",
				LocalPort => shift @ARGV, Listen => 5, ReuseAddr => 1) or die "cannot listen\n";
		} elsif ($step eq "accept") {
			IO::Select->new($listener)->can_read($DEADLINE) or die "nobody dials\n";
			$socket = $listener->accept;
		} elsif ($step eq "main") {
			$socket = $main;
		}
	}
};
print $@ || "ok\n";
