# Looks for the programs that a goal needs and says how to get those that are missing.
ifndef SKYNET_BARE
SKYNET_TOOLS := $(firstword $(CC)) pkg-config $(if $(filter test check%,$(SKYNET_GOALS)),prove)
SKYNET_LACK  := $(strip $(foreach t,$(SKYNET_TOOLS),$(if $(shell command -v $(t) 2>/dev/null),,$(t))))
ifneq ($(SKYNET_LACK),)
$(error not installed: $(SKYNET_LACK). Run 'sh 3rd/setup.sh')
endif
endif
