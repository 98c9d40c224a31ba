/* The client's side of TLS over a struct transport: for the demo's clients, the probe and the upload client. */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "base/transport.h"
#include "thaw/types.h"

struct tls_client;

enum tls_client_version { TLS_CLIENT_ANY, TLS_CLIENT_12, TLS_CLIENT_13 };

struct tls_client_options {
	const char *host;              /* sent as SNI, and what the server's certificate must name */
	const char *ca;                /* PEM file: whom to believe */
	const char *certificate, *key; /* PEM files; NULL: answers a request for a certificate with none */
	enum tls_client_version version;
	bool post_handshake; /* offers it (RFC 8446 4.2.6) */
};

/* Reads the files now. NULL with *err set. The transport must outlive the client. */
struct tls_client *tls_client_new(const struct tls_client_options *options, struct transport transport,
				  struct thaw_error *err);
void tls_client_free(struct tls_client **client);

/* As tls_link_handshake() and the like; each may want to read or to write, whichever it does. */
enum thaw_status tls_client_handshake(struct tls_client *client, struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status tls_client_write(struct tls_client *client, const void *data, size_t room, size_t *len,
				  struct thaw_error *err) THAW_MUST_CHECK;
enum thaw_status tls_client_read(struct tls_client *client, void *data, size_t room, size_t *len,
				 struct thaw_error *err) THAW_MUST_CHECK;
void tls_client_close_notify(struct tls_client *client);
const char *tls_client_version(const struct tls_client *client); /* "TLSv1.3" */

#endif
