/*
 * Non-blocking stream sockets, and the transport over one. Addresses are numeric: nothing here asks a name server.
 * Every descriptor is made close-on-exec.
 */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stdbool.h>
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
/* The same on an IPv6 address for IPv4 connections, too, whose peers have addresses such as ::ffff:192.0.2.1. */
int socket_listen_both(const char *host, uint16_t port, struct thaw_error *err);

/* On a path. A socket file that nobody listens on any more is replaced; anything else there is an error. */
int socket_listen_unix(const char *path, struct thaw_error *err);

/* A connection under way: writable once it is made or has failed, which the first write tells. -1 with *err set. */
int socket_connect(const char *host, uint16_t port, struct thaw_error *err);

/* A numeric address with its port, or a unix socket's path, as the system has them. False: *err. */
bool socket_address(struct sockaddr_storage *to, const char *host, uint16_t port, struct thaw_error *err);
bool socket_address_unix(struct sockaddr_storage *to, const char *path, struct thaw_error *err);

/* As socket_connect(), but errno tells; EAGAIN: a unix socket's queue of connections is full. */
int socket_connect_address(const struct sockaddr_storage *to);

/* What has become of a connection under way that is writable: 0, or an errno. */
int socket_connect_outcome(int fd);

/* Whether nothing has come on a connection that ought to be idle, not even its end. */
bool socket_is_quiet(int fd);

/* Bytes that were written, but that the peer's system has not taken yet (SIOCOUTQ); 0: none, or no such socket. */
uint64_t socket_unsent(int fd);

/* Whether bytes are there to be read, also behind a reset. */
bool socket_has_bytes(int fd);

/* The next waiting connection, with its peer's address (peer may be NULL). -1: none, or none that could be taken: errno
 * tells. */
int socket_accept(int listener, struct sockaddr_storage *peer);

/* The local port; 0: not an IP socket. */
uint16_t socket_port(int fd);

#endif
