#include "kernel/timeout.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "data/timer_wheel.h"
#include "kernel/node.h"
#include "kernel/router.h"
#include "kernel/runtime.h"
#include "kernel/service.h"

#define EXPIRE_BATCH 256

int
timeouts_init(struct timeouts *timeouts, struct skynet_error *error) {
	pthread_condattr_t attributes;
	memset(timeouts, 0, sizeof *timeouts);
	if (pthread_condattr_init(&attributes) != 0)
		return error_set(error, SKYNET_ESYSTEM, "cannot create the condition of the timer");
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	int failed = pthread_cond_init(&timeouts->wake, &attributes);
	pthread_condattr_destroy(&attributes);
	if (failed != 0)
		return error_set(error, SKYNET_ESYSTEM, "cannot create the condition of the timer");
	pthread_mutex_init(&timeouts->sleep_lock, NULL);
	spin_init(&timeouts->lock, LOCK_RANK_TIMER);
	timeouts->wheel = timer_wheel_create(0);
	timeouts->sleeping_until_ms = TIMER_WHEEL_NEVER;
	return 0;
}

void
timeouts_fini(struct timeouts *timeouts) {
	if (timeouts->wheel == NULL)
		return;
	timer_wheel_destroy(timeouts->wheel);
	timeouts->wheel = NULL;
	pthread_mutex_destroy(&timeouts->sleep_lock);
	pthread_cond_destroy(&timeouts->wake);
}

void
timeouts_wake(struct timeouts *timeouts) {
	pthread_mutex_lock(&timeouts->sleep_lock);
	timeouts->woken = true;
	pthread_cond_signal(&timeouts->wake);
	pthread_mutex_unlock(&timeouts->sleep_lock);
}

static struct skynet_message
reply_to(int session) {
	return (struct skynet_message){
		.session = session, .sz = (size_t)PTYPE_RESPONSE << MESSAGE_TYPE_SHIFT};
}

/* Delivers the first of `count` expired timers and those behind it that have the same owner.
 * Returns how many these are. */
static size_t
deliver(const struct timer_payload *expired, size_t count) {
	struct skynet_message messages[EXPIRE_BATCH];
	size_t n = 0;
	do {
		messages[n] = reply_to(expired[n].session);
		n++;
	} while (n < count && expired[n].handle == expired[0].handle &&
		 expired[n].owner == expired[0].owner);
	struct skynet_context *context = service_grab(expired[0].owner, expired[0].handle);
	if (context != NULL) {
		service_push_replies(context, messages, (uint32_t)n);
		service_drop(context);
	}
	return n;
}

uint64_t
timeout_start(struct skynet_node *node, uint32_t handle, int64_t delay_ms, int session) {
	if (delay_ms <= 0) {
		struct skynet_message message = reply_to(session);
		router_push(node, handle, &message);
		return 0;
	}
	struct timeouts *timeouts = &node->runtime->timeouts;
	struct timer_payload payload = {.owner = node, .handle = handle, .session = session};
	/* One more than the delay: the current millisecond has begun already. */
	uint64_t expire = runtime_now_ms(node->runtime) + (uint64_t)delay_ms + 1;
	spin_acquire(&timeouts->lock);
	uint64_t id = timer_wheel_add(timeouts->wheel, expire, &payload);
	bool earlier = expire < timeouts->sleeping_until_ms;
	if (earlier)
		timeouts->sleeping_until_ms = expire;
	spin_release(&timeouts->lock);
	if (earlier)
		timeouts_wake(timeouts);
	return id;
}

uint64_t
skynet_timer_start(struct skynet_context *context, int64_t delay_ms, int session) {
	return timeout_start(context->node, service_handle(context), delay_ms, session);
}

bool
skynet_timer_cancel(struct skynet_context *context, uint64_t timer) {
	struct timeouts *timeouts = &context->node->runtime->timeouts;
	if (timer == 0)
		return false;
	spin_acquire(&timeouts->lock);
	bool found =
		timer_wheel_cancel(timeouts->wheel, timer, context->node, service_handle(context));
	spin_release(&timeouts->lock);
	return found;
}

size_t
timeouts_expire(struct skynet_runtime *runtime) {
	struct timeouts *timeouts = &runtime->timeouts;
	struct timer_payload expired[EXPIRE_BATCH];
	size_t count, total = 0;
	uint64_t now = runtime_now_ms(runtime);
	do {
		spin_acquire(&timeouts->lock);
		count = timer_wheel_collect(timeouts->wheel, now, expired, EXPIRE_BATCH);
		spin_release(&timeouts->lock);
		for (size_t i = 0; i < count;)
			i += deliver(&expired[i], count - i);
		total += count;
	} while (count == EXPIRE_BATCH);
	return total;
}

void
timeouts_sleep(struct skynet_runtime *runtime, uint64_t limit_ms) {
	struct timeouts *timeouts = &runtime->timeouts;
	uint64_t now = runtime_now_ms(runtime);
	spin_acquire(&timeouts->lock);
	uint64_t until = timer_wheel_next(timeouts->wheel);
	if (limit_ms != UINT64_MAX && now + limit_ms < until)
		until = now + limit_ms;
	timeouts->sleeping_until_ms = until;
	spin_release(&timeouts->lock);

	pthread_mutex_lock(&timeouts->sleep_lock);
	if (until == TIMER_WHEEL_NEVER) {
		while (!timeouts->woken)
			pthread_cond_wait(&timeouts->wake, &timeouts->sleep_lock);
	} else if (until > now) {
		uint64_t at_ns = runtime->start_ns + until * 1000000;
		struct timespec at = {.tv_sec = (time_t)(at_ns / 1000000000),
			.tv_nsec = (long)(at_ns % 1000000000)};
		int result = 0;
		while (!timeouts->woken && result != ETIMEDOUT)
			result =
				pthread_cond_timedwait(&timeouts->wake, &timeouts->sleep_lock, &at);
	}
	timeouts->woken = false;
	pthread_mutex_unlock(&timeouts->sleep_lock);
}
