# Finds OpenSSL's libcrypto and libssl, which are optional: without them the modules that need them
# report "not supported". Gives OPENSSL_CFLAGS and OPENSSL_LIBS.
ifndef SKYNET_BARE
OPENSSL_LIBS := $(shell pkg-config --libs 'openssl >= 1.1.1' 2>/dev/null)
ifneq ($(OPENSSL_LIBS),)
OPENSSL_CFLAGS := -DSKYNET_HAVE_OPENSSL $(shell pkg-config --cflags openssl)
endif
endif
