# Finds Lua 5.4. Gives LUA_CFLAGS, LUA_LIBS (for tests) and LUA_LIBS_WHOLE (for the executable, which
# offers all of Lua to the C modules that it loads). LUA_LINK=static takes the archive into the
# executable, shared links the library; auto takes the archive where there is one.
ifndef SKYNET_BARE
LUA_PKG := $(firstword $(foreach p,lua5.4 lua-5.4 lua54 lua,\
	$(shell $(PKG_CONFIG) --exists '$(p) >= 5.4' '$(p) < 5.5' 2>/dev/null && echo $(p))))
ifeq ($(LUA_PKG),)
$(error Lua 5.4 (headers and library) not found through pkg-config. Run 'sh 3rd/setup.sh', or install \
	pkg-config and liblua5.4-dev (Debian), lua-devel (Fedora), lua (Arch, Homebrew) or lua5.4-dev (Alpine))
endif
LUA_CFLAGS  := $(shell $(PKG_CONFIG) --cflags $(LUA_PKG))
LUA_LIBS    := $(shell $(PKG_CONFIG) --libs $(LUA_PKG))
LUA_ARCHIVE := $(if $(filter static auto,$(LUA_LINK)),$(firstword $(wildcard $(patsubst -l%,\
	$(shell $(PKG_CONFIG) --variable=libdir $(LUA_PKG))/lib%.a,$(filter -llua%,$(LUA_LIBS))) \
	$(patsubst -l%,/usr/lib/$(shell $(CC) -print-multiarch 2>/dev/null)/lib%.a,$(filter -llua%,$(LUA_LIBS))))))
ifeq ($(filter static shared auto,$(LUA_LINK)),)
$(error LUA_LINK is '$(LUA_LINK)'; it must be static, shared or auto)
endif
ifeq ($(LUA_LINK)$(LUA_ARCHIVE),static)
$(error LUA_LINK=static, but there is no archive of $(LUA_PKG); use LUA_LINK=shared)
endif
ifneq ($(LUA_ARCHIVE),)
LUA_LIBS       := $(LUA_ARCHIVE)
LUA_LIBS_WHOLE  = $(call SKYNET_WHOLE,$(LUA_ARCHIVE))
else
LUA_LIBS_WHOLE := $(LUA_LIBS)
endif
endif
