/* See timer_wheel.h. An entry is on the level of the highest base-64 digit in which its expiry and
 * the wheel's time differ, in the slot of that digit. Hence:
 * - whatever is on a level expires before all that is on a higher one, and on a level slots expire
 * in rising order, all of them ahead of the time: the first slot of the lowest level in use is
 * next;
 * - time may jump to any point before the beginning of that slot without moving an entry;
 * - at the beginning of the slot its entries go to lower levels, before a younger timer can be put
 *   there, so lists in order of creation stay so.
 * Entries lie in segments that never move and link each other by index.
 */
#include "data/timer_wheel.h"

#include <string.h>

#include "skynet_malloc.h"

#define DIGIT_BITS  6u
#define SLOT_COUNT  (1u << DIGIT_BITS)
#define DIGIT_MASK  (SLOT_COUNT - 1)
#define LEVEL_COUNT 11u /* 11 * 6 >= 64 */

#define SEGMENT_BITS  9u
#define SEGMENT_COUNT (1u << SEGMENT_BITS)
#define SEGMENT_MASK  (SEGMENT_COUNT - 1)

#define NONE            UINT32_MAX
#define GENERATION_MASK 0x7fffffffu /* ids stay positive as int64_t */
#define PLACE_FREE      UINT32_MAX

struct timer_entry {
	uint64_t expire;
	struct timer_payload payload;
	uint32_t next;
	uint32_t previous;
	uint32_t generation;
	uint32_t place; /* level * SLOT_COUNT + slot, or PLACE_FREE */
};

struct timer_slot {
	uint32_t first;
	uint32_t last;
	uint64_t earliest; /* no entry of the slot expires before */
};

struct timer_wheel {
	uint64_t time;
	uint64_t used[LEVEL_COUNT]; /* a bit per slot that is not empty */
	uint32_t levels;            /* a bit per level that is not empty */
	uint32_t free_first;
	uint32_t entry_count; /* all, also free ones */
	uint32_t segment_capacity;
	size_t count;
	struct timer_entry **segments;
	struct timer_slot slots[LEVEL_COUNT * SLOT_COUNT];
};

/* ---- entries ---- */

static inline struct timer_entry *
entry_at(const struct timer_wheel *wheel, uint32_t index) {
	return &wheel->segments[index >> SEGMENT_BITS][index & SEGMENT_MASK];
}

static void
add_segment(struct timer_wheel *wheel) {
	uint32_t number = wheel->entry_count >> SEGMENT_BITS;
	if (number == wheel->segment_capacity) {
		wheel->segment_capacity = number == 0 ? 16 : number * 2;
		wheel->segments = skynet_realloc(
			wheel->segments, wheel->segment_capacity * sizeof(wheel->segments[0]));
	}
	struct timer_entry *segment = skynet_malloc(SEGMENT_COUNT * sizeof(*segment));
	wheel->segments[number] = segment;
	/* The first of them is given out first. */
	for (uint32_t i = 0; i < SEGMENT_COUNT; i++) {
		segment[i].generation = 0;
		segment[i].place = PLACE_FREE;
		segment[i].next = i + 1 < SEGMENT_COUNT ? wheel->entry_count + i + 1 : NONE;
	}
	wheel->free_first = wheel->entry_count;
	wheel->entry_count += SEGMENT_COUNT;
}

static void
free_entry(struct timer_wheel *wheel, uint32_t index, struct timer_entry *entry) {
	entry->generation = (entry->generation + 1) & GENERATION_MASK;
	entry->place = PLACE_FREE;
	entry->next = wheel->free_first;
	wheel->free_first = index;
	wheel->count--;
}

/* ---- slots ---- */

static inline uint32_t
highest_bit(uint64_t bits) {
	return 63u - (uint32_t)__builtin_clzll(bits);
}

/* Puts the entry at the end of the slot where it belongs at this time. */
static void
link_entry(struct timer_wheel *wheel, uint32_t index, struct timer_entry *entry) {
	uint64_t expire = entry->expire > wheel->time ? entry->expire : wheel->time;
	uint32_t level = highest_bit((expire ^ wheel->time) | 1) / DIGIT_BITS;
	uint32_t digit = (uint32_t)(expire >> (level * DIGIT_BITS)) & DIGIT_MASK;
	uint32_t place = level * SLOT_COUNT + digit;
	struct timer_slot *slot = &wheel->slots[place];
	entry->place = place;
	entry->next = NONE;
	if (slot->first == NONE) {
		entry->previous = NONE;
		slot->first = index;
		slot->earliest = expire;
		wheel->used[level] |= UINT64_C(1) << digit;
		wheel->levels |= 1u << level;
	} else {
		entry->previous = slot->last;
		entry_at(wheel, slot->last)->next = index;
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
unlink_entry(struct timer_wheel *wheel, struct timer_entry *entry) {
	struct timer_slot *slot = &wheel->slots[entry->place];
	if (entry->previous != NONE)
		entry_at(wheel, entry->previous)->next = entry->next;
	else
		slot->first = entry->next;
	if (entry->next != NONE)
		entry_at(wheel, entry->next)->previous = entry->previous;
	else
		slot->last = entry->previous;
	if (slot->first == NONE)
		mark_empty(wheel, entry->place);
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

/* Walks through the entries of a slot, which another thread may have written, so that each has to
 * come from far. Those that were made in a row are spaced evenly, or in a pattern: where the next
 * ones are is guessed from the last. */
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
	if (guess < wheel->entry_count)
		__builtin_prefetch(entry_at(wheel, guess), 1);
}

/* Distributes the entries of a slot whose time has come over lower levels. */
static void
cascade(struct timer_wheel *wheel, uint32_t place) {
	uint32_t index = wheel->slots[place].first;
	struct walk walk = {.count = 0};
	mark_empty(wheel, place);
	while (index != NONE) {
		walk_on(&walk, wheel, index);
		struct timer_entry *entry = entry_at(wheel, index);
		uint32_t next = entry->next;
		link_entry(wheel, index, entry);
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
	return wheel;
}

void
timer_wheel_destroy(struct timer_wheel *wheel) {
	if (wheel == NULL)
		return;
	for (uint32_t i = 0; i < wheel->entry_count >> SEGMENT_BITS; i++)
		skynet_free(wheel->segments[i]);
	skynet_free(wheel->segments);
	skynet_free(wheel);
}

uint64_t
timer_wheel_add(
	struct timer_wheel *wheel, uint64_t expire_ms, const struct timer_payload *payload) {
	if (wheel->free_first == NONE)
		add_segment(wheel);
	uint32_t index = wheel->free_first;
	struct timer_entry *entry = entry_at(wheel, index);
	wheel->free_first = entry->next;
	wheel->count++;
	/* Free entries are scattered after a while; the next one can come while this one is used.
	 */
	if (entry->next != NONE)
		__builtin_prefetch(entry_at(wheel, entry->next), 1);
	entry->expire = expire_ms;
	entry->payload = *payload;
	link_entry(wheel, index, entry);
	return (uint64_t)entry->generation << 32 | (index + 1);
}

bool
timer_wheel_cancel(struct timer_wheel *wheel, uint64_t id, const void *owner, uint32_t handle) {
	uint32_t index = (uint32_t)id - 1;
	if (index >= wheel->entry_count)
		return false;
	struct timer_entry *entry = entry_at(wheel, index);
	if (entry->place == PLACE_FREE || entry->generation != id >> 32)
		return false;
	if (entry->payload.owner != owner || entry->payload.handle != handle)
		return false;
	unlink_entry(wheel, entry);
	free_entry(wheel, index, entry);
	return true;
}

size_t
timer_wheel_cancel_owner(struct timer_wheel *wheel, const void *owner) {
	size_t cancelled = 0;
	for (uint32_t index = 0; index < wheel->entry_count; index++) {
		struct timer_entry *entry = entry_at(wheel, index);
		if (entry->place == PLACE_FREE || entry->payload.owner != owner)
			continue;
		unlink_entry(wheel, entry);
		free_entry(wheel, index, entry);
		cancelled++;
	}
	return cancelled;
}

/* Copies the head of a slot of level 0 out of the wheel. */
static size_t
drain(struct timer_wheel *wheel, uint32_t place, struct timer_payload *expired, size_t capacity) {
	struct timer_slot *slot = &wheel->slots[place];
	uint32_t index = slot->first;
	size_t n = 0;
	struct walk walk = {.count = 0};
	while (index != NONE && n < capacity) {
		walk_on(&walk, wheel, index);
		struct timer_entry *entry = entry_at(wheel, index);
		uint32_t next = entry->next;
		expired[n++] = entry->payload;
		free_entry(wheel, index, entry);
		index = next;
	}
	slot->first = index;
	if (index == NONE)
		mark_empty(wheel, place);
	else
		entry_at(wheel, index)->previous = NONE;
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
	/* One at a time: what `expire` cancels must not come out. */
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
