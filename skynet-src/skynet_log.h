/* For C modules that include this header by habit. The message log of a service is switched with
 * the commands LOGON and LOGOFF (skynet_command); lines go to the log service with skynet_error.
 */
#ifndef SKYNET_LOG_H
#define SKYNET_LOG_H

#include <stdio.h>

#include "skynet.h"

#endif
