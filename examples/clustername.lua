-- luacheck: globals master battle data game1 game2
-- Nodes of the cluster: name = "host:port". Read again on SIGHUP.
master = "127.0.0.1:2528"
battle = "127.0.0.1:2532"
data = "127.0.0.1:2533"
game1 = "127.0.0.1:2551"
game2 = "127.0.0.1:2552"
