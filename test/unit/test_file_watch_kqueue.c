// link: test/lib/kqueue_shim.c skynet-src/io/file_watch.c
// cflags: -DSOCKET_KQUEUE_HEADER='"kqueue_shim.h"'
// wrap: kqueue kevent open fcntl
/* The same tests with the kqueue back end. */
#include "test_file_watch.c"
