/* What ClientHellos say, and which programs they are from: real ones, and such as no program sends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hellos.h"
#include "tls/hello.h"

#define RECORD_HEADER 5

struct message {
	unsigned char *bytes;
	size_t len;
};

static unsigned digit(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The handshake message in that record, in memory of exactly its size. */
static struct message message_of(const char *hex)
{
	struct message message = {.len = strlen(hex) / 2 - RECORD_HEADER};

	message.bytes = malloc(message.len);
	assert_non_null(message.bytes);
	for (size_t i = 0; i < message.len; i++) {
		const char *at = hex + 2 * (i + RECORD_HEADER);
		message.bytes[i] = (unsigned char)(digit(at[0]) << 4 | digit(at[1]));
	}
	return message;
}

/* Where an extension of that type begins in a well-formed message, and its length. */
static unsigned char *find_extension(const struct message *message, unsigned type, size_t *len)
{
	size_t at = 4 + 2 + 32;

	at += 1 + (size_t)message->bytes[at];
	at += 2 + ((size_t)message->bytes[at] << 8 | message->bytes[at + 1]);
	at += 1 + (size_t)message->bytes[at];
	for (at += 2; at + 4 <= message->len; at += 4 + *len) {
		*len = (size_t)message->bytes[at + 2] << 8 | message->bytes[at + 3];
		if (((unsigned)message->bytes[at] << 8 | message->bytes[at + 1]) == type)
			return message->bytes + at;
	}
	return NULL;
}

static struct tls_hello read_hello(const char *hex)
{
	struct message message = message_of(hex);
	struct tls_hello hello;

	tls_hello_read(&hello, message.bytes, message.len);
	free(message.bytes);
	return hello;
}

static const struct {
	const char *name, *hex;
	struct tls_hello is;
} programs[] = {
	{"Chromium", hello_chromium_first, {true, true, true, true, false, true, false, TLS_KIND_CHROMIUM}},
	{"Chromium, second", hello_chromium_http1, {true, true, false, true, false, true, true, TLS_KIND_CHROMIUM}},
	{"Firefox", hello_firefox_first, {true, true, true, true, false, true, false, TLS_KIND_FIREFOX}},
	{"Firefox, second", hello_firefox_http1, {true, true, false, true, false, true, false, TLS_KIND_FIREFOX}},
	{"curl", hello_curl, {true, true, true, true, true, true, false, TLS_KIND_OTHER}},
	{"curl --http1.1", hello_curl_http1, {true, true, false, true, true, true, false, TLS_KIND_OTHER}},
	{"Java HttpClient", hello_java_http_client, {true, true, true, true, false, true, false, TLS_KIND_JAVA}},
	{"Java URL", hello_java_url_connection, {true, true, false, false, false, true, false, TLS_KIND_JAVA}},
	{"Node fetch", hello_node_fetch, {true, true, false, true, false, true, false, TLS_KIND_OTHER}},
	{"Node https", hello_node_https, {true, true, false, false, false, true, false, TLS_KIND_OTHER}},
	{"Node http2", hello_node_http2, {true, true, true, false, false, true, false, TLS_KIND_OTHER}},
	{"Go", hello_go_plain, {true, true, false, false, false, false, false, TLS_KIND_OTHER}},
	{"Go with HTTP/2", hello_go_http2, {true, true, true, true, false, false, false, TLS_KIND_OTHER}},
	{"gnutls-cli", hello_gnutls_cli, {true, true, true, true, false, true, false, TLS_KIND_OTHER}},
};

static void real_programs_are_recognized(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct tls_hello hello = read_hello(programs[i].hex);
		const struct tls_hello *is = &programs[i].is;
		print_message("%s\n", programs[i].name); /* which one, should it fail */
		assert_int_equal(hello.kind, is->kind);
		assert_int_equal(hello.tls12, is->tls12);
		assert_int_equal(hello.tls13, is->tls13);
		assert_int_equal(hello.h2, is->h2);
		assert_int_equal(hello.http1, is->http1);
		assert_int_equal(hello.post_handshake, is->post_handshake);
		assert_int_equal(hello.extended_master, is->extended_master);
		assert_int_equal(hello.resumes, is->resumes);
	}
}

/* The kind of that hello once an extension of it has another type. */
static enum tls_client_kind kind_with(const char *hex, unsigned type, unsigned becomes)
{
	struct message message = message_of(hex);
	struct tls_hello hello;
	size_t len = 0;
	unsigned char *extension = find_extension(&message, type, &len);

	assert_non_null(extension);
	extension[0] = (unsigned char)(becomes >> 8);
	extension[1] = (unsigned char)becomes;
	tls_hello_read(&hello, message.bytes, message.len);
	free(message.bytes);
	return hello.kind;
}

static void unknown_clients_are_not_browsers(void **state)
{
	enum { UNUSED = 60000, SETTINGS = 17613, COMPRESSION = 27, DELEGATED = 34, SIZE_LIMIT = 28, MASTER = 23 };

	(void)state;
	/* GREASE and compressed certificates, but no application settings: Safari */
	assert_int_equal(kind_with(hello_chromium_first, SETTINGS, UNUSED), TLS_KIND_OTHER);
	assert_int_equal(kind_with(hello_chromium_first, COMPRESSION, UNUSED), TLS_KIND_OTHER);
	assert_int_equal(kind_with(hello_chromium_http1, COMPRESSION, UNUSED), TLS_KIND_OTHER);
	/* with post-handshake authentication */
	assert_int_equal(kind_with(hello_chromium_first, MASTER, 49), TLS_KIND_OTHER);
	assert_int_equal(kind_with(hello_firefox_first, DELEGATED, UNUSED), TLS_KIND_OTHER);
	assert_int_equal(kind_with(hello_firefox_first, SIZE_LIMIT, UNUSED), TLS_KIND_OTHER);
	assert_int_equal(kind_with(hello_firefox_first, MASTER, 0x1a1a), TLS_KIND_OTHER);
	/* Firefox can be told to offer it, and compresses certificates or not */
	assert_int_equal(kind_with(hello_firefox_first, MASTER, 49), TLS_KIND_FIREFOX);
	assert_int_equal(kind_with(hello_firefox_first, COMPRESSION, UNUSED), TLS_KIND_FIREFOX);
	/* an OpenSSL 3.2 with compression */
	assert_int_equal(kind_with(hello_curl, 22, COMPRESSION), TLS_KIND_OTHER);
}

static void only_browsers_retry_over_http1(void **state)
{
	(void)state;
	assert_true(tls_kind_retries(TLS_KIND_CHROMIUM));
	assert_true(tls_kind_retries(TLS_KIND_FIREFOX));
	assert_false(tls_kind_retries(TLS_KIND_JAVA));
	assert_false(tls_kind_retries(TLS_KIND_OTHER));
}

/* A message that is cut off anywhere, or goes on, says nothing. */
static void a_message_of_wrong_length_is_ignored(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
		struct message message = message_of(programs[i].hex);
		for (size_t len = 0; len < message.len; len++) {
			unsigned char *part = malloc(len + (len == 0));
			struct tls_hello hello;
			assert_non_null(part);
			memcpy(part, message.bytes, len);
			tls_hello_read(&hello, part, len);
			free(part);
			assert_int_equal(hello.kind, TLS_KIND_OTHER);
			assert_false(hello.tls13 || hello.h2);
		}
		free(message.bytes);
	}
}

static void the_first_identity_is_found(void **state)
{
	struct message message = message_of(hello_chromium_http1);
	size_t len = 0, identity_len = 0;
	unsigned char *extension = find_extension(&message, 41, &len);

	(void)state;
	assert_non_null(extension);
	const unsigned char *identity = tls_hello_identity(extension + 4, len, &identity_len);
	assert_ptr_equal(identity, extension + 4 + 4);
	assert_int_equal(identity_len, (size_t)extension[6] << 8 | extension[7]);
	assert_true(identity_len > 100);
	for (size_t cut = 0; cut < 4 + identity_len + 4; cut++) {
		unsigned char *part = malloc(cut + (cut == 0));
		assert_non_null(part);
		memcpy(part, extension + 4, cut);
		assert_null(tls_hello_identity(part, cut, &identity_len));
		free(part);
	}
	free(message.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_programs_are_recognized),
		cmocka_unit_test(unknown_clients_are_not_browsers),
		cmocka_unit_test(only_browsers_retry_over_http1),
		cmocka_unit_test(a_message_of_wrong_length_is_ignored),
		cmocka_unit_test(the_first_identity_is_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
