/*
 * Non-blocking stream sockets, and the transport over one. Addresses are numeric: nothing here asks a name server.
 * Every descriptor is made close-on-exec.
 */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stdint.h>
#include <sys/socket.h>

#include "base/transport.h"
#include "thaw/types.h"

/* *fd: borrowed, outlives the transport. The caller closes it. */
struct transport socket_transport(int *fd);

/*
 * Listening on a numeric IPv4 or IPv6 address (an IPv6 one for IPv6 only); port 0: any free one, see socket_port().
 * -1 with *err set.
 */
int socket_listen(const char *host, uint16_t port, struct thaw_error *err);

/* On a path. A socket file that nobody listens on any more is replaced; anything else there is an error. */
int socket_listen_unix(const char *path, struct thaw_error *err);

/* A connection under way: writable once it is made or has failed, which the first write tells. -1 with *err set. */
int socket_connect(const char *host, uint16_t port, struct thaw_error *err);

/* The next waiting connection, with its peer's address (peer may be NULL). -1: none, or none that could be taken: errno
 * tells. */
int socket_accept(int listener, struct sockaddr_storage *peer);

/* The local port; 0: not an IP socket. */
uint16_t socket_port(int fd);

#endif
