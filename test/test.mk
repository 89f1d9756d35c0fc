# Tests, lint and fuzzers. A unit test test/unit/test_NAME.c is one program, build/test/test_NAME. Lines
# of this form in its first twenty lines change how it is built:
#   // wrap: epoll_create1 pipe2      calls of these go to __wrap_NAME in the test
#   // link: test/lib/shim.c          more sources; a definition in them replaces that of the library
#   // cflags: -Itest/lib/shim        more flags, for the test and for what it links
#   // whole: yes                     takes the whole kernel and offers its symbols to modules
include 3rd/cmocka.mk

# 3 per processor: most tests wait most of the time. Each test has its own ports and folders
JOBS        ?= $(shell echo $$((3 * $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2))))
# which tests check runs; a test script or program can also be given to test/run directly
T           ?= test
PARTS       ?= unit fuzz lua process
CODEC       ?= seri
FUZZ_TIME   ?= 60

UNIT_TESTS  := $(patsubst test/unit/%.c,build/test/%,$(wildcard test/unit/$(T)*.c))
REPLAYS     := $(if $(filter test fuzz%,$(T)),$(patsubst test/fuzz/%.c,build/test/%,\
	$(wildcard test/fuzz/$(T:test=fuzz)*.c)))
LUA_TESTS    = $(wildcard test/lua/$(T)*.lua)
PROCESS_TESTS = $(wildcard test/process/$(T)*.sh test/process/$(T)*.t)
# The longest come first, so that the last minute is not spent on one of them alone.
TESTS        = $(strip $(if $(filter process,$(PARTS)),$(PROCESS_TESTS)) $(if $(filter lua,$(PARTS)),$(LUA_TESTS)) \
	$(if $(filter fuzz,$(PARTS)),$(REPLAYS)) $(if $(filter unit,$(PARTS)),$(UNIT_TESTS)))
PROVE       := $(PROVE_PATH) CMOCKA_MESSAGE_OUTPUT=TAP SKYNET_SANITIZE=$(SANITIZE) prove -j$(JOBS) -f -o --exec test/run
TEST_LIBS    = $(OBJ)/liblualib.a $(OBJ)/libservice.a $(OBJ)/libskynet.a

# What a test source asks for; "%" in the name of an object keeps builds with own flags apart.
directive    = $(shell sed -n '1,20s|^// $(1): *||p' $(2))
test_wrap    = $(foreach s,$(call directive,wrap,$(1)),-Wl,--wrap=$(s))
test_objects = $(patsubst %.c,$(OBJ)/only/$(notdir $(1:.c=))/%.o,$(1) $(call directive,link,$(1)))
test_whole   = $(call directive,whole,$(1))

define unit_rule
build/test/$(notdir $(1:.c=)): $(call test_objects,$(1)) $(2) build/linked
	@$$(call say,LINK,$$@)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SKYNET_LDFLAGS) $$(LDFLAGS) $(call test_wrap,$(1)) -o $$@ $$(filter %.o,$$^) \
		$(if $(call test_whole,$(1)),$$(call SKYNET_WHOLE,$$(OBJ)/libskynet.a) $$(SKYNET_EXPORT_ALL) \
		$$(LUA_LIBS_WHOLE)) -Wl,--start-group $$(TEST_LIBS) -Wl,--end-group $$(CMOCKA_LIBS) $$(LUA_LIBS) \
		$$(OPENSSL_LIBS) $$(SKYNET_LIBS)

$(OBJ)/only/$(notdir $(1:.c=))/%.o: %.c $(OBJ)/compiled
	@$$(call say,CC,$$<)
	@mkdir -p $$(@D)
	$$(Q)$$(CC) $$(SKYNET_CFLAGS) $(call directive,cflags,$(1)) -Itest/lib -Ilualib-src -Iservice-src \
		$$(CMOCKA_CFLAGS) $$(CPPFLAGS) $$(CFLAGS) -MMD -MP -c -o $$@ $$<
-include $(wildcard $(patsubst %.o,%.d,$(call test_objects,$(1))))
endef

ifneq (,$(filter check% test build/test/%,$(SKYNET_GOALS)))
$(foreach t,$(wildcard test/unit/*.c),$(eval $(call unit_rule,$(t),$$(TEST_LIBS))))
$(foreach t,$(wildcard test/fuzz/fuzz_*.c),$(eval $(call unit_rule,$(t),\
	$$(OBJ)/test/fuzz/replay_main.o $$(TEST_LIBS))))
endif

.PHONY: test check check-failed check-build check-unit check-fuzz check-lua check-gc check-process lint format fuzz bench
test: check
check: check-build
	@rm -f .prove
	$(PROVE) --state=save $(or $(TESTS),$(error no test begins with '$(T)'))
# Those that failed in the last check; an error when there are none.
check-failed: check-build
	failed=$$($(PROVE_PATH) prove --dry --state=failed) && [ -n "$$failed" ] && $(PROVE) $$failed
check-build: all $(filter build/%,$(TESTS))
check-unit: $(UNIT_TESTS)
	$(if $(UNIT_TESTS),$(PROVE) $(UNIT_TESTS))
check-fuzz: $(REPLAYS)
	$(if $(REPLAYS),$(PROVE) $(REPLAYS))
check-lua: all
	$(if $(LUA_TESTS),$(PROVE) $(LUA_TESTS))
check-gc: all
	$(if $(LUA_TESTS),TEST_GC=1 $(PROVE) $(LUA_TESTS))
check-process: all
	$(if $(PROCESS_TESTS),$(PROVE) $(PROCESS_TESTS))

# Lets a script ask, as in: make -s print-LUA_CFLAGS
print-%:
	@echo '$($*)'

lint: all
	sh test/lint/run

format:
	clang-format -i skynet-main.c $$(git ls-files '*.c' '*.h')

# A fuzzer of one codec, until it finds something or FUZZ_TIME seconds are over.
fuzz:
	$(MAKE) CC=clang SANITIZE=fuzzer-no-link,address,undefined build/fuzz/$(CODEC)
	@mkdir -p build/fuzz/corpus-$(CODEC) test/fuzz/corpus/$(CODEC)
	build/fuzz/$(CODEC) -max_total_time=$(FUZZ_TIME) build/fuzz/corpus-$(CODEC) \
		test/fuzz/corpus/$(CODEC)
build/fuzz/%: $(OBJ)/test/fuzz/fuzz_%.o $(TEST_LIBS) build/linked
	@mkdir -p $(@D)
	$(Q)$(CC) $(SKYNET_LDFLAGS) -fsanitize=fuzzer $(LDFLAGS) -o $@ $< -Wl,--start-group $(TEST_LIBS) \
		-Wl,--end-group $(LUA_LIBS) $(OPENSSL_LIBS) $(SKYNET_LIBS)
$(OBJ)/test/%.o: SKYNET_OBJ_FLAGS = -Ilualib-src -Iservice-src -Itest/lib $(CMOCKA_CFLAGS)

bench: all
	bench/run .
#: test             all tests; same as check     check-unit check-fuzz check-lua check-process: parts
#:                  T=test_lua picks by beginning of the name (fuzz_seri too), JOBS=1 runs one at a time,
#:                  PARTS="unit lua" picks by kind
#: check-failed     those that failed the last time
#: check-gc         check-lua with collectors that never rest
#: lint             layers, globals, headers, style, Lua, shell scripts
#: format           clang-format on all C        bench      measure this build, see bench/README.md
#: fuzz             CODEC=seri FUZZ_TIME=60, with clang
