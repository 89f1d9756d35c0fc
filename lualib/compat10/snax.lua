---The name that `skynet.snax` had before version 1.1.
return require "skynet.snax"
