/* See timer_wheel.h. Timers of one service that expire in the same millisecond stand together in
 * groups. A group is on the level of the highest base-64 digit in which its expiry and the wheel's
 * time differ, in the slot of that digit. Hence:
 * - whatever is on a level expires before all that is on a higher one, and on a level slots expire
 * in rising order, all of them ahead of the time: the first slot of the lowest level in use is
 * next;
 * - time may jump to any point before the beginning of that slot without moving a group;
 * - at the beginning of the slot its groups go to lower levels, before a younger one can be put
 *   there, so lists in order of creation stay so.
 * Groups lie in segments that never move and link each other by index.
 */
#include "data/timer_wheel.h"

#include <string.h>

#include "skynet_malloc.h"

#define DIGIT_BITS  6u
#define SLOT_COUNT  (1u << DIGIT_BITS)
#define DIGIT_MASK  (SLOT_COUNT - 1)
#define LEVEL_COUNT 11u /* 11 * 6 >= 64 */

#define SEGMENT_BITS  8u
#define SEGMENT_COUNT (1u << SEGMENT_BITS)
#define SEGMENT_MASK  (SEGMENT_COUNT - 1)

#define GROUP_SIZE    7u /* timers of a group, so that it fills a cache line */
#define POSITION_BITS 3u /* leaves 29 for the group in an id: 3.7 thousand million timers */
#define POSITION_MASK ((1u << POSITION_BITS) - 1)

#define RECENT_BITS  8u
#define RECENT_COUNT (1u << RECENT_BITS)

#define NONE            UINT32_MAX
#define GENERATION_MASK 0x7fffffffu /* ids stay positive as int64_t */
#define PLACE_FREE      UINT16_MAX

struct timer_group {
	uint64_t expire;
	void *owner;
	uint32_t handle;
	uint32_t next;
	uint32_t previous;
	uint32_t generation;
	uint16_t place;  /* level * SLOT_COUNT + slot, or PLACE_FREE */
	uint8_t count;   /* positions that are or were used */
	uint8_t waiting; /* a bit per position whose timer waits */
	int sessions[GROUP_SIZE];
};

struct timer_slot {
	uint32_t first;
	uint32_t last;
	uint64_t earliest; /* no group of the slot expires before */
};

struct timer_wheel {
	uint64_t time;
	uint64_t used[LEVEL_COUNT]; /* a bit per slot that is not empty */
	uint32_t levels;            /* a bit per level that is not empty */
	uint32_t free_first;
	uint32_t group_count; /* all, also free ones */
	uint32_t segment_capacity;
	size_t count;
	struct timer_group **segments;
	struct timer_slot slots[LEVEL_COUNT * SLOT_COUNT];
	/* By a hash of service and expiry: the last group made for that. It may have become another
	 * group since. */
	uint32_t recent[RECENT_COUNT];
};

/* ---- groups ---- */

static inline struct timer_group *
group_at(const struct timer_wheel *wheel, uint32_t index) {
	return &wheel->segments[index >> SEGMENT_BITS][index & SEGMENT_MASK];
}

static void
add_segment(struct timer_wheel *wheel) {
	uint32_t number = wheel->group_count >> SEGMENT_BITS;
	if (number == wheel->segment_capacity) {
		wheel->segment_capacity = number == 0 ? 16 : number * 2;
		wheel->segments = skynet_realloc(
			wheel->segments, wheel->segment_capacity * sizeof(wheel->segments[0]));
	}
	struct timer_group *segment = skynet_malloc(SEGMENT_COUNT * sizeof(*segment));
	wheel->segments[number] = segment;
	/* Linked so that the group with the lowest index is used first. */
	for (uint32_t i = 0; i < SEGMENT_COUNT; i++) {
		segment[i].generation = 0;
		segment[i].place = PLACE_FREE;
		segment[i].next = i + 1 < SEGMENT_COUNT ? wheel->group_count + i + 1 : NONE;
	}
	wheel->free_first = wheel->group_count;
	wheel->group_count += SEGMENT_COUNT;
}

static void
free_group(struct timer_wheel *wheel, uint32_t index, struct timer_group *group) {
	group->generation = (group->generation + 1) & GENERATION_MASK;
	group->place = PLACE_FREE;
	group->next = wheel->free_first;
	wheel->free_first = index;
}

/* ---- slots ---- */

static inline uint32_t
highest_bit(uint64_t bits) {
	return 63u - (uint32_t)__builtin_clzll(bits);
}

/* Puts the group at the end of the slot where it belongs at this time. */
static void
link_group(struct timer_wheel *wheel, uint32_t index, struct timer_group *group) {
	uint64_t expire = group->expire; /* not before the time */
	uint32_t level = highest_bit((expire ^ wheel->time) | 1) / DIGIT_BITS;
	uint32_t digit = (uint32_t)(expire >> (level * DIGIT_BITS)) & DIGIT_MASK;
	uint32_t place = level * SLOT_COUNT + digit;
	struct timer_slot *slot = &wheel->slots[place];
	group->place = (uint16_t)place;
	group->next = NONE;
	if (slot->first == NONE) {
		group->previous = NONE;
		slot->first = index;
		slot->earliest = expire;
		wheel->used[level] |= UINT64_C(1) << digit;
		wheel->levels |= 1u << level;
	} else {
		group->previous = slot->last;
		group_at(wheel, slot->last)->next = index;
		if (expire < slot->earliest)
			slot->earliest = expire;
	}
	slot->last = index;
}

static void
mark_empty(struct timer_wheel *wheel, uint32_t place) {
	uint32_t level = place / SLOT_COUNT;
	wheel->slots[place].first = NONE;
	wheel->slots[place].last = NONE;
	wheel->used[level] &= ~(UINT64_C(1) << (place & DIGIT_MASK));
	if (wheel->used[level] == 0)
		wheel->levels &= ~(1u << level);
}

static void
unlink_group(struct timer_wheel *wheel, struct timer_group *group) {
	struct timer_slot *slot = &wheel->slots[group->place];
	if (group->previous != NONE)
		group_at(wheel, group->previous)->next = group->next;
	else
		slot->first = group->next;
	if (group->next != NONE)
		group_at(wheel, group->next)->previous = group->previous;
	else
		slot->last = group->previous;
	if (slot->first == NONE)
		mark_empty(wheel, group->place);
}

/* The slot that is next, which must exist, and the time at which it begins. */
static uint32_t
next_place(const struct timer_wheel *wheel, uint64_t *begin) {
	uint32_t level = (uint32_t)__builtin_ctz(wheel->levels);
	uint32_t digit = (uint32_t)__builtin_ctzll(wheel->used[level]);
	uint32_t shift = level * DIGIT_BITS;
	uint32_t above = shift + DIGIT_BITS;
	uint64_t prefix = above < 64 ? wheel->time >> above << above : 0;
	*begin = prefix | (uint64_t)digit << shift;
	return level * SLOT_COUNT + digit;
}

/* Walks through the groups of a slot. Another thread may have written them, so reading each is a
 * cache miss. Groups that were made one after the other lie at even distances in memory, or in a
 * pattern; so the addresses of the next ones are guessed from the last ones, and prefetched. */
#define WALK_AHEAD 8

struct walk {
	uint32_t passed[WALK_AHEAD];
	uint32_t count;
};

static inline void
walk_on(struct walk *walk, const struct timer_wheel *wheel, uint32_t index) {
	uint32_t *before = &walk->passed[walk->count++ % WALK_AHEAD];
	uint32_t guess = index + (index - *before);
	*before = index;
	if (guess < wheel->group_count)
		__builtin_prefetch(group_at(wheel, guess), 1);
}

/* Distributes the groups of a slot whose time has come over lower levels. */
static void
cascade(struct timer_wheel *wheel, uint32_t place) {
	uint32_t index = wheel->slots[place].first;
	struct walk walk = {.count = 0};
	mark_empty(wheel, place);
	while (index != NONE) {
		walk_on(&walk, wheel, index);
		struct timer_group *group = group_at(wheel, index);
		uint32_t next = group->next;
		link_group(wheel, index, group);
		index = next;
	}
}

/* ---- interface ---- */

struct timer_wheel *
timer_wheel_create(uint64_t now_ms) {
	struct timer_wheel *wheel = skynet_calloc(1, sizeof(*wheel));
	wheel->time = now_ms;
	wheel->free_first = NONE;
	for (uint32_t i = 0; i < LEVEL_COUNT * SLOT_COUNT; i++) {
		wheel->slots[i].first = NONE;
		wheel->slots[i].last = NONE;
	}
	for (uint32_t i = 0; i < RECENT_COUNT; i++)
		wheel->recent[i] = NONE;
	return wheel;
}

void
timer_wheel_destroy(struct timer_wheel *wheel) {
	if (wheel == NULL)
		return;
	for (uint32_t i = 0; i < wheel->group_count >> SEGMENT_BITS; i++)
		skynet_free(wheel->segments[i]);
	skynet_free(wheel->segments);
	skynet_free(wheel);
}

/* Makes a group without timers. Returns its index. */
static uint32_t
make_group(struct timer_wheel *wheel, uint64_t expire, const struct timer_payload *payload) {
	if (wheel->free_first == NONE)
		add_segment(wheel);
	uint32_t index = wheel->free_first;
	struct timer_group *group = group_at(wheel, index);
	wheel->free_first = group->next;
	/* After a while free groups are scattered in memory: prefetch the next one. */
	if (group->next != NONE)
		__builtin_prefetch(group_at(wheel, group->next), 1);
	group->expire = expire;
	group->owner = payload->owner;
	group->handle = payload->handle;
	group->count = 0;
	group->waiting = 0;
	link_group(wheel, index, group);
	return index;
}

/* The place in `recent` for timers of a service that expire at the same time. */
static inline uint32_t *
recent_of(struct timer_wheel *wheel, uint64_t expire, const struct timer_payload *payload) {
	uint64_t key = expire + ((uint64_t)payload->handle << 32) + (uintptr_t)payload->owner;
	return &wheel->recent[key * UINT64_C(0x9e3779b97f4a7c15) >> (64 - RECENT_BITS)];
}

/* True when the group is for such timers and has room. It is the youngest of them then: each that
 * is made replaces the one before in `recent`. */
static inline bool
fits(const struct timer_group *group, uint64_t expire, const struct timer_payload *payload) {
	return group->place != PLACE_FREE && group->expire == expire &&
	       group->handle == payload->handle && group->owner == payload->owner &&
	       group->count < GROUP_SIZE;
}

uint64_t
timer_wheel_add(
	struct timer_wheel *wheel, uint64_t expire_ms, const struct timer_payload *payload) {
	uint64_t expire = expire_ms > wheel->time ? expire_ms : wheel->time;
	uint32_t *recent = recent_of(wheel, expire, payload);
	if (*recent == NONE || !fits(group_at(wheel, *recent), expire, payload))
		*recent = make_group(wheel, expire, payload);
	struct timer_group *group = group_at(wheel, *recent);
	uint32_t position = group->count++;
	group->sessions[position] = payload->session;
	group->waiting |= (uint8_t)(1u << position);
	wheel->count++;
	return (uint64_t)group->generation << 32 | *recent << POSITION_BITS | (position + 1);
}

bool
timer_wheel_cancel(struct timer_wheel *wheel, uint64_t id, const void *owner, uint32_t handle) {
	uint32_t index = (uint32_t)id >> POSITION_BITS;
	/* An id whose position bits are 0 gives a position that no group has. */
	uint32_t position = ((uint32_t)id & POSITION_MASK) - 1;
	if (index >= wheel->group_count || position >= GROUP_SIZE)
		return false;
	struct timer_group *group = group_at(wheel, index);
	if (group->place == PLACE_FREE || group->generation != id >> 32)
		return false;
	if (group->owner != owner || group->handle != handle)
		return false;
	if ((group->waiting & 1u << position) == 0)
		return false;
	group->waiting &= (uint8_t) ~(1u << position);
	wheel->count--;
	if (group->waiting == 0) {
		unlink_group(wheel, group);
		free_group(wheel, index, group);
	}
	return true;
}

size_t
timer_wheel_cancel_owner(struct timer_wheel *wheel, const void *owner) {
	size_t cancelled = 0;
	for (uint32_t index = 0; index < wheel->group_count; index++) {
		struct timer_group *group = group_at(wheel, index);
		if (group->place == PLACE_FREE || group->owner != owner)
			continue;
		cancelled += (size_t)__builtin_popcount(group->waiting);
		unlink_group(wheel, group);
		free_group(wheel, index, group);
	}
	wheel->count -= cancelled;
	return cancelled;
}

/* Copies the first waiting timers of a group out of the wheel. */
static inline size_t
drain_group(struct timer_group *group, struct timer_payload *expired, size_t capacity) {
	size_t n = 0;
	while (group->waiting != 0 && n < capacity) {
		uint32_t position = (uint32_t)__builtin_ctz(group->waiting);
		expired[n++] = (struct timer_payload){
			group->owner, group->handle, group->sessions[position]};
		group->waiting &= (uint8_t)(group->waiting - 1);
	}
	return n;
}

/* Copies the head of a slot of level 0 out of the wheel. */
static size_t
drain(struct timer_wheel *wheel, uint32_t place, struct timer_payload *expired, size_t capacity) {
	struct timer_slot *slot = &wheel->slots[place];
	uint32_t index = slot->first;
	size_t n = 0;
	struct walk walk = {.count = 0};
	while (index != NONE) {
		walk_on(&walk, wheel, index);
		struct timer_group *group = group_at(wheel, index);
		uint32_t next = group->next;
		n += drain_group(group, expired + n, capacity - n);
		if (group->waiting != 0)
			break;
		free_group(wheel, index, group);
		index = next;
	}
	wheel->count -= n;
	slot->first = index;
	if (index == NONE)
		mark_empty(wheel, place);
	else
		group_at(wheel, index)->previous = NONE;
	return n;
}

size_t
timer_wheel_collect(struct timer_wheel *wheel, uint64_t now_ms, struct timer_payload *expired,
	size_t capacity) {
	size_t n = 0;
	while (wheel->levels != 0) {
		uint64_t begin;
		uint32_t place = next_place(wheel, &begin);
		if (begin > now_ms)
			break;
		if (n == capacity)
			return n;
		wheel->time = begin;
		if (place < SLOT_COUNT)
			n += drain(wheel, place, expired + n, capacity - n);
		else
			cascade(wheel, place);
	}
	if (now_ms > wheel->time)
		wheel->time = now_ms;
	return n;
}

size_t
timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms, timer_expire_fn expire, void *ud) {
	struct timer_payload payload;
	size_t n = 0;
	/* One timer at a time: a timer that `expire` cancels must not come out any more. */
	while (timer_wheel_collect(wheel, now_ms, &payload, 1) == 1) {
		expire(&payload, ud);
		n++;
	}
	return n;
}

uint64_t
timer_wheel_next(const struct timer_wheel *wheel) {
	if (wheel->levels == 0)
		return TIMER_WHEEL_NEVER;
	uint64_t begin;
	return wheel->slots[next_place(wheel, &begin)].earliest;
}

size_t
timer_wheel_count(const struct timer_wheel *wheel) {
	return wheel->count;
}
