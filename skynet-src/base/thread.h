/* System services for threads. No state. */
#ifndef SKYNET_THREAD_H
#define SKYNET_THREAD_H

/// Processors that this process may use, at least 1. Any thread.
int thread_processor_count(void);

/// Asks the system to run the calling thread soon after it has become ready, even while other
/// threads compute. In return its time slices are shorter; it gets no more time in all. Needs no
/// privilege; no effect on systems without such a setting.
void thread_be_prompt(void);

#endif
