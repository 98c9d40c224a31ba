/* What libcurl is told of the request: method, length, header fields, TLS. What it calls back is transfer.h's. */
#ifndef SEND_REQUEST_H
#define SEND_REQUEST_H

#include <curl/curl.h>

#include "send/resume.h"
#include "send/send.h"

struct request {
	const struct send_options *options;
	CURL *easy;
	struct send_body *body;
	/* Header lines: of an upload, of one that waits for a 100, of a priming request. They outlive the handle's use.
	 */
	struct curl_slist *plain, *expecting, *priming;
	struct curl_slist *connect_to, *resolve;
	char *url, *prime_url; /* with options->sni: its host is that; else NULL */
	char *host;            /* and the Host field, which is the options' */
};

/* All of these: false: libcurl has no memory. Once, with the fields above set: */
bool request_prepare(struct request *request);

/* The whole file (part NULL), or what is behind its first bytes. */
bool request_set_part(struct request *request, const struct resume *part);

bool request_set_tls(const struct request *request, enum send_tls tls);
bool request_set_expect(const struct request *request, bool expects);

/* Behind the handle. */
void request_free(struct request *request);

#endif
