/* For C modules that include this header by habit: the statistics are in malloc_hook.h. */
#ifndef SKYNET_MEM_INFO_H
#define SKYNET_MEM_INFO_H

#include "malloc_hook.h"

#endif
