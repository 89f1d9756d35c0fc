---The name that `skynet.profile` had before version 1.1.
return require "skynet.profile"
