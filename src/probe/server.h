/* Detects which server it is, by its behaviour and its Server field. */
#ifndef PROBE_SERVER_H
#define PROBE_SERVER_H

#include "probe/findings.h"

enum server_kind {
	SERVER_UNKNOWN,
	SERVER_IIS,
	SERVER_APACHE,
	SERVER_TOMCAT,
	SERVER_NODE,
	SERVER_KESTREL,
	SERVER_F5,
	SERVER_NGINX,
	SERVER_THAW,
	SERVER_KINDS
};

#define SERVER_EVIDENCE_MAX 6

struct server_guess {
	enum server_kind kind;
	const char *evidence[SERVER_EVIDENCE_MAX]; /* static texts: the signs that were found */
	size_t count;
};

void server_recognise(const struct findings *findings, struct server_guess *guess);

const char *server_name(enum server_kind kind); /* "Apache httpd" */

#endif
