# A node that speaks the protocols of the reference, has none of our extensions, and writes down what a
# reference would not have sent to it: reference_node.pl FOLDER KEY=VALUE...
#   standalone=PORT             is the master of a harbor network
#   id=ID master=PORT link=PORT is a member of one, and SINK<ID> as network_sink is;
#                               with its own master: the global SERVICE too
#   ask=NAME...                 calls these global names again and again
#   cluster=PORT                is a cluster node, and its "@sink"
#   peer=PORT                   calls "@sink" of that cluster node again and again
# FOLDER/reference.log: a line for each event; those that begin with "strange" should not be there.
use strict;
use warnings;
use IO::Handle;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);

use constant { RESPONSE => 1, ERROR => 7, LUA => 10, PART => 32768, SERVICE => 10, MANAGER => 11,
	CALL_EACH => 0.02 };

my $folder = shift @ARGV;
my %option = map { /^(\w+)=(.*)$/ or die "no option: $_\n"; ($1 => $2) } @ARGV;
open my $log, ">>", "$folder/reference.log" or die "$!\n";
$log->autoflush(1);
my $select = IO::Select->new;
my %peer; # by file number: { socket, buffer, on_bytes, on_end }
my $id = $option{id};

sub note { print $log @_, "\n" }

# ---- values ----

sub pack_values {
	return join "", map {
		!/^\d+$/ ? (length $_ < 32 ? pack("C", 4 | length($_) << 3) : pack("Cv", 0x15, length $_)) . $_
		: $_ == 0 ? "\x02" : $_ < 256 ? pack("CC", 0x0a, $_) : $_ < 65536 ? pack("Cv", 0x12, $_)
		: $_ < 1 << 31 ? pack("CV", 0x22, $_) : pack("CQ<", 0x32, $_)
	} @_;
}

# All values; tables and the rest that is not needed here come out as one "?".
sub unpack_values {
	my ($bytes) = @_;
	my @values;
	while (length $bytes) {
		my $head = ord substr $bytes, 0, 1, "";
		my ($type, $sub) = ($head & 7, $head >> 3);
		if ($type == 4) { push @values, substr $bytes, 0, $sub, "" }
		elsif ($head == 0x15) { push @values, substr $bytes, 0, unpack("v", substr $bytes, 0, 2, ""), "" }
		elsif ($head == 0x25) { push @values, substr $bytes, 0, unpack("V", substr $bytes, 0, 4, ""), "" }
		elsif ($head == 0x02) { push @values, 0 }
		elsif ($head == 0x0a) { push @values, ord substr $bytes, 0, 1, "" }
		elsif ($head == 0x12) { push @values, unpack "v", substr $bytes, 0, 2, "" }
		elsif ($head == 0x22) { push @values, unpack "V", substr $bytes, 0, 4, "" }
		elsif ($head == 0x32) { push @values, unpack "Q<", substr $bytes, 0, 8, "" }
		else { push @values, "?"; last }
	}
	return @values;
}

# ---- the service ----

my %last; # of each stream: [last number, how many are missing]

# What the service answers to packed arguments; undef for nothing.
sub serve {
	my ($command, $key, $number, $text) = unpack_values($_[0]);
	if ($command eq "put" || $command eq "ask") {
		my $stream = $last{$key} //= [0, 0];
		note("strange order: $key $number after $stream->[0]") if $number <= $stream->[0];
		$stream->[1] += $number - $stream->[0] - 1;
		$stream->[0] = $number;
		# The packed word "ask" is 4 bytes; what is behind goes back as it is.
		return $command eq "ask" ? substr $_[0], 4 : undef;
	}
	return pack_values(@{ $last{$key} // [0, 0] }) if $command eq "stream";
	note("strange command: $command");
	return undef;
}

# ---- connections ----

sub put_bytes {
	my ($peer, $bytes) = @_;
	while (length $bytes) {
		my $n = syswrite $peer->{socket}, $bytes or return;
		substr $bytes, 0, $n, "";
	}
}

sub watch {
	my ($socket, $on_bytes, $on_end) = @_;
	my $peer = { socket => $socket, buffer => "", on_bytes => $on_bytes, on_end => $on_end };
	$peer{ fileno $socket } = $peer;
	$select->add($socket);
	return $peer;
}

sub forget {
	my ($peer) = @_;
	$select->remove($peer->{socket});
	delete $peer{ fileno $peer->{socket} };
	close $peer->{socket};
}

sub listen_on {
	my ($port, $on_accept) = @_;
	my $socket = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 50,
		ReuseAddr => 1) or die "cannot listen: $!\n";
	return watch($socket, undef, $on_accept);
}

sub dial {
	my ($address, @handlers) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => $address) or return undef;
	return watch($socket, @handlers);
}

# Takes a message with its size before it from the buffer.
sub take {
	my ($peer, $format, $head, $add) = @_;
	return undef if length $peer->{buffer} < $head;
	my $size = unpack($format, $peer->{buffer}) + $add;
	return undef if length $peer->{buffer} < $head + $size;
	substr $peer->{buffer}, 0, $head, "";
	return substr $peer->{buffer}, 0, $size, "";
}

# ---- harbor: control ----

sub control { put_bytes($_[0], pack "C/a*", pack_values(@_[ 1 .. $#_ ])) }

my (%member, %name); # of the master: id to { peer, address }, name to handle

sub on_member {
	my ($peer) = @_;
	while (defined(my $bytes = take($peer, "C", 1, 0))) {
		my ($letter, @values) = unpack_values($bytes);
		if (!defined $peer->{id}) {
			return forget($peer) if $letter ne "H" || $member{ $values[0] };
			my @others = grep { $_->{peer} } values %member;
			control($_->{peer}, "C", @values[ 0, 1 ]) for @others;
			control($peer, "W", scalar @others);
			$member{ $values[0] } = { peer => $peer, address => $values[1] };
			$peer->{id} = $values[0];
			note("joined $values[0]");
		} elsif ($letter eq "R" && @values == 2) {
			$name{ $values[0] } //= $values[1];
			control($_->{peer}, "N", @values) for grep { $_->{peer} } values %member;
		} elsif ($letter eq "Q" && @values == 1) {
			control($peer, "N", $values[0], $name{ $values[0] }) if $name{ $values[0] };
		} else {
			note("strange to the master: $letter @values");
		}
	}
}

sub on_member_end {
	my ($peer) = @_;
	return unless defined $peer->{id};
	note("left $peer->{id}");
	$member{ $peer->{id} }{peer} = undef;
	control($_->{peer}, "D", $peer->{id}) for grep { $_->{peer} } values %member;
}

my ($master, $door, $expected, %link, %handle);

sub on_master {
	my ($peer) = @_;
	my %count = (W => 1, C => 2, N => 2, D => 1);
	while (defined(my $bytes = take($peer, "C", 1, 0))) {
		my ($letter, @values) = unpack_values($bytes);
		if (!$count{$letter} || @values != $count{$letter}) {
			note("strange from the master: $letter @values");
		} elsif ($letter eq "W") {
			$expected = $values[0];
			start_serving() if keys %link >= $expected;
		} elsif ($letter eq "C" && !exists $link{ $values[0] }) {
			my ($other, $address) = @values;
			$link{$other} = dial($address, \&on_link, \&on_link_end) or next;
			@{ $link{$other} }{qw(id dialled)} = ($other, 1);
			put_bytes($link{$other}, chr $id);
		} elsif ($letter eq "N") {
			$handle{ $values[0] } = $values[1];
		} elsif ($letter eq "D") {
			note("dead $values[0]");
		}
	}
}

# Links are taken only until all who were announced have dialled.
sub start_serving {
	forget($door) if $door;
	$door = undef;
	control($master, "R", "SINK$id", $id << 24 | SERVICE);
	control($master, "R", "SERVICE", $id << 24 | MANAGER) if $option{standalone};
	control($master, "Q", $_) for split /,/, $option{ask} // "";
	note("serving");
}

# ---- harbor: data ----

sub frame {
	my ($peer, $type, $destination, $session, $payload) = @_;
	put_bytes($peer, pack "N a* N N N", length($payload) + 12, $payload, $id << 24 | SERVICE,
		$type << 24 | $destination & 0xffffff, $session);
}

sub on_link {
	my ($peer) = @_;
	if (!$peer->{up}) {
		return if $peer->{buffer} eq "";
		my $other = ord substr $peer->{buffer}, 0, 1, "";
		return forget($peer) if $peer->{dialled} ? $other != $peer->{id} : exists $link{$other};
		$peer->{up} = 1;
		if (!$peer->{dialled}) {
			$peer->{id} = $other;
			$link{$other} = $peer;
			put_bytes($peer, chr $id);
			start_serving() if $door && defined $expected && keys %link >= $expected;
		}
		note("linked $other");
	}
	while (defined(my $bytes = take($peer, "N", 4, 0))) {
		my ($source, $destination, $session) = unpack "NNN", substr $bytes, -12, 12, "";
		my ($type, $service) = ($destination >> 24, $destination & 0xffffff);
		if ($type == LUA && $service == SERVICE) {
			my $answer = serve($bytes);
			frame($peer, RESPONSE, $source, $session, $answer) if defined $answer;
		} elsif ($type == LUA && $service == MANAGER) {
			# Each node reports its service manager when it starts: nil.
			frame($peer, RESPONSE, $source, $session, "\0");
		} elsif (($type == RESPONSE || $type == ERROR) && $service == SERVICE) {
			on_answer("harbor", $session, $type == RESPONSE, $bytes);
		} else {
			note("strange frame: type $type from $source to $service, ", unpack "H*", $bytes);
		}
	}
}

sub on_link_end {
	my ($peer) = @_;
	note("unlinked $peer->{id}") if defined $peer->{id};
}

# ---- cluster ----

sub cluster_frame { put_bytes($_[0], pack "n/a*", $_[1]) }

sub cluster_answer {
	my ($peer, $session, $payload) = @_;
	return cluster_frame($peer, pack "V C a*", $session, 1, $payload) if length $payload <= PART;
	cluster_frame($peer, pack "V C V", $session, 2, length $payload);
	while (length $payload) {
		my $part = substr $payload, 0, PART, "";
		cluster_frame($peer, pack "V C a*", $session, length $payload ? 3 : 4, $part);
	}
}

sub cluster_serve {
	my ($peer, $address, $session, $payload, $push) = @_;
	if ($address eq "0") {
		# A question for a name; nothing is registered but "sink".
		note("name query: ", join " ", unpack_values($payload));
		return cluster_frame($peer, pack "V C a*", $session, 0, "name not found");
	}
	note("strange address: $address") if $address ne "\@sink";
	my $answer = serve($payload);
	cluster_answer($peer, $session, $answer) if defined $answer && !$push;
}

sub on_cluster_request {
	my ($peer) = @_;
	while (defined(my $bytes = take($peer, "n", 2, 0))) {
		my $kind = ord substr $bytes, 0, 1, "";
		if ($kind == 2 || $kind == 3) {
			my $session = unpack "V", substr $bytes, 0, 4, "";
			my $large = $peer->{large}{$session} or note("strange part"), next;
			$large->{payload} .= $bytes;
			next if $kind == 2;
			delete $peer->{large}{$session};
			note("strange size") if length $large->{payload} != $large->{size};
			cluster_serve($peer, $large->{address}, $session, $large->{payload}, $large->{push});
			next;
		}
		note("strange request: kind $kind"), next if $kind & 0x3e;
		my $address = $kind & 0x80 ? substr $bytes, 0, ord(substr $bytes, 0, 1, ""), ""
			: unpack "V", substr $bytes, 0, 4, "";
		my $session = unpack "V", substr $bytes, 0, 4, "";
		if ($kind & 1) {
			$peer->{large}{$session} = { address => $address, push => $kind & 0x40,
				size => unpack("V", $bytes), payload => "" };
		} else {
			cluster_serve($peer, $address, $session, $bytes, $session == 0);
		}
	}
}

sub on_cluster_answer {
	my ($peer) = @_;
	while (defined(my $bytes = take($peer, "n", 2, 0))) {
		my ($session, $kind) = unpack "V C", substr $bytes, 0, 5, "";
		note("strange answer: kind $kind") if $kind > 1;
		on_answer("cluster", $session, $kind == 1, $bytes);
	}
}

# ---- calls ----

my %waiting; # link and session to what the answer must be
my ($session, $answers, $errors) = (0, 0, 0);

sub on_answer {
	my ($kind, $number, $ok, $payload) = @_;
	my $expected = delete $waiting{"$kind $number"};
	return note("strange answer by $kind: nobody waits for $number") if !defined $expected;
	return note("strange answer by $kind: ", unpack "H*", $payload) if $ok && $payload ne $expected;
	return note("strange error by $kind: $payload") if !$ok && $kind eq "harbor" && $payload ne "";
	$ok ? $answers++ : $errors++;
	note("answers $answers errors $errors");
}

# The next call: its arguments packed, and its session.
sub next_call {
	my ($kind, $stream) = @_;
	$session++;
	my @values = ("reference $$ $stream", $session);
	# What network_text makes of it: "KEY:NUMBER:SIZE;" cut at SIZE.
	push @values, substr "$values[0]:$session:20;", 0, 20;
	$waiting{"$kind $session"} = pack_values(@values);
	return (pack_values("ask", @values), $session);
}

my $cluster_peer;

sub call_all {
	for my $target (split /,/, $option{ask} // "") {
		my $handle = $handle{$target} or next;
		my $peer = $link{ $handle >> 24 };
		next if !$peer || !$peer->{up} || !$peer{ fileno $peer->{socket} // -1 };
		my ($payload, $number) = next_call("harbor", $target);
		frame($peer, LUA, $handle, $number, $payload);
	}
	if ($option{peer}) {
		$cluster_peer //= dial("127.0.0.1:$option{peer}", \&on_cluster_answer, sub { $cluster_peer = undef });
		my ($payload, $number) = next_call("cluster", "cluster");
		cluster_frame($cluster_peer, pack "C C/a* V a*", 0x80, "\@sink", $number, $payload)
			if $cluster_peer;
	}
}

# ---- life ----

$SIG{PIPE} = "IGNORE";
sub accept_for {
	my @handlers = @_;
	return sub { watch(scalar $_[0]{socket}->accept, @handlers) };
}
listen_on($option{standalone}, accept_for(\&on_member, \&on_member_end)) if $option{standalone};
listen_on($option{cluster}, accept_for(\&on_cluster_request, sub { })) if $option{cluster};
if ($option{master}) {
	$door = listen_on($option{link}, accept_for(\&on_link, \&on_link_end));
	$master = dial("127.0.0.1:$option{master}", \&on_master, sub { note("the master is lost") })
		or die "no master\n";
	control($master, "H", $id, "127.0.0.1:$option{link}");
}
note("up");
my $next = time;
while (1) {
	if (time >= $next) {
		call_all();
		$next = time + CALL_EACH;
	}
	for my $socket ($select->can_read(CALL_EACH)) {
		my $peer = $peer{ fileno $socket // -1 } or next;
		if (!$peer->{on_bytes}) {
			$peer->{on_end}->($peer);
		} elsif (sysread $socket, $peer->{buffer}, 65536, length $peer->{buffer}) {
			$peer->{on_bytes}->($peer);
		} else {
			forget($peer);
			$peer->{on_end}->($peer);
		}
	}
}
