---The name that `skynet.multicast` had before version 1.1.
return require "skynet.multicast"
