#!/bin/sh
# install.sh install|uninstall PREFIX: puts a built tree into PREFIX, or takes it away again.
# bin/skynet, lib/skynet/{cservice,luaclib,lualib,service}, include/skynet/, share/doc/skynet/
set -eu
if [ $# -ne 2 ] || [ -z "$2" ]; then
	sed -n 2,3p "$0" >&2
	exit 2
fi
action=$1 prefix=$2
home=$prefix/lib/skynet

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
	put 755 "$prefix/bin" skynet
	put 755 "$home/cservice" cservice/*.so
	put 755 "$home/luaclib" luaclib/*.so
	put_tree lualib
	put_tree service
	put 644 "$prefix/include/skynet" skynet-src/*.h
	put 644 "$prefix/include/skynet/base" skynet-src/base/error.h
	put 644 "$prefix/share/doc/skynet" README.md CHANGELOG.md LICENSE docs/*.md
	echo "installed in $prefix; a config says: root = \"$home/\""
	;;
uninstall)
	rm -f "$prefix/bin/skynet"
	rm -rf "$home" "$prefix/include/skynet" "$prefix/share/doc/skynet"
	;;
*)
	echo "install.sh: unknown action '$action'" >&2
	exit 2
	;;
esac
