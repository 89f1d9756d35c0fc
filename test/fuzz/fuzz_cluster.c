/* Reads arbitrary bytes as frames of the cluster protocol, both ways, and as a packed address: what
 * is found lies inside the input, and a request that is written again is the same.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cluster_frame.h"

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
	if (cluster_response_parse(bytes, size, &response))
		check_inside(bytes, size, response.data, response.size);
	return 0;
}
