/*
 * HTTP/2 or not, TLS 1.2 or 1.3, asked in the handshake or not: real handshakes in memory, with clients that look like
 * Firefox or like no browser.
 */
#include "browser_world.h"

#include <sys/stat.h>

#include "../made.h"
#include "tls/certificate.h"
#include "tls/ticket_keys.h"

#define WALL_MS UINT64_C(1700000000000)

static char other_folder[] = "/tmp/thaw-unit-demand-XXXXXX";
static thaw_trust *other_trust; /* of another CA, which never issued the client's certificate */

/* ---- servers ---- */

struct wish {
	enum tls_http2 http2;
	bool early; /* no route asks late */
	bool refuse;
	thaw_trust *at_handshake;
	struct tls_protocol protocol;
	const char *ticket_keys;
	const char *name;
};

static struct tls_server *server_new(const struct wish *wish)
{
	thaw_trust *trusts[] = {trust, other_trust};
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_host host = {.names = (const char *const[]){wish->name != NULL ? wish->name : "*", NULL},
				.certificate = server_pem,
				.key = server_key,
				.protocol = &wish->protocol,
				.http2 = wish->http2,
				.asks_late = !wish->early,
				.hold_to_tls12 = !wish->early && !wish->refuse,
				.at_handshake = wish->at_handshake,
				.trusts = trusts,
				.trust_count = 2};
	struct tls_server *made = tls_server_new(&host, 1, &err);

	assert_string_equal(err.text, "");
	if (wish->ticket_keys != NULL)
		assert_int_equal(tls_server_use_ticket_keys(made, wish->ticket_keys, &err), THAW_OK);
	return made;
}

/* ---- connections ---- */

struct notes {
	struct tls_away away;
	unsigned looked;
};

static struct tls_away look(void *arg)
{
	struct notes *notes = arg;

	notes->looked++;
	return notes->away;
}

struct visit {
	SSL *ssl;
	struct tls_conn *link;
	struct tls_session *session;
};

static struct visit begin_with(struct client *client, struct tls_server *at, struct notes *notes, size_t window)
{
	struct visit visit = {.link = NULL};

	duplex_open(&duplex, window);
	visit.ssl = client_ssl(client);
	visit.link = tls_conn_new(at, (struct transport){&way_ops, &duplex.server});
	assert_non_null(visit.link);
	visit.session = tls_session_new(tls_conn_ssl(visit.link));
	assert_non_null(visit.session);
	if (notes != NULL)
		tls_conn_on_away(visit.link, look, notes);
	return visit;
}

static void handshake(struct visit *visit)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	enum thaw_status status = THAW_WANT_READ;
	int done = -1;

	for (int turn = 0; turn < 100000 && (done != 1 || status != THAW_OK); turn++) {
		if (done != 1)
			done = SSL_do_handshake(visit->ssl);
		if (status != THAW_OK)
			status = tls_conn_handshake(visit->link, &err);
		tls_session_flush(visit->session);
	}
	assert_string_equal(err.text, "");
	assert_int_equal(done, 1);
	assert_int_equal(status, THAW_OK);
}

static struct visit begin(struct client *client, struct tls_server *at, struct notes *notes)
{
	struct visit visit = begin_with(client, at, notes, WINDOW_MAX);

	handshake(&visit);
	return visit;
}

/* A byte to the client, behind the tickets. */
static void send_byte(struct visit *visit)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	enum thaw_status status = THAW_WANT_WRITE;
	size_t n = 0;
	char byte = 'x';
	int got = 0;

	for (int turn = 0; turn < 100000 && got != 1; turn++) {
		if (status == THAW_WANT_WRITE)
			status = tls_conn_write(visit->link, &byte, 1, &n, &err);
		tls_session_flush(visit->session);
		got = SSL_read(visit->ssl, &byte, 1);
	}
	assert_int_equal(status, THAW_OK);
	assert_int_equal(got, 1);
}

static void end(struct visit *visit)
{
	send_byte(visit);
	tls_session_free(&visit->session);
	tls_conn_free(&visit->link);
	SSL_set_quiet_shutdown(visit->ssl, 1);
	(void)SSL_shutdown(visit->ssl);
	SSL_free(visit->ssl);
}

/* Whether a certificate came that this trust accepts; *reason: why not. */
static bool accepted(struct visit *visit, const thaw_trust *by, enum thaw_reason *reason)
{
	char detail[128];
	struct tls_certificate *came = tls_session_verify(visit->session, by, reason, detail, sizeof(detail));
	bool is = came != NULL && *reason == THAW_REASON_NONE;

	tls_certificate_free(&came);
	return is;
}

/* ---- HTTP/2 ---- */

static void http2_by_setting_and_client(void **state)
{
	static const struct {
		struct wish wish;
		struct client client;
		bool http2;
		const char *version;
	} rows[] = {
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true, .alpn = H2}, true, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_AUTO}, {.alpn = H2}, false, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_AUTO}, {.alpn = H2, .post_handshake = true}, false, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true, .alpn = H2, .version = TLS1_2_VERSION}, false, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true, .alpn = H2, .version = TLS1_3_VERSION}, true, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true, .alpn = H1}, false, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true}, false, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_AUTO, .refuse = true}, {.browser = true, .alpn = H1}, false, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_AUTO, .protocol = {.no_tls13 = true}},
		 {.browser = true, .alpn = H2},
		 false,
		 "TLSv1.2"},
		{{.http2 = TLS_HTTP2_AUTO, .early = true}, {.alpn = H2}, true, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_AUTO, .early = true}, {.alpn = H2, .version = TLS1_2_VERSION}, true, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_AUTO, .early = true}, {.alpn = "\x02h2"}, true, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_ON}, {.alpn = H2}, true, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_ON}, {.alpn = H2, .version = TLS1_2_VERSION}, true, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_ON}, {.alpn = H1}, false, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_ON, .early = true}, {.alpn = NULL}, false, "TLSv1.3"},
		{{.http2 = TLS_HTTP2_OFF}, {.browser = true, .alpn = H2}, false, "TLSv1.2"},
		{{.http2 = TLS_HTTP2_OFF, .early = true}, {.browser = true, .alpn = H2}, false, "TLSv1.3"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_server *at = server_new(&rows[i].wish);
		struct client client = rows[i].client;
		print_message("row %zu\n", i);
		struct visit visit = begin(&client, at, NULL);
		const unsigned char *chosen = NULL;
		unsigned len = 0;
		SSL_get0_alpn_selected(visit.ssl, &chosen, &len);
		assert_int_equal(tls_conn_http2(visit.link), rows[i].http2);
		assert_int_equal(len, rows[i].http2 ? 2 : client.alpn != NULL ? 8 : 0);
		assert_string_equal(tls_conn_version(visit.link), rows[i].version);
		assert_int_equal(tls_conn_kind(visit.link), client.browser ? TLS_KIND_FIREFOX : TLS_KIND_OTHER);
		assert_int_equal(tls_conn_demand(visit.link), TLS_DEMAND_NONE);
		assert_false(tls_conn_asked(visit.link));
		end(&visit);
		forget(&client);
		tls_server_free(&at);
	}
}

/* RFC 9113 9.2 */
static void http2_over_tls12_has_an_allowed_suite_and_no_renegotiation(void **state)
{
	const struct wish good = {.http2 = TLS_HTTP2_ON},
			  bad = {.http2 = TLS_HTTP2_ON, .protocol = {.ciphers = "ECDHE-ECDSA-AES128-SHA256"}};
	struct client client = {.alpn = H2, .version = TLS1_2_VERSION};
	enum thaw_reason reason = THAW_REASON_NONE;

	(void)state;
	struct tls_server *at = server_new(&bad);
	struct visit visit = begin(&client, at, NULL);
	assert_false(tls_conn_http2(visit.link));
	assert_int_equal(tls_session_means(visit.session, &reason), THAW_MEANS_RENEGOTIATION);
	end(&visit);
	forget(&client);
	tls_server_free(&at);

	at = server_new(&good);
	for (int resumed = 0; resumed < 2; resumed++) {
		visit = begin(&client, at, NULL);
		assert_int_equal(tls_conn_resumed(visit.link), resumed);
		assert_true(tls_conn_http2(visit.link));
		assert_true((SSL_get_options(tls_conn_ssl(visit.link)) & SSL_OP_NO_RENEGOTIATION) != 0);
		assert_int_equal(tls_session_means(visit.session, &reason), THAW_MEANS_NONE);
		assert_int_equal(reason, THAW_REASON_HTTP2);
		end(&visit);
	}
	forget(&client);
	tls_server_free(&at);
}

static void http2_connections_are_not_asked(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_ON});
	struct client client = {.alpn = H2, .post_handshake = true};
	struct visit visit = begin(&client, at, NULL);
	enum thaw_reason reason = THAW_REASON_NONE;

	(void)state;
	assert_true(tls_conn_http2(visit.link));
	assert_int_equal(tls_session_means(visit.session, &reason), THAW_MEANS_NONE);
	assert_int_equal(reason, THAW_REASON_HTTP2);
	end(&visit);
	forget(&client);
	tls_server_free(&at);
}

/* ---- on demand ---- */

static void a_noted_browser_is_asked_in_its_handshake(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO});
	struct notes notes = {.away = {trust, WALL_MS}};
	enum thaw_reason reason = THAW_REASON_NONE;

	(void)state;
	for (int gives = 0; gives < 2; gives++) {
		struct client client = {.browser = true, .alpn = H1, .gives = gives};
		struct visit visit = begin(&client, at, &notes);
		assert_int_equal(notes.looked, gives + 1);
		assert_string_equal(tls_conn_version(visit.link), "TLSv1.3");
		assert_true(tls_conn_asked(visit.link));
		assert_int_equal(tls_conn_demand(visit.link), TLS_DEMAND_NOTE);
		assert_true(tls_conn_demanded(visit.link, trust));
		assert_false(tls_conn_demanded(visit.link, other_trust));
		assert_int_equal(accepted(&visit, trust, &reason), gives);
		assert_int_equal(reason, gives ? THAW_REASON_NONE : THAW_REASON_NO_CERTIFICATE);
		end(&visit);
		forget(&client);
	}
	tls_server_free(&at);
}

/* The handshake goes on, and the response can tell why. */
static void a_certificate_of_another_ca_does_not_end_the_handshake(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO});
	struct notes notes = {.away = {other_trust, WALL_MS}};
	struct client client = {.browser = true, .alpn = H1, .gives = true};
	struct visit visit = begin(&client, at, &notes);
	enum thaw_reason reason = THAW_REASON_NONE;

	(void)state;
	assert_true(tls_conn_demanded(visit.link, other_trust));
	assert_false(accepted(&visit, other_trust, &reason));
	assert_int_equal(reason, THAW_REASON_UNTRUSTED);
	assert_true(accepted(&visit, trust, &reason)); /* for a route of the host that has this trust */
	end(&visit);
	forget(&client);
	tls_server_free(&at);
}

static void only_such_a_connection_is_looked_up(void **state)
{
	static const struct {
		struct wish wish;
		struct client client;
	} rows[] = {
		{{.http2 = TLS_HTTP2_AUTO}, {.alpn = H1, .post_handshake = true}},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true, .alpn = H2}},
		{{.http2 = TLS_HTTP2_OFF}, {.browser = true, .alpn = H2}},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true}},
		{{.http2 = TLS_HTTP2_AUTO}, {.browser = true, .alpn = H1, .version = TLS1_2_VERSION}},
		{{.http2 = TLS_HTTP2_AUTO, .protocol = {.no_tls13 = true}}, {.browser = true, .alpn = H1}},
		{{.http2 = TLS_HTTP2_AUTO, .early = true}, {.browser = true, .alpn = H1}},
	};
	struct notes notes = {.away = {trust, WALL_MS}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_server *at = server_new(&rows[i].wish);
		struct client client = rows[i].client;
		print_message("row %zu\n", i);
		struct visit visit = begin(&client, at, &notes);
		assert_false(tls_conn_asked(visit.link));
		assert_int_equal(tls_conn_demand(visit.link), TLS_DEMAND_NONE);
		assert_false(tls_conn_demanded(visit.link, trust));
		end(&visit);
		forget(&client);
		tls_server_free(&at);
	}
	assert_int_equal(notes.looked, 0);
}

static void a_browser_without_a_note_is_held_to_tls12(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO});
	struct tls_server *tls13 = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO, .refuse = true});
	struct notes notes = {.away = {NULL, WALL_MS}};
	struct client client = {.browser = true, .alpn = H1};
	struct visit visit = begin(&client, at, &notes);

	(void)state;
	assert_int_equal(notes.looked, 1);
	assert_string_equal(tls_conn_version(visit.link), "TLSv1.2");
	assert_false(tls_conn_asked(visit.link));
	end(&visit);
	forget(&client);
	/* a trust that is none of the host's is no note */
	thaw_trust *stranger = made_trust_load(ca, NULL, &(struct thaw_error){.cls = THAW_ERR_NONE});
	assert_non_null(stranger);
	notes.away.trust = stranger;
	visit = begin(&client, tls13, &notes);
	assert_string_equal(tls_conn_version(visit.link), "TLSv1.3");
	assert_int_equal(tls_conn_demand(visit.link), TLS_DEMAND_NONE);
	end(&visit);
	forget(&client);
	thaw_trust_free(&stranger);
	tls_server_free(&tls13);
	tls_server_free(&at);
}

/* ---- resumption ---- */

static void a_session_without_a_certificate_is_not_resumed_on_demand(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO});
	struct notes notes = {.away = {trust, WALL_MS}};
	struct client client = {.browser = true, .alpn = H2, .gives = true};
	enum thaw_reason reason = THAW_REASON_NONE;

	(void)state;
	struct visit visit = begin(&client, at, &notes);
	assert_true(tls_conn_http2(visit.link));
	end(&visit);
	assert_non_null(client.session);
	client.alpn = H1;
	visit = begin(&client, at, &notes);
	assert_false(tls_conn_resumed(visit.link));
	assert_true(tls_conn_asked(visit.link));
	assert_true(accepted(&visit, trust, &reason));
	end(&visit);
	/* its own session has the certificate, and is resumed on demand as well as without a note */
	for (int noted = 0; noted < 2; noted++) {
		notes.away.trust = noted ? trust : NULL;
		visit = begin(&client, at, &notes);
		assert_string_equal(tls_conn_version(visit.link), "TLSv1.3");
		assert_true(tls_conn_resumed(visit.link));
		assert_false(tls_conn_asked(visit.link));
		assert_int_equal(tls_conn_demand(visit.link), noted ? TLS_DEMAND_NOTE : TLS_DEMAND_CERTIFICATE);
		assert_true(tls_conn_demanded(visit.link, trust));
		assert_true(accepted(&visit, trust, &reason));
		end(&visit);
	}
	/* but not where another trust is to accept it */
	notes.away.trust = other_trust;
	visit = begin(&client, at, &notes);
	assert_false(tls_conn_resumed(visit.link));
	assert_true(tls_conn_asked(visit.link));
	end(&visit);
	/* and it is good for HTTP/2, too */
	client.alpn = H2;
	visit = begin(&client, at, &notes);
	assert_true(tls_conn_resumed(visit.link));
	assert_true(tls_conn_http2(visit.link));
	assert_true(accepted(&visit, trust, &reason));
	end(&visit);
	forget(&client);
	tls_server_free(&at);
}

/* ---- tickets that say so ---- */

#define KEYS_HEX 160

static const char *keys_file(void)
{
	static char path[96], text[KEYS_HEX + 1];

	(void)snprintf(path, sizeof(path), "%s/keys", other_folder);
	(void)unlink(path);
	for (size_t i = 0; i < KEYS_HEX; i++)
		text[i] = "0123456789abcdef"[i * 7 % 16];
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0600), 0);
	return path;
}

/* On an HTTP/2 connection, through a window that small. */
static struct client sent_away(struct tls_server *from, size_t window, uint64_t wall_ms)
{
	struct client client = {.browser = true, .alpn = H2};
	struct visit visit = begin_with(&client, from, NULL, window);

	handshake(&visit);
	assert_true(tls_conn_http2(visit.link));
	send_byte(&visit);
	forget(&client);
	assert_true(tls_conn_note_ticket(visit.link, trust, wall_ms));
	end(&visit);
	assert_non_null(client.session);
	client.alpn = H1;
	return client;
}

static enum tls_demand reconnect(struct client *client, struct tls_server *to, uint64_t wall_ms)
{
	struct notes notes = {.away = {NULL, wall_ms}};
	struct visit visit = begin(client, to, &notes);
	enum tls_demand demand = tls_conn_demand(visit.link);

	assert_int_equal(tls_conn_asked(visit.link), demand != TLS_DEMAND_NONE);
	assert_int_equal(tls_conn_demanded(visit.link, trust), demand != TLS_DEMAND_NONE);
	assert_false(tls_conn_resumed(visit.link));
	end(&visit);
	forget(client);
	return demand;
}

static void a_ticket_informs_another_machine(void **state)
{
	static const size_t windows[] = {1, 100, WINDOW_MAX};
	const struct wish shared = {.http2 = TLS_HTTP2_AUTO, .ticket_keys = keys_file()},
			  own = {.http2 = TLS_HTTP2_AUTO};
	struct tls_server *one = server_new(&shared), *another = server_new(&shared), *alone = server_new(&own),
			  *elsewhere = server_new(&(struct wish){
				  .http2 = TLS_HTTP2_AUTO, .ticket_keys = keys_file(), .name = "localhost"});

	(void)state;
	for (size_t i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		struct client client = sent_away(one, windows[i], WALL_MS);
		assert_int_equal(reconnect(&client, another, WALL_MS + 100), TLS_DEMAND_TICKET);
	}
	struct client client = sent_away(alone, WINDOW_MAX, WALL_MS);
	assert_int_equal(reconnect(&client, alone, WALL_MS + TLS_AWAY_MS - 1), TLS_DEMAND_TICKET);
	client = sent_away(one, WINDOW_MAX, WALL_MS);
	assert_int_equal(reconnect(&client, another, WALL_MS - TLS_AWAY_MS + 1), TLS_DEMAND_TICKET);
	/* not: too late, with other keys, to another host */
	client = sent_away(one, WINDOW_MAX, WALL_MS);
	assert_int_equal(reconnect(&client, another, WALL_MS + TLS_AWAY_MS), TLS_DEMAND_NONE);
	client = sent_away(one, WINDOW_MAX, WALL_MS);
	assert_int_equal(reconnect(&client, another, WALL_MS - TLS_AWAY_MS), TLS_DEMAND_NONE);
	client = sent_away(one, WINDOW_MAX, WALL_MS);
	assert_int_equal(reconnect(&client, alone, WALL_MS), TLS_DEMAND_NONE);
	client = sent_away(one, WINDOW_MAX, WALL_MS);
	assert_int_equal(reconnect(&client, elsewhere, WALL_MS), TLS_DEMAND_NONE);
	tls_server_free(&one);
	tls_server_free(&another);
	tls_server_free(&alone);
	tls_server_free(&elsewhere);
}

/* The HTTP/2 connection may have resumed a session itself, and the note is of the second reset. */
static void a_resumed_connection_gives_such_tickets_too(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO});
	struct client client = sent_away(at, WINDOW_MAX, WALL_MS);

	(void)state;
	client.alpn = H2;
	struct visit visit = begin(&client, at, NULL);
	assert_true(tls_conn_resumed(visit.link));
	send_byte(&visit);
	assert_true(tls_conn_note_ticket(visit.link, other_trust, WALL_MS + TLS_AWAY_MS));
	assert_true(tls_conn_note_ticket(visit.link, trust, WALL_MS + 2 * TLS_AWAY_MS));
	end(&visit);
	client.alpn = H1;
	assert_int_equal(reconnect(&client, at, WALL_MS + 2 * TLS_AWAY_MS + 1), TLS_DEMAND_TICKET);
	tls_server_free(&at);
}

/* A ticket that is not whole, or not of these keys, is not opened. */
static void a_forged_ticket_is_not_opened(void **state)
{
	const char *file = keys_file();
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct tls_ticket_keys *keys = tls_ticket_keys_load(file, &err);
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_AUTO, .ticket_keys = file});
	struct client client = sent_away(at, WINDOW_MAX, WALL_MS);
	const unsigned char *ticket = NULL;
	size_t len = 0;

	(void)state;
	assert_non_null(keys);
	SSL_SESSION_get0_ticket(client.session, &ticket, &len);
	SSL_SESSION *opened = tls_ticket_open(keys, ticket, len);
	assert_non_null(opened);
	SSL_SESSION_free(opened);
	unsigned char *copy = malloc(len);
	assert_non_null(copy);
	for (size_t i = 0; i < len; i++) {
		memcpy(copy, ticket, len);
		copy[i] ^= 1;
		assert_null(tls_ticket_open(keys, copy, len));
	}
	free(copy);
	for (size_t cut = 0; cut < len; cut++) {
		copy = malloc(cut + (cut == 0));
		assert_non_null(copy);
		memcpy(copy, ticket, cut);
		assert_null(tls_ticket_open(keys, copy, cut));
		free(copy);
	}
	tls_ticket_keys_free(&keys);
	tls_server_free(&at);
	forget(&client);
}

static void no_note_ticket_where_it_is_useless(void **state)
{
	struct tls_server *at = server_new(&(struct wish){.http2 = TLS_HTTP2_ON});
	struct client old = {.alpn = H2, .version = TLS1_2_VERSION};
	struct notes notes = {.away = {trust, WALL_MS}};
	struct client gives = {.browser = true, .alpn = H1, .gives = true};

	(void)state;
	struct visit visit = begin(&old, at, NULL);
	assert_false(tls_conn_note_ticket(visit.link, trust, WALL_MS));
	end(&visit);
	forget(&old);
	visit = begin(&gives, at, &notes);
	assert_false(tls_conn_note_ticket(visit.link, trust, WALL_MS));
	end(&visit);
	forget(&gives);
	/* before the handshake */
	visit = begin_with(&gives, at, NULL, WINDOW_MAX);
	assert_false(tls_conn_note_ticket(visit.link, trust, WALL_MS));
	handshake(&visit);
	end(&visit);
	forget(&gives);
	tls_server_free(&at);
}

/* ---- the world ---- */

static int set_up(void **state)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char path[96];

	if (set_up_peers(state) != 0 || mkdtemp(other_folder) == NULL || tls_pki_make(other_folder, &err) != THAW_OK)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/ca.pem", other_folder);
	other_trust = made_trust_load(path, NULL, &err);
	return other_trust != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const files[] = {"ca.pem", "server.pem", "server.key", "client.pem", "client.key", "keys"};
	char path[96];

	thaw_trust_free(&other_trust);
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		(void)snprintf(path, sizeof(path), "%s/%s", other_folder, files[i]);
		(void)unlink(path);
	}
	return rmdir(other_folder) == 0 ? tear_down_peers(state) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http2_by_setting_and_client),
		cmocka_unit_test(http2_over_tls12_has_an_allowed_suite_and_no_renegotiation),
		cmocka_unit_test(http2_connections_are_not_asked),
		cmocka_unit_test(a_noted_browser_is_asked_in_its_handshake),
		cmocka_unit_test(a_certificate_of_another_ca_does_not_end_the_handshake),
		cmocka_unit_test(only_such_a_connection_is_looked_up),
		cmocka_unit_test(a_browser_without_a_note_is_held_to_tls12),
		cmocka_unit_test(a_session_without_a_certificate_is_not_resumed_on_demand),
		cmocka_unit_test(a_ticket_informs_another_machine),
		cmocka_unit_test(a_resumed_connection_gives_such_tickets_too),
		cmocka_unit_test(a_forged_ticket_is_not_opened),
		cmocka_unit_test(no_note_ticket_where_it_is_useless),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
