--- The node that the remote cases call; it runs until it is killed.
local skynet = require "skynet"
local common = require "case.common"
local link = require "case.link"

return function()
	link.serve(skynet.getenv "bench_link", { ECHO = common.peer(), LARGE = common.peer() })
end
