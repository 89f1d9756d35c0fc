---The name that `skynet.memory` had before version 1.1.
return require "skynet.memory"
