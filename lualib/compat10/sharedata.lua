---The name that `skynet.sharedata` had before version 1.1.
return require "skynet.sharedata"
