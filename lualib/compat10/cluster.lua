---The name that `skynet.cluster` had before version 1.1.
return require "skynet.cluster"
