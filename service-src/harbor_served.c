#include "harbor_served.h"

#include "skynet_handle.h"

/* The note of a request: its node has been lost. */
#define LATE 1

void
served_table_put(struct served_table *table, uint32_t caller, int session, uint32_t callee) {
	struct request request = {.caller = caller, .callee = callee, .session = session};
	table->requests.by_callee = true;
	if (table->requests.count < SERVED_MAX)
		request_table_put(&table->requests, &request);
}

bool
served_table_answer(struct served_table *table, uint32_t caller, int session, uint32_t callee) {
	struct request key = {.caller = caller, .callee = callee, .session = session};
	struct request *request = request_table_find(&table->requests, &key);
	if (request == NULL)
		return true;
	bool late = request->note == LATE;
	table->late += late;
	request_table_remove(&table->requests, request);
	return !late;
}

static bool
mark_late(void *ud, struct request *request) {
	const uint32_t *harbor = ud;
	if (request->caller >> HANDLE_REMOTE_SHIFT == *harbor)
		request->note = LATE;
	return true;
}

void
served_table_lose(struct served_table *table, int harbor) {
	uint32_t id = (uint32_t)harbor;
	request_table_filter(&table->requests, mark_late, &id);
}

struct sweep {
	served_gone_fn is_gone;
	void *ud;
};

static bool
is_there(void *ud, struct request *request) {
	const struct sweep *sweep = ud;
	return !sweep->is_gone(sweep->ud, request->callee);
}

void
served_table_sweep(struct served_table *table, served_gone_fn is_gone, void *ud) {
	struct sweep sweep = {.is_gone = is_gone, .ud = ud};
	request_table_sweep(&table->requests, is_there, &sweep);
}

void
served_table_fini(struct served_table *table) {
	request_table_fini(&table->requests);
}
