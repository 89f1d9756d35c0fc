/* Sockets for services: the calls of skynet_socket.h, and socket events turned into messages. */
#ifndef SKYNET_SOCKET_SERVICE_H
#define SKYNET_SOCKET_SERVICE_H

#include "io/socket_server.h"

/// Event handler for socket_server_poll; `ud` is not used (the owner names node and service).
/// Pushes a PTYPE_SOCKET message. When the owner is gone, its data is freed and its socket is
/// closed.
void socket_service_deliver(void *ud, const struct socket_event *event);

#endif
