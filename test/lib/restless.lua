--- Runs in each service of a test node before its own script, when TEST_GC is set: the collector is
--- at its most aggressive, so that what is not held is gone soon.
local PAUSE_PERCENT <const> = 1
local SPEED_PERCENT <const> = 1000
local STEP_LOG2 <const> = 6

collectgarbage("incremental", PAUSE_PERCENT, SPEED_PERCENT, STEP_LOG2)
