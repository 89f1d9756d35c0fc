---The name that `skynet.netpack` had before version 1.1.
return require "skynet.netpack"
