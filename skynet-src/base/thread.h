/* What threads ask of the system. No state. */
#ifndef SKYNET_THREAD_H
#define SKYNET_THREAD_H

/// Processors that this process may use, at least 1. Any thread.
int thread_processor_count(void);

/// Asks that the calling thread runs soon after it has become ready, also while others compute. It
/// is interrupted more often itself then, and gets no more time than before. Needs no privilege;
/// where the system does not know it, nothing changes.
void thread_be_prompt(void);

#endif
