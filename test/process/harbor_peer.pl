# A scripted member of a harbor network: harbor_peer.pl PORT STEP... (PORT -: connects to nobody yet)
#   send HEX      writes the bytes          expect HEX   reads as many and compares
#   dial PORT     another connection        closed       reads up to the end of the stream
#   open PORT     listens                   accept       waits for a connection there
#   meet ID       accepts until it is that of node ID, whose id byte (hex) has been read then
#   keep NAME     names the connection      use NAME     goes on with it; main: the first one
#   half          ends the writing direction
#   control HEX   reads a control message, which has to begin so
#   silent        nothing is to be read for a moment
#   skip SIZE     reads so many bytes
#   parts NUMBER SIZE   reads parts of that message, with so many bytes together
#   begun COUNT SIZE    reads parts with so many bytes together; so many messages begin meanwhile
#   zeros NUMBER SIZE   sends parts of that message, with so many bytes together
#   drip HEX      writes byte by byte       run COMMAND  of the shell; what it prints is not looked at
#   is COMMAND TEXT   runs until it prints the text
#   answer TYPE HEX   sends an answer to the frame that was expected last, with that payload,
#   as ID             from that harbor id; 5 without it
# "." in an expected text stands for any digit. Prints ok, or what went wrong.
use strict;
use warnings;
use IO::Socket::INET;
use IO::Select;

my $DEADLINE = $ENV{TEST_DEADLINE} || 30;

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
my $frame = "";
my $harbor = 5;
my @others;
eval {
	my $socket = $port eq "-" ? undef : dial($port);
	my %kept = (main => $socket);
	while (defined(my $step = shift @ARGV)) {
		if ($step eq "send") {
			my $bytes = pack "H*", shift @ARGV;
			syswrite $socket, $bytes;
		} elsif ($step eq "expect") {
			my $expected = shift @ARGV;
			my $found = receive($socket, length($expected) / 2);
			$found =~ /^$expected$/ or die "found '$found', not '$expected'\n";
			$frame = $found;
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
		} elsif ($step eq "meet") {
			my $id = shift @ARGV;
			my $found = "";
			while ($found ne $id) {
				push @others, $socket if $found ne "";
				IO::Select->new($listener)->can_read($DEADLINE) or die "nobody dials\n";
				$socket = $listener->accept;
				$found = receive($socket, 1);
			}
		} elsif ($step eq "drip") {
			for my $byte (split //, pack "H*", shift @ARGV) {
				syswrite $socket, $byte;
				select undef, undef, undef, 0.05;
			}
		} elsif ($step eq "answer") {
			my ($type, $payload) = splice @ARGV, 0, 2;
			my ($source, $destination, $session) = unpack "N3", substr pack("H*", $frame), -12;
			my $body = pack("H*", $payload) . pack "N3", $destination & 0xffffff | $harbor << 24,
				$source & 0xffffff | $type << 24, $session;
			syswrite $socket, pack("N", length $body) . $body;
		} elsif ($step eq "half") {
			shutdown $socket, 1;
		} elsif ($step eq "run") {
			my $command = shift @ARGV;
			`$command`;
		} elsif ($step eq "is") {
			my ($command, $text) = splice @ARGV, 0, 2;
			my $found = "";
			for (my $end = time + $DEADLINE; $found ne $text;) {
				$found = `$command`;
				chomp $found;
				time < $end or die "$command: found '$found', not '$text'\n";
				select undef, undef, undef, 0.05;
			}
		} elsif ($step eq "keep") {
			$kept{shift @ARGV} = $socket;
		} elsif ($step eq "use" or $step eq "main") {
			$socket = $kept{$step eq "main" ? $step : shift @ARGV};
		} elsif ($step eq "as") {
			$harbor = shift @ARGV;
		} elsif ($step eq "control") {
			my $begin = shift @ARGV;
			my $found = receive($socket, hex(receive($socket, 1) || "0"));
			$found =~ /^$begin/ or die "found the control message '$found', not '$begin'\n";
		} elsif ($step eq "skip") {
			receive($socket, shift @ARGV);
		} elsif ($step eq "parts") {
			my ($number, $size) = splice @ARGV, 0, 2;
			while ($size > 0) {
				my $head = receive($socket, 8);
				$head =~ /^01/ && hex(substr $head, 8) == $number or die "found '$head', not a part\n";
				my $part = hex(substr $head, 2, 6) - 4;
				receive($socket, $part);
				$size -= $part;
			}
			$size == 0 or die "found ", -$size, " bytes too many\n";
		} elsif ($step eq "zeros") {
			my ($number, $size) = splice @ARGV, 0, 2;
			for (my $part; $size > 0; $size -= $part) {
				$part = $size < 65536 ? $size : 65536;
				syswrite $socket, pack("NN", $part + 4 | 1 << 24, $number) . "\0" x $part;
			}
		} elsif ($step eq "begun") {
			my ($wanted, $size) = splice @ARGV, 0, 2;
			my $count = 0;
			while ($size > 0) {
				my $head = hex receive($socket, 4);
				receive($socket, $head & 0xffffff);
				$head >> 24 == 2 ? $count++ : ($size -= ($head & 0xffffff) - 4);
			}
			$count == $wanted or die "$count messages have begun\n";
		} elsif ($step eq "silent") {
			!IO::Select->new($socket)->can_read(0.2)
				or die "found '" . receive($socket, 1) . "...', not silence\n";
		}
	}
};
print length $@ > 400 ? substr($@, 0, 400) . "...\n" : $@ || "ok\n";
