// link: test/lib/kqueue_shim.c skynet-src/io/socket_kqueue.c
// cflags: -DSOCKET_KQUEUE_HEADER='"kqueue_shim.h"'
/* The same tests with the kqueue back end. */
#include "test_socket_guard.c"
