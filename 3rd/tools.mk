# Looks for the programs that a goal needs and says how to get those that are missing.
PKG_CONFIG ?= pkg-config
# Homebrew keeps libraries that macOS has too, and old versions, out of the way of pkg-config.
ifeq ($(SKYNET_OS),Darwin)
SKYNET_KEGS := $(patsubst %,$(shell brew --prefix 2>/dev/null)/opt/%/lib/pkgconfig,openssl@3 lua@5.4)
PKG_CONFIG  := PKG_CONFIG_PATH="$(firstword $(SKYNET_KEGS)):$(lastword $(SKYNET_KEGS)):$$PKG_CONFIG_PATH" pkg-config
endif
# Arch has it where a shell that is no login shell does not look.
PROVE_PATH  := PATH="$$PATH:/usr/bin/core_perl"
ifndef SKYNET_BARE
SKYNET_TOOLS := $(firstword $(CC)) pkg-config $(if $(filter test check%,$(SKYNET_GOALS)),prove)
SKYNET_LACK  := $(strip $(foreach t,$(SKYNET_TOOLS),$(if $(shell $(PROVE_PATH) command -v $(t) 2>/dev/null),,$(t))))
ifneq ($(SKYNET_LACK),)
$(error not installed: $(SKYNET_LACK). Run 'sh 3rd/setup.sh')
endif
endif
