#include "base/thread.h"

#include <limits.h>
#include <stdint.h>
#include <unistd.h>

#ifdef __linux__
#include <sched.h>
#include <sys/syscall.h>
#endif

int
thread_processor_count(void) {
	long count = sysconf(_SC_NPROCESSORS_ONLN);
#ifdef __linux__
	cpu_set_t set;
	if (sched_getaffinity(0, sizeof set, &set) == 0)
		count = CPU_COUNT(&set);
#endif
	if (count < 1)
		return 1;
	return count > INT_MAX ? INT_MAX : (int)count;
}

#ifdef __linux__

/* The scheduler of Linux gives a thread that becomes ready the processor at once when the turn that
 * it asks for would end before that of the one that runs. By default all ask for about 3 ms. */
#define TURN_NS UINT64_C(200000)

/* struct sched_attr of the kernel, in its first version of 48 bytes: not every C library declares
 * it. */
struct attributes {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t nice;
	uint32_t priority;
	uint64_t runtime; /* the turn; before Linux 6.12 ordinary threads have none */
	uint64_t deadline;
	uint64_t period;
};
_Static_assert(sizeof(struct attributes) == 48, "the kernel checks the size");

void
thread_be_prompt(void) {
#ifdef SYS_sched_setattr
	struct attributes attributes = {.size = sizeof attributes};
	if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 ||
		attributes.policy != SCHED_OTHER)
		return;
	attributes.size = sizeof attributes;
	attributes.runtime = TURN_NS;
	(void)syscall(SYS_sched_setattr, 0, &attributes, 0);
#endif
}

#else

void
thread_be_prompt(void) {
}

#endif
