# A proxy between the nodes of a chaos test: passes TCP connections of 127.0.0.1 on, and harms them.
#   chaos_proxy.pl FOLDER ROUTE...     ROUTE is NAME:PORT:TARGET_PORT
# Where a node tells others its address, as in "127.0.0.1:TARGET_PORT", the address of the route to it is put in
# that place; both ports have five digits. FOLDER/proxy.in is a pipe that takes commands, one a line:
#   NAME pass           nothing is wrong (any more)
#   NAME hold           bytes wait here in both directions; hold_in: only those to the target, hold_out: from it
#   NAME delay MS       each byte waits so long
#   NAME refuse         who connects is closed at once
#   NAME reset | close  ends all connections, with an error or in order
#   NAME half           tells the target the end of all that comes to it; what it says still passes
#   NAME cut BYTES      ends each connection when so many more bytes have passed
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK);
use IO::Select;
use IO::Socket::INET;
use POSIX ();
use Socket qw(SOL_SOCKET SO_LINGER);
use Time::HiRes qw(time);

use constant { CHUNK => 65536, ROOM => 1 << 20 };

my ($folder, @routes) = @ARGV;
my (%route, %listener, %end, %told);
for (@routes) {
	my ($name, $port, $target) = split /:/;
	my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 100,
		ReuseAddr => 1, Blocking => 0) or die "port $port: $!\n";
	$route{$name} = { target => $target, mode => "pass", argument => 0 };
	$listener{$socket} = [$socket, $route{$name}];
	$told{"127.0.0.1:$target"} //= "127.0.0.1:$port";
}
my $addresses = join "|", map { quotemeta } keys %told;

# One direction of a connection ends here: what came from `socket` waits in `queue` for the `other` end.
sub make_end {
	my ($socket, $route, $to_target) = @_;
	return $end{$socket} = { socket => $socket, route => $route, to_target => $to_target,
		queue => [], size => 0 };
}

sub drop {
	my ($one, $with_error) = @_;
	for my $e ($one, $one->{other}) {
		delete $end{$e->{socket}};
		setsockopt $e->{socket}, SOL_SOCKET, SO_LINGER, pack("ii", 1, 0) if $with_error;
		close $e->{socket};
	}
}

sub take_connection {
	my ($socket, $route) = @{$_[0]};
	my $near = $socket->accept or return;
	return close $near if $route->{mode} eq "refuse";
	my $far = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $route->{target})
		or return close $near;
	$_->blocking(0) for $near, $far;
	my ($in, $out) = (make_end($near, $route, 1), make_end($far, $route, 0));
	($in->{other}, $out->{other}) = ($out, $in);
}

sub read_end {
	my ($e) = @_;
	my $n = sysread $e->{socket}, my $bytes, CHUNK;
	return if !defined $n && $!{EAGAIN};
	return drop($e, 1) if !defined $n;
	return $e->{ended} = 1 if $n == 0;
	$bytes =~ s/($addresses)/$told{$1}/g if $e->{to_target};
	my $delay = $e->{route}{mode} eq "delay" ? $e->{route}{argument} / 1000 : 0;
	push @{$e->{queue}}, [time + $delay, $bytes];
	$e->{size} += length $bytes;
}

# Whether what waits may go on now.
sub passes {
	my ($e) = @_;
	my $mode = $e->{route}{mode};
	return 0 if $mode eq "hold" || $mode eq ($e->{to_target} ? "hold_in" : "hold_out");
	return !@{$e->{queue}} || $e->{queue}[0][0] <= time;
}

sub write_end {
	my ($e) = @_;
	my $to = $e->{other}{socket};
	while (@{$e->{queue}} && passes($e)) {
		my $bytes = $e->{queue}[0][1];
		$bytes = substr $bytes, 0, $e->{left} if defined $e->{left};
		my $n = syswrite $to, $bytes;
		return if !defined $n && $!{EAGAIN};
		return drop($e, 1) if !defined $n;
		$e->{size} -= $n;
		substr $e->{queue}[0][1], 0, $n, "";
		shift @{$e->{queue}} if !length $e->{queue}[0][1];
		next if !defined $e->{left};
		$e->{left} -= $n;
		return drop($e, 0) if $e->{left} <= 0;
	}
	return if !$e->{ended} || @{$e->{queue}} || !passes($e);
	return drop($e, 0) if $e->{other}{told_end};
	shutdown $to, 1 if !$e->{told_end};
	$e->{told_end} = 1;
}

sub obey {
	my ($name, $mode, $argument) = split / /, $_[0];
	my $route = $route{$name} or die "no route '$name'\n";
	my @ends = grep { $_->{to_target} && $_->{route} == $route } values %end;
	if ($mode =~ /^(?:reset|close)$/) {
		drop($_, $mode eq "reset") for @ends;
	} elsif ($mode eq "half") {
		$_->{ended} = 1 for @ends;
	} elsif ($mode eq "cut") {
		$_->{left} = $_->{other}{left} = $argument for @ends;
	} else {
		@$route{qw(mode argument)} = ($mode, $argument // 0);
	}
}

my $commands = "$folder/proxy.in";
POSIX::mkfifo($commands, 0600) or die "$commands: $!\n";
sysopen my $pipe, $commands, O_RDWR | O_NONBLOCK or die "$commands: $!\n";
$SIG{PIPE} = "IGNORE";
my $text = "";
while (1) {
	my ($read, $write) = (IO::Select->new($pipe, map { $_->[0] } values %listener), IO::Select->new);
	my $wait = 1;
	for my $e (values %end) {
		$read->add($e->{socket}) if !$e->{ended} && $e->{size} < ROOM;
		next if !@{$e->{queue}} && (!$e->{ended} || $e->{told_end});
		if (passes($e)) {
			$write->add($e->{other}{socket});
		} elsif (@{$e->{queue}}) {
			$wait = 0.005;
		}
	}
	my ($readable, $writable) = IO::Select::select($read, $write, undef, $wait);
	for my $socket (@{$readable // []}) {
		if ($listener{$socket}) {
			take_connection($listener{$socket});
		} elsif ($end{$socket}) {
			read_end($end{$socket});
		} elsif ($socket == $pipe) {
			sysread $pipe, $text, 4096, length $text;
			obey($1) while $text =~ s/^(.*)\n//;
		}
	}
	for my $socket (@{$writable // []}) {
		write_end($end{$socket}{other}) if $end{$socket};
	}
}
