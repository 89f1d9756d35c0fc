/* Requests of other nodes that wait for an answer from here, so that an answer which comes after
 * its node has been lost does not go to the process that has its id, and perhaps its handles and
 * sessions, by then. One thread at a time.
 *
 * Only what is known to be late is held back: requests that were passed on inside this process are
 * answered by somebody else than the one they came for, and are not found here.
 */
#ifndef SKYNET_HARBOR_SERVED_H
#define SKYNET_HARBOR_SERVED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "harbor_request.h"

#define SERVED_MAX ((size_t)1 << 18) /* more are not noted */

/* Zero it before use. */
struct served_table {
	struct request_table requests;
	uint64_t late; /* answers that came too late */
};

/// Notes a request to `callee`, which is alive. `caller` and `callee` not 0.
void served_table_put(struct served_table *table, uint32_t caller, int session, uint32_t callee);

/// An answer of `callee` is to be sent: forgets the request. Returns false, and counts it, when the
/// node of the caller has been lost meanwhile.
bool served_table_answer(struct served_table *table, uint32_t caller, int session, uint32_t callee);

/// The link to a harbor is lost: answers to its requests come too late from now on.
void served_table_lose(struct served_table *table, int harbor);

typedef bool (*served_gone_fn)(void *ud, uint32_t callee);

/// Looks at a part of the table, another one each time, and forgets requests whose callee is gone.
/// `is_gone` must not use the table.
void served_table_sweep(struct served_table *table, served_gone_fn is_gone, void *ud);

/// Frees the memory.
void served_table_fini(struct served_table *table);

#endif
