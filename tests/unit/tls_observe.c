/*
 * What a client sees of being asked, in its order, for each way of asking; and that it can be asked in the middle of a
 * write. The server is tls/server.h, in memory.
 */
#include "peers_world.h"

#include <openssl/ssl.h>

#include "../made.h"
#include "tls/certificate.h"
#include "tls/trust.h"

#define TURNS_MAX  100000
#define SIGHTS_MAX 16
#define TEXT_MAX   64

/* A record of TLS at its largest (RFC 8446 5.2), and a client's messages of one exchange. */
#define RECORD_WHOLE    (5 + 16384 + 256)
#define HANDSHAKE_WHOLE 8192

/* ---- what was seen ---- */

struct seen_sight {
	enum tls_event_kind kind;
	enum thaw_means means;
	size_t issuer_count, given; /* given: how many texts there were */
	char first[TEXT_MAX], last[TEXT_MAX], subject[TEXT_MAX];
	bool has_subject;
	unsigned alert;
};

struct events {
	struct seen_sight all[SIGHTS_MAX];
	size_t count;
};

static void copy(char *to, const char *from)
{
	(void)snprintf(to, TEXT_MAX, "%s", from);
}

static void on_event(void *arg, const struct tls_event *event)
{
	struct events *events = arg;

	assert_true(events->count < SIGHTS_MAX);
	struct seen_sight *seen = &events->all[events->count++];
	*seen = (struct seen_sight){.kind = event->kind, .means = event->means, .alert = event->alert};
	seen->issuer_count = event->issuer_count;
	seen->given = event->issuer_count < TLS_EVENT_ISSUERS_MAX ? event->issuer_count : TLS_EVENT_ISSUERS_MAX;
	for (size_t i = 0; i < seen->given; i++)
		copy(i == 0 ? seen->first : seen->last, event->issuers[i]);
	seen->has_subject = event->subject != NULL;
	copy(seen->subject, seen->has_subject ? event->subject : "");
}

static void expect_kinds(const struct events *events, size_t count, const enum tls_event_kind kinds[])
{
	for (size_t i = 0; i < count && i < events->count; i++)
		assert_int_equal(events->all[i].kind, kinds[i]);
	assert_int_equal(events->count, count);
}

#define EXPECT(events, ...)                                                                                    \
	expect_kinds(events, sizeof((const enum tls_event_kind[]){__VA_ARGS__}) / sizeof(enum tls_event_kind), \
		     (const enum tls_event_kind[]){__VA_ARGS__})

static const struct seen_sight *the(const struct events *events, enum tls_event_kind kind)
{
	for (size_t i = 0; i < events->count; i++)
		if (events->all[i].kind == kind)
			return &events->all[i];
	fail_msg("no such event");
	return NULL;
}

static struct events events; /* of the observers below */
static const struct tls_observer observer = {.on_event = on_event, .arg = &events};
static const struct tls_observer withholder = {.on_event = on_event, .arg = &events, .withhold = true};

/* ---- a client and a server ---- */

struct pair {
	struct duplex duplex;
	struct tls_client *client;
	struct tls_conn *link;
	struct tls_session *session;
	struct exchange exchange;
	struct thaw_error client_err, server_err;
	enum thaw_status client_read;
};

static struct tls_client_options options_of(enum tls_client_version version)
{
	return (struct tls_client_options){.ca = ca,
					   .credentials = credentials,
					   .version = version,
					   .post_handshake = true,
					   .observer = &observer,
					   .reads_while_writing = true};
}

static struct tls_client_context *context_of(const struct tls_client_options *options)
{
	struct thaw_error err = {0};
	struct tls_client_context *context = tls_client_context_new(options, &err);

	assert_string_equal(err.text, "");
	assert_non_null(context);
	events.count = 0;
	return context;
}

static void open_pair(struct pair *pair, struct tls_client_context *context, size_t window)
{
	memset(pair, 0, sizeof(*pair));
	duplex_open(&pair->duplex, window);
	pair->client = tls_client_new(context, "localhost", (struct transport){&way_ops, &pair->duplex.client}, NULL,
				      &pair->client_err);
	pair->link = tls_conn_new(server, (struct transport){&way_ops, &pair->duplex.server});
	assert_non_null(pair->client);
	assert_non_null(pair->link);
	pair->session = tls_session_new(tls_conn_ssl(pair->link));
	assert_non_null(pair->session);
}

static void close_pair(struct pair *pair)
{
	tls_session_free(&pair->session);
	tls_conn_free(&pair->link);
	tls_client_free(&pair->client);
}

static bool over(enum thaw_status status)
{
	return status != THAW_WANT_READ && status != THAW_WANT_WRITE;
}

/* The client's end of it. */
static enum thaw_status handshake(struct pair *pair)
{
	enum thaw_status client = THAW_WANT_READ, link = THAW_WANT_READ;

	for (int turn = 0; turn < TURNS_MAX && (!over(client) || !over(link)); turn++) {
		if (!over(client))
			client = tls_client_handshake(pair->client, &pair->client_err);
		tls_client_flush(pair->client);
		if (!over(link))
			link = tls_conn_handshake(pair->link, &pair->server_err);
		tls_session_flush(pair->session);
		if (client == THAW_FAILED || link == THAW_FAILED)
			break;
	}
	if (!over(client)) /* the server ended it, and said why */
		client = tls_client_handshake(pair->client, &pair->client_err);
	return client;
}

/* Each side reads what there is. */
static void turn(struct pair *pair)
{
	char byte;
	size_t len = 0;

	tls_session_flush(pair->session);
	pair->client_read = tls_client_read(pair->client, &byte, 1, &len, &pair->client_err);
	tls_client_flush(pair->client);
	(void)!tls_session_read(pair->session, &byte, 1, &len);
}

static void ask(struct pair *pair, thaw_trust *of)
{
	enum thaw_reason reason;
	enum thaw_means means = tls_session_means(pair->session, &reason);

	assert_int_not_equal(means, THAW_MEANS_NONE);
	exchange_begin(&pair->exchange, pair->session, means, of);
	assert_int_equal(tls_ask_send(pair->session), THAW_OK);
	tls_session_flush(pair->session);
}

/* Asks, and lets both sides go on until the answer is in. */
static void ask_out(struct pair *pair, thaw_trust *of)
{
	ask(pair, of);
	for (int i = 0; i < TURNS_MAX && !exchange_answered(&pair->exchange, pair->session); i++)
		turn(pair);
	assert_true(exchange_answered(&pair->exchange, pair->session));
	turn(pair); /* the last flight of TLS 1.2 */
}

static void expect_ask(enum thaw_means means)
{
	const struct seen_sight *asked = the(&events, TLS_EVENT_ASKED);

	assert_int_equal(asked->means, means);
	assert_int_equal(asked->issuer_count, 1);
	assert_string_equal(asked->first, "CN=Thaw Throwaway CA");
	assert_true(asked->has_subject);
	assert_string_equal(asked->subject, "CN=Thaw Demo Client");
}

/* ---- the order of things ---- */

static void an_ask_at_the_handshake(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct tls_client_options options = options_of((enum tls_client_version)version);
		struct tls_client_context *context = context_of(&options);
		struct pair pair;
		open_pair(&pair, context, WINDOW_MAX);
		assert_int_equal(tls_session_ask_at_handshake(pair.session, trust), THAW_OK);
		assert_int_equal(handshake(&pair), THAW_OK);
		EXPECT(&events, TLS_EVENT_ASKED, TLS_EVENT_GIVEN, TLS_EVENT_SIGNED, TLS_EVENT_FINISHED);
		expect_ask(THAW_MEANS_HANDSHAKE);
		close_pair(&pair);
		tls_client_context_free(&context);
	}
}

static void an_ask_after_the_handshake_is_observed(void **state)
{
	struct tls_client_options options = options_of(TLS_CLIENT_13);
	struct tls_client_context *context = context_of(&options);
	struct pair pair;

	(void)state;
	open_pair(&pair, context, WINDOW_MAX);
	assert_int_equal(handshake(&pair), THAW_OK);
	EXPECT(&events, TLS_EVENT_FINISHED);
	ask_out(&pair, trust);
	EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_ASKED, TLS_EVENT_GIVEN, TLS_EVENT_SIGNED, TLS_EVENT_FINISHED);
	expect_ask(THAW_MEANS_POST_HANDSHAKE);
	close_pair(&pair);
	tls_client_context_free(&context);
}

/* RFC 8879: the link receives no compressed certificate unless the test lets it, as other servers do. */
static void a_compressed_certificate_is_seen(void **state)
{
#ifdef SSL_OP_NO_RX_CERTIFICATE_COMPRESSION
	for (int given = 0; given <= 1; given++) {
		struct tls_client_options options = options_of(TLS_CLIENT_13);
		if (!given)
			options.credentials = NULL;
		struct tls_client_context *context = context_of(&options);
		struct pair pair;
		const enum tls_event_kind answer = given ? TLS_EVENT_GIVEN : TLS_EVENT_DECLINED;
		open_pair(&pair, context, WINDOW_MAX);
		SSL *ssl = tls_conn_ssl(pair.link);
		assert_true(SSL_get_options(ssl) & SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
		(void)SSL_clear_options(ssl, SSL_OP_NO_RX_CERTIFICATE_COMPRESSION);
		assert_int_equal(handshake(&pair), THAW_OK);
		ask_out(&pair, trust);
		if (given)
			EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_ASKED, answer, TLS_EVENT_SIGNED,
			       TLS_EVENT_FINISHED);
		else
			EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_ASKED, answer, TLS_EVENT_FINISHED);
		close_pair(&pair);
		tls_client_context_free(&context);
	}
	(void)state;
#else
	(void)state;
	skip();
#endif
}

static void an_ask_by_renegotiation(void **state)
{
	struct tls_client_options options = options_of(TLS_CLIENT_12);
	struct tls_client_context *context = context_of(&options);
	struct pair pair;

	(void)state;
	open_pair(&pair, context, WINDOW_MAX);
	assert_int_equal(handshake(&pair), THAW_OK);
	ask_out(&pair, trust);
	EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_HELLO_REQUEST, TLS_EVENT_ASKED, TLS_EVENT_GIVEN, TLS_EVENT_SIGNED,
	       TLS_EVENT_FINISHED);
	expect_ask(THAW_MEANS_RENEGOTIATION);
	assert_false(tls_client_handshaking(pair.client));
	close_pair(&pair);
	tls_client_context_free(&context);
}

/* Each of them is told, as what it is. */
static void asked_again(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct tls_client_options options = options_of((enum tls_client_version)version);
		struct tls_client_context *context = context_of(&options);
		size_t asked = 0, given = 0;
		struct pair pair;
		open_pair(&pair, context, WINDOW_MAX);
		assert_int_equal(tls_session_ask_at_handshake(pair.session, trust), THAW_OK);
		assert_int_equal(handshake(&pair), THAW_OK);
		for (int i = 0; i < 2; i++)
			ask_out(&pair, trust);
		for (size_t i = 0; i < events.count; i++) {
			given += events.all[i].kind == TLS_EVENT_GIVEN;
			if (events.all[i].kind == TLS_EVENT_ASKED && asked++ > 0)
				assert_int_equal(events.all[i].means, version == TLS_CLIENT_12
									      ? THAW_MEANS_RENEGOTIATION
									      : THAW_MEANS_POST_HANDSHAKE);
		}
		assert_int_equal(asked, 3);
		assert_int_equal(given, 3);
		close_pair(&pair);
		tls_client_context_free(&context);
	}
}

static void without_a_certificate_it_declines(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		for (int late = 0; late < 2; late++) {
			struct tls_client_options options = options_of((enum tls_client_version)version);
			struct pair pair;
			options.credentials = NULL;
			struct tls_client_context *context = context_of(&options);
			open_pair(&pair, context, WINDOW_MAX);
			if (!late)
				assert_int_equal(tls_session_ask_at_handshake(pair.session, trust), THAW_OK);
			assert_int_equal(handshake(&pair), THAW_OK);
			if (late)
				ask_out(&pair, trust);
			if (!late)
				EXPECT(&events, TLS_EVENT_ASKED, TLS_EVENT_DECLINED, TLS_EVENT_FINISHED);
			else if (version == TLS_CLIENT_13)
				EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_ASKED, TLS_EVENT_DECLINED,
				       TLS_EVENT_FINISHED);
			else
				EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_HELLO_REQUEST, TLS_EVENT_ASKED,
				       TLS_EVENT_DECLINED, TLS_EVENT_FINISHED);
			assert_false(the(&events, TLS_EVENT_ASKED)->has_subject);
			assert_int_equal(the(&events, TLS_EVENT_ASKED)->issuer_count, 1);
			close_pair(&pair);
			tls_client_context_free(&context);
		}
	}
}

/* Told once; then the exchange stays where it is, whatever comes, and reading wants. */
static void withheld_nothing_is_answered(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		for (int late = 0; late < 2; late++) {
			struct tls_client_options options = options_of((enum tls_client_version)version);
			struct pair pair;
			options.observer = &withholder;
			struct tls_client_context *context = context_of(&options);
			open_pair(&pair, context, WINDOW_MAX);
			if (!late)
				assert_int_equal(tls_session_ask_at_handshake(pair.session, trust), THAW_OK);
			assert_int_equal(handshake(&pair), late ? THAW_OK : THAW_WANT_READ);
			if (late) {
				size_t up;
				ask(&pair, trust);
				for (int i = 0; i < 8; i++)
					turn(&pair);
				up = pair.duplex.up.len;
				for (int i = 0; i < 100; i++) {
					turn(&pair);
					assert_int_equal(pair.client_read, THAW_WANT_READ);
					assert_int_equal(pair.duplex.up.len, up);
				}
				assert_false(exchange_answered(&pair.exchange, pair.session));
			}
			if (!late)
				EXPECT(&events, TLS_EVENT_ASKED);
			else if (version == TLS_CLIENT_13)
				EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_ASKED);
			else
				EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_HELLO_REQUEST, TLS_EVENT_ASKED);
			assert_string_equal(the(&events, TLS_EVENT_ASKED)->subject, "CN=Thaw Demo Client");
			assert_int_equal(pair.client_err.cls, THAW_ERR_NONE);
			close_pair(&pair);
			tls_client_context_free(&context);
		}
	}
}

/* ---- alerts ---- */

static void alerts_in(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct tls_client_options options = options_of((enum tls_client_version)version);
		struct pair pair;
		struct tls_client_context *context = context_of(&options);
		open_pair(&pair, context, WINDOW_MAX);
		assert_int_equal(handshake(&pair), THAW_OK);
		tls_conn_close_notify(pair.link);
		turn(&pair);
		assert_int_equal(pair.client_read, THAW_CLOSED);
		EXPECT(&events, TLS_EVENT_FINISHED, TLS_EVENT_ALERT_IN);
		assert_int_equal(the(&events, TLS_EVENT_ALERT_IN)->alert, 0);
		close_pair(&pair);
		tls_client_context_free(&context);
		/* the server knows no such protocol (RFC 7301 3.2) */
		options.alpn = "h2";
		context = context_of(&options);
		open_pair(&pair, context, WINDOW_MAX);
		assert_int_equal(handshake(&pair), THAW_FAILED);
		EXPECT(&events, TLS_EVENT_ALERT_IN);
		assert_string_equal(tls_alert_name(the(&events, TLS_EVENT_ALERT_IN)->alert), "no_application_protocol");
		close_pair(&pair);
		tls_client_context_free(&context);
	}
}

static void alerts_out(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct tls_client_options options = options_of((enum tls_client_version)version);
		struct pair pair;
		options.ca = certificate; /* no CA's */
		struct tls_client_context *context = context_of(&options);
		open_pair(&pair, context, WINDOW_MAX);
		assert_int_equal(handshake(&pair), THAW_FAILED);
		EXPECT(&events, TLS_EVENT_ALERT_OUT);
		assert_string_equal(tls_alert_name(the(&events, TLS_EVENT_ALERT_OUT)->alert), "unknown_ca");
		close_pair(&pair);
		tls_client_context_free(&context);
	}
}

static void alerts_have_names(void **state)
{
	(void)state;
	for (unsigned alert = 0; alert < 256; alert++) {
		const char *name = tls_alert_name(alert);
		assert_non_null(name);
		assert_int_not_equal(name[0], '\0');
		for (unsigned other = 0; other < alert; other++)
			if (strcmp(name, "unnamed") != 0)
				assert_string_not_equal(name, tls_alert_name(other));
	}
	assert_string_equal(tls_alert_name(0), "close_notify");
	assert_string_equal(tls_alert_name(40), "handshake_failure");
	assert_string_equal(tls_alert_name(116), "certificate_required");
	assert_string_equal(tls_alert_name(1), "unnamed");
	assert_string_equal(tls_alert_name(100000), "unnamed");
}

/* ---- whose it is, and how much ---- */

static void connections_are_observed_separately(void **state)
{
	struct tls_client_options options = options_of(TLS_CLIENT_13);
	struct tls_client_context *context = context_of(&options);
	struct events own[2] = {{.count = 0}, {.count = 0}};
	struct pair pairs[3];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		open_pair(&pairs[i], context, WINDOW_MAX);
		if (i < 2)
			assert_true(tls_client_watch(pairs[i].client, &own[i]));
	}
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(handshake(&pairs[i]), THAW_OK);
	ask_out(&pairs[1], trust);
	EXPECT(&own[0], TLS_EVENT_FINISHED);
	EXPECT(&own[1], TLS_EVENT_FINISHED, TLS_EVENT_ASKED, TLS_EVENT_GIVEN, TLS_EVENT_SIGNED, TLS_EVENT_FINISHED);
	EXPECT(&events, TLS_EVENT_FINISHED); /* the third one's */
	tls_conn_close_notify(pairs[0].link);
	turn(&pairs[0]);
	EXPECT(&own[0], TLS_EVENT_FINISHED, TLS_EVENT_ALERT_IN);
	assert_int_equal(own[1].count, 5);
	for (size_t i = 0; i < 3; i++)
		close_pair(&pairs[i]);
	tls_client_context_free(&context);
}

static void add_name(thaw_trust *to, int number)
{
	char text[TEXT_MAX];
	X509_NAME *name = X509_NAME_new();

	assert_non_null(name);
	int len = snprintf(text, sizeof(text), "CA %d", number);
	assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)text, len, -1, 0),
			 1);
	assert_true(sk_X509_NAME_push(to->names, name) > 0);
}

static void a_long_list_of_issuers_is_cut(void **state)
{
	static const int counts[] = {TLS_EVENT_ISSUERS_MAX - 1, TLS_EVENT_ISSUERS_MAX, TLS_EVENT_ISSUERS_MAX + 1, 500};

	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
			struct tls_client_options options = options_of((enum tls_client_version)version);
			struct tls_client_context *context = context_of(&options);
			thaw_trust *many = made_trust_load(ca, NULL, NULL);
			char last[TEXT_MAX];
			struct pair pair;
			assert_non_null(many);
			for (int k = 1; k < counts[i]; k++)
				add_name(many, k);
			open_pair(&pair, context, WINDOW_MAX);
			assert_int_equal(handshake(&pair), THAW_OK);
			ask_out(&pair, many);
			const struct seen_sight *asked = the(&events, TLS_EVENT_ASKED);
			assert_int_equal(asked->issuer_count, counts[i]);
			assert_string_equal(asked->first, "CN=Thaw Throwaway CA");
			(void)snprintf(last, sizeof(last), "CN=CA %d", (int)asked->given - 1);
			assert_string_equal(asked->last, last);
			close_pair(&pair);
			tls_client_context_free(&context);
			thaw_trust_free(&many);
		}
	}
}

/* ---- asked in the middle of a write ---- */

#define TOTAL 200000
static unsigned char sent[TOTAL], came[TOTAL];

struct upload {
	size_t out, in;
	enum thaw_status status;
};

/* Writes as far as it goes. */
static void write_on(struct pair *pair, struct upload *upload)
{
	size_t len = 0;

	upload->status = THAW_OK;
	while (upload->out < TOTAL && upload->status == THAW_OK) {
		upload->status = tls_client_write(pair->client, sent + upload->out, TOTAL - upload->out, &len,
						  &pair->client_err);
		assert_true(upload->status == THAW_OK || len == 0);
		upload->out += len;
	}
}

static void read_client(struct pair *pair)
{
	char byte;
	size_t len = 0;

	pair->client_read = tls_client_read(pair->client, &byte, 1, &len, &pair->client_err);
	assert_int_equal(len, 0);
}

static void read_server(struct pair *pair, struct upload *upload)
{
	size_t len = 0;

	while (tls_session_read(pair->session, came + upload->in, TOTAL - upload->in, &len) == THAW_OK && len > 0)
		upload->in += len;
	tls_session_flush(pair->session);
}

static void fill(void)
{
	for (size_t i = 0; i < TOTAL; i++)
		sent[i] = (unsigned char)(i * 2654435761U >> 13);
	memset(came, 0, sizeof(came));
}

/* The way is full, and part of a record is written, when the server asks. */
static void begin_upload(struct pair *pair, struct upload *upload, struct tls_client_context *context, size_t window)
{
	fill();
	*upload = (struct upload){.status = THAW_OK};
	open_pair(pair, context, window);
	assert_int_equal(handshake(pair), THAW_OK);
	pair->duplex.down.window = WINDOW_MAX; /* it is the client's writing that has to wait */
	read_client(pair);                     /* the tickets */
	write_on(pair, upload);
	assert_int_equal(upload->status, THAW_WANT_WRITE);
	ask(pair, trust);
}

static void it_can_be_asked_in_the_middle_of_a_write(void **state)
{
	static const size_t windows[] = {1, 5, 700, 4096, 16384, 20000};

	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		for (size_t w = 0; w < sizeof(windows) / sizeof(windows[0]); w++) {
			struct tls_client_options options = options_of((enum tls_client_version)version);
			struct tls_client_context *context = context_of(&options);
			struct upload upload;
			struct pair pair;
			size_t most = 0;
			begin_upload(&pair, &upload, context, windows[w]);
			assert_true(tls_client_unsent(pair.client) > 0);
			read_client(&pair); /* it sees it while it can write nothing, and answers */
			assert_int_equal(pair.client_read, THAW_WANT_READ);
			(void)the(&events, version == TLS_CLIENT_12 ? TLS_EVENT_HELLO_REQUEST : TLS_EVENT_GIVEN);
			for (int i = 0; i < TURNS_MAX * 4 && upload.in < TOTAL; i++) {
				size_t unsent = tls_client_unsent(pair.client);
				most = unsent > most ? unsent : most;
				read_client(&pair);
				assert_int_equal(pair.client_read, THAW_WANT_READ);
				write_on(&pair, &upload);
				tls_client_flush(pair.client);
				assert_true(upload.status == THAW_OK || !over(upload.status));
				read_server(&pair, &upload);
			}
			assert_int_equal(upload.in, TOTAL);
			assert_memory_equal(came, sent, TOTAL);
			assert_true(exchange_answered(&pair.exchange, pair.session));
			assert_true(tls_session_has_certificate(pair.session));
			assert_true(most > 0 && most <= RECORD_WHOLE + HANDSHAKE_WHOLE);
			assert_int_equal(pair.client_err.cls, THAW_ERR_NONE);
			close_pair(&pair);
			tls_client_context_free(&context);
		}
	}
}

/* Why there is reads_while_writing: OpenSSL cannot write its answer while a record of ours is half out. */
static void without_queued_records_it_cannot(void **state)
{
	struct tls_client_options options = options_of(TLS_CLIENT_13);
	struct upload upload;
	struct pair pair;

	(void)state;
	options.reads_while_writing = false;
	struct tls_client_context *context = context_of(&options);
	begin_upload(&pair, &upload, context, 4096);
	assert_int_equal(tls_client_unsent(pair.client), 0);
	read_client(&pair);
	assert_int_equal(pair.client_read, THAW_FAILED);
	assert_non_null(strstr(pair.client_err.text, "bad length"));
	close_pair(&pair);
	tls_client_context_free(&context);
}

/* While some of a record is held, no other is begun, and nothing is taken of what was to be written. */
static void nothing_is_written_after_a_queued_record(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct tls_client_options options = options_of((enum tls_client_version)version);
		struct tls_client_context *context = context_of(&options);
		struct upload upload = {.status = THAW_OK};
		struct pair pair;
		fill();
		open_pair(&pair, context, 4096);
		assert_int_equal(handshake(&pair), THAW_OK);
		write_on(&pair, &upload);
		size_t held = tls_client_unsent(pair.client), out = upload.out;
		assert_true(held > 0 && held <= RECORD_WHOLE);
		assert_int_equal(out, 16384);
		for (int i = 0; i < 10; i++) {
			write_on(&pair, &upload);
			tls_client_flush(pair.client);
			assert_int_equal(upload.status, THAW_WANT_WRITE);
			assert_int_equal(upload.out, out);
			assert_int_equal(tls_client_unsent(pair.client), held);
		}
		/* a broken transport has nothing to wait for */
		pair.duplex.up.broken = true;
		tls_client_flush(pair.client);
		write_on(&pair, &upload);
		assert_int_equal(upload.status, THAW_FAILED);
		close_pair(&pair);
		tls_client_context_free(&context);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_ask_at_the_handshake),
		cmocka_unit_test(an_ask_after_the_handshake_is_observed),
		cmocka_unit_test(a_compressed_certificate_is_seen),
		cmocka_unit_test(an_ask_by_renegotiation),
		cmocka_unit_test(asked_again),
		cmocka_unit_test(without_a_certificate_it_declines),
		cmocka_unit_test(withheld_nothing_is_answered),
		cmocka_unit_test(alerts_in),
		cmocka_unit_test(alerts_out),
		cmocka_unit_test(alerts_have_names),
		cmocka_unit_test(connections_are_observed_separately),
		cmocka_unit_test(a_long_list_of_issuers_is_cut),
		cmocka_unit_test(it_can_be_asked_in_the_middle_of_a_write),
		cmocka_unit_test(without_queued_records_it_cannot),
		cmocka_unit_test(nothing_is_written_after_a_queued_record),
	};
	(void)alarm(300); /* a watchdog */
	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
