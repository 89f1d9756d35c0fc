# Finds jemalloc. Gives JEMALLOC_LIBS; empty with MALLOC=libc. It is linked into the executable only and
# serves malloc for the whole process.
ifndef SKYNET_BARE
ifeq ($(MALLOC),jemalloc)
JEMALLOC_LIBS := $(shell $(PKG_CONFIG) --libs jemalloc 2>/dev/null)
ifeq ($(JEMALLOC_LIBS),)
$(error jemalloc not found through pkg-config. Run 'sh 3rd/setup.sh', install libjemalloc-dev (Debian), \
	jemalloc-devel (Fedora), jemalloc (Arch, Homebrew) or jemalloc-dev (Alpine), or build with MALLOC=libc)
endif
else ifneq ($(MALLOC),libc)
$(error MALLOC is '$(MALLOC)'; it must be jemalloc or libc)
endif
endif
