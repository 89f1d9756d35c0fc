# Finds cmocka, which the unit tests need. Gives CMOCKA_CFLAGS and CMOCKA_LIBS.
ifndef SKYNET_BARE
CMOCKA_LIBS   := $(shell $(PKG_CONFIG) --libs cmocka 2>/dev/null)
CMOCKA_CFLAGS := $(shell $(PKG_CONFIG) --cflags cmocka 2>/dev/null)
ifneq (,$(filter test check check-unit,$(SKYNET_GOALS)))
ifeq ($(CMOCKA_LIBS),)
$(error cmocka not found through pkg-config. Run 'sh 3rd/setup.sh', or install libcmocka-dev (Debian), \
	libcmocka-devel (Fedora), cmocka (Arch, Homebrew) or cmocka-dev (Alpine))
endif
endif
endif
