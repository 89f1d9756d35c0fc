#include "io/socket_request.h"

#include "skynet_malloc.h"

struct socket_request *
socket_request_create(enum socket_request_type type, int id) {
	struct socket_request *request = skynet_calloc(1, sizeof(*request));
	request->type = type;
	request->id = id;
	return request;
}

void
socket_request_destroy(struct socket_request *request) {
	skynet_free(request->addresses);
	skynet_free(request->text);
	skynet_free(request);
}

void
socket_request_push(struct socket_request_queue *queue, struct socket_request *request) {
	struct socket_request *newest = atomic_load_explicit(&queue->newest, memory_order_relaxed);
	/* Release pairs with the exchange in take. Sequentially consistent, because the caller then
	 * looks whether the poller sleeps, while the poller says so and then looks here. */
	do
		request->next = newest;
	while (!atomic_compare_exchange_weak_explicit(
		&queue->newest, &newest, request, memory_order_seq_cst, memory_order_relaxed));
}

struct socket_request *
socket_request_take(struct socket_request_queue *queue) {
	if (atomic_load_explicit(&queue->newest, memory_order_relaxed) == NULL)
		return NULL;
	/* Acquire pairs with the exchange in push. */
	struct socket_request *newest =
		atomic_exchange_explicit(&queue->newest, NULL, memory_order_acquire);
	struct socket_request *oldest = NULL;
	while (newest != NULL) {
		struct socket_request *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	return oldest;
}

bool
socket_request_empty(const struct socket_request_queue *queue) {
	/* Sequentially consistent: see socket_request_push. */
	return atomic_load_explicit(&queue->newest, memory_order_seq_cst) == NULL;
}
