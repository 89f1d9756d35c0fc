---The name that `skynet.dns` had before version 1.1.
return require "skynet.dns"
