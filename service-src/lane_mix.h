/* Whether small messages travel between the parts of large ones, in one direction of a link. Both
 * ends see the same stream and count alike. If they did not, the sender could wait for a
 * confirmation that the receiver holds back: a change here is a change of the protocol.
 *
 * A small message counts when parts have passed since the last small one. So neither a burst of
 * small messages nor those before and after a stretch of large ones make a mixture.
 */
#ifndef SKYNET_LANE_MIX_H
#define SKYNET_LANE_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_MIX_STEP ((uint64_t)4194304)  /* bytes of parts that a small message counts for */
#define LANE_MIX_MAX  ((uint64_t)67108864) /* bytes of parts that all of them count for, at most */

/* Zero it before use. */
struct lane_mix {
	uint64_t left; /* bytes of parts until it is no mixture any more */
	bool parts;    /* parts have passed since the last small message */
};

/// A small message passes.
static inline void
lane_mix_small(struct lane_mix *mix) {
	if (mix->parts)
		mix->left = mix->left < LANE_MIX_MAX - LANE_MIX_STEP ? mix->left + LANE_MIX_STEP
								     : LANE_MIX_MAX;
	mix->parts = false;
}

/// A part of `size` bytes passes.
static inline void
lane_mix_part(struct lane_mix *mix, size_t size) {
	mix->left -= mix->left < size ? mix->left : size;
	mix->parts = true;
}

static inline bool
lane_mix_is_mixed(const struct lane_mix *mix) {
	return mix->left > 0;
}

#endif
