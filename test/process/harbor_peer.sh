# A scripted member of the reference, with harbor id 5: . test/process/lib.sh and harbor.sh first.
# shellcheck shell=sh disable=SC2154

# peer PORT STEP...: see there; prints ok, or what went wrong.
peer() {
	TEST_DEADLINE=$DEADLINE perl test/process/harbor_peer.pl "$@"
}

hex() {
	printf %s "$1" | od -An -v -tx1 | tr -d ' \n'
}

# hello ID PORT: the first message of a member with 127.0.0.1:PORT, as hex.
hello() {
	address=$(hex "127.0.0.1:$2")
	body="0c480a$(printf %02x "$1")$(printf %02x $((${#address} / 2 * 8 + 4)))$address"
	printf '%02x%s' $((${#body} / 2)) "$body"
}

# frames NAME STEP...: what happens on a data link of harbor 5
frames() {
	name=$1
	shift
	p=$(free_port)
	is "$name" "$(peer "$master_port" open "$p" send "$(hello 5 "$p")" expect 040c570a0. \
		meet 01 send 05 "$@")" ok
}

# asking ID CHUNK: the command that asks a node, for a step of the script; no "'" in the chunk.
asking() {
	cat >"$TEST_TMP/ask.sh" <<-'END'
		perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new(Peer => shift) or exit 1;
			$s->print(shift . "\n"); print while <$s>' "$@"
	END
	printf "sh '%s' '%s' '%s'" "$TEST_TMP/ask.sh" "$TEST_TMP/n$1.ask" "$(one_line "$2")"
}
