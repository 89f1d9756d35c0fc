---The name that `skynet.mqueue` had before version 1.1.
return require "skynet.mqueue"
