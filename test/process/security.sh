# Helpers for tests of nodes that authenticate: . test/process/lib.sh first.
# shellcheck shell=sh disable=SC2154,SC2034

secret="auth_secret = 'a secret that is long enough'"
other_secret="auth_secret = 'a secret of somebody else'"

# ca NAME: the files NAME.pem and NAME.key of a new authority.
ca() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$1" \
		-keyout "$TEST_TMP/$1.key" -out "$TEST_TMP/$1.pem" 2>/dev/null
}

# cert NAME CA: a certificate for NAME.
cert() {
	echo "subjectAltName = DNS:$1" >"$TEST_TMP/$1.ext"
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$1" \
		-keyout "$TEST_TMP/$1.key" -out "$TEST_TMP/$1.csr" 2>/dev/null &&
		openssl x509 -req -in "$TEST_TMP/$1.csr" -CA "$TEST_TMP/$2.pem" \
			-CAkey "$TEST_TMP/$2.key" -set_serial "$$" -days 30 \
			-extfile "$TEST_TMP/$1.ext" -out "$TEST_TMP/$1.pem" 2>/dev/null
}

# tls NAME CA: the lines of a config.
tls() {
	printf 'tls_cert = "%s"\ntls_key = "%s"\ntls_ca = "%s"\n' "$TEST_TMP/$1.pem" \
		"$TEST_TMP/$1.key" "$TEST_TMP/$2.pem"
}

# strangers PORT COUNT BYTES: so many connections at once that send something; all must end.
strangers() {
	# shellcheck disable=SC2016
	perl -MIO::Socket::INET -MIO::Select -e '
		my ($port, $count, $bytes) = @ARGV;
		my $open = IO::Select->new;
		for (1 .. $count) {
			my $s = IO::Socket::INET->new(PeerAddr => "127.0.0.1", PeerPort => $port) or next;
			$s->blocking(0);
			syswrite $s, eval qq("$bytes") if length $bytes;
			$open->add($s);
		}
		my $until = time + 60;
		while ($open->count && time < $until) {
			for my $s ($open->can_read(1)) {
				my $n = sysread $s, my $buffer, 4096;
				$open->remove($s) if !defined $n || $n == 0;
			}
		}
		exit($open->count ? 1 : 0);' "$@"
}

# guards ID KEY: a counter of a node.
guards() {
	ask "$1" "require('skynet.socketdriver').guards().$2"
}

# counts_to ID KEY NUMBER: waits until the counter has come so far.
counts_to() {
	wait_for count_is "$@"
}

count_is() {
	test "$(guards "$1" "$2")" -ge "$3"
}
