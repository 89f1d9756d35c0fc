/* The message that skynet_context_push takes: `struct skynet_message`, MESSAGE_TYPE_MASK and
 * MESSAGE_TYPE_SHIFT.
 */
#ifndef SKYNET_MQ_H
#define SKYNET_MQ_H

#include "data/message.h"

#endif
