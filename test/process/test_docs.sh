# What README.md and docs/operating.md tell a newcomer to write and to type works as it stands there. Files are the
# blocks behind a line that begins with a path in backticks; every other block of sh is typed.
. test/process/lib.sh

home=$TEST_TMP/home
mkdir "$home"
for name in skynet cservice luaclib lualib service; do
	ln -s "$PWD/$name" "$home/$name"
done
cp start_node.sh "$home" # a link would lead it back to the tree
unset SKYNET_CONFIG SKYNET_VAR SKYNET_RUN SKYNET_LOG SKYNET_DATA
export SKYNET_ROOT="$home" SKYNET_BIN="${TEST_SKYNET:-$PWD/skynet}"
export SKYNET_START_TIMEOUT=30

# What a failed test leaves running.
end_nodes() {
	for file in "$home"/var/run/*.pid; do
		[ ! -s "$file" ] || kill -KILL "$(cat "$file")" 2>/dev/null
	done
	clean_up
}
trap end_nodes EXIT

# ports: a script for sed, which replaces the ports of the document by free ones.
ports() {
	for port in 2013 2600 7001 8000; do
		printf 's/\\b%s\\b/%s/g\n' "$port" "$(free_port)"
	done
	echo "s/2610 + number/({$(free_port), $(free_port)})[number + 0]/"
}

# steps DOCUMENT: writes its blocks in order to $TEST_TMP/step.N, each with a first line "file PATH" or "type".
steps() {
	rm -f "$TEST_TMP"/step.*
	awk -v out="$TEST_TMP/step." '
		/^#/ { path = "" }
		/^`[a-z]+\/[a-z._]+`/ { split($0, piece, "`"); path = piece[2] }
		/^```/ {
			if (kind != "") {
				kind = ""
				path = ""
				close(name)
				next
			}
			kind = substr($0, 4)
			name = sprintf("%s%02d", out, ++count)
			if (path != "")
				print "file " path >name
			else if (kind == "sh")
				print "type" >name
			else
				name = "/dev/null"
			next
		}
		kind != "" { print >name }' "$1"
}

# write_file STEP PATH
write_file() {
	mkdir -p "$home/$(dirname "$2")"
	sed 1d "$1" | sed -f "$TEST_TMP/ports" >"$home/$2"
}

# type_in STEP: what it prints is shown when it fails.
type_in() {
	(cd "$home" && sed 1d "$1" | sh -e) >"$TEST_TMP/typed" 2>&1
	typed=$?
	ok "typed: $(sed -n 2p "$1")" $typed
	[ $typed -eq 0 ] || sed 's/^/# /' "$TEST_TMP/typed"
}

ports >"$TEST_TMP/ports"
steps README.md
for step in "$TEST_TMP"/step.*; do
	read -r kind path <"$step"
	[ "$kind" != file ] || write_file "$step" "$path"
done
cd "$home" || exit 2
"$SKYNET_BIN" mygame/config >"$TEST_TMP/mygame.out" 2>&1 &
echo $! >"$TEST_TMP/mygame.pid"
cd "$OLDPWD" || exit 2
check "the_service_of_the_README_greets" wait_for contains "$TEST_TMP/mygame.out" "hello, world"
kill "$(cat "$TEST_TMP/mygame.pid")"

export SKYNET_CONFIG="$home/mynet"
steps docs/operating.md
for step in "$TEST_TMP"/step.*; do
	read -r kind path <"$step"
	case $kind in
	file) write_file "$step" "$path" ;;
	*) type_in "$step" ;;
	esac
done
check "a_worker_is_welcome" contains "$home/var/log/worker2.log" "the hub says welcome"
check "a_visitor_is_welcome" contains "$home/var/log/visitor.log" "the hub says welcome"
finish
