/* When the receiver of parts confirms them: often, so that the sender need not have much under way
 * where small messages travel too; seldom, so that it costs nothing, where they do not. Both ends
 * see the same stream and count alike, see lane_output_set_narrow. No memory. One thread at a time.
 */
#ifndef SKYNET_LANE_CONFIRM_H
#define SKYNET_LANE_CONFIRM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lane_mix.h"

/* Zero it. */
struct lane_confirm {
	uint32_t size;       /* bytes of parts that are not confirmed yet */
	struct lane_mix mix; /* of what has come */
};

/// A small message has come.
void lane_confirm_small(struct lane_confirm *confirm);

/// `size` bytes of a part have come.
void lane_confirm_part(struct lane_confirm *confirm, size_t size);

/// What is to be confirmed, which is then done; 0 when it is too little, unless `now`.
uint32_t lane_confirm_take(struct lane_confirm *confirm, bool now);

#endif
