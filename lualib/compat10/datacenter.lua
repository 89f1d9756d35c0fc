---The name that `skynet.datacenter` had before version 1.1.
return require "skynet.datacenter"
