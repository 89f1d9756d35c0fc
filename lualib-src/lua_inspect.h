/* What skynet.inspect and skynet.debug ask about the tasks of a service. */
#ifndef SKYNET_LUA_INSPECT_H
#define SKYNET_LUA_INSPECT_H

#include "lua_service.h"

extern const luaL_Reg inspect_functions[]; /* skynet.core: task_list, ... */

#endif
