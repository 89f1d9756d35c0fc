/* For C modules that include this header for skynet_strdup or for the numbers of threads: outside
 * of a service, skynet_current_handle returns the number of the thread, negated.
 */
#ifndef SKYNET_IMP_H
#define SKYNET_IMP_H

#include "skynet.h"
#include "skynet_malloc.h" /* skynet_strdup */

#define THREAD_WORKER  0
#define THREAD_MAIN    1
#define THREAD_SOCKET  2
#define THREAD_TIMER   3
#define THREAD_MONITOR 4

#endif
