/* Explains why a file does not have the wanted PEM block. OpenSSL's own texts are about its decoders. */
#include "tls/failure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "base/error.h"
#include "tls/file.h"

#define BYTES_MAX  (1024 * 1024) /* most bytes of a file that are checked */
#define TYPE_MAX   48            /* of a PEM block's type */
#define BLANKS_MAX 8             /* most blanks after it in its line */

static const char *const words[] = {
	[TLS_PEM_CERTIFICATE] = "certificate", [TLS_PEM_KEY] = "private key", [TLS_PEM_CRL] = "CRL"};

/* The beginning of the file; it may contain a key, so it is wiped. */
struct content {
	unsigned char *bytes; /* followed by a NUL */
	size_t len;
};

static void drop(struct content *content)
{
	OPENSSL_clear_free(content->bytes, BYTES_MAX + 1);
	content->bytes = NULL;
}

static bool take(struct content *content, const char *file)
{
	FILE *stream = tls_file_open(file);

	*content = (struct content){.bytes = stream != NULL ? OPENSSL_malloc(BYTES_MAX + 1) : NULL};
	if (stream != NULL)
		(void)setvbuf(stream, NULL, _IONBF, 0);
	if (content->bytes != NULL) {
		content->len = fread(content->bytes, 1, BYTES_MAX, stream);
		content->bytes[content->len] = '\0';
	}
	bool well = content->bytes != NULL && ferror(stream) == 0;
	if (stream != NULL)
		(void)fclose(stream);
	if (!well)
		drop(content);
	return well;
}

static bool starts(const struct content *content, const char *bytes, size_t len)
{
	return content->len >= len && memcmp(content->bytes, bytes, len) == 0;
}

/* ---- binary files ---- */

static const char *pkcs12_remedy(enum tls_pem_kind wanted)
{
	if (wanted == TLS_PEM_KEY)
		return "it is PKCS #12, not PEM; convert it with 'openssl pkcs12 -in FILE -nocerts -noenc -out NEW' "
		       "(thaw send "
		       "and thaw probe: --pkcs12)";
	return "it is PKCS #12, not PEM; convert it with 'openssl pkcs12 -in FILE -nokeys -out NEW' (thaw send and "
	       "thaw "
	       "probe: --pkcs12)";
}

/* The type of the DER data, and how to convert it. */
static const char *der_fault(const struct content *content, enum tls_pem_kind wanted)
{
	const unsigned char *at = content->bytes;
	long len = (long)content->len;
	const char *fault = "it is binary, not PEM";
	PKCS12 *pkcs12 = d2i_PKCS12(NULL, &at, len);
	X509 *certificate = d2i_X509(NULL, &(const unsigned char *){content->bytes}, len);
	X509_CRL *crl = d2i_X509_CRL(NULL, &(const unsigned char *){content->bytes}, len);
	X509_SIG *encrypted = d2i_X509_SIG(NULL, &(const unsigned char *){content->bytes}, len);
	EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &(const unsigned char *){content->bytes}, len);
	PKCS7 *pkcs7 = d2i_PKCS7(NULL, &(const unsigned char *){content->bytes}, len);

	if (certificate != NULL)
		fault = "it is a certificate in DER, not PEM; convert it with 'openssl x509 -inform DER -in FILE -out "
			"NEW'";
	else if (crl != NULL)
		fault = "it is a CRL in DER, not PEM; convert it with 'openssl crl -inform DER -in FILE -out NEW'";
	else if (pkcs12 != NULL)
		fault = pkcs12_remedy(wanted);
	else if (key != NULL || encrypted != NULL)
		fault = "it is a private key in DER, not PEM; convert it with 'openssl pkey -inform DER -in FILE -out "
			"NEW'";
	else if (pkcs7 != NULL)
		fault = "it is PKCS #7 in DER, not PEM; convert it with 'openssl pkcs7 -inform DER -print_certs -in "
			"FILE -out "
			"NEW'";
	PKCS12_free(pkcs12);
	X509_free(certificate);
	X509_CRL_free(crl);
	X509_SIG_free(encrypted);
	EVP_PKEY_free(key);
	PKCS7_free(pkcs7);
	ERR_clear_error();
	return fault;
}

static const char *binary_fault(const struct content *content, enum tls_pem_kind wanted)
{
	if (content->len == 0)
		return "it is empty; write it anew";
	if (starts(content, "\xFF\xFE", 2) || starts(content, "\xFE\xFF", 2))
		return "it is UTF-16 text; save it as ASCII or UTF-8";
	if (starts(content, "\xFE\xED\xFE\xED", 4) || starts(content, "\xCE\xCE\xCE\xCE", 4))
		return "it is a Java keystore, not PEM; export it with 'keytool -importkeystore -deststoretype "
		       "PKCS12', and "
		       "convert that with 'openssl pkcs12'";
	if (content->bytes[0] == 0x30)
		return der_fault(content, wanted);
	return memchr(content->bytes, '\0', content->len) != NULL ? "it is binary, not PEM" : NULL;
}

/* ---- PEM ---- */

/* The result of a walk through the blocks. */
struct blocks {
	bool wanted; /* a wanted block was found */
	char other[TYPE_MAX];
	char open[TYPE_MAX]; /* the type of the open block; "": none */
	unsigned opened;     /* its line */
	bool joined;         /* its line has more text after the type */
};

static bool is_kind(const char *type, enum tls_pem_kind kind)
{
	const char *tail = strstr(type, "PRIVATE KEY");

	switch (kind) {
	case TLS_PEM_KEY:
		return tail != NULL && strcmp(tail, "PRIVATE KEY") == 0 && strncmp(type, "OPENSSH", 7) != 0;
	case TLS_PEM_CRL:
		return strcmp(type, "X509 CRL") == 0;
	case TLS_PEM_CERTIFICATE:
	default:
		return strcmp(type, "CERTIFICATE") == 0 || strcmp(type, "X509 CERTIFICATE") == 0 ||
		       strcmp(type, "TRUSTED CERTIFICATE") == 0;
	}
}

/* The type of a line such as "-----BEGIN TYPE-----". */
static bool is_edge(const char *line, const char *edge, char type[TYPE_MAX])
{
	size_t skip = strlen(edge);

	if (strncmp(line, edge, skip) != 0)
		return false;
	const char *end = strstr(line + skip, "-----");
	size_t len = end != NULL ? (size_t)(end - line) - skip : strcspn(line + skip, "\r\n");
	(void)snprintf(type, TYPE_MAX, "%.*s", (int)(len < TYPE_MAX ? len : TYPE_MAX - 1), line + skip);
	for (char *c = type; *c != '\0'; c++)
		*c = (unsigned char)*c < ' ' || (unsigned char)*c > '~' ? '?' : *c;
	return true;
}

/* Whether a line can be inside a block: base64, or a header (RFC 1421 4.6). */
static bool is_body(const char *line, size_t len)
{
	static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/= \t\r";

	return memchr(line, ':', len) != NULL || strspn(line, base64) >= len;
}

static enum thaw_status not_closed(const struct blocks *blocks, const char *file, struct thaw_error *err)
{
	return error_set(err, THAW_ERR_CONFIG,
			 "%s: line %u: the block '%s' that begins here has no END line: %s; copy it again", file,
			 blocks->opened, blocks->open,
			 blocks->joined ? "its line breaks are missing" : "the file is cut off");
}

/* THAW_FAILED: *err has the cause. */
static enum thaw_status walk_line(struct blocks *blocks, const char *line, size_t len, unsigned number,
				  enum tls_pem_kind wanted, const char *file, struct thaw_error *err)
{
	char type[TYPE_MAX];

	if (is_edge(line, "-----BEGIN ", type)) {
		if (blocks->open[0] != '\0')
			return not_closed(blocks, file, err);
		memcpy(blocks->open, type, sizeof(type));
		blocks->opened = number;
		blocks->joined = len > strlen("-----BEGIN -----") + strlen(type) + BLANKS_MAX;
		blocks->wanted = blocks->wanted || is_kind(type, wanted);
		if (!is_kind(type, wanted))
			memcpy(blocks->other, type, sizeof(type));
	} else if (blocks->open[0] != '\0' && is_edge(line, "-----END ", type)) {
		if (strcmp(type, blocks->open) != 0)
			return error_set(err, THAW_ERR_CONFIG,
					 "%s: line %u: the block '%s' of line %u ends as '%s'; copy the file again",
					 file, number, blocks->open, blocks->opened, type);
		blocks->open[0] = '\0';
	} else if (blocks->open[0] != '\0' && !is_body(line, len)) {
		return error_set(err, THAW_ERR_CONFIG,
				 "%s: line %u: it is not base64, within the block '%s' of line %u; copy the file again",
				 file, number, blocks->open, blocks->opened);
	}
	return THAW_OK;
}

static enum thaw_status walk(struct blocks *blocks, const struct content *content, enum tls_pem_kind wanted,
			     const char *file, struct thaw_error *err)
{
	const char *line = (const char *)content->bytes, *end = line + content->len;

	*blocks = (struct blocks){.opened = 0};
	for (unsigned number = 1; line < end; number++) {
		size_t len = strcspn(line, "\n");
		if (walk_line(blocks, line, len, number, wanted, file, err) != THAW_OK)
			return THAW_FAILED;
		line += len + 1;
	}
	return blocks->open[0] != '\0' && content->len < BYTES_MAX ? not_closed(blocks, file, err) : THAW_OK;
}

static const char *other_remedy(const char *other)
{
	static const struct {
		const char *part, *cure;
	} cures[] = {
		{"REQUEST", "send it to the CA, and name the certificate that comes back"},
		{"PKCS7", "convert it with 'openssl pkcs7 -print_certs -in FILE -out NEW'"},
		{"OPENSSH", "convert it with 'ssh-keygen -p -m PEM -f FILE'"},
		{"PUBLIC KEY", "name the private key"},
		{"PRIVATE KEY", "are certificate and key mixed up?"},
		{"CERTIFICATE", "are the files mixed up?"},
	};

	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if (strstr(other, cures[i].part) != NULL)
			return cures[i].cure;
	return "name another file";
}

static enum thaw_status content_fault(const struct content *content, const char *file, enum tls_pem_kind wanted,
				      struct thaw_error *err)
{
	const char *binary = binary_fault(content, wanted), *what = words[wanted];
	struct blocks blocks;

	if (binary != NULL)
		return error_set(err, THAW_ERR_CONFIG, "%s: there is no %s in it (PEM): %s", file, what, binary);
	if (walk(&blocks, content, wanted, file, err) != THAW_OK)
		return THAW_FAILED;
	if (blocks.wanted || content->len == BYTES_MAX)
		return THAW_OK;
	if (blocks.other[0] == '\0')
		return error_set(
			err, THAW_ERR_CONFIG,
			"%s: there is no %s in it (PEM), and no line that begins with '-----BEGIN'; name another "
			"file, or get this one anew",
			file, what);
	return error_set(err, THAW_ERR_CONFIG, "%s: there is no %s in it (PEM), but a block '%s'; %s", file, what,
			 blocks.other, other_remedy(blocks.other));
}

static bool is_folder(const char *file)
{
	struct stat info;

	return stat(file, &info) == 0 && S_ISDIR(info.st_mode);
}

enum thaw_status tls_pem_fault(const char *file, enum tls_pem_kind wanted, struct thaw_error *err)
{
	struct content content;
	enum thaw_status status = THAW_OK;
	char what[THAW_ERROR_TEXT];
	bool damaged = false;

	if (is_folder(file)) {
		ERR_clear_error();
		return error_set(err, THAW_ERR_CONFIG, "%s: it is a folder; name a file in it", file);
	}
	if (tls_failure_is_memory())
		return tls_library_failure(THAW_ERR_RESOURCE, file, err);
	(void)ERR_set_mark();
	if (take(&content, file)) {
		status = content_fault(&content, file, wanted, err);
		damaged = true;
	}
	drop(&content);
	(void)ERR_pop_to_mark();
	if (status != THAW_OK) {
		ERR_clear_error();
		return THAW_FAILED;
	}
	(void)snprintf(what, sizeof(what), damaged ? "%s: a %s in it is damaged, or of an unknown kind" : "%s", file,
		       words[wanted]);
	return tls_library_failure(THAW_ERR_CONFIG, what, err);
}
