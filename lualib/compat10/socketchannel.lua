---The name that `skynet.socketchannel` had before version 1.1.
return require "skynet.socketchannel"
