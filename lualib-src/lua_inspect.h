/* Functions by which skynet.inspect and skynet.debug list the tasks of a service and end them. */
#ifndef SKYNET_LUA_INSPECT_H
#define SKYNET_LUA_INSPECT_H

#include "lua_service.h"

extern const luaL_Reg inspect_functions[]; /* skynet.core: task_list, ... */

#endif
