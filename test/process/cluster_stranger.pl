# A stranger at the port of a cluster node: cluster_stranger.pl WHAT PORT. Prints one word when it is where it
# wanted to be, and waits to be killed then.
use strict;
use warnings;
use IO::Socket::INET;

my ($what, $port) = @ARGV;
$| = 1;
$SIG{PIPE} = 'IGNORE';

sub dial {
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port);
}

# A request to the service that answers with the text.
sub request {
	my ($session, $size) = @_;
	my $text = pack('Ca4', 0x24, 'echo') . pack('Cv', 0x15, $size) . 'x' x $size;
	return pack('n/a*', pack('CC/a*V', 0x80, '@order', $session) . $text);
}

# A frame of the answer.
sub response {
	my ($socket) = @_;
	my ($head, $body) = ('', '');
	return unless read($socket, $head, 2) && read($socket, $body, unpack('n', $head));
	return $body;
}

sub rest {
	print "$_[0]\n";
	sleep 1000;
}

if ($what eq 'halfclosed') {
	my $socket = dial() or die;
	syswrite $socket, request(1, 10);
	die unless defined response($socket);
	shutdown $socket, 1;
	my $left;
	rest(sysread($socket, $left, 1) == 0 ? 'closed' : 'open');
} elsif ($what eq 'deaf') {
	# Asks as long as it is listened to, and reads nothing.
	my $socket = dial() or die;
	$socket->blocking(0);
	my ($sent, $idle) = (0, 0);
	my $requests = join '', map { request($_, 30000) } 1 .. 10;
	my $rest = '';
	while ($idle < 40 && $sent < 1 << 30) {
		$rest = $requests if $rest eq '';
		my $n = syswrite $socket, $rest;
		if (defined $n) {
			$sent += $n;
			substr($rest, 0, $n) = '';
			$idle = 0;
		} else {
			$idle++;
			select undef, undef, undef, 0.05;
		}
	}
	rest($sent < 1 << 30 ? 'full' : 'endless');
} elsif ($what eq 'garbage') {
	srand 7;
	for (1 .. 50) {
		my $socket = dial() or next;
		syswrite $socket, join '', map { chr int rand 256 } 1 .. 5000;
		syswrite $socket, "\0\0" x 100;
	}
	# Frames of one byte that are no requests, as many as it takes.
	my $socket = dial() or die;
	syswrite $socket, "\0\1\5" x 10_000 for 1 .. 20;
	rest('thrown');
} elsif ($what eq 'slow') {
	my $socket = dial() or die;
	for my $byte (split //, request(5, 20)) {
		syswrite $socket, $byte;
		select undef, undef, undef, 0.02;
	}
	rest(defined response($socket) ? 'answered' : 'closed');
} elsif ($what eq 'many') {
	my @sockets = map { dial() } 1 .. 150;
	rest('crowded');
}
