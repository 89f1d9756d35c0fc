/* When the receiver of parts confirms them. Beside small messages it does so often, because the
 * sender may have only few bytes unconfirmed then (lane_output_set_narrow); otherwise seldom,
 * because each confirmation costs a frame. One thread at a time.
 */
#ifndef SKYNET_LANE_CONFIRM_H
#define SKYNET_LANE_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lane_mix.h"

/* Zero it before use. */
struct lane_confirm {
	uint32_t size;       /* bytes of parts that have come and are not confirmed yet */
	struct lane_mix mix; /* whether small messages come between parts */
};

/// A small message has come.
void lane_confirm_small(struct lane_confirm *confirm);

/// `size` bytes of a part have come.
void lane_confirm_part(struct lane_confirm *confirm, size_t size);

/// How many bytes are to be confirmed by the caller, who does it; 0 while they are few, unless
/// `now`.
uint32_t lane_confirm_take(struct lane_confirm *confirm, bool now);

#endif
