# Finds OpenSSL: connections between nodes authenticate with it, services hash with it. Gives
# OPENSSL_CFLAGS and OPENSSL_LIBS.
ifndef SKYNET_BARE
OPENSSL_LIBS := $(shell $(PKG_CONFIG) --libs 'openssl >= 1.1.1' 2>/dev/null)
ifeq ($(OPENSSL_LIBS),)
$(error OpenSSL (1.1.1 or later) not found through pkg-config. Run 'sh 3rd/setup.sh', or install libssl-dev \
	(Debian), openssl-devel (Fedora), openssl (Arch), openssl-dev (Alpine) or openssl@3 (Homebrew))
endif
OPENSSL_CFLAGS := $(shell $(PKG_CONFIG) --cflags openssl)
endif
