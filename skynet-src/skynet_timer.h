/* Time, for C modules written against this header. See also skynet_timer_start in skynet.h. */
#ifndef SKYNET_TIMER_H
#define SKYNET_TIMER_H

#include <stdint.h>

#include "skynet.h" /* skynet_now */

/// Sends PTYPE_RESPONSE, source 0, no data, with `session` to `handle` after `delay_cs` hundredths
/// of a second; 0 or less: at once. Returns `session`, or -1 when it is due at once and there is no
/// such service.
SKYNET_API int skynet_timeout(uint32_t handle, int delay_cs, int session);

/// Seconds since the epoch when the process started.
SKYNET_API uint32_t skynet_starttime(void);

/// Microseconds of processor time that the calling thread has used.
SKYNET_API uint64_t skynet_thread_time(void);

#endif
