/* Ticket keys from a file: what such a file is, and who resumes whose sessions with it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "../made.h"
#include "tls/pki.h"
#include "tls/server.h"
#include "tls/session.h"
#include "tls/ticket_keys.h"
#include "tls/transport_bio.h"

#define KEY_BYTES 80
#define HEX       (2 * KEY_BYTES + 1)
#define ROOM      65536

/* ---- a wire in memory ---- */

struct way {
	unsigned char bytes[ROOM];
	size_t len;
};

struct end {
	struct way *in, *out;
};

static struct way up, down;
static struct end client_end = {&down, &up}, server_end = {&up, &down};

static ssize_t way_read(void *io, void *data, size_t room)
{
	struct way *way = ((struct end *)io)->in;
	size_t len = way->len < room ? way->len : room;

	if (len == 0)
		return TRANSPORT_BLOCKED;
	memcpy(data, way->bytes, len);
	memmove(way->bytes, way->bytes + len, way->len - len);
	way->len -= len;
	return (ssize_t)len;
}

static ssize_t way_write(void *io, const void *data, size_t len)
{
	struct way *way = ((struct end *)io)->out;

	len = len < ROOM - way->len ? len : ROOM - way->len;
	if (len == 0)
		return TRANSPORT_BLOCKED;
	memcpy(way->bytes + way->len, data, len);
	way->len += len;
	return (ssize_t)len;
}

static void way_half_close(void *io)
{
	(void)io;
}

static ssize_t way_discard(void *io, size_t max)
{
	unsigned char unread[256];

	return way_read(io, unread, max < sizeof(unread) ? max : sizeof(unread));
}

static const struct transport_ops ops = {
	.read = way_read, .write = way_write, .half_close = way_half_close, .discard = way_discard};

/* ---- files ---- */

static char folder[] = "/tmp/thaw-unit-tickets-XXXXXX";
static const char *const pki_files[] = {"ca.pem", "server.pem", "server.key", "client.pem", "client.key"};

/* A path in the folder; two at a time. */
static const char *in_folder(const char *name)
{
	static char paths[8][96];
	static unsigned next;
	char *path = paths[next++ % 8];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static int set_up(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	return mkdtemp(folder) != NULL && tls_pki_make(folder, &err) == THAW_OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pki_files) / sizeof(pki_files[0]); i++)
		(void)unlink(in_folder(pki_files[i]));
	(void)unlink(in_folder("keys"));
	return rmdir(folder);
}

static const char *write_bytes(const char *text, size_t len, mode_t mode)
{
	const char *path = in_folder("keys");
	(void)unlink(path);
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text, 1, len, file), len);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
	return path;
}

static const char *write_keys(const char *text)
{
	return write_bytes(text, strlen(text), 0600);
}

static void key_bytes(unsigned number, unsigned char bytes[static KEY_BYTES])
{
	for (unsigned i = 0; i < KEY_BYTES; i++)
		bytes[i] = (unsigned char)((i + 1) * 37 + number * 101);
}

/* The key of that number in hexadecimal digits. */
static const char *hex(unsigned number)
{
	static char texts[16][HEX];
	unsigned char bytes[KEY_BYTES];
	char *text = texts[number % 16];

	key_bytes(number, bytes);
	for (unsigned i = 0; i < KEY_BYTES; i++)
		(void)snprintf(text + 2 * (size_t)i, 3, number % 2 == 0 ? "%02x" : "%02X", bytes[i]);
	return text;
}

static const char *base64(unsigned number)
{
	static char text[109];
	unsigned char bytes[KEY_BYTES];

	key_bytes(number, bytes);
	assert_int_equal(EVP_EncodeBlock((unsigned char *)text, bytes, KEY_BYTES), 108);
	return text;
}

/* ---- what is such a file ---- */

static void assert_good(const char *text)
{
	struct thaw_error err = {0};
	struct tls_ticket_keys *keys = tls_ticket_keys_load(write_keys(text), &err);

	assert_string_equal(err.text, "");
	assert_non_null(keys);
	tls_ticket_keys_free(&keys);
	assert_null(keys);
}

/* Refused with these words, and not with a key in them. */
static void assert_refused(const char *path, const char *words)
{
	struct thaw_error err = {0};

	assert_null(tls_ticket_keys_load(path, &err));
	assert_int_not_equal(err.cls, THAW_ERR_NONE);
	assert_ptr_equal(strstr(err.text, path), err.text);
	assert_non_null(strstr(err.text, words));
	for (unsigned i = 0; i < 3; i++) {
		char part[9];
		(void)snprintf(part, sizeof(part), "%.8s", hex(i));
		assert_null(strstr(err.text, part));
	}
}

static void assert_bad(const char *text, const char *words)
{
	assert_refused(write_keys(text), words);
}

static const char *lines(unsigned first, unsigned count)
{
	static char text[16 * HEX + 1];

	text[0] = '\0';
	for (unsigned i = first; i < first + count; i++) {
		(void)strcat(text, hex(i));
		(void)strcat(text, "\n");
	}
	return text;
}

static void valid_files(void **state)
{
	char text[4 * HEX + 64];

	(void)state;
	assert_good(lines(0, 1));
	assert_good(lines(0, TLS_TICKET_KEYS_MAX));
	assert_good(hex(0)); /* without a newline */
	assert_good(base64(0));
	(void)snprintf(text, sizeof(text), "# ours\n\n \t# more\n%s\r\n\t %s \n   \n%s\n# end", hex(0), base64(1),
		       hex(2));
	assert_good(text);
}

static void bad_lines(void **state)
{
	static const char *const none = ": not a ticket key; allowed: 80 bytes";
	char text[2 * HEX + 64];

	(void)state;
	assert_bad("", ": no ticket key in it");
	assert_bad("# none\n\n", ": no ticket key in it");
	assert_bad("secret\n", ":1: not a ticket key;");
	(void)snprintf(text, sizeof(text), "# one\n%s0\n", hex(0)); /* a digit too many */
	assert_bad(text, ":2: not a ticket key;");
	(void)snprintf(text, sizeof(text), "%s\n%.*s\n", hex(0), HEX - 2, hex(1)); /* one too few */
	assert_bad(text, ":2: not a ticket key;");
	(void)snprintf(text, sizeof(text), "%s", hex(0));
	text[77] = 'g';
	assert_bad(text, none);
	(void)snprintf(text, sizeof(text), "%s %s", hex(0), hex(1));
	assert_bad(text, none);
	(void)snprintf(text, sizeof(text), "%s # ours", hex(0));
	assert_bad(text, none);
	/* 48 bytes, an older form of nginx's */
	(void)snprintf(text, sizeof(text), "%.96s", hex(0));
	assert_bad(text, none);
	/* base64 that is none */
	for (unsigned i = 0; i < 108; i += 107) {
		(void)snprintf(text, sizeof(text), "%s", base64(0));
		text[i] = i == 0 ? '=' : 'A';
		assert_bad(text, none);
	}
	(void)snprintf(text, sizeof(text), "%s", base64(0));
	text[50] = ' ';
	assert_bad(text, none);
	text[50] = '-'; /* of URLs */
	assert_bad(text, none);
	(void)snprintf(text, sizeof(text), "%.107s", base64(0));
	assert_bad(text, none);
	/* a NUL within */
	(void)snprintf(text, sizeof(text), "%s", hex(0));
	text[60] = '\0';
	assert_refused(write_bytes(text, HEX - 1, 0600), ":1: not a ticket key;");
	(void)snprintf(text, sizeof(text), "%s", base64(0));
	text[60] = '\0';
	assert_refused(write_bytes(text, 108, 0600), ":1: not a ticket key;");
}

static void too_many_and_duplicate_keys(void **state)
{
	char text[4 * HEX];

	(void)state;
	assert_bad(lines(0, TLS_TICKET_KEYS_MAX + 1), ":9: more than 8 keys");
	(void)snprintf(text, sizeof(text), "%s\n%s\n%s\n", hex(0), hex(2), hex(0));
	assert_bad(text, ":3: a key of the same name");
	text[2 * HEX + 2 * KEY_BYTES - 1] ^= 1; /* another key, but its name cannot tell */
	assert_bad(text, ":3: a key of the same name");
	char *large = malloc(TLS_TICKET_FILE_MAX + 2);
	assert_non_null(large);
	memset(large, '#', TLS_TICKET_FILE_MAX + 1);
	memcpy(large, hex(0), HEX - 1);
	large[HEX - 1] = '\n';
	large[TLS_TICKET_FILE_MAX] = '\0';
	assert_good(large);
	large[TLS_TICKET_FILE_MAX] = '#';
	assert_refused(write_bytes(large, TLS_TICKET_FILE_MAX + 1, 0600), " is longer than 16384 bytes");
	free(large);
}

static void file_mode_is_checked(void **state)
{
	static const mode_t allowed[] = {0600, 0640, 0400, 0440},
			    refused[] = {0644, 0604, 0660, 0620, 0602, 0666, 0601, 0700, 0650, 04600};
	struct thaw_error err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		struct tls_ticket_keys *keys = tls_ticket_keys_load(write_bytes(hex(0), HEX - 1, allowed[i]), &err);
		assert_non_null(keys);
		tls_ticket_keys_free(&keys);
	}
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		char words[64];
		(void)snprintf(words, sizeof(words), " has mode %04o; allowed: 0640 or less", (unsigned)refused[i]);
		assert_refused(write_bytes(hex(0), HEX - 1, refused[i]), words);
	}
	assert_refused(in_folder("none"), strerror(ENOENT));
	assert_refused(folder, " is not a file");
	const char *fifo = in_folder("keys");
	(void)unlink(fifo);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_refused(fifo, " is not a file"); /* and nobody waits for a writer */
}

/* ---- servers ---- */

static thaw_trust *trust_of_ca(void)
{
	struct thaw_error err = {0};
	thaw_trust *trust = made_trust_load(in_folder("ca.pem"), NULL, &err);

	assert_non_null(trust);
	return trust;
}

/* One machine: its trust is loaded by itself. NULL: without a file of keys. trusting: the host asks at the handshake.
 */
static struct tls_server *machine_with(const char *keys, bool trusting, const char *name)
{
	struct thaw_error err = {0};
	thaw_trust *trust = trust_of_ca();
	thaw_trust *trusts[] = {trust};
	struct tls_host hosts[] = {
		{.names = (const char *const[]){"other.example", NULL}, .trusts = trusts, .trust_count = 1},
		{.names = (const char *const[]){name, NULL},
		 .at_handshake = trusting ? trust : NULL,
		 .trusts = trusts,
		 .trust_count = 1},
	};

	for (size_t i = 0; i < 2; i++) {
		hosts[i].certificate = in_folder("server.pem");
		hosts[i].key = in_folder("server.key");
	}
	struct tls_server *server = tls_server_new(hosts, 2, &err);
	assert_non_null(server);
	if (keys != NULL)
		assert_int_equal(tls_server_use_ticket_keys(server, write_keys(keys), &err), THAW_OK);
	thaw_trust_free(&trust);
	return server;
}

static struct tls_server *machine(const char *keys)
{
	return machine_with(keys, false, "*");
}

/* A plain client of OpenSSL's, for its own session is at hand: a ticket that is renewed within TLS 1.2 is in it. */
struct visitor {
	SSL_CTX *context;
	SSL_SESSION *session; /* of the last visit */
};

static struct visitor visitor_new(int version)
{
	struct visitor visitor = {SSL_CTX_new(TLS_client_method()), NULL};

	assert_non_null(visitor.context);
	assert_int_equal(SSL_CTX_set_min_proto_version(visitor.context, version), 1);
	assert_int_equal(SSL_CTX_set_max_proto_version(visitor.context, version), 1);
	assert_int_equal(SSL_CTX_load_verify_file(visitor.context, in_folder("ca.pem")), 1);
	SSL_CTX_set_verify(visitor.context, SSL_VERIFY_PEER, NULL);
	assert_int_equal(SSL_CTX_use_certificate_chain_file(visitor.context, in_folder("client.pem")), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(visitor.context, in_folder("client.key"), SSL_FILETYPE_PEM), 1);
	return visitor;
}

static void visitor_free(struct visitor *visitor)
{
	SSL_SESSION_free(visitor->session);
	SSL_CTX_free(visitor->context);
}

static bool handshake(SSL *client, struct tls_conn *link, struct tls_session *session)
{
	enum thaw_status status = THAW_WANT_READ;
	struct thaw_error err = {0};
	int done = -1;

	for (int turn = 0; turn < 100 && (done != 1 || status != THAW_OK); turn++) {
		if (done != 1)
			done = SSL_do_handshake(client);
		if (status != THAW_OK)
			status = tls_conn_handshake(link, &err);
		tls_session_flush(session);
	}
	assert_string_equal(err.text, "");
	return done == 1 && status == THAW_OK;
}

/* TLS 1.3's tickets come behind the handshake: a byte behind them shows that they have. */
static void exchange_a_byte(SSL *client, struct tls_conn *link, struct tls_session *session)
{
	struct thaw_error err = {0};
	size_t n = 0;
	char byte = 'x';

	assert_int_equal(tls_conn_write(link, &byte, 1, &n, &err), THAW_OK);
	tls_session_flush(session);
	assert_int_equal(SSL_read(client, &byte, 1), 1);
}

/* One connection. Whether it was resumed, as both ends say. ready: what is done to the link's context before. */
static bool visit_with(struct visitor *visitor, struct tls_server *server, void (*ready)(SSL_CTX *ctx))
{
	up.len = down.len = 0;
	SSL *client = SSL_new(visitor->context);
	assert_non_null(client);
	assert_true(tls_use_transport(client, (struct transport){&ops, &client_end}));
	assert_int_equal(SSL_set_tlsext_host_name(client, "localhost"), 1);
	SSL_set_connect_state(client);
	if (visitor->session != NULL)
		assert_int_equal(SSL_set_session(client, visitor->session), 1);
	struct tls_conn *link = tls_conn_new(server, (struct transport){&ops, &server_end});
	assert_non_null(link);
	struct tls_session *session = tls_session_new(tls_conn_ssl(link));
	assert_non_null(session);
	if (ready != NULL)
		ready(SSL_get_SSL_CTX(tls_conn_ssl(link)));
	assert_true(handshake(client, link, session));
	exchange_a_byte(client, link, session);
	bool resumed = tls_conn_resumed(link);
	assert_int_equal(resumed, SSL_session_reused(client));
	SSL_SESSION_free(visitor->session);
	visitor->session = SSL_get1_session(client);
	tls_session_free(&session);
	tls_conn_free(&link);
	SSL_set_quiet_shutdown(client, 1); /* a session whose connection was cut off is not resumed */
	(void)SSL_shutdown(client);
	SSL_free(client);
	return resumed;
}

static bool visit(struct visitor *visitor, struct tls_server *server)
{
	return visit_with(visitor, server, NULL);
}

/* A first visit to one machine, then one to the other. */
static bool resumes(struct tls_server *one, struct tls_server *other, int version)
{
	struct visitor visitor = visitor_new(version);

	assert_false(visit(&visitor, one));
	bool resumed = visit(&visitor, other);
	visitor_free(&visitor);
	return resumed;
}

#define EACH_VERSION(version) for (int version = TLS1_2_VERSION; (version) <= TLS1_3_VERSION; (version)++)

static void machines_with_one_file(void **state)
{
	struct tls_server *one = machine(lines(0, 2)), *other = machine(lines(0, 2));

	(void)state;
	EACH_VERSION(version)
	{
		assert_true(resumes(one, one, version));
		assert_true(resumes(one, other, version));
		assert_true(resumes(other, one, version));
	}
	tls_server_free(&one);
	tls_server_free(&other);
}

static void hex_and_base64_are_one_key(void **state)
{
	struct tls_server *one = machine(hex(3)), *other = machine(base64(3));

	(void)state;
	EACH_VERSION(version)
	assert_true(resumes(one, other, version));
	tls_server_free(&one);
	tls_server_free(&other);
}

static void machines_with_different_keys(void **state)
{
	char other_secret[HEX];
	(void)snprintf(other_secret, sizeof(other_secret), "%s", hex(0));
	struct tls_server *one = machine(hex(0)), *other = machine(hex(1)), *own = machine(NULL);

	(void)state;
	other_secret[2 * 16] ^= 1; /* the same name */
	struct tls_server *wrong_hmac = machine(other_secret);
	EACH_VERSION(version)
	{
		assert_false(resumes(one, other, version));
		assert_false(resumes(one, own, version));
		assert_false(resumes(own, one, version));
		assert_false(resumes(one, wrong_hmac, version));
		assert_true(resumes(own, own, version)); /* as without a file */
	}
	tls_server_free(&one);
	tls_server_free(&other);
	tls_server_free(&own);
	tls_server_free(&wrong_hmac);
}

/* A visitor who comes again at each step of a rotation never shakes hands in full, and gets a ticket of the new key. */
static void rotation(void **state)
{
	char last[2 * HEX + 1], first[2 * HEX + 1];
	(void)snprintf(last, sizeof(last), "%s\n%s\n", hex(0), hex(1));
	(void)snprintf(first, sizeof(first), "%s\n%s\n", hex(1), hex(0));
	struct tls_server *before = machine(hex(0)), *added = machine(last), *turned = machine(first),
			  *after = machine(hex(1));

	(void)state;
	EACH_VERSION(version)
	{
		struct visitor visitor = visitor_new(version);
		assert_false(visit(&visitor, before));
		assert_true(visit(&visitor, added));
		assert_true(visit(&visitor, before)); /* the first key still seals */
		assert_true(visit(&visitor, turned));
		assert_true(visit(&visitor, after)); /* the ticket was replaced on the way */
		assert_true(visit(&visitor, added)); /* machines that have not come so far */
		assert_true(visit(&visitor, before));
		assert_false(visit(&visitor, after));
		visitor_free(&visitor);
	}
	tls_server_free(&before);
	tls_server_free(&added);
	tls_server_free(&turned);
	tls_server_free(&after);
}

/* One key for all hosts and machines, but a ticket is good only where the same is trusted, under the same name. */
static void tickets_stay_bound(void **state)
{
	struct tls_server *late = machine(hex(0)), *early = machine_with(hex(0), true, "*"),
			  *named = machine_with(hex(0), false, "localhost"),
			  *early_again = machine_with(hex(0), true, "*");

	(void)state;
	EACH_VERSION(version)
	{
		assert_false(resumes(late, early, version));
		assert_false(resumes(early, late, version));
		assert_false(resumes(late, named, version));
		assert_false(resumes(named, late, version));
		assert_true(resumes(early, early_again, version));
	}
	tls_server_free(&late);
	tls_server_free(&early);
	tls_server_free(&named);
	tls_server_free(&early_again);
}

/* The order of a key's parts is that of OpenSSL's own function, so that other servers can share a file. */
static void use_openssls_own(SSL_CTX *ctx)
{
	unsigned char bytes[KEY_BYTES];

	key_bytes(5, bytes);
	assert_int_equal(SSL_CTX_set_tlsext_ticket_keys(ctx, bytes, KEY_BYTES), 1);
}

static void the_order_is_openssls(void **state)
{
	struct tls_server *ours = machine(hex(5)), *theirs = machine(NULL);

	(void)state;
	EACH_VERSION(version)
	{
		struct visitor visitor = visitor_new(version);
		assert_false(visit(&visitor, ours));
		assert_true(visit_with(&visitor, theirs, use_openssls_own));
		assert_true(visit(&visitor, ours));
		visitor_free(&visitor);
	}
	tls_server_free(&ours);
	tls_server_free(&theirs);
}

static void a_server_reports_the_error(void **state)
{
	struct tls_server *server = machine(NULL);
	struct thaw_error err = {0};

	(void)state;
	assert_int_equal(tls_server_use_ticket_keys(server, write_keys("# none\n"), &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_CONFIG);
	assert_non_null(strstr(err.text, "no ticket key in it"));
	tls_server_free(&server);
}

static void a_binding_follows_from_the_settings(void **state)
{
	unsigned char bindings[6][TLS_TICKET_BINDING_SIZE];
	thaw_trust *one = trust_of_ca(), *again = trust_of_ca();
	thaw_trust *ones[] = {one, one}, *agains[] = {again, again};
	const struct tls_host hosts[] = {
		{.names = (const char *const[]){"a", NULL}, .trusts = ones, .trust_count = 1},
		{.names = (const char *const[]){"b", NULL}, .trusts = ones, .trust_count = 1},
		{.names = (const char *const[]){"a", NULL}, .trusts = ones, .trust_count = 2},
		{.names = (const char *const[]){"a", NULL}, .at_handshake = one},
		{.names = (const char *const[]){"a", NULL}, .trusts = ones, .trust_count = 1, .at_handshake = one},
		{.names = (const char *const[]){"a", NULL},
		 .trusts = agains,
		 .trust_count = 1}, /* as the first, loaded once more */
	};

	(void)state;
	for (size_t i = 0; i < 6; i++)
		assert_true(tls_ticket_binding(&hosts[i], bindings[i]));
	for (size_t i = 0; i < 5; i++)
		for (size_t j = i + 1; j < 5; j++)
			assert_memory_not_equal(bindings[i], bindings[j], TLS_TICKET_BINDING_SIZE);
	assert_memory_equal(bindings[0], bindings[5], TLS_TICKET_BINDING_SIZE);
	thaw_trust_free(&one);
	thaw_trust_free(&again);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_files),
		cmocka_unit_test(bad_lines),
		cmocka_unit_test(too_many_and_duplicate_keys),
		cmocka_unit_test(file_mode_is_checked),
		cmocka_unit_test(machines_with_one_file),
		cmocka_unit_test(hex_and_base64_are_one_key),
		cmocka_unit_test(machines_with_different_keys),
		cmocka_unit_test(rotation),
		cmocka_unit_test(tickets_stay_bound),
		cmocka_unit_test(the_order_is_openssls),
		cmocka_unit_test(a_server_reports_the_error),
		cmocka_unit_test(a_binding_follows_from_the_settings),
	};
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
