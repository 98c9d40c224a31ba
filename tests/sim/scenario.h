/*
 * A scenario is the complete input of a run, as plain data: the gateway's settings and, for each connection, its
 * relays, its client's behaviour and its requests. It is made from a seed, or is written by hand and has a name.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdio.h>

#include "config/config.h"
#include "relay.h"

#define SCENARIO_CONNS    4
#define SCENARIO_REQUESTS 16 /* concurrent over HTTP/2, one after another over HTTP/1.1 */

/* The server under test. The control servers ask and stop reading: the check must catch them. */
enum server_kind {
	SERVER_GATEWAY,
	SERVER_ENGINE,          /* a small server around libthaw alone */
	SERVER_CONTROL,         /* asks, then only polls for the certificate, for ever */
	SERVER_CONTROL_TIMEOUT, /* the same, but gives up after two minutes, as real servers do */
};

enum stack_kind { STACK_OPENSSL, STACK_GNUTLS };

enum client_versions { VERSIONS_BOTH, VERSIONS_12, VERSIONS_13 };

enum client_reading {
	READS_ALWAYS, /* also while it writes */
	READS_AFTER,  /* after it has written its whole request */
	READS_SLOWLY, /* a few bytes at a time */
};

enum client_answer {
	ANSWER_GOOD,
	ANSWER_EMPTY,
	ANSWER_WRONG_CA,
	ANSWER_EXPIRED,
	ANSWER_NEVER,      /* never answers; continues with its body */
	ANSWER_EMPTY_ONCE, /* no certificate at first; gives it when it is asked again */
	ANSWER_OTHER,      /* gives the other CA's certificate if the other CA is requested, otherwise the good one */
	ANSWER_REFUSES,    /* TLS 1.2: a no_renegotiation alert (Go's default) */
};

enum client_ending {
	ENDING_NORMAL,
	ENDING_IDLE,       /* stays connected and sends nothing after its last response */
	ENDING_STOPS,      /* stops sending, and keeps reading */
	ENDING_NOTIFY,     /* close_notify and FIN */
	ENDING_HALF_CLOSE, /* FIN without close_notify; keeps reading */
	ENDING_RESET,
};

enum request_expect {
	EXPECT_NONE,
	EXPECT_STRICT,    /* sends no body before the 100 */
	EXPECT_IMPATIENT, /* sends the body after one second in any case, as curl does */
	EXPECT_AT_ONCE,   /* sends the body directly after the head */
};

/* When a client of HTTP/2 resets a stream: at `cancel_at` bytes or milliseconds. */
enum request_cancel {
	CANCEL_NOT,
	CANCEL_LATER, /* milliseconds after the stream began */
	CANCEL_SENT,  /* bytes of its body */
	CANCEL_HEARD, /* bytes of the response's body */
};

/* How an HTTP/2 client gives its windows back. */
enum window_grants { GRANTS_AT_ONCE, GRANTS_DRIBBLE, GRANTS_NEVER };

struct window_plan {
	uint32_t stream, connection; /* bytes */
	enum window_grants grants;
	uint32_t grant_max; /* GRANTS_DRIBBLE: bytes of a stream at a time, and the pause between */
	uint64_t grant_pause_ms;
	bool withholds_connection; /* except with GRANTS_AT_ONCE: also withholds the connection's window */
};

enum request_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

/* Routes of the settings that scenario_yaml() writes. */
enum route {
	ROUTE_NEVER,
	ROUTE_LATE,
	ROUTE_EARLY,
	ROUTE_BODY,
	ROUTE_AFTER,
	ROUTE_OTHER,
	ROUTE_PRIME,
	ROUTE_HOST,
	ROUTES
};

struct request_plan {
	const char *method;
	enum route route; /* ROUTE_HOST: "/" of the host that asks at the handshake */
	enum request_framing framing;
	uint64_t body;
	size_t chunk; /* the largest chunk */
	bool trailers;
	enum request_expect expect;
	bool close; /* Connection: close */
	/* over HTTP/2 */
	uint64_t start_ms; /* after the handshake */
	uint64_t pause_ms; /* after each piece of its body */
	uint64_t pad;      /* bytes that an upstream server adds to its response */
	enum request_cancel cancel;
	uint64_t cancel_at;
};

struct conn_plan {
	struct relay_limits up, down;
	enum stack_kind stack;
	enum client_versions versions;
	bool post_handshake; /* offers post-handshake authentication */
	bool no_extended_master, no_secure_renegotiation;
	enum client_reading reading;
	size_t read_max;        /* READS_SLOWLY: bytes at a time */
	uint64_t read_pause_ms; /* and the pause between */
	bool shakes_fast;       /* READS_SLOWLY: only after the handshake */
	enum client_answer answer;
	uint64_t answer_after_ms; /* the time that the human takes */
	size_t record_max;        /* plaintext of one TLS record */
	uint64_t trickle_ms;      /* pause before each record of a body; 0: none */
	enum client_ending ending;
	uint64_t ending_at; /* after this many bytes of its requests; SIM_NEVER: during the handshake */
	bool careless;      /* OpenSSL: reads while its own write is pending */
	bool interleaves;   /* continues its body during a renegotiation */
	bool renegotiates;  /* by itself, after renegotiates_at bytes of its requests */
	uint64_t renegotiates_at;
	bool handshake_host; /* connects to the host that asks at the handshake */
	int resumes;         /* resumes the session of that connection (a lower index) after its end; -1: none */
	bool browser;        /* OpenSSL: its ClientHello looks like Firefox's */
	int follows;         /* starts after that connection's late stream was reset, or after its end; -1: none */
	unsigned address;    /* clients with the same number have the same address */
	uint64_t start_ms;
	uint64_t retire_ms;  /* this long after the accept, the gateway takes no more requests here; 0: never */
	uint64_t dismiss_ms; /* this much later, requests under way must be answered at once; 0: never */
	bool pipelined;
	bool http2; /* each request is a stream */
	struct window_plan windows;
	unsigned request_count;
	struct request_plan requests[SCENARIO_REQUESTS];
};

enum origin_body { ORIGIN_LENGTH, ORIGIN_CHUNKED, ORIGIN_UNTIL_CLOSE };

/* What an upstream server does once it has read `at` bytes of a body (0: once it has the head). */
enum origin_habit {
	ORIGIN_HONEST,
	ORIGIN_AWAY,        /* refuses connections */
	ORIGIN_SLOW,        /* reads and writes read_max bytes, then pauses */
	ORIGIN_CLOSES_IDLE, /* closes after each response */
	ORIGIN_CLOSES,
	ORIGIN_RESETS,
	ORIGIN_EARLY, /* answers 413, and closes */
	ORIGIN_GARBAGE,
	ORIGIN_CUTS,   /* closes in the middle of its response */
	ORIGIN_SILENT, /* stops reading, and sends nothing */
	ORIGIN_EVENTS, /* writes read_max bytes, then pauses */
};

struct origin_plan {
	struct relay_limits up, down;
	enum origin_body body;
	enum origin_habit habit;
	uint64_t at;
	size_t read_max;
	uint64_t pause_ms, connect_ms;
	bool binds; /* offers NTLM: a connection belongs to the client that used it first */
};

struct scenario {
	const char *name; /* NULL: from a seed */
	uint64_t seed;
	enum server_kind server;
	bool require, elsewhere, hold_to_tls12;
	uint64_t timeout_ms, grace_ms, max_body;
	uint64_t memory, disk;
	uint64_t disk_room; /* how much the disk really takes; 0: everything */
	unsigned per_client_percent;
	uint64_t request_memory; /* 0: the same as for a client */
	bool proxied;            /* an upstream server answers in place of builtin:inspect */
	struct origin_plan origin;
	unsigned conn_count;
	struct conn_plan conns[SCENARIO_CONNS];
};

/* Defaults: one fast connection, one honest OpenSSL client, no request yet. */
void scenario_init(struct scenario *scenario);
void scenario_from_seed(struct scenario *scenario, uint64_t seed);
/* The same with clients that speak HTTP/2. */
void scenario_from_h2_seed(struct scenario *scenario, uint64_t seed);

/* Writes a description in words, on several lines. */
void scenario_describe(const struct scenario *scenario, FILE *out);

/* The settings in the form that thaw serve reads. The caller frees them. */
#define SCENARIO_SITE "simulated" /* X-Site of each response of the gateway */
char *scenario_yaml(const struct scenario *scenario);

/* The target of a request: its path and, over HTTP/2, a number, because records come in any order there. */
void scenario_target(const struct conn_plan *plan, unsigned request, char *target, size_t room);
bool scenario_http2(const struct scenario *scenario); /* one of its clients speaks HTTP/2 */

const char *route_path(enum route route);
enum config_when route_when(enum route route);

#endif
