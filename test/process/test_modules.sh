# C modules written against the public headers, also as installed, compile without a warning and run.
. test/process/lib.sh

# build NAME INCLUDE: a module from test/process/module.
build() {
	# shellcheck disable=SC2046
	${CC:-cc} -std=gnu99 -Wall -Wextra -Werror -g -fPIC -shared "-I$2" $(make -s print-LUA_CFLAGS) \
		-o "$TEST_TMP/$1.so" "test/process/module/$1.c" -pthread 2>"$TEST_TMP/$1.log"
	ok "$1_compiles" $?
	sed 's/^/# /' "$TEST_TMP/$1.log"
}

sh 3rd/install.sh install "$TEST_TMP/prefix" >/dev/null
build oldtimer "$TEST_TMP/prefix/include/skynet"
config service <<END
bootstrap = "oldtimer hello world"
greeting = "hello"
udp_port = $(free_port)
cpath = "./cservice/?.so;$TEST_TMP/?.so"
END
run service
is "a_C_service_runs" "$status" 0
is "every_function_does_what_it_says" "$(grep 'wrong:' "$TEST_TMP/service.out")" ""
check "the_service_comes_to_its_end" contains "$TEST_TMP/service.out" "oldtimer: done"

build oldlib skynet-src
config library <<END
start = "uses_oldlib"
lua_cpath = "./luaclib/?.so;$TEST_TMP/?.so"
END
run library
is "a_Lua_C_module_runs" "$status $err" "0 "
check "and_sends" contains "$TEST_TMP/library.out" "oldlib: true true from C"
finish
