---The name that `skynet.db.redis` had before version 1.1.
return require "skynet.db.redis"
