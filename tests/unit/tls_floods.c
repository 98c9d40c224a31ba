/*
 * A peer that sends TLS records which cost more than they bring: how many of them one step looks at, and how many the
 * whole connection takes. Counted in records and bytes of the wire, not in time.
 */
#include "peers_world.h"

#include <openssl/bio.h>
#include <openssl/ssl.h>

#include "../interop/clients/records.h"
#include "tls/records.h"
#include "tls/transport_bio.h"

#define FLOOD_MAX  8192 /* records after which a flood has gone on long enough */
#define RECORD_MAX (16384 + RECORD_OVERHEAD)

static struct duplex duplex;

static ssize_t piece_read(void *io, void *data, size_t room);
static const struct transport_ops piece_ops = {
	.read = piece_read, .write = way_write, .half_close = way_half_close, .discard = way_discard};

/* A raw peer, whose handshake OpenSSL does, and the side that is tested. */
struct pair {
	bool against_client; /* the tested side is a client */
	SSL_CTX *raw_ctx;
	SSL *raw;
	struct records records;
	struct tls_conn *link;
	struct tls_session *session;
	struct tls_client_context *context;
	struct tls_client *client;
	struct thaw_error err;
};

static SSL_CTX *raw_context(bool is_server, int version)
{
	SSL_CTX *ctx = SSL_CTX_new(is_server ? TLS_server_method() : TLS_client_method());

	assert_non_null(ctx);
	records_prepare(ctx);
	assert_int_equal(SSL_CTX_set_min_proto_version(ctx, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
	if (is_server) {
		assert_int_equal(SSL_CTX_use_certificate_chain_file(ctx, server_pem), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey_file(ctx, server_key, SSL_FILETYPE_PEM), 1);
		assert_int_equal(SSL_CTX_set_num_tickets(ctx, 0), 1);
	}
	return ctx;
}

static enum thaw_status handshake(struct pair *pair)
{
	return pair->against_client ? tls_client_handshake(pair->client, &pair->err)
				    : tls_conn_handshake(pair->link, &pair->err);
}

static struct pair open_pair(bool against_client, int version)
{
	struct pair pair = {.against_client = against_client};
	struct tls_client_options options = {.ca = ca};
	enum thaw_status status = THAW_WANT_READ;

	duplex_open(&duplex, WINDOW_MAX);
	pair.raw_ctx = raw_context(against_client, version);
	pair.raw = SSL_new(pair.raw_ctx);
	assert_non_null(pair.raw);
	assert_true(tls_use_transport(pair.raw,
				      (struct transport){&way_ops, against_client ? &duplex.server : &duplex.client}));
	if (against_client) {
		SSL_set_accept_state(pair.raw);
		pair.context = tls_client_context_new(&options, &pair.err);
		assert_non_null(pair.context);
		pair.client = tls_client_new(pair.context, "localhost", (struct transport){&piece_ops, &duplex.client},
					     NULL, &pair.err);
		assert_non_null(pair.client);
	} else {
		SSL_set_connect_state(pair.raw);
		pair.link = tls_conn_new(server, (struct transport){&piece_ops, &duplex.server});
		assert_non_null(pair.link);
		pair.session = tls_session_new(tls_conn_ssl(pair.link));
		assert_non_null(pair.session);
	}
	for (int turn = 0; turn < 20; turn++) {
		(void)SSL_do_handshake(pair.raw);
		if (status != THAW_OK)
			status = handshake(&pair);
	}
	assert_int_equal(status, THAW_OK);
	assert_true(SSL_is_init_finished(pair.raw));
	records_begin(&pair.records, pair.raw);
	return pair;
}

static void close_pair(struct pair *pair)
{
	tls_session_free(&pair->session);
	tls_conn_free(&pair->link);
	tls_client_free(&pair->client);
	tls_client_context_free(&pair->context);
	SSL_free(pair->raw);
	SSL_CTX_free(pair->raw_ctx);
}

/* ---- what floods ---- */

/* The next records of a flood, as many as always go together; their length. */
typedef size_t flood_fn(struct records *records, uint64_t number, unsigned char *out);

static size_t one_byte(struct records *records, uint64_t number, unsigned char *out)
{
	(void)number;
	return records_seal(records, RECORD_DATA, "x", 1, out);
}

static size_t full(struct records *records, uint64_t number, unsigned char *out)
{
	static const unsigned char plain[16384];

	(void)number;
	return records_seal(records, RECORD_DATA, plain, sizeof(plain), out);
}

static size_t key_update(struct records *records, uint64_t number, unsigned char *out)
{
	(void)number;
	return records_key_update(records, out);
}

/* One byte of a KeyUpdate in each record (RFC 8446 5.1 allows fragments). */
static size_t key_update_piece(struct records *records, uint64_t number, unsigned char *out)
{
	static const unsigned char message[] = {24, 0, 0, 1, 0};
	size_t len = records_seal(records, RECORD_HANDSHAKE, message + number % sizeof(message), 1, out);

	if (number % sizeof(message) == sizeof(message) - 1)
		records_update(records);
	return len;
}

/* OpenSSL ends a connection at five warnings, or 32 empty records, in a row: so that no row is that long. */
static size_t warning(struct records *records, uint64_t number, unsigned char *out)
{
	static const unsigned char user_canceled[] = {1, 90};

	return number % 4 == 3 ? one_byte(records, number, out)
			       : records_seal(records, RECORD_ALERT, user_canceled, sizeof(user_canceled), out);
}

static size_t empty(struct records *records, uint64_t number, unsigned char *out)
{
	return number % 16 == 15 ? one_byte(records, number, out) : records_seal(records, RECORD_DATA, "", 0, out);
}

/* RFC 8446 5: to be ignored. */
static size_t change_cipher_spec(struct records *records, uint64_t number, unsigned char *out)
{
	static const unsigned char record[] = {RECORD_CCS, 3, 3, 0, 1, 1};

	if (number % 16 == 15)
		return one_byte(records, number, out);
	memcpy(out, record, sizeof(record));
	return sizeof(record);
}

static size_t client_hello(struct records *records, uint64_t number, unsigned char *out)
{
	unsigned char message[64];
	size_t len = records_client_hello(message);

	(void)number;
	return records_seal(records, RECORD_HANDSHAKE, message, len, out);
}

static size_t client_hello_piece(struct records *records, uint64_t number, unsigned char *out)
{
	unsigned char message[64];
	size_t len = records_client_hello(message);

	return records_seal(records, RECORD_HANDSHAKE, message + number % len, 1, out);
}

/* As many as fit into one record. */
static size_t client_hellos(struct records *records, uint64_t number, unsigned char *out)
{
	unsigned char messages[16384];
	size_t len = 0, each = records_client_hello(messages);

	(void)number;
	for (; len + each <= sizeof(messages); len += each)
		memmove(messages + len, messages, each);
	return records_seal(records, RECORD_HANDSHAKE, messages, len, out);
}

/* RFC 8446 4.6.1 */
static size_t ticket(struct records *records, uint64_t number, unsigned char *out)
{
	unsigned char message[] = {4, 0, 0, 18, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0, 4, 0, 0, 0, 0, 0, 0};

	memcpy(message + 16, &number, 4);
	return records_seal(records, RECORD_HANDSHAKE, message, sizeof(message), out);
}

static size_t hello_request(struct records *records, uint64_t number, unsigned char *out)
{
	static const unsigned char message[] = {0, 0, 0, 0};

	(void)number;
	return records_seal(records, RECORD_HANDSHAKE, message, sizeof(message), out);
}

static const struct flood {
	const char *name;
	int version;
	bool from_server;
	bool ends; /* the connection, before FLOOD_MAX records */
	flood_fn *next;
} floods[] = {
	{"one byte, TLS 1.3", TLS1_3_VERSION, false, false, one_byte},
	{"one byte, TLS 1.2", TLS1_2_VERSION, false, false, one_byte},
	{"full records", TLS1_3_VERSION, false, false, full},
	{"KeyUpdate", TLS1_3_VERSION, false, true, key_update},
	{"KeyUpdate in pieces", TLS1_3_VERSION, false, true, key_update_piece},
	{"warnings, TLS 1.3", TLS1_3_VERSION, false, true, warning},
	{"warnings, TLS 1.2", TLS1_2_VERSION, false, true, warning},
	{"empty records, TLS 1.3", TLS1_3_VERSION, false, false, empty},
	{"empty records, TLS 1.2", TLS1_2_VERSION, false, false, empty},
	{"ChangeCipherSpec", TLS1_3_VERSION, false, true, change_cipher_spec},
	{"ClientHello", TLS1_2_VERSION, false, true, client_hello},
	{"ClientHello in pieces", TLS1_2_VERSION, false, true, client_hello_piece},
	{"many ClientHellos in a record", TLS1_2_VERSION, false, true, client_hellos},
	{"one byte from a server", TLS1_3_VERSION, true, false, one_byte},
	{"KeyUpdate from a server", TLS1_3_VERSION, true, true, key_update},
	{"tickets", TLS1_3_VERSION, true, true, ticket},
	{"HelloRequest", TLS1_2_VERSION, true, true, hello_request},
	{"warnings from a server", TLS1_2_VERSION, true, true, warning},
};
#define FLOODS (sizeof(floods) / sizeof(floods[0]))

/* ---- a flood against one side ---- */

#define PIECE 32 /* bytes of one read of the transport, so that few are staged: what was read was looked at */

struct pour {
	const struct flood *flood;
	struct pair *pair;
	struct way *way;
	unsigned char record[RECORD_MAX]; /* the next one, when it is made already */
	size_t len, longest;
	uint64_t made;
};

static void pour(struct pour *pour)
{
	size_t most = pour->flood->next == full ? WINDOW_MAX : RECORD_MAX - 1;

	while (pour->way->len < most) {
		if (pour->len == 0)
			pour->len = pour->flood->next(&pour->pair->records, pour->made, pour->record);
		if (most - pour->way->len < pour->len && pour->way->len > 0)
			return;
		memcpy(pour->way->bytes + pour->way->len, pour->record, pour->len);
		pour->way->len += pour->len;
		pour->longest = pour->len > pour->longest ? pour->len : pour->longest;
		pour->made++;
		pour->len = 0;
	}
}

static struct pour *endless; /* the flood that never lets the tested side's transport run dry */

static ssize_t piece_read(void *io, void *data, size_t room)
{
	struct way *in = ((struct end *)io)->in;

	if (endless != NULL && endless->made < FLOOD_MAX)
		pour(endless);
	return way_read(io, data, in->len < RECORD_MAX && room > PIECE ? PIECE : room);
}

static enum thaw_status read_some(struct pair *pair)
{
	char data[16384];
	size_t len = 0;

	return pair->against_client ? tls_client_read(pair->client, data, sizeof(data), &len, &pair->err)
				    : tls_session_read(pair->session, data, sizeof(data), &len);
}

/* One step: reads until nothing more comes of it. */
static enum thaw_status step(struct pair *pair)
{
	enum thaw_status status = THAW_OK;

	if (pair->against_client)
		tls_client_step(pair->client);
	else
		tls_conn_step(pair->link, false);
	while (status == THAW_OK)
		status = read_some(pair);
	return status;
}

static void throw_away_answers(struct pair *pair)
{
	struct way *way = pair->against_client ? &duplex.up : &duplex.down;

	way->len = 0;
}

static void check_step(const struct pour *pour, uint64_t bytes)
{
	uint64_t records = (TLS_STEP_RECORDS + 1) * (uint64_t)pour->longest;
	uint64_t most = records < TLS_STEP_BYTES ? records : TLS_STEP_BYTES;

	if (bytes > most + RECORD_MAX + TLS_READ_BUFFER_SIZE || (pour->longest < 1000 && bytes > most + PIECE))
		fail_msg("%s: a step looked at %llu bytes", pour->flood->name, (unsigned long long)bytes);
}

static void one_step_looks_at_a_bounded_number_of_records_and_bytes(void **state)
{
	static struct pour pouring;

	(void)state;
	for (const struct flood *flood = floods; flood < floods + FLOODS; flood++) {
		struct pair pair = open_pair(flood->from_server, flood->version);
		enum thaw_status status = THAW_WANT_READ;
		pouring = (struct pour){
			.flood = flood, .pair = &pair, .way = flood->from_server ? &duplex.down : &duplex.up};
		while (pouring.made < FLOOD_MAX && status == THAW_WANT_READ) {
			pour(&pouring);
			uint64_t before = pouring.way->moved;
			status = step(&pair);
			throw_away_answers(&pair);
			check_step(&pouring, pouring.way->moved - before);
			/* It stopped because of the limit, and says so. */
			if (status == THAW_WANT_READ && pouring.way->len > 0)
				assert_true(flood->from_server ? tls_client_pending(pair.client) || pouring.way->len > 0
							       : tls_conn_spent(pair.link));
		}
		if ((status == THAW_FAILED) != flood->ends)
			fail_msg("%s: ended with %s after %llu records", flood->name, thaw_status_name(status),
				 (unsigned long long)pouring.made);
		close_pair(&pair);
	}
}

/* Without steps, as for users of libthaw, who have a BIO of their own: a read returns however much there is to read. */
static void a_flood_ends_within_one_read(void **state)
{
	static struct pour pouring;

	(void)state;
	for (const struct flood *flood = floods; flood < floods + FLOODS; flood++) {
		if (!flood->ends)
			continue;
		struct pair pair = open_pair(flood->from_server, flood->version);
		enum thaw_status status = THAW_OK;
		pouring = (struct pour){
			.flood = flood, .pair = &pair, .way = flood->from_server ? &duplex.down : &duplex.up};
		endless = &pouring;
		while (status == THAW_OK)
			status = read_some(&pair);
		endless = NULL;
		if (status != THAW_FAILED || pouring.made >= FLOOD_MAX)
			fail_msg("%s: ended with %s after %llu records", flood->name, thaw_status_name(status),
				 (unsigned long long)pouring.made);
		close_pair(&pair);
	}
}

/* A flood against a server, until that gives it up: how many bytes it looked at. */
static uint64_t flood_to_the_end(flood_fn *next, int version, struct pair *pair)
{
	static struct pour pouring;
	static struct flood flood;

	flood = (struct flood){.name = "count", .version = version, .next = next};
	*pair = open_pair(false, version);
	pouring = (struct pour){.flood = &flood, .pair = pair, .way = &duplex.up};
	uint64_t before = duplex.up.moved;
	endless = &pouring;
	enum thaw_status status = THAW_OK;
	while (status == THAW_OK)
		status = read_some(pair);
	endless = NULL;
	assert_int_equal(status, THAW_FAILED);
	assert_true(tls_conn_flooded(pair->link));
	assert_int_equal(tls_session_error(pair->session)->cls, THAW_ERR_PEER);
	return duplex.up.moved - before;
}

static void the_fifth_renegotiation_ends_the_connection(void **state)
{
	flood_fn *const ways[] = {client_hello, client_hello_piece, client_hellos};
	unsigned char message[64];
	size_t hello = records_client_hello(message), around = 29; /* header, nonce and tag of a record */
	const uint64_t most[] = {5 * (hello + around), 5 * hello * (1 + around), RECORD_MAX};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct pair pair;
		uint64_t bytes = flood_to_the_end(ways[i], TLS1_2_VERSION, &pair);
		assert_non_null(strstr(tls_session_error(pair.session)->text, "renegotiate"));
		assert_true(bytes <= most[i] + hello + around + PIECE);
		close_pair(&pair);
	}
}

/* The client is answered with a close_notify, and what it has asked for can still be written before. */
static void a_flooding_client_can_still_be_written_to(void **state)
{
	struct pair pair;
	struct thaw_error err = {0};
	char text[16];
	size_t len = 0;

	(void)state;
	(void)flood_to_the_end(key_update, TLS1_3_VERSION, &pair);
	assert_int_equal(tls_conn_write(pair.link, "answer", 6, &len, &err), THAW_OK);
	tls_conn_close_notify(pair.link);
	assert_int_equal(SSL_read(pair.raw, text, sizeof(text)), 6);
	assert_int_equal(SSL_read(pair.raw, text, sizeof(text)), 0);
	assert_int_equal(SSL_get_error(pair.raw, 0), SSL_ERROR_ZERO_RETURN);
	close_pair(&pair);
}

/* Data allows more: an upload whose client updates its keys again and again goes on. */
static size_t data_and_key_updates(struct records *records, uint64_t number, unsigned char *out)
{
	return number % 8 == 7 ? key_update(records, number, out) : full(records, number, out);
}

static void key_updates_of_a_long_upload_are_allowed(void **state)
{
	static struct pour pouring;
	static const struct flood flood = {"long", TLS1_3_VERSION, false, false, data_and_key_updates};
	struct pair pair = open_pair(false, TLS1_3_VERSION);
	enum thaw_status status = THAW_WANT_READ;

	(void)state;
	pouring = (struct pour){.flood = &flood, .pair = &pair, .way = &duplex.up};
	while (pouring.made < UINT64_C(12) * TLS_RECORDS_MAX && status == THAW_WANT_READ) {
		pour(&pouring);
		status = step(&pair);
	}
	assert_int_equal(status, THAW_WANT_READ);
	close_pair(&pair);
}

/* Each asks for one of the server, too, whose record of a response is half written: OpenSSL puts off one answer only.
 */
static void key_updates_while_a_response_is_half_written_end_nothing(void **state)
{
	enum { TOTAL = 4 * WINDOW_MAX, UPDATES = 4 };
	static char sent[TOTAL], came[TOTAL];
	struct pair pair = open_pair(false, TLS1_3_VERSION);
	size_t out = 0, in = 0, n = 0;

	(void)state;
	memset(sent, 'x', TOTAL);
	while (tls_conn_write(pair.link, sent + out, TOTAL - out, &n, &pair.err) == THAW_OK)
		out += n;
	for (int i = 0; i < UPDATES; i++) {
		assert_int_equal(SSL_key_update(pair.raw, SSL_KEY_UPDATE_REQUESTED), 1);
		assert_int_equal(SSL_write(pair.raw, "x", 1), 1);
		assert_int_equal(read_some(&pair), THAW_OK);
	}
	for (int turn = 0; turn < 100 && in < TOTAL; turn++) {
		while (SSL_read_ex(pair.raw, came + in, TOTAL - in, &n) == 1)
			in += n;
		enum thaw_status status = tls_conn_write(pair.link, sent + out, TOTAL - out, &n, &pair.err);
		assert_true(status == THAW_OK || status == THAW_WANT_WRITE);
		out += n;
	}
	assert_memory_equal(came, sent, TOTAL);
	close_pair(&pair);
}

/* ---- reads that would find nothing ---- */

static void write_two_records(struct pair *pair)
{
	assert_int_equal(SSL_write(pair->raw, "ab", 2), 2);
	assert_int_equal(SSL_write(pair->raw, "cd", 2), 2);
}

static void a_transport_is_dry_once_its_last_record_is_read_until_it_is_readable_again(void **state)
{
	struct pair pair = open_pair(false, TLS1_3_VERSION);

	(void)state;
	tls_conn_step(pair.link, false);
	assert_false(tls_conn_empty(pair.link));
	write_two_records(&pair);
	assert_int_equal(read_some(&pair), THAW_OK);
	assert_false(tls_conn_empty(pair.link)); /* the second one is here already */
	assert_int_equal(read_some(&pair), THAW_OK);
	assert_true(tls_conn_empty(pair.link));
	tls_conn_step(pair.link, true);
	assert_true(tls_conn_empty(pair.link));
	tls_conn_step(pair.link, false);
	assert_false(tls_conn_empty(pair.link));
	assert_int_equal(read_some(&pair), THAW_WANT_READ);
	assert_true(tls_conn_empty(pair.link));
	close_pair(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_step_looks_at_a_bounded_number_of_records_and_bytes),
		cmocka_unit_test(a_flood_ends_within_one_read),
		cmocka_unit_test(the_fifth_renegotiation_ends_the_connection),
		cmocka_unit_test(a_flooding_client_can_still_be_written_to),
		cmocka_unit_test(key_updates_of_a_long_upload_are_allowed),
		cmocka_unit_test(key_updates_while_a_response_is_half_written_end_nothing),
		cmocka_unit_test(a_transport_is_dry_once_its_last_record_is_read_until_it_is_readable_again),
	};

	return cmocka_run_group_tests(tests, set_up_peers, tear_down_peers);
}
