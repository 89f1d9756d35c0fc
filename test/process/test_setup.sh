# What 3rd/setup.sh tells each package manager to do. Those here are stubs that note how they are called.
. test/process/lib.sh

tools=$TEST_TMP/tools
mkdir "$tools"
for tool in sh id sed grep env cat; do
	ln -s "$(command -v $tool)" "$tools/$tool"
done

# stub FOLDER NAME <SCRIPT
stub() {
	mkdir -p "$1"
	{
		echo '#!/bin/sh'
		cat
	} >"$1/$2"
	chmod +x "$1/$2"
}
stub "$tools" id <<'END'
echo 0
END
stub "$tools" pkg-config <<'END'
case $1 in --modversion) echo 5.4.6 ;; esac
END

# A manager notes what changes something; the rest asks what is installed: $STUB_HAS is.
for manager in apt-get dnf pacman apk brew pkg; do
	stub "$TEST_TMP/$manager" "$manager" <<-'END'
		name=${0##*/}
		case "$name $1" in
		"apk info" | "brew list" | "pkg info" | "pacman -Q")
			[ -n "$STUB_HAS" ] && echo "x 5.4"
			exit ;;
		"pacman -Si") [ -n "$STUB_LUA54" ]; exit ;;
		"brew --prefix") echo /brew; exit ;;
		esac
		echo "$name $*" >>"$STUB_CALLS"
		case " $* " in *" ${STUB_LACKS:-none} "*) exit 1 ;; esac
	END
done
stub "$TEST_TMP/apt-get" dpkg-query <<'END'
[ -n "$STUB_HAS" ] && echo "install ok installed"
END
stub "$TEST_TMP/dnf" rpm <<'END'
[ -n "$STUB_HAS" ]
END

# setup MANAGER [OPTION...]: sets $status, $out, $err and $calls.
setup() {
	folder=$TEST_TMP/$1
	shift
	: >"$TEST_TMP/calls"
	out=$(PATH="$folder:$tools" STUB_CALLS="$TEST_TMP/calls" sh 3rd/setup.sh "$@" 2>"$TEST_TMP/err")
	status=$?
	err=$(cat "$TEST_TMP/err")
	calls=$(cat "$TEST_TMP/calls")
}

STUB_HAS='' STUB_LUA54='' STUB_LACKS=''
export STUB_HAS STUB_LUA54 STUB_LACKS

# installs MANAGER PATTERN: the calls, for what is run; each is said before it is done.
installs() {
	setup "$1" --run-only
	is "$1_succeeds" "$status" 0
	like "$1_installs_what_is_missing" "$calls" "$2"
	like "$1_says_so" "$out" "*setup: installing with $1: *$(tail -n 1 "$TEST_TMP/calls")*setup: ready: *"
	said=$out
	setup "$1" --run-only --dry-run
	is "$1_does_nothing_in_a_dry_run" "$status $calls" "0 "
	like "$1_says_in_a_dry_run_what_it_would_do" "$said" "$out*"
	STUB_HAS=1
	setup "$1" --dev
	is "$1_installs_nothing_twice" "$status $calls" "0 "
	like "$1_says_that_all_is_there" "$out" "setup: every package is installed already*"
	STUB_HAS=
	setup "$1"
	like "$1_installs_what_tests_need" "$calls" "*cmocka*"
}

installs apt-get "apt-get update -q
apt-get install -y -q --no-install-recommends gcc libc6-dev make pkg-config liblua5.4-dev libjemalloc-dev libssl-dev"
installs dnf "dnf install -y gcc make pkgconf-pkg-config lua-devel openssl-devel*
dnf install -y jemalloc-devel"
installs pacman "pacman -Sy
pacman -S --needed --noconfirm gcc make pkgconf lua jemalloc openssl*"
installs apk "apk add gcc musl-dev linux-headers make pkgconf lua5.4-dev openssl-dev
apk add jemalloc-dev"
installs brew "brew install make pkgconf lua@5.4 jemalloc openssl@3"
installs pkg "pkg install -y gmake pkgconf lua54
pkg install -y jemalloc"

STUB_LUA54=1
setup pacman
like "a_later_lua_is_passed_by" "$calls" "*pkgconf lua54 jemalloc*"
STUB_LUA54=

STUB_LACKS=update
setup apt-get
like "old_lists_are_better_than_none" "$status $out $calls" "0 *could not update its lists*apt-get install*"
STUB_LACKS=lua5.4-dev
setup apk
is "a_package_that_is_needed_and_missing_is_an_error" "$status" 1
like "and_says_which_were_asked_for" "$err" "setup: apk could not install: gcc *lua5.4-dev*"
STUB_LACKS=jemalloc-devel
setup dnf
like "without_jemalloc_it_goes_on" "$status $out" "0 *no package 'jemalloc-devel' here; build with MALLOC=libc*"
STUB_LACKS=luacheck
setup pkg --dev
like "a_tool_that_is_missing_keeps_no_other_away" "$status $out $calls" \
	"0 *no package 'luacheck' here*pkg install -y llvm*pkg install -y git"

stub "$TEST_TMP/user" id <<'END'
echo 1000
END
cp "$TEST_TMP/apk/apk" "$TEST_TMP/user/apk"
setup user
is "without_root_and_sudo_it_says_so" "$status $calls" "1 "
like "and_what_it_would_have_run" "$err" "*need to be root to run: apk add *"
mkdir "$TEST_TMP/nothing"
setup nothing
like "without_a_package_manager_it_says_what_to_install" "$status $err" "1 *Lua 5.4, jemalloc, OpenSSL, cmocka*"
setup nothing --frobnicate
like "unknown_options_are_an_error" "$status $err" "2 *unknown option '--frobnicate'*"
finish
