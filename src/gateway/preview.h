/*
 * What the gateway would do with a request, told instead of done (thaw check --request): by the same functions that
 * decide on a connection's requests, for each kind of client. No connection, no I/O but for the certificate's file.
 */
#ifndef GATEWAY_PREVIEW_H
#define GATEWAY_PREVIEW_H

#include "gateway/find.h"
#include "tls/verify_file.h"

#define GW_PREVIEW_KINDS 7

/* What becomes of the request of one kind of client. */
struct gw_preview_client {
	const char *name;   /* of the kind: what it can do */
	const char *like;   /* such clients are */
	const char *tls;    /* "TLSv1.3", "TLSv1.2"; NULL: no version in common, and all below is empty */
	const char *http;   /* "2.0", "1.1" */
	bool held_to_tls12; /* without_post_handshake */
	bool sent_away;     /* HTTP/2: to come by HTTP/1.1 */
	bool comes_back;    /* it does: what follows is about that connection */
	bool asked;         /* a certificate is wanted of it, and looked for: those below it are filled */
	enum thaw_means means;
	enum thaw_moment moment;
	bool drains;               /* its body is read to its end before it is asked */
	enum thaw_verdict verdict; /* THAW_VERDICT_NONE: it is asked after the response */
	enum thaw_reason reason;
	bool allowed;
	bool with_identity;
	bool unverified;      /* with the certificate, marked so */
	bool ends;            /* the connection, without a response: it refuses to renegotiate */
	unsigned status;      /* of the refusal; 0: none */
	const char *location; /* the refusal sends it there */
};

struct gw_preview {
	struct http_request head;
	const struct gw_host *host;
	enum gw_finding finding;
	struct gw_found found;
	const char *problem, *problem_text; /* GW_FOUND_PROBLEM: the reason's word, and words */
	unsigned problem_status;
	bool appraised; /* a certificate was given, and this route asks for one */
	struct tls_file_verdict certificate;
	bool listed; /* `allow` lets it through */
	struct gw_preview_client clients[GW_PREVIEW_KINDS];
	size_t client_count;
	const struct gw_preview_client
		*sender; /* the first that is allowed, with an identity if one is: whose request is `sent` */
	char *sent;      /* the head that the upstream gets; NULL: it gets none */
	size_t sent_len;
	bool too_large; /* it does not fit */
};

struct gw_preview_request {
	const char *head; /* as HTTP/1.1 has it; it outlives the preview */
	size_t len;
	const char *certificate;     /* a file; NULL: the client has none */
	const struct sockaddr *from; /* the client's address; NULL: any that is let through */
};

/*
 * THAW_FAILED: *err says what is wrong with the head, or with the file, or that no host has the name. Free it in any
 * case.
 */
enum thaw_status gw_preview_make(struct gw_preview *preview, const struct gateway *gateway,
				 const struct gw_preview_request *request, struct thaw_error *err) THAW_MUST_CHECK;
void gw_preview_free(struct gw_preview *preview);

/* preview_clients.c: fills the clients of a preview whose route is found. */
void gw_preview_clients(struct gw_preview *preview, const struct gateway *gateway);

#endif
