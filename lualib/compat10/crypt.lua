---The name that `skynet.crypt` had before version 1.1.
return require "skynet.crypt"
