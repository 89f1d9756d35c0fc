#include "lane_confirm.h"

#include "lane_output.h"

/* The sender must never wait for what is kept here: both are less than what it may have under way.
 */
#define ENOUGH_WIDE   ((uint32_t)(LANE_WINDOW_WIDE / 4 * 3))
#define ENOUGH_NARROW ((uint32_t)(LANE_WINDOW_NARROW / 2))

void
lane_confirm_small(struct lane_confirm *confirm) {
	lane_mix_small(&confirm->mix);
}

void
lane_confirm_part(struct lane_confirm *confirm, size_t size) {
	lane_mix_part(&confirm->mix, size);
	confirm->size += (uint32_t)size;
}

uint32_t
lane_confirm_take(struct lane_confirm *confirm, bool now) {
	uint32_t size = confirm->size;
	if (!now && size < (lane_mix_is_mixed(&confirm->mix) ? ENOUGH_NARROW : ENOUGH_WIDE))
		return 0;
	confirm->size = 0;
	return size;
}
