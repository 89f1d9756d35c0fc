/* Connections of a clustersender that a changed address has replaced. They go on as long as calls
 * wait for answers over them.
 *
 * Often both addresses lead to the same node, and what is sent must not overtake what was sent. So
 * the connection that is left (LINK_DRAINING) gets a fence behind all that waits for it, a question
 * that nodes of all kinds answer. Only then is the new address dialled. The fence is waited for
 * while the old connection makes progress: bytes come, or the peer takes some. If there is none for
 * as long as any silent peer is given, the connection is lost, as when the peer breaks it. The next
 * one keeps its identity then, so that the peer drops what is left of it.
 */
#include "clustersender.h"
#include "skynet_socket.h"

#define NS_PER_MS UINT64_C(1000000)

/* ---- the connection that is left ---- */

static void
watch_left(struct clustersender *sender, uint64_t delay_ns) {
	sender_start_state_timer(sender, (int64_t)(delay_ns / NS_PER_MS) + 1);
}

void
sender_leave(struct clustersender *sender) {
	struct link *link = sender->link;
	sender->link = NULL;
	link->next = sender->draining;
	sender->draining = sender->left = link;
	sender->state = LINK_DRAINING;
	watch_left(sender, sender_patience_ns(sender, link->ours));
}

/* Ends LINK_DRAINING. */
static void
end_leaving(struct clustersender *sender) {
	sender_stop_state_timer(sender);
	sender->left = NULL;
	sender_ask_address(sender);
}

void
sender_fence_answered(struct clustersender *sender, const struct link *link) {
	if (link != sender->left)
		return;
	/* With the same identity the peer would end the old connection, which is still needed. */
	sender_set_identity(sender);
	end_leaving(sender);
}

void
sender_check_left(struct clustersender *sender) {
	struct link *link = sender->left;
	uint64_t now_ns = skynet_clock_ns(sender->context);
	uint64_t patience_ns = sender_patience_ns(sender, link->ours);
	if (sender_slept(sender, sender->state_due_ns))
		link->alive_ns = now_ns;
	uint64_t silent_ns = now_ns - link->alive_ns;
	if (silent_ns < patience_ns)
		watch_left(sender, patience_ns - silent_ns);
	else
		sender_cut_link(sender, link, "gives no sign of life");
}

/* ---- all of them ---- */

void
sender_forget_draining(struct clustersender *sender, const struct link *link) {
	struct link **at = &sender->draining;
	while (*at != link)
		at = &(*at)->next;
	*at = link->next;
	if (link == sender->left)
		end_leaving(sender);
}

static void
drain(struct clustersender *sender, struct link *link) {
	lane_output_flush(&link->output);
	size_t waiting = lane_output_waiting(&link->output);
	if (link == sender->left && !link->fenced && waiting == 0) {
		sender_fence(link);
		lane_output_flush(&link->output);
	}
	if (link->output.failed) {
		sender_cut_link(sender, link, "it takes no more bytes");
	} else if (link != sender->left && link->waiting == 0 && waiting == 0) {
		sender_forget_draining(sender, link);
		sender_close_link(sender, link);
	}
}

void
sender_drain(struct clustersender *sender) {
	struct link *next;
	for (struct link *link = sender->draining; link != NULL; link = next) {
		next = link->next;
		drain(sender, link);
	}
}
