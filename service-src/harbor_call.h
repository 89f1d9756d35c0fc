/* Requests of this node that wait for an answer from another one, so that they can be failed when
 * that node is lost. One thread at a time.
 *
 * A request may never be answered. Its caller may have given up: then it is abandoned, and kept for
 * a while longer, because an answer is still likely. Or the caller is gone: call_table_sweep finds
 * these, and gives memory back.
 */
#ifndef SKYNET_HARBOR_CALL_H
#define SKYNET_HARBOR_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harbor_request.h"

/* Zero it before use. */
struct call_table {
	struct request_table requests;
	uint32_t round; /* sweeps so far */
};

typedef void (*call_fn)(void *ud, uint32_t caller, int session, uint32_t callee);

/// Remembers a request; replaces what the same caller and session had. Caller not 0.
void call_table_put(struct call_table *table, uint32_t caller, int session, uint32_t callee);

/// Forgets a request. Returns false when there is none.
bool call_table_take(struct call_table *table, uint32_t caller, int session);

/// Notes that the caller has given up a request.
void call_table_abandon(struct call_table *table, uint32_t caller, int session);

/// `abandoned`: for how many sweeps the request has been given up, 0 when it has not. Must not use
/// the table.
typedef bool (*call_over_fn)(
	void *ud, uint32_t caller, int session, uint32_t callee, uint32_t abandoned);

/// Looks at a part of the table, another one each time, and forgets the requests for which
/// `is_over` returns true.
void call_table_sweep(struct call_table *table, call_over_fn is_over, void *ud);

/// Forgets all requests to one harbor, calling `lost` for each. `lost` must not use the table.
void call_table_lose(struct call_table *table, int harbor, call_fn lost, void *ud);

/// Frees the memory.
void call_table_fini(struct call_table *table);

#endif
