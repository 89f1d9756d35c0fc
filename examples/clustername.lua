-- luacheck: globals master
-- Nodes of the cluster: name = "host:port". Read again on SIGHUP.
master = "127.0.0.1:2528"
