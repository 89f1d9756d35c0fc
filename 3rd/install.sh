#!/bin/sh
# install.sh install|uninstall PREFIX [DESTDIR]: puts a built tree into DESTDIR/PREFIX, or takes it away.
# bin/{skynet,start_node.sh}, lib/skynet/{cservice,luaclib,lualib,service,examples}, include/skynet/,
# share/doc/skynet/, lib/systemd/system/skynet@.service
set -eu
if [ $# -lt 2 ] || [ $# -gt 3 ] || [ -z "$2" ]; then
	sed -n 2,4p "$0" >&2
	exit 2
fi
action=$1 final=$2 prefix=${3:-}$2
home=$prefix/lib/skynet
unit=$prefix/lib/systemd/system/skynet@.service

# put MODE FOLDER FILE...
put() {
	mode=$1 folder=$2
	shift 2
	mkdir -p "$folder"
	for file in "$@"; do
		[ ! -f "$file" ] || install -m "$mode" "$file" "$folder/"
	done
}

# put_tree FOLDER: all files below it, with their folders.
put_tree() {
	find "$1" -type f -name '*.lua' | while IFS= read -r file; do
		put 644 "$home/$(dirname "$file")" "$file"
	done
}

case $action in
install)
	put 755 "$prefix/bin" skynet start_node.sh
	put 755 "$home/cservice" cservice/*.so
	put 755 "$home/luaclib" luaclib/*.so
	put_tree lualib
	put_tree service
	put_tree examples
	put 644 "$home/examples" examples/config.*
	put 644 "$prefix/include/skynet" skynet-src/*.h
	# what the public ones include
	put 644 "$prefix/include/skynet/base" skynet-src/base/error.h skynet-src/base/lock.h
	put 644 "$prefix/include/skynet/data" skynet-src/data/message.h
	put 644 "$prefix/share/doc/skynet" README.md CHANGELOG.md LICENSE docs/*.md
	mkdir -p "$(dirname "$unit")"
	sed "s|@PREFIX@|$final|g" examples/systemd/skynet@.service >"$unit"
	echo "installed in $prefix; a config says: root = \"$final/lib/skynet/\""
	;;
uninstall)
	rm -f "$prefix/bin/skynet" "$prefix/bin/start_node.sh" "$unit"
	rm -rf "$home" "$prefix/include/skynet" "$prefix/share/doc/skynet"
	;;
*)
	echo "install.sh: unknown action '$action'" >&2
	exit 2
	;;
esac
