---The name that `skynet.stm` had before version 1.1.
return require "skynet.stm"
