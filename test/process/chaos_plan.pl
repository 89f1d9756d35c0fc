# Prints the faults of a chaos test, one a line, sorted by time: the milliseconds since its begin, what, of whom.
#   chaos_plan.pl SEED FAULTS [ALONE]     1: node 4 has a process of its own already
# The same arguments give the same lines. A process or route has one fault at a time. Processes have the number
# of their first node; node 4 lives in that of node 3, until it ends alone and gets one of its own. What is
# begun is ended: killed or stopped processes start, frozen ones thaw, those out of descriptors get them back,
# routes pass, names come back, and the third step of a rotation of secrets or certificates is the last.
use strict;
use warnings;

my ($seed, $faults, $alone) = (@ARGV, 0);
srand $seed;
my ($now, %busy_until, @events) = (0);

sub any { $_[rand @_] }
sub between { $_[0] + int rand($_[1] - $_[0]) }
sub event { push @events, [@_] }
sub processes { 1 .. 3 + $alone }

# Half of them are over before three heartbeats of a second each are missing.
sub while_of { any(between(100, 1500), between(3500, 5000)) }

# A fault of `whom` that lasts; does nothing when it has one already.
sub lasting {
	my ($whom, $length, $begin, $end) = @_;
	return 0 if ($busy_until{$whom} // -1) >= $now;
	event($now, $begin);
	event($now + $length, $end) if defined $end;
	$busy_until{$whom} = $now + $length;
	return 1;
}

sub route { any((map { ("h$_", "c$_") } 1 .. 4), "m2", "m3") }

my %fault = (
	kill => sub { my $p = any(processes()); lasting("p$p", between(0, 1500), "kill $p", "start $p") },
	stop => sub { my $p = any(processes()); lasting("p$p", between(0, 1500), "stop $p", "start $p") },
	freeze => sub { my $p = any(processes()); lasting("p$p", while_of(), "freeze $p", "thaw $p") },
	leave => sub {
		return 0 if $alone || !lasting("p3", between(100, 1500), "leave 4", "start 4");
		$busy_until{p4} = $busy_until{p3};
		$alone = 1;
	},
	hup => sub { my $p = any(processes()); lasting("p$p", 0, "hup $p") },
	move => sub { my $n = any(1 .. 4); lasting("n$n", 0, "move $n") },
	storm => sub { my $p = any(processes()); lasting("p$p", 0, "storm $p") },
	starve => sub { my $p = any(processes()); lasting("p$p", while_of(), "starve $p", "feed $p") },
	garble => sub { lasting("names", while_of(), "garble all", "mend all") },
	rotate => sub {
		my $length = between(600, 3000);
		return 0 if !lasting("keys", $length, "rotate 1", "rotate 3");
		event($now + int($length / 2), "rotate 2");
	},
	swap => sub {
		my $n = any(1 .. 4);
		my ($other, $length) = (any(grep { $_ != $n } 1 .. 4), while_of());
		return 0 if ($busy_until{"n$other"} // -1) >= $now;
		return 0 if !lasting("n$n", $length, "swap $n $other", "swap $n $other");
		$busy_until{"n$other"} = $now + $length;
	},
	absent => sub { my $n = any(1 .. 4); lasting("n$n", while_of(), "absent $n", "present $n") },
	end => sub {
		my $r = route();
		lasting($r, 0, "route $r " . any("reset", "close", "half", "cut " . between(1, 50000)));
	},
	hinder => sub {
		my $r = route();
		my $how = any("hold", "hold_in", "hold_out", "refuse", "delay " . between(1, 200));
		lasting($r, while_of(), "route $r $how", "route $r pass");
	},
);
my @kinds = (("kill") x 3, ("stop") x 2, ("freeze") x 3, "leave", "hup", "storm", "starve", ("move") x 2,
	"swap", "absent", "garble", "rotate", ("end") x 4, ("hinder") x 4);
for (my $n = 0; $n < $faults; $now++) {
	next if !$fault{any(@kinds)}->();
	$n++;
	$now += between(50, 700);
}
print "$_->[0] $_->[1]\n" for sort { $a->[0] <=> $b->[0] } @events;
