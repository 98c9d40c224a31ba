/* Sets the options of libcurl's handle: method, length, header fields, TLS. transfer.h has its callbacks. */
#ifndef SEND_REQUEST_H
#define SEND_REQUEST_H

#include <curl/curl.h>

#include "send/resume.h"
#include "send/send.h"

struct request {
	const struct send_options *options;
	CURL *easy;
	struct send_body *body;
	/* Header lines: of an upload, of an upload that waits for a 100, of a priming request. They outlive the
	 * handle. */
	struct curl_slist *plain, *expecting, *priming;
	struct curl_slist *connect_to, *resolve;
	char *url, *prime_url; /* with options->sni: a URL with that host; else NULL */
	char *host;            /* and the Host field with the original host */
};

/* These return false if libcurl is out of memory. Call request_prepare() once, after the fields above are set. */
bool request_prepare(struct request *request);

/* Sends the whole file (part NULL), or the rest after the first bytes. */
bool request_set_part(struct request *request, const struct resume *part);

bool request_set_tls(const struct request *request, enum send_tls tls);
bool request_set_expect(const struct request *request, bool expects);

/* Call after the handle was freed. */
void request_free(struct request *request);

#endif
