---The name that `skynet.socketdriver` had before version 1.1.
return require "skynet.socketdriver"
