/* The main loop of the timer thread. Besides delivering timers it is the monitor. While services
 * run it looks every few milliseconds ("ticks") for services that wait in a run queue behind a long
 * turn, and for services that do not return from a message; and it polls the sockets in place of a
 * socket thread that is running a service. It also drives nodes that are being stopped.
 */
#ifndef SKYNET_MONITOR_H
#define SKYNET_MONITOR_H

struct skynet_runtime;

/// Main function of the timer thread; `argument` is the runtime.
void *monitor_main(void *argument);

/// Makes the monitor tick until there is no activity any more. Any thread.
void monitor_rouse(struct skynet_runtime *runtime);

#endif
