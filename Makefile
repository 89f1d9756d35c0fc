# Builds ./skynet, cservice/*.so and luaclib/*.so. `make help` lists targets and settings.
# Settings, to be given on the command line or in the environment:
CFLAGS      ?= -O3 -g
LDFLAGS     ?=
PREFIX      ?= /usr/local
DESTDIR     ?=
# address,undefined or thread: build with these sanitizers
SANITIZE    ?=
# jemalloc or libc
MALLOC      ?= $(if $(SANITIZE),libc,jemalloc)
# 1: abort when locks are taken out of order
DEBUG_LOCKS ?= $(if $(SANITIZE),1,0)
# static: Lua is a part of the executable; shared: Lua's shared library. Default: static when installed
LUA_LINK    ?= auto
# 1: optimise across files
LTO         ?= 0
# 1: warnings are errors
WERROR      ?= 0
# 1: print whole commands
V           ?= 0

SKYNET_VERSION := 0.1.0
SKYNET_OS      := $(shell uname -s)
SKYNET_GOALS   := $(or $(MAKECMDGOALS),all)
# These goals need no library: they must work where nothing is installed yet.
SKYNET_BARE    := $(if $(filter-out clean help format setup,$(SKYNET_GOALS)),,yes)
include 3rd/tools.mk 3rd/lua.mk 3rd/jemalloc.mk 3rd/openssl.mk

# ---- flags -----------------------------------------------------------------------------------------
SKYNET_WARN   := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wvla \
	-Wundef $(if $(filter 1,$(WERROR)),-Werror)
SKYNET_CLANG  := $(if $(findstring clang,$(shell $(CC) --version 2>/dev/null)),yes)
SKYNET_SAN    := $(if $(SANITIZE),-fsanitize=$(SANITIZE) -fno-omit-frame-pointer \
	$(if $(findstring undefined,$(SANITIZE)),-fno-sanitize-recover=undefined))
# Errors raised by longjmp leave functions without their exit being seen: do not count entries.
SKYNET_TSAN   := $(if $(findstring thread,$(SANITIZE)),$(if $(SKYNET_CLANG),\
	-mllvm -tsan-instrument-func-entry-exit=0,-Wno-tsan --param=tsan-instrument-func-entry-exit=0))
SKYNET_CFLAGS := -std=c11 -D_GNU_SOURCE -DSKYNET_VERSION='"$(SKYNET_VERSION)"' -pthread -Iskynet-src \
	$(SKYNET_WARN) $(SKYNET_SAN) $(SKYNET_TSAN) $(if $(filter 1,$(LTO)),-flto) \
	$(if $(filter 1,$(DEBUG_LOCKS)),-DSKYNET_DEBUG_LOCKS) $(LUA_CFLAGS) $(OPENSSL_CFLAGS)
SKYNET_LDFLAGS := -pthread $(SKYNET_SAN) $(if $(filter 1,$(LTO)),-flto $(CFLAGS))
SKYNET_AR     := $(if $(filter 1,$(LTO)),$(if $(SKYNET_CLANG),llvm-ar,gcc-ar),$(AR))
# Modules show only their entry points, and call the Lua API, which they do a lot, without stubs.
SKYNET_PIC    := -fPIC -fno-plt $(if $(SKYNET_CLANG),,-fno-semantic-interposition)
ifeq ($(SKYNET_OS),Darwin)
SKYNET_SHARED := -bundle -undefined dynamic_lookup
SKYNET_WHOLE  = -Wl,-force_load,$(1)
SKYNET_POLLER := kqueue
else
SKYNET_SHARED := -shared
SKYNET_EXPORT = -Wl,--version-script=$(1)
SKYNET_WHOLE  = -Wl,--whole-archive $(1) -Wl,--no-whole-archive
SKYNET_EXPORT_ALL := -Wl,--export-dynamic
# jemalloc works by being there, not by being called.
SKYNET_NEEDED := -Wl,--no-as-needed
SKYNET_POLLER := $(if $(filter Linux,$(SKYNET_OS)),epoll,kqueue)
endif
SKYNET_LIBS   := -lm $(if $(filter Linux,$(SKYNET_OS)),-ldl)

# ---- what is built from what ------------------------------------------------------------------------
# Each variant has its objects; products stand where configs look for them and follow the last variant.
VARIANT  := $(notdir $(firstword $(CC)))$(if $(SANITIZE),-$(SANITIZE))-$(MALLOC)
comma    := ,
OBJ      := build/$(subst $(comma),-,$(VARIANT))
objects   = $(patsubst %.c,$(OBJ)/%.o,$(1))

KERNEL_SRC  := $(filter-out $(filter-out %_$(SKYNET_POLLER).c,$(wildcard skynet-src/io/socket_epoll.c \
	skynet-src/io/socket_kqueue.c)),$(wildcard skynet-src/*/*.c))
SERVICE_SRC := $(wildcard service-src/*.c)
LUALIB_SRC  := $(wildcard lualib-src/*.c)
# A C service NAME is NAME.c, NAME_*.c and the helpers named here.
SERVICES    := $(foreach s,snlua logger gate harbor clustersender clusteragent clusterproxy,\
	$(if $(wildcard service-src/$(s).c),$(s)))
service_gate   := packet_split connection_table
service_harbor := name_queue lane_confirm lane_output payload_join
service_clustersender := cluster_frame cluster_session cluster_deadline lane_output lane_confirm \
	payload_join packet_split
service_clusteragent  := $(service_clustersender)
service_src  = $(wildcard service-src/$(1).c service-src/$(1)_*.c $(patsubst %,service-src/%.c,$(service_$(1))))
MODULES     := $(SERVICES:%=cservice/%.so) $(if $(LUALIB_SRC),luaclib/skynet.so)

.DELETE_ON_ERROR:
.PHONY: all run setup install uninstall clean help FORCE
all: skynet $(MODULES)

skynet: $(OBJ)/skynet-main.o $(OBJ)/libskynet.a build/linked
	@$(call say,LINK,$@)
	$(Q)$(CC) $(SKYNET_LDFLAGS) $(LDFLAGS) -o $@ $< $(call SKYNET_WHOLE,$(OBJ)/libskynet.a) \
		$(SKYNET_EXPORT_ALL) $(LUA_LIBS_WHOLE) $(OPENSSL_LIBS) $(SKYNET_NEEDED) \
		$(JEMALLOC_LIBS) $(SKYNET_LIBS)

$(OBJ)/libskynet.a: $(call objects,$(KERNEL_SRC))
$(OBJ)/libservice.a: $(call objects,$(SERVICE_SRC))
$(OBJ)/liblualib.a: $(call objects,$(LUALIB_SRC))
$(OBJ)/%.a:
	@$(call say,AR,$@)
	$(Q)rm -f $@ && $(SKYNET_AR) rcs $@ $^

$(OBJ)/skynet-src/%.o $(OBJ)/skynet-main.o: SKYNET_OBJ_FLAGS := -fvisibility=hidden
$(OBJ)/lualib-src/%.o $(OBJ)/service-src/%.o: SKYNET_OBJ_FLAGS := $(SKYNET_PIC)
$(OBJ)/%.o: %.c $(OBJ)/compiled
	@$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SKYNET_CFLAGS) $(SKYNET_OBJ_FLAGS) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

define service_rule
cservice/$(1).so: $(call objects,$(call service_src,$(1)))
endef
$(foreach s,$(SERVICES),$(eval $(call service_rule,$(s))))
cservice/%.so: build/linked 3rd/export.service
	@$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SKYNET_SHARED) $(SKYNET_LDFLAGS) $(call SKYNET_EXPORT,3rd/export.service) $(LDFLAGS) \
		-o $@ $(filter %.o,$^) -lm

luaclib/skynet.so: $(call objects,$(LUALIB_SRC) service-src/cluster_frame.c) build/linked 3rd/export.lualib
	@$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(SKYNET_SHARED) $(SKYNET_LDFLAGS) $(call SKYNET_EXPORT,3rd/export.lualib) $(LDFLAGS) \
		-o $@ $(filter %.o,$^) $(OPENSSL_LIBS) -lm

# Rewritten only when the flags differ from those of the last time.
$(OBJ)/compiled: SKYNET_TEXT = $(CC) $(SKYNET_CFLAGS) $(CPPFLAGS) $(CFLAGS)
build/linked: SKYNET_TEXT = $(VARIANT) $(CC) $(SKYNET_LDFLAGS) $(LDFLAGS) $(LUA_LIBS_WHOLE)
$(OBJ)/compiled build/linked: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(SKYNET_TEXT))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(SKYNET_TEXT))' >$@
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),:,printf '  %-6s %s\n' '$(1)' '$(2)')

include test/test.mk
-include $(wildcard $(OBJ)/*.d $(OBJ)/*/*.d $(OBJ)/*/*/*.d)

# ---- the rest --------------------------------------------------------------------------------------
run: all
	sh examples/run.sh

setup:
	sh 3rd/setup.sh

install: all
	sh 3rd/install.sh install '$(PREFIX)' '$(DESTDIR)'

uninstall:
	sh 3rd/install.sh uninstall '$(PREFIX)' '$(DESTDIR)'

clean:
	rm -rf build skynet cservice luaclib

help:
	@sed -n 's/^#: //p' Makefile test/test.mk; sed -n '/^# Settings/,/^SKYNET_V/p' Makefile | grep -v SKYNET_V
#: all              build (the default)          run        start the two example nodes
#: setup            install what is missing      install    into $(DESTDIR)$(PREFIX); uninstall
#: clean            remove all that was built    help       this text
