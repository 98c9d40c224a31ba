/*
 * Non-blocking stream sockets, and a transport over a socket. Addresses are numeric. Every descriptor is close-on-exec.
 */
#ifndef BASE_SOCKET_H
#define BASE_SOCKET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/transport.h"
#include "thaw/types.h"

/* fd: borrowed, must outlive the transport. The caller closes it. */
struct transport socket_transport(int *fd);

/*
 * Listens on a numeric IPv4 or IPv6 address (IPv6: without IPv4 connections); port 0: any free port, see socket_port().
 * -1 with *err set.
 */
int socket_listen(const char *host, uint16_t port, struct thaw_error *err);
/* The same, but an IPv6 listener also accepts IPv4 connections, whose peers have addresses such as ::ffff:192.0.2.1. */
int socket_listen_both(const char *host, uint16_t port, struct thaw_error *err);

/* Listens on a path. A stale socket file is replaced; any other existing file is an error. */
int socket_listen_unix(const char *path, struct thaw_error *err);

/* Starts to connect. The socket becomes writable when it is connected or has failed; the first write returns the error.
 * -1 with *err set. */
int socket_connect(const char *host, uint16_t port, struct thaw_error *err);

/* Converts a numeric address and port, or a Unix socket's path. False with *err set. */
bool socket_address(struct sockaddr_storage *to, const char *host, uint16_t port, struct thaw_error *err);
bool socket_address_unix(struct sockaddr_storage *to, const char *path, struct thaw_error *err);

/* As socket_connect(), but with errno set; EAGAIN: the backlog of a Unix socket is full. */
int socket_connect_address(const struct sockaddr_storage *to);

/* The result of a connection attempt, once the socket is writable: 0, or an errno. */
int socket_connect_outcome(int fd);

/* Whether an idle connection is still open and has received nothing. */
bool socket_is_quiet(int fd);

/* Bytes that were written, but not yet acknowledged by the peer (SIOCOUTQ); 0 also on errors. */
uint64_t socket_unsent(int fd);

/* Bytes that a TCP connection has received since it was opened, also those that are not read yet; 0 also on errors. */
uint64_t socket_received(int fd);

/* Whether bytes can be read, also after a reset. */
bool socket_has_bytes(int fd);

/* Accepts a connection and returns its peer's address (peer may be NULL). -1 with errno set. */
int socket_accept(int listener, struct sockaddr_storage *peer);

/* The local port; 0: not an IP socket, or an error. */
uint16_t socket_port(int fd);

#endif
