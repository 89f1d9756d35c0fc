---The name that `skynet.sharemap` had before version 1.1.
return require "skynet.sharemap"
