/* How messages leave by a link: small ones gathered, so that many go with one system call; large
 * ones in lanes, and in parts where the peer takes them; those that find too much waiting answered
 * with an error. All run in the turn of the harbor service.
 */
#ifndef SKYNET_HARBOR_SEND_H
#define SKYNET_HARBOR_SEND_H

#include "harbor_link.h"

/// Gives a link that has just got its socket an output, which harbor_send_stop drops with what was
/// not written.
void harbor_send_start(struct harbor_link *link);
void harbor_send_stop(struct harbor_link *link);

/// Notes that the link has output, for harbor_links_flush.
void harbor_send_touch(struct harbor_link *link);

/// Sends the id of this node, which begins the stream.
void harbor_send_id(struct harbor_link *link);

/// Sends a frame behind those that are gathered. Borrows its payload.
void harbor_send_frame(struct harbor_link *link, const struct harbor_frame *frame);

/// Sends a message by a link that is up. One that is too large, or for which too much waits, is
/// refused; an answer is replaced by an error. Takes `message->data`.
void harbor_send_message(struct harbor_link *link, const struct waiting_message *message);

/// True when more waits than even errors may add: the peer does not read.
bool harbor_send_overflows(const struct harbor_link *link);

#endif
