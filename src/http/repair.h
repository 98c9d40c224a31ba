/*
 * Repairs of an upstream's response; requests are never repaired. A malformed response is repaired if nginx and HAProxy
 * interpret it in the same way, or if RFC 9112 says how a proxy must interpret it. It is never forwarded unchanged. The
 * connection is not reused, since its next bytes may be ambiguous, too.
 */
#ifndef HTTP_REPAIR_H
#define HTTP_REPAIR_H

enum http_repair {
	HTTP_REPAIR_STATUS_LINE = 1 << 0, /* more than one blank, a tab, another version, a control character */
	HTTP_REPAIR_LINE_END = 1 << 1,    /* bare LF at the end of all lines, or of the empty one (RFC 9112 2.2) */
	HTTP_REPAIR_FIELD_NAME = 1 << 2,  /* white space before the colon (RFC 9112 5.1) */
	HTTP_REPAIR_FOLDED = 1 << 3,      /* a folded field line (RFC 9112 5.2) */
	HTTP_REPAIR_CONTROL = 1 << 4,     /* a control character in a value, except CR, LF, NUL (RFC 9110 5.5) */
	HTTP_REPAIR_LENGTH = 1 << 5,      /* the same Content-Length more than once (RFC 9110 8.6) */
	HTTP_REPAIR_CODING = 1 << 6,      /* Transfer-Encoding with a length, in HTTP/1.0, or empty (RFC 9112 6.1) */
	HTTP_REPAIR_NO_BODY = 1 << 7,     /* framing fields with a status that has no body (RFC 9112 6.3) */
	HTTP_REPAIR_CHUNK = 1 << 8,       /* chunk lines: blanks, bare LF, malformed extensions, trailers */
	HTTP_REPAIRS = 9
};

/* "chunk" of HTTP_REPAIR_CHUNK: for logs. */
const char *http_repair_name(unsigned repair);

#endif
