# A network cable that can be bad: joins network namespaces by one TUN device in each, with delay, loss and
# cuts, so that it needs neither netem nor a firewall in the kernel.
#   network_wire.pl FOLDER PID...
# The device of the process at place N gets the address 10.99.0.N. FOLDER/wire has the settings, read again
# on SIGHUP, when FOLDER/wire.read is written; "cut 1 2" loses what passes between these two:
#   delay MILLISECONDS      loss PERCENT      cut N N
use strict;
use warnings;
use Fcntl qw(O_RDWR O_NONBLOCK F_GETFL F_SETFL);
use IO::Select;
use POSIX ();
use Time::HiRes qw(time);

use constant { TUNSETIFF => 0x400454ca, IFF_TUN_NO_PI => 0x1001, MTU => 1500, FIRST_FD => 10 };

my ($folder, @pids) = @ARGV;
my $opened = $ENV{NETWORK_WIRE_OPENED} // 0;

# Opens the device of the namespace that this process is in, as descriptor FIRST_FD + place.
sub open_device {
	my ($place) = @_;
	my $fd = POSIX::open("/dev/net/tun", O_RDWR) // die "cannot open /dev/net/tun: $!\n";
	open my $file, "+<&=", $fd or die "$!\n";
	my $request = pack "a16 s x22", "wire", IFF_TUN_NO_PI;
	ioctl $file, TUNSETIFF, $request or die "no device: $!\n";
	system("ip address add 10.99.0.$place/24 dev wire && ip link set wire up mtu " . MTU
		. " && ip link set lo up") == 0 or die "cannot set the address\n";
	# A descriptor made so is kept by exec.
	defined POSIX::dup2($fd, FIRST_FD + $place) or die "$!\n";
}

# Goes from namespace to namespace, keeping the devices; each step is this program again.
open_device($opened) if $opened > 0;
if ($opened < @pids) {
	$ENV{NETWORK_WIRE_OPENED} = $opened + 1;
	exec "nsenter", "-t", $pids[$opened], "-n", $^X, $0, @ARGV or die "no nsenter: $!\n";
}

my %device = map {
	open my $file, "+<&=", FIRST_FD + $_ or die "$!\n";
	fcntl $file, F_SETFL, fcntl($file, F_GETFL, 0) | O_NONBLOCK;
	$_ => $file
} 1 .. @pids;
my ($delay, $loss, %cut, $changed);

sub settle {
	($delay, $loss, %cut) = (0, 0);
	open my $file, "<", "$folder/wire" or die "$folder/wire: $!\n";
	while (<$file>) {
		if (/^delay (\d+)/) { $delay = $1 / 1000 }
		elsif (/^loss (\d+)/) { $loss = $1 / 100 }
		elsif (/^cut (\d+) (\d+)/) { $cut{"$1 $2"} = $cut{"$2 $1"} = 1 }
	}
	open my $done, ">", "$folder/wire.read" or die "$!\n";
}

$SIG{HUP} = sub { $changed = 1 };
settle();
srand 1;
my $select = IO::Select->new(values %device);
my @travelling; # [time of arrival, device, packet]
while (1) {
	my $pause = @travelling ? $travelling[0][0] - time : 1;
	my @ready = $select->can_read($pause > 0 ? $pause : 0);
	if ($changed) {
		$changed = 0;
		settle();
	}
	for my $from (keys %device) {
		for (1 .. 64) {
			defined sysread $device{$from}, my $packet, 65536 or last;
			# An IPv4 packet: its destination is in bytes 16 to 19.
			next if length $packet < 20 || unpack("C", $packet) >> 4 != 4;
			my $to = unpack "x19 C", $packet;
			next if !$device{$to} || $cut{"$from $to"} || rand() < $loss;
			push @travelling, [time + $delay, $device{$to}, $packet];
		}
	}
	while (@travelling && $travelling[0][0] <= time) {
		my (undef, $file, $packet) = @{ shift @travelling };
		syswrite $file, $packet;
	}
}
