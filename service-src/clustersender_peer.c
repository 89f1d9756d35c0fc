/* What a clustersender and its peer say to each other about their connection: whether both are
 * nodes of this kind, that they live, and how many bytes of parts have been read.
 */
#include <string.h>

#include "clustersender.h"
#include "skynet_socket.h"

#define NS_PER_MS           UINT64_C(1000000)
#define MISSED_BEATS        3
#define UNKNOWN_PATIENCE_MS 10000 /* at least, for a peer that has not said of which kind it is */
#define LATE_MS             5000  /* of a timer: this process stood still. Without heartbeats */

static void
ask(struct link *link, uint32_t session, uint32_t window) {
	static const struct cluster_address question = {.handle = 0};
	char head[CLUSTER_HEAD_MAX], payload[CLUSTER_PROBE_SIZE];
	cluster_probe_pack(payload, window, link->identity);
	size_t head_size = cluster_head_request(head, &question, false, session, sizeof payload);
	lane_output_write(&link->output, head, head_size, payload, sizeof payload);
}

void
sender_probe(struct clustersender *sender, struct link *link) {
	ask(link, CLUSTER_PROBE, (uint32_t)lane_window(sender->rtt_ns));
	sender->identified = true;
	link->probed = true;
	link->probe_ns = skynet_clock_ns(sender->context);
}

void
sender_fence(struct link *link) {
	ask(link, CLUSTER_FENCE, 0);
	link->fenced = true;
}

/* Measures the round trip; by the system if it can, as probes also wait for services to run. */
static void
measure_line(struct clustersender *sender, const struct link *link) {
	uint64_t rtt_ns = skynet_socket_round_trip(sender->context, link->id);
	if (rtt_ns != 0) {
		sender->rtt_ns = rtt_ns;
		return;
	}
	rtt_ns = skynet_clock_ns(sender->context) - link->probe_ns;
	if (link->probe_ns != 0 && (sender->rtt_ns == 0 || rtt_ns < sender->rtt_ns))
		sender->rtt_ns = rtt_ns;
}

static void
probe_answered(
	struct clustersender *sender, struct link *link, const struct cluster_response *response) {
	uint32_t version;
	uint64_t none;
	bool ours = response->kind == CLUSTER_ANSWER_OK &&
		    cluster_probe_unpack(response->data, response->size, &version, &none) &&
		    version > 0;
	measure_line(sender, link);
	link->probe_ns = 0;
	link->ours = ours;
	if (link == sender->link)
		sender->peer = ours ? PEER_OURS : PEER_OTHER;
	if (ours) {
		lane_output_set_window(&link->output, lane_window(sender->rtt_ns));
		lane_output_set_narrow(&link->output, sender->rtt_ns);
	}
}

bool
sender_take_control(
	struct clustersender *sender, struct link *link, const struct cluster_response *response) {
	uint32_t size;
	if (response->session == CLUSTER_PROBE) {
		probe_answered(sender, link, response);
		return true;
	}
	if (response->session == CLUSTER_FENCE) {
		sender_fence_answered(sender, link);
		return true;
	}
	if (response->session != CLUSTER_CONFIRM)
		return false;
	if (cluster_confirm_read(response, &size))
		lane_output_confirm(&link->output, size);
	return true;
}

void
sender_confirm(struct link *link, bool now) {
	char head[CLUSTER_HEAD_MAX];
	uint32_t parts = link->ours ? lane_confirm_take(&link->confirm, now) : 0;
	if (parts == 0)
		return;
	size_t size = cluster_head_extra(head, CLUSTER_EXTRA_CONFIRM, parts);
	lane_output_write(&link->output, head, size, NULL, 0);
}

uint64_t
sender_patience_ns(const struct clustersender *sender, bool known) {
	uint64_t patience_ns = (uint64_t)sender->heartbeat_ms * MISSED_BEATS * NS_PER_MS;
	if (!known && patience_ns < UNKNOWN_PATIENCE_MS * NS_PER_MS)
		return UNKNOWN_PATIENCE_MS * NS_PER_MS;
	return patience_ns;
}

bool
sender_slept(const struct clustersender *sender, uint64_t due_ns) {
	uint64_t late_ms = sender->heartbeat_ms > 0 ? (uint64_t)sender->heartbeat_ms : LATE_MS;
	return skynet_clock_ns(sender->context) > due_ns + late_ms * NS_PER_MS;
}

void
sender_beat(struct clustersender *sender, struct link *link, bool known, bool slept) {
	uint64_t now_ns = skynet_clock_ns(sender->context);
	if (slept)
		link->alive_ns = now_ns;
	bool silent = now_ns - link->alive_ns > sender_patience_ns(sender, known);
	if (link->probe_ns != 0 && silent && (known || link->waiting > 0)) {
		sender_cut_link(sender, link, "gives no sign of life");
	} else if (link->probe_ns == 0) {
		sender_probe(sender, link);
		lane_output_flush(&link->output);
	}
}
