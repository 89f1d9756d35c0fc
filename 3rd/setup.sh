#!/bin/sh
# Installs what building, running and testing skynet needs, with the package manager of this system.
#   sh 3rd/setup.sh [--run-only | --dev] [--dry-run]
#   --run-only  what `make run` needs: compiler, make, pkg-config, Lua 5.4, jemalloc, OpenSSL
#   (default)   also what `make test` needs: cmocka and prove
#   --dev       also what `make lint`, `make fuzz` and .ci/run need: clang, luacheck, shellcheck ...
#   --dry-run   say what would be done
set -eu

level=test dry=
for argument in "$@"; do
	case $argument in
	--run-only) level=run ;;
	--dev) level=dev ;;
	--dry-run) dry=yes ;;
	-h | --help) sed -n 's/^# \{0,1\}//; 2,7p' "$0"; exit 0 ;;
	*) echo "setup: unknown option '$argument' (try --help)" >&2; exit 2 ;;
	esac
done

say() { echo "setup: $*"; }
fail() { echo "setup: $*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

manager=
for candidate in apt-get dnf pacman apk brew pkg; do
	if have $candidate; then
		manager=$candidate
		break
	fi
done

# Package names: to run, then to test, then to develop; "optional" may be missing from the archive.
optional=
case $manager in
apt-get)
	run="gcc libc6-dev make pkg-config liblua5.4-dev libjemalloc-dev libssl-dev"
	test="libcmocka-dev perl procps openssl"
	dev="clang clang-format llvm libclang-rt-dev lua-check shellcheck valgrind binutils git iproute2"
	installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q 'ok installed'; }
	;;
dnf)
	run="gcc make pkgconf-pkg-config lua-devel openssl-devel diffutils findutils"
	optional="jemalloc-devel"
	test="libcmocka-devel perl procps-ng openssl"
	dev="clang clang-tools-extra llvm compiler-rt luacheck ShellCheck valgrind binutils git iproute"
	installed() { rpm -q --whatprovides "$1" >/dev/null 2>&1; }
	;;
pacman)
	run="gcc make pkgconf lua jemalloc openssl diffutils"
	test="cmocka perl procps-ng"
	dev="clang llvm compiler-rt luacheck shellcheck valgrind binutils git iproute2"
	# 'lua' may be a later one
	installed() {
		[ "$1" != lua ] || pacman -Q lua54 >/dev/null 2>&1 || pacman -Q lua 2>/dev/null | grep -q ' 5\.4' ||
			return 1
		[ "$1" = lua ] || pacman -Q "$1" >/dev/null 2>&1
	}
	;;
apk)
	run="gcc musl-dev linux-headers make pkgconf lua5.4-dev openssl-dev"
	optional="jemalloc-dev"
	test="cmocka-dev perl perl-utils coreutils procps openssl"
	dev="clang clang-extra-tools compiler-rt llvm luacheck shellcheck valgrind binutils git iproute2"
	installed() { apk info -e "$1" >/dev/null 2>&1; }
	;;
brew)
	run="make pkgconf lua@5.4 jemalloc openssl@3"
	test="cmocka coreutils"
	dev="clang-format luacheck shellcheck"
	installed() { brew list --versions "$1" >/dev/null 2>&1; }
	;;
pkg)
	run="gmake pkgconf lua54"
	optional="jemalloc"
	test="cmocka perl5 coreutils"
	dev="llvm luacheck hs-ShellCheck valgrind git"
	installed() { pkg info -e "$1" >/dev/null 2>&1; }
	;;
*)
	fail "no package manager found that this script knows (apt, dnf, pacman, apk, brew, pkg);" \
		"install a C compiler, make, pkg-config, Lua 5.4, jemalloc, OpenSSL, cmocka and prove by hand"
	;;
esac

[ $level != run ] || test=
[ $level = dev ] || dev=

# lacking PACKAGE...: those that are not installed.
lacking() {
	for package in "$@"; do
		installed "$package" || printf ' %s' "$package"
	done
}
# shellcheck disable=SC2086 # lists of words are meant to be split
missing=$(lacking $run $test) extra=$(lacking $optional) tools=$(lacking $dev)

# Runs a command as root, and says so.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		say "$*"
		[ -n "$dry" ] || "$@"
	elif have sudo; then
		say "sudo $*"
		[ -n "$dry" ] || sudo "$@"
	elif have doas; then
		say "doas $*"
		[ -n "$dry" ] || doas "$@"
	else
		fail "need to be root to run: $*"
	fi
}

# shellcheck disable=SC2086 # lists of words are meant to be split
install_packages() {
	case $manager in
	apt-get)
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $1
		;;
	dnf) as_root dnf install -y $1 ;;
	pacman) as_root pacman -S --needed --noconfirm $1 ;;
	apk) as_root apk add $1 ;;
	brew)
		say "brew install $1"
		[ -n "$dry" ] || brew install $1
		;;
	pkg) as_root pkg install -y $1 ;;
	esac
}

# Brings the lists of packages up to date, where that is a step of its own.
refresh_lists() {
	case $manager in
	apt-get) as_root apt-get update -q ;;
	pacman)
		as_root pacman -Sy
		# Only now is it known which package has Lua 5.4: 'lua' is always the newest.
		! pacman -Si lua54 >/dev/null 2>&1 ||
			missing=$(printf '%s ' "$missing" | sed 's/ lua / lua54 /; s/ $//')
		;;
	esac
}

[ -z "$missing$extra$tools" ] || refresh_lists || say "$manager could not update its lists: going on with the old ones"
if [ -n "$missing" ]; then
	say "installing with $manager:$missing"
	install_packages "${missing# }" || fail "$manager could not install:$missing"
elif [ -z "$extra$tools" ]; then
	say "every package is installed already"
fi
for package in $extra; do
	install_packages "$package" || say "no package '$package' here; build with MALLOC=libc"
done
# Names of tools differ between releases: one that is not there must not keep the others away.
if [ -n "$tools" ] && ! install_packages "${tools# }"; then
	for package in $tools; do
		install_packages "$package" ||
			say "no package '$package' here: a part of make lint, make fuzz or .ci/run will ask for it"
	done
fi
[ -z "$dry" ] || exit 0

# Say what the build will find.
if [ "$manager" = brew ]; then
	PKG_CONFIG_PATH=$(brew --prefix)/opt/openssl@3/lib/pkgconfig:$(brew --prefix)/opt/lua@5.4/lib/pkgconfig
	export PKG_CONFIG_PATH
fi
lua=
for name in lua5.4 lua-5.4 lua54 lua; do
	if [ -z "$lua" ] && pkg-config --exists "$name >= 5.4" "$name < 5.5" 2>/dev/null; then
		lua=$name
	fi
done
[ -n "$lua" ] || fail "installed, but pkg-config finds no Lua 5.4 (PKG_CONFIG_PATH may have to be set)"
say "Lua $(pkg-config --modversion "$lua")" \
	"($(pkg-config --exists jemalloc && echo "jemalloc $(pkg-config --modversion jemalloc)" ||
		echo "no jemalloc: use MALLOC=libc"))"
gnu=
[ "$manager" != pkg ] || gnu=g
say "ready: '${gnu}make run' starts two example nodes, '${gnu}make test' runs the tests"
