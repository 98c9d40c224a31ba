/*
 * A scenario is all that a run is made of, as plain data: the gateway's settings, and for each connection its relays,
 * its client's ways and the requests that it sends. It comes from a seed, or is written by hand and has a name.
 */
#ifndef SIM_SCENARIO_H
#define SIM_SCENARIO_H

#include <stdio.h>

#include "config/config.h"
#include "relay.h"

#define SCENARIO_CONNS    4
#define SCENARIO_REQUESTS 16 /* at once over HTTP/2, one after the other over HTTP/1.1 */

/* Who serves. The control servers ask and stop reading: the check must catch them. */
enum server_kind {
	SERVER_GATEWAY,
	SERVER_ENGINE,          /* a small server around libthaw alone */
	SERVER_CONTROL,         /* asks, then only polls for the certificate, without end */
	SERVER_CONTROL_TIMEOUT, /* the same, and gives up after two minutes, as real ones do */
};

enum stack_kind { STACK_OPENSSL, STACK_GNUTLS };

enum client_versions { VERSIONS_BOTH, VERSIONS_12, VERSIONS_13 };

enum client_reading {
	READS_ALWAYS, /* while it writes */
	READS_AFTER,  /* writes its whole request first */
	READS_SLOWLY, /* a few bytes at a time */
};

enum client_answer {
	ANSWER_GOOD,
	ANSWER_EMPTY,
	ANSWER_WRONG_CA,
	ANSWER_EXPIRED,
	ANSWER_NEVER,      /* goes on with its body */
	ANSWER_EMPTY_ONCE, /* and with the certificate when it is asked again */
	ANSWER_OTHER,      /* the other CA's certificate where the other CA is asked for, else the good one */
	ANSWER_REFUSES,    /* TLS 1.2: a no_renegotiation alert (Go's default) */
};

enum client_ending {
	ENDING_NORMAL,
	ENDING_IDLE,       /* stays connected and silent after its last response */
	ENDING_STOPS,      /* sends no more, and reads on */
	ENDING_NOTIFY,     /* close_notify and FIN */
	ENDING_HALF_CLOSE, /* FIN without close_notify, and reads on */
	ENDING_RESET,
};

enum request_expect {
	EXPECT_NONE,
	EXPECT_STRICT,    /* not a byte of body before the 100 */
	EXPECT_IMPATIENT, /* the body after one second all the same, as curl does */
	EXPECT_AT_ONCE,   /* the body right behind the head */
};

/* When a client of HTTP/2 resets a stream: `cancel_at` says after how many bytes, or milliseconds. */
enum request_cancel {
	CANCEL_NOT,
	CANCEL_LATER, /* milliseconds after its begin */
	CANCEL_SENT,  /* bytes of its body */
	CANCEL_HEARD, /* bytes of the response's body */
};

/* How a client of HTTP/2 gives its windows back. */
enum window_grants { GRANTS_AT_ONCE, GRANTS_DRIBBLE, GRANTS_NEVER };

struct window_plan {
	uint32_t stream, connection; /* bytes */
	enum window_grants grants;
	uint32_t grant_max; /* GRANTS_DRIBBLE: bytes of a stream in one go, and the pause between */
	uint64_t grant_pause_ms;
	bool withholds_connection; /* not GRANTS_AT_ONCE: the connection's window, too */
};

enum request_framing { FRAMING_NONE, FRAMING_LENGTH, FRAMING_CHUNKED };

/* Paths of the settings that scenario_yaml() writes. */
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
	size_t chunk; /* the largest */
	bool trailers;
	enum request_expect expect;
	bool close; /* Connection: close */
	/* over HTTP/2 */
	uint64_t start_ms; /* after the handshake */
	uint64_t pause_ms; /* after each piece of its body */
	uint64_t pad;      /* bytes that an upstream's server adds to its response */
	enum request_cancel cancel;
	uint64_t cancel_at;
};

struct conn_plan {
	struct relay_limits up, down;
	enum stack_kind stack;
	enum client_versions versions;
	bool post_handshake; /* offers it */
	bool no_extended_master, no_secure_renegotiation;
	enum client_reading reading;
	size_t read_max;        /* READS_SLOWLY: bytes in one go */
	uint64_t read_pause_ms; /* and the pause between */
	bool shakes_fast;       /* and only once the handshake is done */
	enum client_answer answer;
	uint64_t answer_after_ms; /* the human */
	size_t record_max;        /* plaintext of one TLS record */
	uint64_t trickle_ms;      /* pause before each record of a body; 0: none */
	enum client_ending ending;
	uint64_t ending_at; /* after so many bytes of its requests; SIM_NEVER: in the middle of the handshake */
	bool careless;      /* OpenSSL: reads while its own write is pending */
	bool interleaves;   /* sends its body on in the middle of a renegotiation */
	bool renegotiates;  /* by itself, after renegotiates_at bytes of its requests */
	uint64_t renegotiates_at;
	bool handshake_host; /* connects to the host that asks at the handshake */
	int resumes;         /* the session of that connection (a lower one), once it has ended; -1: none */
	bool browser;        /* OpenSSL: its ClientHello looks like Firefox's */
	int follows;         /* once that connection's late stream was sent away, or it has ended; -1: none */
	unsigned address;    /* clients with the same number have the same address */
	uint64_t start_ms;
	uint64_t retire_ms;  /* so long after, the gateway takes no more requests here; 0: never */
	uint64_t dismiss_ms; /* so long after that, requests under way are to be answered at once; 0: never */
	bool pipelined;
	bool http2; /* each request is a stream */
	struct window_plan windows;
	unsigned request_count;
	struct request_plan requests[SCENARIO_REQUESTS];
};

enum origin_body { ORIGIN_LENGTH, ORIGIN_CHUNKED, ORIGIN_UNTIL_CLOSE };

/* What an upstream's server does once it has read `at` bytes of a body (0: once it has the head). */
enum origin_habit {
	ORIGIN_HONEST,
	ORIGIN_AWAY,        /* refuses connections */
	ORIGIN_SLOW,        /* reads and writes read_max bytes, then pauses */
	ORIGIN_CLOSES_IDLE, /* right after each response */
	ORIGIN_CLOSES,
	ORIGIN_RESETS,
	ORIGIN_EARLY, /* answers 413, and closes */
	ORIGIN_GARBAGE,
	ORIGIN_CUTS,   /* ends in the middle of its response */
	ORIGIN_SILENT, /* reads no more, and says nothing */
	ORIGIN_EVENTS, /* writes read_max bytes, then pauses */
};

struct origin_plan {
	struct relay_limits up, down;
	enum origin_body body;
	enum origin_habit habit;
	uint64_t at;
	size_t read_max;
	uint64_t pause_ms, connect_ms;
	bool binds; /* offers NTLM: its connections belong to the client that used them first */
};

struct scenario {
	const char *name; /* NULL: from the seed */
	uint64_t seed;
	enum server_kind server;
	bool require, elsewhere, hold_to_tls12;
	uint64_t timeout_ms, grace_ms, max_body;
	uint64_t memory, disk;
	uint64_t disk_room; /* what the disk really takes; 0: all */
	unsigned per_client_percent;
	uint64_t request_memory; /* 0: as the client's */
	bool proxied;            /* what the built-in inspect would answer, an upstream's server does */
	struct origin_plan origin;
	unsigned conn_count;
	struct conn_plan conns[SCENARIO_CONNS];
};

/* Defaults: one fast connection, one honest OpenSSL client, no request yet. */
void scenario_init(struct scenario *scenario);
void scenario_from_seed(struct scenario *scenario, uint64_t seed);
/* The same with clients that speak HTTP/2. */
void scenario_from_h2_seed(struct scenario *scenario, uint64_t seed);

/* In words, on several lines. */
void scenario_describe(const struct scenario *scenario, FILE *out);

/* The settings as thaw serve reads them; freed by the caller. */
#define SCENARIO_SITE "simulated" /* X-Site of each response of the gateway */
char *scenario_yaml(const struct scenario *scenario);

/* Of a request: its path, and over HTTP/2 a number, because records come in any order there. */
void scenario_target(const struct conn_plan *plan, unsigned request, char *target, size_t room);
bool scenario_http2(const struct scenario *scenario); /* one of its clients speaks it */

const char *route_path(enum route route);
enum config_when route_when(enum route route);

#endif
