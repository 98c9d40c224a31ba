#include "tls/ticket_keys.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "base/error.h"
#include "tls/secret_file.h"
#include "tls/server.h"
#include "tls/trust.h"

#define NAME_LEN   16
#define SECRET_LEN 32
#define KEY_LEN    (NAME_LEN + 2 * SECRET_LEN)
#define IV_LEN     16

#define HEX_LEN         (2 * KEY_LEN)
#define BASE64_LEN      108 /* 107 digits and one '=' */
#define BASE64_ROOM     81  /* EVP_DecodeBlock() counts the '=' as a byte */
#define MODE_ALLOWED    0640
#define BASE64_ALPHABET "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

struct key {
	unsigned char name[NAME_LEN], hmac[SECRET_LEN], aes[SECRET_LEN];
};

struct tls_ticket_keys {
	size_t count; /* 1 to TLS_TICKET_KEYS_MAX */
	struct key keys[TLS_TICKET_KEYS_MAX];
};

/* ---- reading ---- */

static bool from_hex(const char *text, size_t len, unsigned char bytes[static BASE64_ROOM])
{
	if (len != HEX_LEN)
		return false;
	for (size_t i = 0; i < KEY_LEN; i++) {
		int high = OPENSSL_hexchar2int((unsigned char)text[2 * i]);
		int low = OPENSSL_hexchar2int((unsigned char)text[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

/* EVP_DecodeBlock() alone would accept white space and misplaced '='. */
static bool from_base64(const char *text, size_t len, unsigned char bytes[static BASE64_ROOM])
{
	if (len != BASE64_LEN || text[BASE64_LEN - 1] != '=')
		return false;
	for (size_t i = 0; i < BASE64_LEN - 1; i++)
		if (text[i] == '\0' || strchr(BASE64_ALPHABET, text[i]) == NULL)
			return false;
	return EVP_DecodeBlock(bytes, (const unsigned char *)text, BASE64_LEN) == BASE64_ROOM;
}

static bool is_known(const struct tls_ticket_keys *keys, const unsigned char *name)
{
	for (size_t i = 0; i < keys->count; i++)
		if (memcmp(keys->keys[i].name, name, NAME_LEN) == 0)
			return true;
	return false;
}

static enum thaw_status read_key(struct tls_ticket_keys *keys, const char *text, size_t len, const char *file,
				 unsigned line, struct thaw_error *err)
{
	unsigned char bytes[BASE64_ROOM];
	enum thaw_status status = THAW_OK;

	if (keys->count == TLS_TICKET_KEYS_MAX)
		return error_set(err, THAW_ERR_CONFIG, "%s:%u: more than %d keys; delete the oldest", file, line,
				 TLS_TICKET_KEYS_MAX);
	if (!from_hex(text, len, bytes) && !from_base64(text, len, bytes))
		status = error_set(
			err, THAW_ERR_CONFIG,
			"%s:%u: not a ticket key; allowed: %d bytes as hexadecimal digits or in base64; make one "
			"with 'openssl rand -hex %d'",
			file, line, KEY_LEN, KEY_LEN);
	else if (is_known(keys, bytes))
		status = error_set(err, THAW_ERR_CONFIG,
				   "%s:%u: a key of the same name (its first %d bytes) is above; delete one of them",
				   file, line, NAME_LEN);
	else
		memcpy(&keys->keys[keys->count++], bytes, KEY_LEN);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return status;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static enum thaw_status read_keys(struct tls_ticket_keys *keys, const char *at, size_t len, const char *file,
				  struct thaw_error *err)
{
	const char *end = at + len;

	for (unsigned line = 1; at < end; line++) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *next = newline != NULL ? newline + 1 : end, *last = newline != NULL ? newline : end;
		while (at < last && is_blank(*at))
			at++;
		while (last > at && is_blank(last[-1]))
			last--;
		if (at < last && *at != '#' && read_key(keys, at, (size_t)(last - at), file, line, err) != THAW_OK)
			return THAW_FAILED;
		at = next;
	}
	return keys->count > 0
		       ? THAW_OK
		       : error_set(err, THAW_ERR_CONFIG,
				   "%s: no ticket key in it; make one with 'openssl rand -hex %d'", file, KEY_LEN);
}

/* With the keys an attacker can decrypt resumed connections, and impersonate the server. */
static enum thaw_status load(struct tls_ticket_keys *keys, const char *file, char *text, struct thaw_error *err)
{
	size_t len = 0;
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (tls_secret_file_read(file, 07777 & ~MODE_ALLOWED, text, TLS_TICKET_FILE_MAX, &len, &why) != THAW_OK)
		return error_set(err, why.cls,
				 "%s; make a file with a line of 'openssl rand -hex %d', and chmod 600 it", why.text,
				 KEY_LEN);
	return read_keys(keys, text, len, file, err);
}

struct tls_ticket_keys *tls_ticket_keys_load(const char *file, struct thaw_error *err)
{
	struct tls_ticket_keys *keys = calloc(1, sizeof(*keys));
	char *text = malloc(TLS_TICKET_FILE_MAX + 1);

	if (keys == NULL || text == NULL)
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
	if (keys == NULL || text == NULL || load(keys, file, text, err) != THAW_OK)
		tls_ticket_keys_free(&keys);
	if (text != NULL)
		OPENSSL_cleanse(text, TLS_TICKET_FILE_MAX + 1);
	free(text);
	return keys;
}

void tls_ticket_keys_free(struct tls_ticket_keys **keys)
{
	struct tls_ticket_keys *gone = *keys;

	*keys = NULL;
	if (gone == NULL)
		return;
	OPENSSL_cleanse(gone, sizeof(*gone));
	free(gone);
}

/* ---- encrypting and decrypting tickets ---- */

static bool set_hmac(EVP_MAC_CTX *hmac, const struct key *key)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, (void *)key->hmac, SECRET_LEN),
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_MAC_CTX_set_params(hmac, params) == 1;
}

static int seal(const struct key *key, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
		EVP_MAC_CTX *hmac)
{
	memcpy(name, key->name, NAME_LEN);
	if (RAND_bytes(iv, IV_LEN) != 1 || EVP_EncryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) != 1 ||
	    !set_hmac(hmac, key))
		return -1;
	return 1;
}

/* 0: not our key: full handshake; 1: the first key; 2: replace the ticket, since its key may be removed soon. */
static int open_with(const struct tls_ticket_keys *keys, const unsigned char *name, const unsigned char *iv,
		     EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *hmac)
{
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *key = &keys->keys[i];
		if (memcmp(key->name, name, NAME_LEN) != 0)
			continue;
		if (EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) != 1 || !set_hmac(hmac, key))
			return -1;
		return i == 0 ? 1 : 2;
	}
	return 0;
}

static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *hmac,
		     int sealing)
{
	const struct tls_ticket_keys *keys = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

	if (keys == NULL)
		return -1;
	return sealing ? seal(&keys->keys[0], name, iv, cipher, hmac) : open_with(keys, name, iv, cipher, hmac);
}

bool tls_ticket_keys_use(const struct tls_ticket_keys *keys, SSL_CTX *ctx)
{
	return SSL_CTX_set_app_data(ctx, (void *)keys) == 1 &&
	       SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, on_ticket) == 1;
}

/* ---- decrypting a ticket before OpenSSL does ---- */

struct tls_ticket_keys *tls_ticket_keys_of(SSL_CTX *ctx)
{
	struct tls_ticket_keys *keys = calloc(1, sizeof(*keys));

	if (keys == NULL)
		return NULL;
	keys->count = 1;
	if (SSL_CTX_get_tlsext_ticket_keys(ctx, &keys->keys[0], KEY_LEN) != 1)
		tls_ticket_keys_free(&keys);
	return keys;
}

/* Whether the last bytes are the HMAC of those before (RFC 5077 4, with OpenSSL's lengths). */
static bool is_sealed(const struct key *key, const unsigned char *ticket, size_t len)
{
	unsigned char mac[SECRET_LEN];
	unsigned mac_len = 0;

	return HMAC(EVP_sha256(), key->hmac, SECRET_LEN, ticket, len - SECRET_LEN, mac, &mac_len) != NULL &&
	       mac_len == SECRET_LEN && CRYPTO_memcmp(mac, ticket + len - SECRET_LEN, SECRET_LEN) == 0;
}

/* Decrypts a ticket whose HMAC was checked. */
static SSL_SESSION *decrypt(const struct key *key, const unsigned char *ticket, size_t len)
{
	const unsigned char *iv = ticket + NAME_LEN, *sealed = iv + IV_LEN;
	size_t sealed_len = len - NAME_LEN - IV_LEN - SECRET_LEN;
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	unsigned char *plain = malloc(len);
	int got = 0, last = 0;
	SSL_SESSION *session = NULL;

	if (cipher != NULL && plain != NULL && EVP_DecryptInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->aes, iv) == 1 &&
	    EVP_DecryptUpdate(cipher, plain, &got, sealed, (int)sealed_len) == 1 &&
	    EVP_DecryptFinal_ex(cipher, plain + got, &last) == 1) {
		const unsigned char *at = plain;
		session = d2i_SSL_SESSION(NULL, &at, got + last);
	}
	if (plain != NULL)
		OPENSSL_cleanse(plain, len);
	free(plain);
	EVP_CIPHER_CTX_free(cipher);
	return session;
}

SSL_SESSION *tls_ticket_open(const struct tls_ticket_keys *keys, const unsigned char *ticket, size_t len)
{
	SSL_SESSION *session = NULL;

	if (len <= NAME_LEN + IV_LEN + SECRET_LEN || len > UINT16_MAX)
		return NULL;
	for (size_t i = 0; i < keys->count; i++) {
		const struct key *key = &keys->keys[i];
		if (memcmp(key->name, ticket, NAME_LEN) != 0)
			continue;
		if (is_sealed(key, ticket, len))
			session = decrypt(key, ticket, len);
		break;
	}
	ERR_clear_error();
	return session;
}

/* ---- binding ---- */

bool tls_ticket_binding(const struct tls_host *host, unsigned char binding[static TLS_TICKET_BINDING_SIZE])
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	const char *asks = host->at_handshake != NULL ? "handshake" : "";
	bool ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL) == 1 &&
		  EVP_DigestUpdate(md, asks, strlen(asks) + 1) == 1;

	for (const char *const *name = host->names; ok && *name != NULL; name++)
		ok = EVP_DigestUpdate(md, *name, strlen(*name) + 1) == 1;
	ok = ok && EVP_DigestUpdate(md, "", 1) == 1; /* end of the names */
	if (ok && host->at_handshake != NULL)
		ok = EVP_DigestUpdate(md, thaw_trust_id(host->at_handshake), TLS_TRUST_ID) == 1;
	for (size_t i = 0; ok && i < host->trust_count; i++)
		ok = EVP_DigestUpdate(md, thaw_trust_id(host->trusts[i]), TLS_TRUST_ID) == 1;
	ok = ok && EVP_DigestFinal_ex(md, binding, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}
