#include "data/mailbox.h"

#include <string.h>

#include "skynet.h"

#define VECTOR_MINIMUM 4
#define VECTOR_KEEP    1024 /* a larger empty vector is freed when few messages have come */

static __attribute__((noinline)) void
vector_grow(struct message_vector *vector) {
	uint32_t capacity = vector->capacity != 0 ? vector->capacity * 2 : VECTOR_MINIMUM;
	vector->items = skynet_realloc(vector->items, capacity * sizeof *vector->items);
	vector->capacity = capacity;
}

static inline void
vector_append(struct message_vector *vector, const struct skynet_message *message) {
	if (vector->tail == vector->capacity)
		vector_grow(vector);
	vector->items[vector->tail++] = *message;
}

static void
vector_clear(struct message_vector *vector) {
	skynet_free(vector->items);
	memset(vector, 0, sizeof *vector);
}

static uint32_t
vector_length(const struct message_vector *vector) {
	return vector->tail - vector->head;
}

void
mailbox_init(struct mailbox *mailbox) {
	memset(mailbox, 0, sizeof *mailbox);
	spin_init(&mailbox->lock, LOCK_RANK_MAILBOX);
	mailbox->scheduled = true;
}

void
mailbox_fini(struct mailbox *mailbox) {
	vector_clear(&mailbox->in);
	vector_clear(&mailbox->out);
	skynet_free(mailbox->waiters);
	mailbox->waiters = NULL;
}

/* With the lock held, after each change of `in`. */
static inline void
note_arrived(struct mailbox *mailbox) {
	/* Relaxed: only a hint for the consumer, which takes messages from `in` under the lock. */
	atomic_store_explicit(&mailbox->arrived, vector_length(&mailbox->in), memory_order_relaxed);
}

/* A full mailbox refuses or drops requests and one-way messages only: losing a reply would leave a
 * caller waiting, losing a socket or system event would lose the socket. */
static bool
is_sheddable(const struct skynet_message *message) {
	switch (message_type(message)) {
	case PTYPE_RESPONSE:
	case PTYPE_ERROR:
	case PTYPE_SOCKET:
	case PTYPE_SYSTEM:
	case PTYPE_HARBOR:
		return false;
	default:
		return true;
	}
}

static bool
vector_remove_oldest(struct message_vector *vector, struct skynet_message *removed) {
	for (uint32_t i = vector->head; i < vector->tail; i++) {
		if (!is_sheddable(&vector->items[i]))
			continue;
		*removed = vector->items[i];
		/* The message is near the head, so move the few before it instead of the many
		 * behind it. */
		memmove(&vector->items[vector->head + 1], &vector->items[vector->head],
			(i - vector->head) * sizeof *vector->items);
		vector->head++;
		return true;
	}
	return false;
}

/* Applies the policy to a message at the limit, with the lock held. Returns what mailbox_push is to
 * return, but for MAILBOX_SCHEDULE. */
static int
shed(struct mailbox *mailbox, const struct skynet_message *message,
	struct skynet_message *dropped) {
	if (!is_sheddable(message))
		return 0;
	switch (atomic_load_explicit(&mailbox->policy, memory_order_relaxed)) {
	case MAILBOX_REJECT:
		atomic_fetch_add_explicit(&mailbox->rejected, 1, memory_order_relaxed);
		return MAILBOX_FULL;
	case MAILBOX_DROP:
		/* Without a limit the consumer takes messages without the lock. */
		if (!atomic_load_explicit(&mailbox->locked_pop, memory_order_relaxed))
			return 0;
		if (!vector_remove_oldest(&mailbox->out, dropped) &&
			!vector_remove_oldest(&mailbox->in, dropped))
			return 0;
		note_arrived(mailbox);
		atomic_fetch_add_explicit(&mailbox->dropped, 1, memory_order_relaxed);
		return MAILBOX_DROPPED;
	default:
		return MAILBOX_CONGESTED;
	}
}

/* Length of both vectors, with the lock held. The consumer moves `out.head` without the lock, so
 * its length is read from the atomic copy `waiting`. */
static uint32_t
locked_length(struct mailbox *mailbox) {
	uint32_t out = atomic_load_explicit(&mailbox->locked_pop, memory_order_relaxed)
			       ? vector_length(&mailbox->out)
			       : atomic_load_explicit(&mailbox->waiting, memory_order_relaxed);
	return vector_length(&mailbox->in) + out;
}

int
mailbox_push(struct mailbox *mailbox, const struct skynet_message *message,
	struct skynet_message *dropped) {
	int result = 0;
	spin_acquire(&mailbox->lock);
	if (mailbox->closed) {
		result = MAILBOX_CLOSED;
		goto done;
	}
	uint32_t limit = atomic_load_explicit(&mailbox->limit, memory_order_relaxed);
	if (mailbox->full || (limit != 0 && locked_length(mailbox) >= limit)) {
		result = shed(mailbox, message, dropped);
		if (result < 0)
			goto done;
	}
	vector_append(&mailbox->in, message);
	note_arrived(mailbox);
	if (!mailbox->scheduled) {
		mailbox->scheduled = true;
		result |= MAILBOX_SCHEDULE;
	}
done:
	spin_release(&mailbox->lock);
	return result;
}

int
mailbox_push_replies(
	struct mailbox *mailbox, const struct skynet_message *messages, uint32_t count) {
	int result = MAILBOX_CLOSED;
	spin_acquire(&mailbox->lock);
	if (!mailbox->closed) {
		for (uint32_t i = 0; i < count; i++)
			vector_append(&mailbox->in, &messages[i]);
		note_arrived(mailbox);
		result = mailbox->scheduled ? 0 : MAILBOX_SCHEDULE;
		mailbox->scheduled = true;
	}
	spin_release(&mailbox->lock);
	return result;
}

/* With the lock held and `out` empty: swaps `in` and `out`. */
static void
swap_vectors(struct mailbox *mailbox) {
	struct message_vector empty = mailbox->out;
	if (empty.capacity > VECTOR_KEEP && vector_length(&mailbox->in) < VECTOR_KEEP / 4)
		vector_clear(&empty);
	empty.head = empty.tail = 0;
	mailbox->out = mailbox->in;
	mailbox->in = empty;
	note_arrived(mailbox);
}

/* Takes the only message of `in`. Returns false when there is not exactly one. */
static inline bool
take_single(struct mailbox *mailbox, struct skynet_message *message) {
	struct message_vector *in = &mailbox->in;
	if (in->tail - in->head != 1 || in->capacity > VECTOR_KEEP)
		return false;
	*message = in->items[in->head];
	in->head = in->tail = 0;
	atomic_store_explicit(&mailbox->arrived, 0, memory_order_relaxed);
	return true;
}

bool
mailbox_pop_locked(struct mailbox *mailbox, struct skynet_message *message) {
	struct message_vector *out = &mailbox->out;
	spin_acquire(&mailbox->lock);
	bool found = true;
	if (out->head != out->tail || !take_single(mailbox, message)) {
		if (out->head == out->tail)
			swap_vectors(mailbox);
		found = out->head != out->tail;
		if (found)
			*message = out->items[out->head++];
		atomic_store_explicit(
			&mailbox->waiting, out->tail - out->head, memory_order_relaxed);
	}
	spin_release(&mailbox->lock);
	return found;
}

bool
mailbox_finish(struct mailbox *mailbox) {
	if (!atomic_load_explicit(&mailbox->locked_pop, memory_order_relaxed) &&
		vector_length(&mailbox->out) != 0)
		return false;
	spin_acquire(&mailbox->lock);
	bool empty = vector_length(&mailbox->in) == 0 && vector_length(&mailbox->out) == 0;
	if (empty)
		mailbox->scheduled = false;
	spin_release(&mailbox->lock);
	return empty;
}

bool
mailbox_schedule(struct mailbox *mailbox) {
	spin_acquire(&mailbox->lock);
	bool was_idle = !mailbox->scheduled;
	mailbox->scheduled = true;
	spin_release(&mailbox->lock);
	return was_idle;
}

void
mailbox_close(struct mailbox *mailbox) {
	spin_acquire(&mailbox->lock);
	mailbox->closed = true;
	spin_release(&mailbox->lock);
}

size_t
mailbox_length(struct mailbox *mailbox) {
	spin_acquire(&mailbox->lock);
	size_t length = locked_length(mailbox);
	spin_release(&mailbox->lock);
	return length;
}

void
mailbox_bound(struct mailbox *mailbox, uint32_t limit, enum mailbox_policy policy) {
	spin_acquire(&mailbox->lock);
	atomic_store_explicit(&mailbox->limit, limit, memory_order_relaxed);
	atomic_store_explicit(&mailbox->policy, (int)policy, memory_order_relaxed);
	bool locked = limit != 0 && policy == MAILBOX_DROP;
	atomic_store_explicit(&mailbox->locked_pop, locked, memory_order_relaxed);
	atomic_store_explicit(
		&mailbox->waiting, vector_length(&mailbox->out), memory_order_relaxed);
	spin_release(&mailbox->lock);
}

void
mailbox_set_full(struct mailbox *mailbox, bool full) {
	spin_acquire(&mailbox->lock);
	mailbox->full = full;
	spin_release(&mailbox->lock);
}

/* Half of the limit must be free before senders go on: they are not to be woken for a single
 * message each. */
static bool
has_room(struct mailbox *mailbox) {
	uint32_t limit = atomic_load_explicit(&mailbox->limit, memory_order_relaxed);
	if (mailbox->closed)
		return true;
	return !mailbox->full && (limit == 0 || locked_length(mailbox) <= limit / 2);
}

bool
mailbox_wait(struct mailbox *mailbox, uint32_t handle, int session) {
	spin_acquire(&mailbox->lock);
	bool wait = !has_room(mailbox);
	if (wait) {
		if (mailbox->waiter_count == mailbox->waiter_capacity) {
			uint32_t capacity =
				mailbox->waiter_capacity != 0 ? mailbox->waiter_capacity * 2 : 4;
			mailbox->waiters = skynet_realloc(
				mailbox->waiters, capacity * sizeof *mailbox->waiters);
			mailbox->waiter_capacity = capacity;
		}
		mailbox->waiters[mailbox->waiter_count++] =
			(struct mailbox_waiter){handle, session};
		atomic_fetch_add_explicit(&mailbox->blocked, 1, memory_order_relaxed);
	}
	spin_release(&mailbox->lock);
	return wait;
}

uint32_t
mailbox_take_waiters_locked(struct mailbox *mailbox, struct mailbox_waiter **waiters) {
	uint32_t count = 0;
	spin_acquire(&mailbox->lock);
	if (mailbox->waiter_count != 0 && has_room(mailbox)) {
		count = mailbox->waiter_count;
		*waiters = mailbox->waiters;
		mailbox->waiters = NULL;
		mailbox->waiter_count = mailbox->waiter_capacity = 0;
	}
	spin_release(&mailbox->lock);
	return count;
}
