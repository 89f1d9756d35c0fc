/* Control words: what nodes of ours say to each other besides messages. They are payloads of frames
 * of type error to handle 0, which a node of the reference ignores:
 *     ping            sent as a heartbeat, and as the first frame, which says what kind of node
 *     pong            the answer to it
 *     parts           this end takes large messages in parts; the session of the frame is the
 *                     number of the rules by which it confirms them
 *     taken           as many bytes of parts as its session says have been read
 * All run in the turn of the harbor service.
 */
#ifndef SKYNET_HARBOR_WORD_H
#define SKYNET_HARBOR_WORD_H

#include "harbor_link.h"

/// Asks for a sign of life.
void harbor_word_ping(struct harbor_link *link);

/// Says, once, that this end takes parts.
void harbor_word_offer(struct harbor_link *link);

/// Tells the peer how many bytes of parts have come, when there are enough of them, or `now`.
void harbor_word_confirm(struct harbor_link *link, bool now);

/// Handles a control word of the peer. Borrows the frame. Returns false when it is none.
bool harbor_word_take(struct harbor_link *link, const struct harbor_frame *frame);

#endif
