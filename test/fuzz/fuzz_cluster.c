/* Reads arbitrary bytes as frames of the cluster protocol, both ways, and as a packed address: what
 * is found lies inside the input, and a request that is written again is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_frame.h"
#include "cluster_session.h"
#include "packet_split.h"
#include "payload_join.h"
#include "skynet_malloc.h"

#define FRAME_MAX 65535

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(const char *bytes, size_t size, const char *found, size_t found_size) {
	if (found_size > 0 &&
		(found < bytes || found_size > size || (size_t)(found - bytes) > size - found_size))
		abort();
}

static void
check_again(const char *bytes, const struct cluster_request *request) {
	char head[CLUSTER_HEAD_MAX];
	bool begin = request->kind == CLUSTER_BEGIN;
	if (request->to.name_size == 0 && request->to.name != NULL)
		return;
	/* Sizes that others announce or send, but we do not. */
	size_t size = begin ? request->total : request->size;
	if (begin != (size > CLUSTER_REQUEST_MAX))
		return;
	size_t head_size =
		cluster_head_request(head, &request->to, request->push, request->session, size);
	if (memcmp(head + 2, bytes, head_size - 2) != 0)
		abort();
}

/* What our nodes say to each other. */
static void
check_control(const char *bytes, size_t size, const struct cluster_response *response) {
	uint32_t number;
	uint64_t identity;
	char again[CLUSTER_PROBE_SIZE];
	if (cluster_probe_unpack(bytes, size, &number, &identity)) {
		cluster_probe_pack(again, number, identity);
		if (memcmp(again, bytes, sizeof again) != 0)
			abort();
	}
	if (response != NULL && cluster_confirm_read(response, &number) &&
		response->session != CLUSTER_CONFIRM)
		abort();
}

/* The input as a stream of parts of one payload: no more is kept than was announced. */
static void
join_frame(void *ud, const char *frame, size_t size) {
	struct payload_join *join = ud;
	struct cluster_request request;
	if (!cluster_request_parse(frame, size, &request))
		return;
	if (request.kind == CLUSTER_BEGIN && join->total == 0)
		join->total = request.total;
	else if (request.kind == CLUSTER_PART || request.kind == CLUSTER_LAST)
		payload_join_add(join, request.data, request.size);
	if (join->size > join->total || join->capacity > join->total)
		abort();
}

static void
check_stream(const char *bytes, size_t size) {
	struct packet_split split;
	struct payload_join join = {.total = 0};
	packet_split_init(&split, 2);
	packet_split_push(&split, bytes, size / 2, join_frame, &join);
	packet_split_push(&split, bytes + size / 2, size - size / 2, join_frame, &join);
	packet_split_fini(&split);
	skynet_free(join.data);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	const char *bytes = (const char *)data;
	struct cluster_address address;
	struct cluster_request request;
	struct cluster_response response;
	if (size > FRAME_MAX)
		return 0;
	size_t used = cluster_address_read(bytes, size, &address);
	if (used > size)
		abort();
	if (used > 0 && address.name != NULL)
		check_inside(bytes, used, address.name, address.name_size);
	if (cluster_request_parse(bytes, size, &request)) {
		check_inside(bytes, size, request.data, request.size);
		check_inside(bytes, size, request.to.name, request.to.name_size);
		if (request.kind == CLUSTER_REQUEST || request.kind == CLUSTER_BEGIN)
			check_again(bytes, &request);
	}
	if (cluster_response_parse(bytes, size, &response)) {
		check_inside(bytes, size, response.data, response.size);
		check_control(bytes, size, &response);
	}
	check_control(bytes, size, NULL);
	check_stream(bytes, size);
	return 0;
}
