/* Whether small messages and parts of large ones travel together in one direction. Both ends of a
 * link see the same stream and count alike, so that the sender never waits for a confirmation which
 * the receiver keeps: a change here changes what nodes say to each other.
 *
 * A small message counts when parts have passed since the last one: those before and after a time
 * of large messages alone, and more of them at once, are no mixture.
 */
#ifndef SKYNET_LANE_MIX_H
#define SKYNET_LANE_MIX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define LANE_MIX_STEP ((uint64_t)4194304)  /* bytes of parts for which a small message counts */
#define LANE_MIX_MAX  ((uint64_t)67108864) /* for which all of them count, at most */

/* Zero it. */
struct lane_mix {
	uint64_t left; /* bytes of parts for which it is mixed still */
	bool parts;    /* since the last small message */
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
