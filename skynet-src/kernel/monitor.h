/* What the timer thread does besides timers: finds stranded work and stalled services while there
 * is activity, polls sockets while the socket thread is held up by a service, and drives orderly
 * stops.
 */
#ifndef SKYNET_MONITOR_H
#define SKYNET_MONITOR_H

struct skynet_runtime;

/// Main function of the timer thread; `argument` is the runtime.
void *monitor_main(void *argument);

/// Makes the monitor tick. Any thread.
void monitor_rouse(struct skynet_runtime *runtime);

#endif
