// link: test/lib/kqueue_shim.c skynet-src/io/socket_kqueue.c
// cflags: -DSOCKET_KQUEUE_HEADER='"kqueue_shim.h"'
// wrap: pthread_condattr_init pthread_cond_init pthread_create
// wrap: open getrlimit setrlimit kqueue kevent fcntl
/* The same tests with the kqueue back end. */
#include "test_runtime_fault.c"
