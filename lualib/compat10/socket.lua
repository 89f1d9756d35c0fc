---The name that `skynet.socket` had before version 1.1.
return require "skynet.socket"
