#include "tls/hello.h"

#include <stdint.h>
#include <string.h>

#define HEADER_LEN  4 /* of a handshake message: its type and length */
#define RANDOM_LEN  32
#define TLS12       0x0303
#define TLS13       0x0304
#define AGE_LEN     4 /* obfuscated_ticket_age, after each identity */
#define GREASE_MASK 0x0f0f
#define GREASE      0x0a0a /* RFC 8701: values with two equal bytes */

/* Extension types from the IANA registry, and from BoringSSL (application settings). */
enum extension {
	EXT_ALPN = 16,
	EXT_STATUS_REQUEST_V2 = 17,
	EXT_EXTENDED_MASTER = 23,
	EXT_COMPRESS_CERTIFICATE = 27,
	EXT_RECORD_SIZE_LIMIT = 28,
	EXT_DELEGATED_CREDENTIAL = 34,
	EXT_PRE_SHARED_KEY = 41,
	EXT_SUPPORTED_VERSIONS = 43,
	EXT_POST_HANDSHAKE_AUTH = 49,
	EXT_APPLICATION_SETTINGS_OLD = 17513,
	EXT_APPLICATION_SETTINGS = 17613,
};

/* Extensions that the fingerprints check; bits. */
enum mark {
	HAS_GREASE = 1,
	HAS_H2 = 2,
	HAS_STATUS_V2 = 4,
	HAS_COMPRESSION = 8,
	HAS_SIZE_LIMIT = 16,
	HAS_DELEGATED = 32,
	HAS_POST_HANDSHAKE = 64,
	HAS_SETTINGS = 128,
};

/*
 * Measured with Chromium 156, Firefox 153, OpenJDK 17, curl 7.88, Node 20, Go 1.19 and GnuTLS 3.7. The first matching
 * row counts. Chromium sends application settings only with h2, so its ClientHello for HTTP/1.1 has none. Other clients
 * with GREASE and certificate compression, such as Safari, were not measured; they send no application settings.
 */
static const struct fingerprint {
	enum tls_client_kind kind;
	unsigned with, without;
} fingerprints[] = {
	{TLS_KIND_JAVA, HAS_STATUS_V2, 0},
	{TLS_KIND_CHROMIUM, HAS_GREASE | HAS_COMPRESSION | HAS_H2 | HAS_SETTINGS, HAS_POST_HANDSHAKE},
	{TLS_KIND_CHROMIUM, HAS_GREASE | HAS_COMPRESSION, HAS_POST_HANDSHAKE | HAS_H2},
	{TLS_KIND_FIREFOX, HAS_SIZE_LIMIT | HAS_DELEGATED, HAS_GREASE},
};

static const struct {
	unsigned extension;
	enum mark mark;
} marks[] = {
	{EXT_STATUS_REQUEST_V2, HAS_STATUS_V2},        {EXT_COMPRESS_CERTIFICATE, HAS_COMPRESSION},
	{EXT_RECORD_SIZE_LIMIT, HAS_SIZE_LIMIT},       {EXT_DELEGATED_CREDENTIAL, HAS_DELEGATED},
	{EXT_POST_HANDSHAKE_AUTH, HAS_POST_HANDSHAKE}, {EXT_APPLICATION_SETTINGS_OLD, HAS_SETTINGS},
	{EXT_APPLICATION_SETTINGS, HAS_SETTINGS},
};

/* ---- bytes ---- */

struct bytes {
	const unsigned char *at;
	size_t len;
};

static bool take(struct bytes *from, size_t len, struct bytes *taken)
{
	if (from->len < len)
		return false;
	*taken = (struct bytes){from->at, len};
	from->at += len;
	from->len -= len;
	return true;
}

/* Reads a number of len bytes, at most 2. */
static bool take_number(struct bytes *from, size_t len, unsigned *number)
{
	struct bytes taken;

	if (!take(from, len, &taken))
		return false;
	*number = 0;
	for (size_t i = 0; i < len; i++)
		*number = *number << 8 | taken.at[i];
	return true;
}

/* Reads a vector after its length of len_size bytes (RFC 8446 3.4). */
static bool take_vector(struct bytes *from, size_t len_size, struct bytes *vector)
{
	unsigned len;

	return take_number(from, len_size, &len) && take(from, len, vector);
}

static bool is(const struct bytes *bytes, const char *text)
{
	return bytes->len == strlen(text) && memcmp(bytes->at, text, bytes->len) == 0;
}

static bool is_grease(unsigned number)
{
	return (number & GREASE_MASK) == GREASE && number >> 8 == (number & 0xff);
}

/* ---- extensions ---- */

/* RFC 7301 3.1 */
static void read_alpn(struct tls_hello *hello, struct bytes data)
{
	struct bytes names, name;

	if (!take_vector(&data, 2, &names))
		return;
	while (take_vector(&names, 1, &name)) {
		hello->h2 = hello->h2 || is(&name, "h2");
		hello->http1 = hello->http1 || is(&name, "http/1.1");
	}
}

/* RFC 8446 4.2.1 */
static void read_versions(struct tls_hello *hello, struct bytes data)
{
	struct bytes versions;
	unsigned version;

	if (!take_vector(&data, 1, &versions))
		return;
	while (take_number(&versions, 2, &version)) {
		hello->tls12 = hello->tls12 || version == TLS12;
		hello->tls13 = hello->tls13 || version == TLS13;
	}
}

static unsigned marks_of(unsigned type)
{
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		if (marks[i].extension == type)
			return marks[i].mark;
	return is_grease(type) ? HAS_GREASE : 0;
}

static void read_extension(struct tls_hello *hello, unsigned type, struct bytes data)
{
	switch (type) {
	case EXT_ALPN:
		read_alpn(hello, data);
		break;
	case EXT_SUPPORTED_VERSIONS:
		read_versions(hello, data);
		break;
	case EXT_POST_HANDSHAKE_AUTH:
		hello->post_handshake = true;
		break;
	case EXT_EXTENDED_MASTER:
		hello->extended_master = true;
		break;
	case EXT_PRE_SHARED_KEY:
		hello->resumes = true;
		break;
	default:
		break;
	}
}

static enum tls_client_kind kind_of(unsigned has)
{
	for (size_t i = 0; i < sizeof(fingerprints) / sizeof(fingerprints[0]); i++)
		if ((has & fingerprints[i].with) == fingerprints[i].with && (has & fingerprints[i].without) == 0)
			return fingerprints[i].kind;
	return TLS_KIND_OTHER;
}

/* Skips legacy_version, random, legacy_session_id, cipher_suites and compression methods. */
static bool skip_to_extensions(struct bytes *message, struct bytes *extensions)
{
	struct bytes skipped;

	return take(message, HEADER_LEN + 2 + RANDOM_LEN, &skipped) && take_vector(message, 1, &skipped) &&
	       take_vector(message, 2, &skipped) && take_vector(message, 1, &skipped) &&
	       take_vector(message, 2, extensions) && message->len == 0;
}

void tls_hello_read(struct tls_hello *hello, const unsigned char *message, size_t len)
{
	struct bytes all = {message, len}, extensions, data;
	unsigned type, has = 0;

	*hello = (struct tls_hello){.kind = TLS_KIND_OTHER};
	if (!skip_to_extensions(&all, &extensions))
		return;
	while (take_number(&extensions, 2, &type) && take_vector(&extensions, 2, &data)) {
		read_extension(hello, type, data);
		has |= marks_of(type);
	}
	hello->kind = kind_of(has | (hello->h2 ? HAS_H2 : 0));
}

void tls_hello_read_extension(struct tls_hello *hello, unsigned type, const unsigned char *data, size_t len)
{
	read_extension(hello, type, (struct bytes){data, len});
}

const unsigned char *tls_hello_identity(const unsigned char *extension, size_t len, size_t *identity_len)
{
	struct bytes all = {extension, len}, identities, identity, age;

	if (!take_vector(&all, 2, &identities) || !take_vector(&identities, 2, &identity) ||
	    !take(&identities, AGE_LEN, &age))
		return NULL;
	*identity_len = identity.len;
	return identity.at;
}

/* ---- kinds ---- */

bool tls_kind_retries(enum tls_client_kind kind)
{
	return kind == TLS_KIND_CHROMIUM || kind == TLS_KIND_FIREFOX;
}
