// link: test/lib/kqueue_shim.c skynet-src/io/socket_kqueue.c skynet-src/io/file_watch.c
// cflags: -DSOCKET_KQUEUE_HEADER='"kqueue_shim.h"'
/* The same tests with the kqueue back end. */
#include "test_socket_server.c"
