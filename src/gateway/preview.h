/*
 * Shows what the gateway would do with a request, for each kind of client (thaw check --request). It uses the same
 * functions that decide about real requests. It opens no connection; its only I/O is reading the certificate's file.
 */
#ifndef GATEWAY_PREVIEW_H
#define GATEWAY_PREVIEW_H

#include "gateway/find.h"
#include "tls/verify_file.h"

#define GW_PREVIEW_KINDS 7

/* The result for the request of one kind of client. */
struct gw_preview_client {
	const char *name;   /* of the kind: what it can do */
	const char *like;   /* examples of such clients */
	const char *tls;    /* "TLSv1.3", "TLSv1.2"; NULL: no common version, and all fields below are empty */
	const char *http;   /* "2.0", "1.1" */
	bool held_to_tls12; /* without_post_handshake */
	bool sent_away;     /* HTTP/2: it must use HTTP/1.1 instead */
	bool comes_back;    /* it does so; the fields below are about that connection */
	bool asked;         /* a certificate is requested; the fields below are set */
	enum thaw_means means;
	enum thaw_moment moment;
	bool drains;               /* the whole body is read before the certificate is requested */
	enum thaw_verdict verdict; /* THAW_VERDICT_NONE: asked after the response */
	enum thaw_reason reason;
	bool allowed;
	bool with_identity;
	bool unverified;      /* allowed with a certificate that is marked as unverified */
	bool ends;            /* the connection ends without a response: the client refuses to renegotiate */
	unsigned status;      /* of the refusal; 0: none */
	const char *location; /* URL that the refusal redirects to; NULL: none */
};

struct gw_preview {
	struct http_request head;
	const struct gw_host *host;
	enum gw_finding finding;
	struct gw_found found;
	const char *problem, *problem_text; /* for GW_FOUND_PROBLEM: the reason's name, and its description */
	unsigned problem_status;
	bool appraised; /* a certificate was given, and this route asks for one */
	struct tls_file_verdict certificate;
	bool listed; /* `allow` accepts it */
	struct gw_preview_client clients[GW_PREVIEW_KINDS];
	size_t client_count;
	const struct gw_preview_client
		*sender; /* the client that sends `sent`: the first allowed one, or the first with a certificate */
	char *sent;      /* the head that the upstream gets; NULL: none */
	size_t sent_len;
	bool too_large; /* the head does not fit */
};

struct gw_preview_request {
	const char *head; /* in HTTP/1.1 form; borrowed, must outlive the preview */
	size_t len;
	const char *certificate;     /* a file; NULL: the client has none */
	const struct sockaddr *from; /* the client's address; NULL: any allowed one */
};

/*
 * THAW_FAILED: *err describes the error in the head or the file, or says that no host has that name. Free the preview
 * in any case.
 */
enum thaw_status gw_preview_make(struct gw_preview *preview, const struct gateway *gateway,
				 const struct gw_preview_request *request, struct thaw_error *err) THAW_MUST_CHECK;
void gw_preview_free(struct gw_preview *preview);

/* preview_clients.c: fills the clients of a preview whose route is found. */
void gw_preview_clients(struct gw_preview *preview, const struct gateway *gateway);

#endif
