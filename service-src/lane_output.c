#include "lane_output.h"

#include <string.h>

#include "skynet_socket.h"

#define CAPACITY_MIN ((size_t)512)
#define GATHER_SIZE  ((size_t)262144) /* then it is written, even if more messages wait */
#define SETTLE_MAX   256              /* messages, then it is written */

struct lane {
	struct lane *next; /* in the ring */
	uint64_t key;
	struct lane_item *first, *last;
};

void
lane_output_init(struct lane_output *output, const struct lane_framing *framing,
	struct skynet_context *context, int id) {
	*output = (struct lane_output){
		.framing = framing,
		.context = context,
		.id = id,
		.credit = INT64_MAX,
		.window = INT64_MAX,
		.narrow = INT64_MAX,
	};
}

/* ---- items and lanes ---- */

static void
free_item(struct lane_item *item) {
	skynet_free(item->block);
	skynet_free(item);
}

/* The lane that `key` belongs to: its own, else one of the same sender that may be for the same
 * receiver. */
static struct lane *
find_lane(const struct lane_output *output, uint64_t key) {
	struct lane *lane = output->lane, *found = NULL;
	if (lane == NULL)
		return NULL;
	do {
		if (lane->key == key)
			return lane;
		if (lane->key >> 32 == key >> 32 &&
			output->framing->same_target((uint32_t)lane->key, (uint32_t)key))
			found = lane;
		lane = lane->next;
	} while (lane != output->lane);
	return found;
}

bool
lane_output_holds(const struct lane_output *output, uint64_t key) {
	return find_lane(output, key) != NULL;
}

/* A new lane, whose turn comes last. */
static struct lane *
add_lane(struct lane_output *output, uint64_t key) {
	struct lane *lane = skynet_malloc(sizeof *lane);
	*lane = (struct lane){.next = lane, .key = key};
	if (output->lane != NULL) {
		lane->next = output->lane->next;
		output->lane->next = lane;
	}
	output->lane = lane;
	return lane;
}

/* Ends the lane behind `before`. */
static void
remove_lane(struct lane_output *output, struct lane *before) {
	struct lane *lane = before->next;
	before->next = lane->next;
	if (output->lane == lane)
		output->lane = before != lane ? before : NULL;
	skynet_free(lane);
}

static struct lane_item *
create_item(const struct lane_payload *payload) {
	struct lane_item *item =
		skynet_malloc(sizeof *item + payload->head_size + payload->tail_size);
	*item = (struct lane_item){
		.form = payload->form,
		.session = payload->session,
		.block = payload->block,
		.at = payload->at,
		.size = payload->size,
		.head_size = payload->head_size,
		.tail_size = payload->tail_size,
	};
	if (payload->head_size > 0)
		memcpy(item->head, payload->head, payload->head_size);
	if (payload->tail_size > 0)
		memcpy(item->head + payload->head_size, payload->tail, payload->tail_size);
	return item;
}

void
lane_output_queue(struct lane_output *output, const struct lane_payload *payload) {
	struct lane_item *item = create_item(payload);
	struct lane *lane = find_lane(output, payload->key);
	if (lane == NULL)
		lane = add_lane(output, payload->key);
	if (lane->last != NULL)
		lane->last->next = item;
	else
		lane->first = item;
	lane->last = item;
	output->lane_size += item->size;
}

/* Takes the item of `session` that was not begun out of the lane. */
static struct lane_item *
take_item(struct lane *lane, uint32_t session) {
	struct lane_item *before = NULL, *item = lane->first;
	while (item != NULL && (item->session != session || item->begun)) {
		before = item;
		item = item->next;
	}
	if (item == NULL)
		return NULL;
	if (before != NULL)
		before->next = item->next;
	else
		lane->first = item->next;
	if (lane->last == item)
		lane->last = before;
	return item;
}

void
lane_output_cancel(struct lane_output *output, uint32_t session) {
	struct lane *before = output->lane;
	if (before == NULL)
		return;
	do {
		struct lane *lane = before->next;
		struct lane_item *item = take_item(lane, session);
		if (item != NULL) {
			output->lane_size -= item->size;
			free_item(item);
			if (lane->first == NULL)
				remove_lane(output, before);
			return;
		}
		before = lane;
	} while (before != output->lane);
}

/* ---- what leaves together ---- */

static void
add_piece(struct lane_batch *batch, const char *data, size_t size) {
	if (size == 0)
		return;
	batch->pieces[batch->count++] =
		(struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = size};
	batch->size += size;
}

/* Adds the next part of `item`. Returns true when it was the last. */
static bool
add_part(struct lane_output *output, struct lane_item *item, char *head) {
	const struct lane_framing *framing = output->framing;
	struct lane_batch *batch = &output->batch;
	bool cut = item->form == LANE_PARTS;
	size_t part = cut && item->size > framing->part_size ? framing->part_size : item->size;
	bool last = part == item->size;
	if (!item->begun) {
		add_piece(batch, item->head, item->head_size);
		output->begun += cut;
	}
	item->begun = true;
	if (cut)
		add_piece(batch, head, framing->part_head(head, item, part, last));
	add_piece(batch, item->at, part);
	if (last) {
		add_piece(batch, item->head + item->head_size, item->tail_size);
		output->begun -= cut;
	}
	item->at += part;
	item->size -= part;
	output->lane_size -= part;
	if (cut && output->window != INT64_MAX)
		output->credit -= (int64_t)part;
	if (cut)
		lane_mix_part(&output->mix, part);
	else
		lane_output_small(output);
	return last;
}

/* The lane before the one whose turn it is. NULL: each would begin another payload, and there are
 * enough. */
static struct lane *
next_turn(const struct lane_output *output) {
	struct lane *before = output->lane;
	uint32_t most = output->framing->begun_max;
	if (most == 0 || output->begun < most)
		return before;
	do {
		const struct lane_item *item = before->next->first;
		if (item->begun || item->form == LANE_WHOLE)
			return before;
		before = before->next;
	} while (before != output->lane);
	return NULL;
}

/* True when a part may leave. */
static bool
may_send_part(const struct lane_output *output) {
	if (output->lane == NULL)
		return false;
	int64_t unused = lane_mix_is_mixed(&output->mix) && output->narrow < output->window
				 ? output->window - output->narrow
				 : 0;
	return output->deaf || output->credit > unused;
}

/* Collects what is to be written next. Returns false when there is nothing. */
static bool
fill_batch(struct lane_output *output) {
	struct lane_batch *batch = &output->batch;
	batch->first = batch->count = 0;
	batch->size = 0;
	add_piece(batch, output->data, output->size);
	batch->frames = output->data;
	output->data = NULL;
	output->size = output->capacity = 0;
	for (int i = 0; i < LANE_BATCH_PARTS && may_send_part(output); i++) {
		struct lane *before = next_turn(output);
		if (before == NULL)
			break;
		struct lane *lane = before->next;
		struct lane_item *item = lane->first;
		output->lane = lane;
		if (!add_part(output, item, batch->heads[i]))
			continue;
		lane->first = item->next;
		if (lane->first == NULL) {
			output->lane = before;
			remove_lane(output, before);
		}
		item->next = batch->done;
		batch->done = item;
	}
	return batch->count > 0;
}

static void
end_batch(struct lane_batch *batch) {
	skynet_free(batch->frames);
	batch->frames = NULL;
	while (batch->done != NULL) {
		struct lane_item *next = batch->done->next;
		free_item(batch->done);
		batch->done = next;
	}
	batch->first = batch->count = 0;
	batch->size = 0;
}

/* Forgets the first `size` bytes, which are written. */
static void
advance(struct lane_batch *batch, size_t size) {
	batch->size -= size;
	while (size > 0) {
		struct iovec *piece = &batch->pieces[batch->first];
		if (size < piece->iov_len) {
			piece->iov_base = (char *)piece->iov_base + size;
			piece->iov_len -= size;
			return;
		}
		size -= piece->iov_len;
		batch->first++;
	}
}

/* Writes the batch. Returns false when the system does not take all of it. */
static bool
write_batch(struct lane_output *output) {
	struct lane_batch *batch = &output->batch;
	int64_t written = skynet_socket_write(output->context, output->id,
		&batch->pieces[batch->first], batch->count - batch->first);
	if (written < 0) {
		output->failed = true;
		return false;
	}
	advance(batch, (size_t)written);
	if (batch->size > 0) {
		output->stalled = true;
		return false;
	}
	end_batch(batch);
	return true;
}

/* Writes until the system takes no more, nothing is left, or somebody waits for the service. */
static void
pump(struct lane_output *output) {
	output->settled = 0;
	while (!output->stalled && !output->failed) {
		if (output->batch.size == 0 && !fill_batch(output))
			return;
		if (!write_batch(output) ||
			skynet_stat_get(output->context, 0, SKYNET_STAT_MAILBOX) > 0)
			return;
	}
}

/* ---- the service's side ---- */

static void
reserve(struct lane_output *output, size_t size) {
	size_t needed = output->size + size;
	if (needed <= output->capacity)
		return;
	size_t capacity = output->capacity * 2 > CAPACITY_MIN ? output->capacity * 2 : CAPACITY_MIN;
	output->capacity = capacity > needed ? capacity : needed;
	output->data = skynet_realloc(output->data, output->capacity);
}

char *
lane_output_append(struct lane_output *output, size_t size) {
	reserve(output, size);
	char *frame = output->data + output->size;
	output->size += size;
	return frame;
}

void
lane_output_write(struct lane_output *output, const char *head, size_t head_size, const char *data,
	size_t size) {
	char *frame = lane_output_append(output, head_size + size);
	memcpy(frame, head, head_size);
	if (size > 0)
		memcpy(frame + head_size, data, size);
}

bool
lane_output_ready(const struct lane_output *output) {
	if (output->stalled || output->failed)
		return false;
	return output->size > 0 || output->batch.size > 0 || may_send_part(output);
}

void
lane_output_flush(struct lane_output *output) {
	if (lane_output_ready(output))
		pump(output);
}

bool
lane_output_gives_way(struct lane_output *output) {
	/* Once: more may come while it waits. */
	output->gave_way = output->answer_due && !output->gave_way && !output->stalled &&
			   may_send_part(output);
	output->answer_due = false;
	if (output->gave_way)
		skynet_turn_end(output->context, skynet_context_newsession(output->context));
	return output->gave_way;
}

void
lane_output_settle(struct lane_output *output) {
	if (!lane_output_ready(output))
		return;
	if (output->size < GATHER_SIZE && ++output->settled < SETTLE_MAX &&
		skynet_stat_get(output->context, 0, SKYNET_STAT_MAILBOX) > 0)
		return;
	if (!lane_output_gives_way(output))
		pump(output);
}

void
lane_output_resume(struct lane_output *output) {
	output->stalled = false;
}

int64_t
lane_window(uint64_t round_trip_ns) {
	uint64_t line = round_trip_ns / LANE_LINE_NS_BYTE;
	if (line > (uint64_t)LANE_WINDOW_MAX)
		return LANE_WINDOW_MAX;
	return line > (uint64_t)LANE_WINDOW_WIDE ? (int64_t)line : LANE_WINDOW_WIDE;
}

void
lane_output_set_window(struct lane_output *output, int64_t window) {
	if (output->window == INT64_MAX)
		output->credit = window;
	else
		output->credit += window - output->window;
	output->window = window;
}

void
lane_output_set_narrow(struct lane_output *output, uint64_t round_trip_ns) {
	uint64_t line = round_trip_ns / LANE_LINE_NS_BYTE;
	output->narrow = LANE_WINDOW_NARROW;
	if (line > (uint64_t)LANE_WINDOW_NARROW)
		output->narrow = line < INT64_MAX ? (int64_t)line : INT64_MAX;
}

void
lane_output_confirm(struct lane_output *output, uint32_t size) {
	if (output->window == INT64_MAX)
		return;
	/* What was sent before the window was set is confirmed too. */
	output->credit += size;
	if (output->credit > output->window)
		output->credit = output->window;
}

size_t
lane_output_waiting(const struct lane_output *output) {
	return output->size + output->batch.size + output->lane_size;
}

/* Copies what is left of the batch into one block for the socket. */
static void
spill_batch(struct lane_output *output) {
	struct lane_batch *batch = &output->batch;
	char *block = skynet_malloc(batch->size), *at = block;
	for (int i = batch->first; i < batch->count; i++) {
		memcpy(at, batch->pieces[i].iov_base, batch->pieces[i].iov_len);
		at += batch->pieces[i].iov_len;
	}
	if (skynet_socket_send(output->context, output->id, block, (int)batch->size) < 0)
		output->failed = true;
	end_batch(batch);
}

void
lane_output_spill(struct lane_output *output) {
	output->credit = output->window = INT64_MAX;
	while (!output->failed && (output->batch.size > 0 || fill_batch(output)))
		spill_batch(output);
}

void
lane_output_fini(struct lane_output *output) {
	end_batch(&output->batch);
	while (output->lane != NULL) {
		struct lane *lane = output->lane->next;
		while (lane->first != NULL) {
			struct lane_item *next = lane->first->next;
			free_item(lane->first);
			lane->first = next;
		}
		remove_lane(output, output->lane);
	}
	skynet_free(output->data);
	output->data = NULL;
	output->size = output->capacity = output->lane_size = 0;
}
