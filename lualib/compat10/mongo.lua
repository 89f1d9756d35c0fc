---The name that `skynet.db.mongo` had before version 1.1.
return require "skynet.db.mongo"
