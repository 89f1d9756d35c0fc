#include "harbor_call.h"

#include "skynet_handle.h"

/* The note of a request: the round in which its caller gave up, 0 when it has not. */

void
call_table_put(struct call_table *table, uint32_t caller, int session, uint32_t callee) {
	struct request request = {.caller = caller, .callee = callee, .session = session};
	request_table_put(&table->requests, &request);
}

static struct request *
find(const struct call_table *table, uint32_t caller, int session) {
	struct request key = {.caller = caller, .session = session};
	return caller != 0 ? request_table_find(&table->requests, &key) : NULL;
}

bool
call_table_take(struct call_table *table, uint32_t caller, int session) {
	struct request *request = find(table, caller, session);
	if (request == NULL)
		return false;
	request_table_remove(&table->requests, request);
	return true;
}

void
call_table_abandon(struct call_table *table, uint32_t caller, int session) {
	struct request *request = find(table, caller, session);
	if (request != NULL && request->note == 0)
		request->note = table->round + 1;
}

struct sweep {
	uint32_t round;
	call_over_fn is_over;
	void *ud;
};

static bool
is_not_over(void *ud, struct request *request) {
	const struct sweep *sweep = ud;
	uint32_t abandoned = request->note != 0 ? sweep->round - request->note + 1 : 0;
	return !sweep->is_over(
		sweep->ud, request->caller, request->session, request->callee, abandoned);
}

void
call_table_sweep(struct call_table *table, call_over_fn is_over, void *ud) {
	struct sweep sweep = {.round = ++table->round, .is_over = is_over, .ud = ud};
	request_table_sweep(&table->requests, is_not_over, &sweep);
}

struct loss {
	uint32_t harbor;
	call_fn lost;
	void *ud;
};

static bool
is_not_lost(void *ud, struct request *request) {
	const struct loss *loss = ud;
	if (request->callee >> HANDLE_REMOTE_SHIFT != loss->harbor)
		return true;
	loss->lost(loss->ud, request->caller, request->session, request->callee);
	return false;
}

void
call_table_lose(struct call_table *table, int harbor, call_fn lost, void *ud) {
	struct loss loss = {.harbor = (uint32_t)harbor, .lost = lost, .ud = ud};
	request_table_filter(&table->requests, is_not_lost, &loss);
}

void
call_table_fini(struct call_table *table) {
	request_table_fini(&table->requests);
}
