/* For C modules that include this header by habit. Whether a service was found in a message that
 * does not end is told by skynet_stat_get with SKYNET_STAT_ENDLESS, or by the command STAT.
 */
#ifndef SKYNET_MONITOR_H
#define SKYNET_MONITOR_H

#include "skynet.h"

#endif
