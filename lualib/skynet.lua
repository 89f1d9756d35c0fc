local core = require "skynet.core"
return core.face()
