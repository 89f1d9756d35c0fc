---The name that `skynet.db.mysql` had before version 1.1.
return require "skynet.db.mysql"
