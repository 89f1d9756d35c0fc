/* Sockets for services: the calls of skynet_socket.h, and socket events turned into messages. */
#ifndef SKYNET_SOCKET_SERVICE_H
#define SKYNET_SOCKET_SERVICE_H

#include "io/socket_server.h"

/// Event handler for socket_server_poll: pushes the event as a PTYPE_SOCKET message to the service
/// that owns the socket. When that is dead, frees the data of the event and closes the socket. `ud`
/// is not used: the owner in the event names node and service.
void socket_service_deliver(void *ud, const struct socket_event *event);

#endif
