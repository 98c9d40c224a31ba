/*
 * The client's side of TLS: whom it believes, what it remembers, and how it ends. The server is tls/server.h, both ends
 * are sockets of this process.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "../made.h"
#include "base/socket.h"
#include "tls/certificate.h"
#include "tls/client.h"
#include "tls/credentials.h"
#include "tls/pki.h"
#include "tls/server.h"
#include "tls/session.h"

#define TURNS_MAX 1000

static char folder[] = "/tmp/thaw-unit-client-XXXXXX", foreign[sizeof(folder) + 10];
static char ca[64], certificate[64], key[64], server_pem[64], server_key[64], foreign_ca[64];
static struct tls_server *server;
static struct tls_credentials *credentials;
static thaw_trust *trust;

static void paths_in(const char *directory, const char *name, char path[static 64])
{
	(void)snprintf(path, 64, "%s/%s", directory, name);
}

static struct tls_server *new_server(bool asks)
{
	struct tls_host host = {
		.names = (const char *const[]){"*", NULL}, .certificate = server_pem, .key = server_key};

	if (asks)
		host.at_handshake = trust;
	return tls_server_new(&host, 1, NULL);
}

static int set_up(void **state)
{
	struct thaw_error err = {0};

	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(foreign, sizeof(foreign), "%s/foreign", folder);
	if (tls_pki_make(folder, &err) != THAW_OK || tls_pki_make(foreign, &err) != THAW_OK)
		return -1;
	paths_in(folder, "ca.pem", ca);
	paths_in(folder, "client.pem", certificate);
	paths_in(folder, "client.key", key);
	paths_in(folder, "server.pem", server_pem);
	paths_in(folder, "server.key", server_key);
	paths_in(foreign, "ca.pem", foreign_ca);
	trust = made_trust_load(ca, NULL, &err);
	credentials =
		tls_credentials_new(&(struct tls_credentials_source){.certificate = certificate, .key = key}, &err);
	if (trust == NULL || credentials == NULL)
		return -1;
	server = new_server(false);
	return server != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"ca.pem",     "client.pem", "client.key",
					    "server.pem", "server.key", "empty.pem"};
	char path[64];

	(void)state;
	tls_server_free(&server);
	tls_credentials_free(&credentials);
	thaw_trust_free(&trust);
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		paths_in(folder, names[i], path);
		(void)unlink(path);
		paths_in(foreign, names[i], path);
		(void)unlink(path);
	}
	(void)rmdir(foreign);
	return rmdir(folder);
}

/* ---- a client and a server ---- */

struct pair {
	int fds[2]; /* the client's, the server's */
	struct tls_client *client;
	struct tls_conn *link;
	struct tls_session *session;
	struct thaw_error client_err, link_err;
};

static void open_pair(struct pair *pair, struct tls_client_context *context, const char *name,
		      struct tls_client_memory *memory)
{
	*pair = (struct pair){.fds = {-1, -1}};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair->fds), 0);
	pair->client = tls_client_new(context, name, socket_transport(&pair->fds[0]), memory, &pair->client_err);
	assert_non_null(pair->client);
	pair->link = tls_conn_new(server, socket_transport(&pair->fds[1]));
	assert_non_null(pair->link);
	pair->session = tls_session_new(tls_conn_ssl(pair->link));
	assert_non_null(pair->session);
}

static void close_pair(struct pair *pair)
{
	tls_client_free(&pair->client);
	tls_session_free(&pair->session);
	tls_conn_free(&pair->link);
	(void)close(pair->fds[0]);
	(void)close(pair->fds[1]);
}

static bool over(enum thaw_status status)
{
	return status != THAW_WANT_READ && status != THAW_WANT_WRITE;
}

/* The client's outcome. */
static enum thaw_status handshake(struct pair *pair)
{
	enum thaw_status client = THAW_WANT_READ, link = THAW_WANT_READ;

	for (int turn = 0; turn < TURNS_MAX && (!over(client) || !over(link)) && client != THAW_FAILED; turn++) {
		if (!over(client))
			client = tls_client_handshake(pair->client, &pair->client_err);
		if (!over(link))
			link = tls_conn_handshake(pair->link, &pair->link_err);
	}
	return client;
}

/* Sends from the server, and has the client read all of it: the tickets of TLS 1.3 come first. */
static void expect_text(struct pair *pair, const char *text)
{
	size_t len = 0, got = 0;
	char read[64];

	assert_int_equal(tls_conn_write(pair->link, text, strlen(text), &len, &pair->link_err), THAW_OK);
	assert_int_equal(len, strlen(text));
	assert_int_equal(tls_client_read(pair->client, read, sizeof(read), &got, &pair->client_err), THAW_OK);
	assert_int_equal(got, len);
	assert_memory_equal(read, text, len);
}

static struct tls_client_options good(enum tls_client_version version)
{
	return (struct tls_client_options){.ca = ca, .version = version};
}

static struct tls_client_context *context_of(const struct tls_client_options *options)
{
	struct thaw_error err = {0};
	struct tls_client_context *context = tls_client_context_new(options, &err);

	assert_string_equal(err.text, "");
	assert_non_null(context);
	return context;
}

/* One connection to name, to the end of its handshake; *err is the client's. */
static enum thaw_status try(const struct tls_client_options *options, const char *name, struct thaw_error *err)
{
	struct tls_client_context *context = context_of(options);
	struct pair pair;

	open_pair(&pair, context, name, NULL);
	enum thaw_status status = handshake(&pair);
	if (status == THAW_OK)
		expect_text(&pair, "hello");
	*err = pair.client_err;
	close_pair(&pair);
	tls_client_context_free(&context);
	return status;
}

/* ---- whom it believes ---- */

static void the_name_must_be_the_certificates(void **state)
{
	static const struct {
		const char *name;
		bool right;
	} cases[] = {
		{"localhost", true},
		{"handshake.localhost", true},
		{"127.0.0.1", true},
		{"localhost.", true},
		{"::1", true},
		{"127.0.0.2", false},
		{"::2", false},
		{"localhos", false},
		{"other.localhost", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tls_client_options options = good(TLS_CLIENT_ANY);
		struct thaw_error err = {0};
		assert_int_equal(try(&options, cases[i].name, &err), cases[i].right ? THAW_OK : THAW_FAILED);
		assert_int_equal(err.cls, cases[i].right ? THAW_ERR_NONE : THAW_ERR_PEER);
		if (!cases[i].right) /* it says what is wrong */
			assert_true(strstr(err.text, "ostname mismatch") != NULL ||
				    strstr(err.text, "IP address mismatch") != NULL);
	}
}

static void a_certificate_of_another_ca_is_rejected(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct thaw_error err = {0};

	(void)state;
	options.ca = foreign_ca;
	assert_int_equal(try(&options, "localhost", &err), THAW_FAILED);
	assert_int_equal(err.cls, THAW_ERR_PEER);
	assert_non_null(strstr(err.text, "certificate is not accepted"));
}

static void skip_verification_accepts_any_certificate(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct thaw_error err = {0};

	(void)state;
	options.skip_verification = true;
	options.ca = foreign_ca;
	assert_int_equal(try(&options, "other.localhost", &err), THAW_OK);
	options.ca = NULL;
	assert_int_equal(try(&options, "192.0.2.1", &err), THAW_OK);
}

static void without_a_file_the_systems_cas_are_used(void **state)
{
	struct tls_client_options options = {.ca = NULL};
	struct thaw_error err = {0};
	char empty[64];

	(void)state;
	assert_int_equal(setenv("SSL_CERT_FILE", ca, 1), 0);
	assert_int_equal(try(&options, "localhost", &err), THAW_OK);
	assert_int_equal(setenv("SSL_CERT_FILE", foreign_ca, 1), 0);
	assert_int_equal(try(&options, "localhost", &err), THAW_FAILED);
	paths_in(folder, "empty.pem", empty);
	FILE *file = fopen(empty, "w");
	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(setenv("SSL_CERT_FILE", empty, 1), 0);
	err = (struct thaw_error){0};
	assert_null(tls_client_context_new(&options, &err));
	assert_int_equal(err.cls, THAW_ERR_CONFIG);
	assert_non_null(strstr(err.text, empty));
	assert_int_equal(unsetenv("SSL_CERT_FILE"), 0);
}

/* After the files are gone, a context goes on working. */
static void files_are_read_once(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct tls_client_context *context;
	struct pair pair;
	char aside[64];

	(void)state;
	paths_in(folder, "aside.pem", aside);
	options.credentials = credentials;
	context = context_of(&options);
	assert_int_equal(rename(ca, aside), 0);
	open_pair(&pair, context, "localhost", NULL);
	enum thaw_status status = handshake(&pair);
	close_pair(&pair);
	assert_int_equal(rename(aside, ca), 0);
	assert_int_equal(status, THAW_OK);
	tls_client_context_free(&context);
}

static void what_cannot_be_loaded_is_named(void **state)
{
	const struct {
		struct tls_client_options options;
		const char *named;
	} cases[] = {
		{{.ca = "/nonexistent/ca.pem"}, "/nonexistent/ca.pem"}, {{.ca = key}, key}, /* no certificate in it */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct thaw_error err = {0};
		assert_null(tls_client_context_new(&cases[i].options, &err));
		assert_int_equal(err.cls, THAW_ERR_CONFIG);
		assert_ptr_equal(strstr(err.text, cases[i].named), err.text);
	}
}

/* ---- its own certificate ---- */

static void it_sends_its_certificate_when_asked(void **state)
{
	struct tls_server *never_asks = server;

	(void)state;
	server = new_server(true);
	assert_non_null(server);
	for (int has = 0; has < 2; has++) {
		struct tls_client_options options = good(TLS_CLIENT_ANY);
		enum thaw_reason reason = THAW_REASON_NONE;
		char detail[64];
		struct pair pair;
		options.credentials = has ? credentials : NULL;
		struct tls_client_context *context = context_of(&options);
		open_pair(&pair, context, "localhost", NULL);
		assert_int_equal(tls_session_ask_at_handshake(pair.session, trust), THAW_OK);
		assert_int_equal(handshake(&pair), THAW_OK);
		struct tls_certificate *came = tls_session_verify(pair.session, trust, &reason, detail, sizeof(detail));
		assert_int_equal(reason, has ? THAW_REASON_NONE : THAW_REASON_NO_CERTIFICATE);
		if (has)
			assert_string_equal(tls_certificate_identity(came)->subject, "CN=Thaw Demo Client");
		else
			assert_null(came);
		tls_certificate_free(&came);
		close_pair(&pair);
		tls_client_context_free(&context);
	}
	tls_server_free(&server);
	server = never_asks;
}

/* ---- what it remembers ---- */

/* Whether a handshake with this memory was short, as both sides see it. The connection is cut, not closed. */
static bool resumes(struct tls_client_context *context, struct tls_client_memory *memory)
{
	struct pair pair;

	open_pair(&pair, context, "localhost", memory);
	assert_int_equal(handshake(&pair), THAW_OK);
	expect_text(&pair, "something");
	bool resumed = tls_client_resumed(pair.client);
	assert_int_equal(resumed, tls_conn_resumed(pair.link));
	close_pair(&pair);
	return resumed;
}

static void sessions_are_resumed(void **state)
{
	(void)state;
	for (int version = TLS_CLIENT_12; version <= TLS_CLIENT_13; version++) {
		struct tls_client_options options = good((enum tls_client_version)version);
		struct tls_client_context *context = context_of(&options);
		struct tls_client_memory *memory = tls_client_memory_new(), *other = tls_client_memory_new();
		assert_non_null(memory);
		assert_non_null(other);
		assert_false(resumes(context, memory));
		for (int again = 0; again < 3; again++)
			assert_true(resumes(context, memory));
		assert_false(resumes(context, NULL));
		assert_false(resumes(context, other)); /* each server has its own */
		assert_true(resumes(context, memory));
		tls_client_memory_free(&memory);
		tls_client_memory_free(&other);
		assert_null(memory);
		tls_client_context_free(&context);
	}
}

/* A server that was started anew does not know the session: the handshake is a full one, and that is remembered. */
static void a_session_that_the_server_forgot_does_no_harm(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct tls_client_context *context = context_of(&options);
	struct tls_client_memory *memory = tls_client_memory_new();

	(void)state;
	assert_false(resumes(context, memory));
	assert_true(resumes(context, memory));
	tls_server_free(&server);
	server = new_server(false);
	assert_non_null(server);
	assert_false(resumes(context, memory));
	assert_true(resumes(context, memory));
	tls_client_memory_free(&memory);
	tls_client_context_free(&context);
}

static void a_failed_handshake_is_forgotten(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct tls_client_context *context = context_of(&options);
	struct tls_client_memory *memory = tls_client_memory_new();
	struct pair pair;
	static const char nonsense[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

	(void)state;
	assert_false(resumes(context, memory));
	open_pair(&pair, context, "localhost", memory);
	assert_int_equal(write(pair.fds[1], nonsense, sizeof(nonsense)), sizeof(nonsense));
	while (pair.client_err.cls == THAW_ERR_NONE)
		(void)!tls_client_handshake(pair.client, &pair.client_err);
	assert_int_equal(pair.client_err.cls, THAW_ERR_PEER);
	close_pair(&pair);
	assert_false(resumes(context, memory));
	tls_client_memory_free(&memory);
	tls_client_context_free(&context);
}

/* ---- reading and its end ---- */

static void pending_bytes_are_reported(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct tls_client_context *context = context_of(&options);
	struct pair pair;
	char byte;
	size_t len = 0;

	(void)state;
	open_pair(&pair, context, "localhost", NULL);
	assert_int_equal(handshake(&pair), THAW_OK);
	assert_int_equal(tls_client_read(pair.client, &byte, 1, &len, &pair.client_err), THAW_WANT_READ);
	assert_false(tls_client_pending(pair.client));
	/* three records: the first is read in part, the others lie behind it, and the socket is empty */
	for (int i = 0; i < 3; i++)
		assert_int_equal(tls_conn_write(pair.link, "ab", 2, &len, &pair.link_err), THAW_OK);
	assert_false(tls_client_pending(pair.client)); /* nobody has looked yet */
	for (int i = 0; i < 6; i++) {
		assert_int_equal(tls_client_read(pair.client, &byte, 1, &len, &pair.client_err), THAW_OK);
		assert_int_equal(byte, i % 2 == 0 ? 'a' : 'b');
		assert_int_equal(recv(pair.fds[0], &byte, 1, MSG_PEEK), -1);
		assert_int_equal(tls_client_pending(pair.client), i < 5);
	}
	assert_int_equal(tls_client_read(pair.client, &byte, 1, &len, &pair.client_err), THAW_WANT_READ);
	assert_false(tls_client_pending(pair.client));
	close_pair(&pair);
	tls_client_context_free(&context);
}

/* A half-closed connection can be read (RFC 8446 6.1); one that was closed says so. */
static void reading_continues_after_close_notify(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_13);
	struct tls_client_context *context = context_of(&options);
	struct pair pair;
	char byte;
	size_t len = 0;

	(void)state;
	open_pair(&pair, context, "localhost", NULL);
	assert_int_equal(handshake(&pair), THAW_OK);
	assert_int_equal(tls_client_close_notify(pair.client), THAW_OK);
	assert_int_equal(tls_session_read(pair.session, &byte, 1, &len), THAW_CLOSED);
	expect_text(&pair, "the rest");
	tls_conn_close_notify(pair.link);
	assert_int_equal(tls_client_read(pair.client, &byte, 1, &len, &pair.client_err), THAW_CLOSED);
	assert_int_equal(pair.client_err.cls, THAW_ERR_NONE);
	close_pair(&pair);
	tls_client_context_free(&context);
}

static void an_end_without_close_notify_is_a_failure(void **state)
{
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct tls_client_context *context = context_of(&options);
	struct pair pair;
	char byte;
	size_t len = 0;

	(void)state;
	open_pair(&pair, context, "localhost", NULL);
	assert_int_equal(handshake(&pair), THAW_OK);
	expect_text(&pair, "half of it");
	assert_int_equal(shutdown(pair.fds[1], SHUT_WR), 0);
	assert_int_equal(tls_client_read(pair.client, &byte, 1, &len, &pair.client_err), THAW_FAILED);
	assert_int_equal(pair.client_err.cls, THAW_ERR_PEER);
	/* and then nothing is to be sent any more */
	assert_int_equal(tls_client_close_notify(pair.client), THAW_OK);
	close_pair(&pair);
	tls_client_context_free(&context);
}

/* Writes until nothing more goes; close_notify has to wait then, and goes once the server has read. */
static void close_notify_waits_for_room(void **state)
{
	static char bytes[65536], unread[65536];
	struct tls_client_options options = good(TLS_CLIENT_ANY);
	struct tls_client_context *context = context_of(&options);
	struct pair pair;
	size_t len = 0, sent = 0, got = 0;
	enum thaw_status status = THAW_OK;

	(void)state;
	open_pair(&pair, context, "localhost", NULL);
	assert_int_equal(handshake(&pair), THAW_OK);
	while (status == THAW_OK) {
		status = tls_client_write(pair.client, bytes, sizeof(bytes), &len, &pair.client_err);
		sent += len;
	}
	assert_int_equal(status, THAW_WANT_WRITE);
	assert_int_equal(tls_client_close_notify(pair.client), THAW_WANT_WRITE);
	/* what was begun is to be written to its end first */
	status = THAW_WANT_WRITE;
	for (int turn = 0; turn < TURNS_MAX && status != THAW_OK; turn++) {
		(void)!tls_session_read(pair.session, unread, sizeof(unread), &len);
		got += len;
		status = tls_client_write(pair.client, bytes, sizeof(bytes), &len, &pair.client_err);
		sent += len;
	}
	assert_int_equal(status, THAW_OK);
	for (int turn = 0; turn < TURNS_MAX && tls_client_close_notify(pair.client) != THAW_OK; turn++) {
		(void)!tls_session_read(pair.session, unread, sizeof(unread), &len);
		got += len;
	}
	do {
		status = tls_session_read(pair.session, unread, sizeof(unread), &len);
		got += len;
	} while (status == THAW_OK);
	assert_int_equal(got, sent);
	assert_int_equal(status, THAW_CLOSED);
	close_pair(&pair);
	tls_client_context_free(&context);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_must_be_the_certificates),
		cmocka_unit_test(a_certificate_of_another_ca_is_rejected),
		cmocka_unit_test(skip_verification_accepts_any_certificate),
		cmocka_unit_test(without_a_file_the_systems_cas_are_used),
		cmocka_unit_test(files_are_read_once),
		cmocka_unit_test(what_cannot_be_loaded_is_named),
		cmocka_unit_test(it_sends_its_certificate_when_asked),
		cmocka_unit_test(sessions_are_resumed),
		cmocka_unit_test(a_session_that_the_server_forgot_does_no_harm),
		cmocka_unit_test(a_failed_handshake_is_forgotten),
		cmocka_unit_test(pending_bytes_are_reported),
		cmocka_unit_test(reading_continues_after_close_notify),
		cmocka_unit_test(an_end_without_close_notify_is_a_failure),
		cmocka_unit_test(close_notify_waits_for_room),
	};
	(void)alarm(120); /* a watchdog */
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
