-- Login node of the small game (README.md here): checks passwords and sends players to a game node.
-- Game nodes find it by its global name, LOGIN; it calls the data node by cluster.
include "config.path"

harbor = 3
master = "127.0.0.1:2013"
address = "127.0.0.1:2531"
start = "main_login"
login_host = "127.0.0.1" -- where clients log in
login_port = 8891
console_port = 8002
