/*
 * TLS records of any type and length, as no TLS library writes them: sealed with the keys of a connection whose
 * handshake OpenSSL has done. For AES-128-GCM with SHA-256 (RFC 8446 5.2 and 7.3; RFC 5246 6.2.3.3 and 6.3, RFC 5288).
 * Once one was sealed, the connection's own writes no longer count as the next ones.
 */
#ifndef CLIENTS_RECORDS_H
#define CLIENTS_RECORDS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/ssl.h>

#define RECORDS_SUITE_12 "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
#define RECORDS_SUITE_13 "TLS_AES_128_GCM_SHA256"
#define RECORD_OVERHEAD  64

enum { RECORD_CCS = 20, RECORD_ALERT = 21, RECORD_HANDSHAKE = 22, RECORD_DATA = 23 };

struct records {
	bool is_13;
	uint64_t seq;
	unsigned char secret[32], key[16], iv[12]; /* iv: 4 bytes of it for TLS 1.2 */
};

static inline void records_need(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "records: %s failed\n", what);
		abort();
	}
}

static inline void records_kdf(const char *name, OSSL_PARAM *params, unsigned char *out, size_t len)
{
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, name, NULL);
	EVP_KDF_CTX *ctx = EVP_KDF_CTX_new(kdf);

	records_need(ctx != NULL && EVP_KDF_derive(ctx, out, len, params) == 1, name);
	EVP_KDF_CTX_free(ctx);
	EVP_KDF_free(kdf);
}

/* RFC 8446 7.1: HKDF-Expand-Label with an empty context. */
static inline void records_expand(const unsigned char secret[32], const char *label, unsigned char *out, size_t len)
{
	unsigned char info[64];
	size_t label_len = strlen(label), at = 0;
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;

	info[at++] = 0;
	info[at++] = (unsigned char)len;
	info[at++] = (unsigned char)(6 + label_len);
	memcpy(info + at, "tls13 ", 6);
	memcpy(info + at + 6, label, label_len);
	at += 6 + label_len;
	info[at++] = 0;
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, (void *)secret, 32),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, at),
		OSSL_PARAM_construct_end(),
	};
	records_kdf("HKDF", params, out, len);
}

static inline void records_keys_13(struct records *records)
{
	records_expand(records->secret, "key", records->key, sizeof(records->key));
	records_expand(records->secret, "iv", records->iv, sizeof(records->iv));
	records->seq = 0;
}

static inline void records_keys_12(struct records *records, const SSL *ssl)
{
	unsigned char master[48], seed[13 + 64], block[40];
	bool client = SSL_is_server(ssl) == 0;

	memcpy(seed, "key expansion", 13);
	(void)SSL_get_server_random(ssl, seed + 13, 32);
	(void)SSL_get_client_random(ssl, seed + 45, 32);
	records_need(SSL_SESSION_get_master_key(SSL_get_session(ssl), master, sizeof(master)) == sizeof(master),
		     "reading the master secret");
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SECRET, master, sizeof(master)),
		OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SEED, seed, sizeof(seed)),
		OSSL_PARAM_construct_end(),
	};
	records_kdf("TLS1-PRF", params, block, sizeof(block));
	memcpy(records->key, block + (client ? 0 : 16), 16);
	memcpy(records->iv, block + (client ? 32 : 36), 4);
	records->seq = 1; /* the Finished was 0 */
}

static unsigned char records_logged[2][32]; /* the last traffic secrets: the client's, the server's */

/* SSL_CTX_set_keylog_callback() */
static inline void records_keylog(const SSL *ssl, const char *line)
{
	static const char *const labels[] = {"CLIENT_TRAFFIC_SECRET_0 ", "SERVER_TRAFFIC_SECRET_0 "};

	(void)ssl;
	for (size_t side = 0; side < 2; side++) {
		const char *hex = strrchr(line, ' ') + 1;
		if (strncmp(line, labels[side], strlen(labels[side])) != 0)
			continue;
		for (size_t i = 0; i < 32 && strlen(hex) >= 64; i++) {
			char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
			records_logged[side][i] = (unsigned char)strtoul(digits, NULL, 16);
		}
	}
}

/* Before the handshake. */
static inline void records_prepare(SSL_CTX *ctx)
{
	records_need(SSL_CTX_set_cipher_list(ctx, RECORDS_SUITE_12) == 1 &&
			     SSL_CTX_set_ciphersuites(ctx, RECORDS_SUITE_13) == 1,
		     "choosing cipher suites");
	SSL_CTX_set_keylog_callback(ctx, records_keylog);
}

/* After the handshake, before anything else was written. */
static inline void records_begin(struct records *records, const SSL *ssl)
{
	records->is_13 = SSL_version(ssl) == TLS1_3_VERSION;
	if (!records->is_13) {
		records_keys_12(records, ssl);
		return;
	}
	memcpy(records->secret, records_logged[SSL_is_server(ssl)], sizeof(records->secret));
	records_keys_13(records);
}

/* RFC 8446 7.2: what is sealed next is sealed with the next keys. */
static inline void records_update(struct records *records)
{
	unsigned char next[32];

	records_expand(records->secret, "traffic upd", next, sizeof(next));
	memcpy(records->secret, next, sizeof(next));
	records_keys_13(records);
}

/* Where out has room for RECORD_OVERHEAD bytes more than len. The record's length. */
static inline size_t records_seal(struct records *records, unsigned type, const void *plain, size_t len,
				  unsigned char *out)
{
	size_t head = records->is_13 ? 5 : 13, inner = len + records->is_13, at = head;
	unsigned char text[16384 + 1], nonce[12] = {0}, seq[8], aad[13];
	size_t whole = records->is_13 ? inner + 16 : 8 + inner + 16;
	EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
	int put = 0, more = 0;

	for (size_t i = 0; i < 8; i++)
		seq[i] = (unsigned char)(records->seq >> (56 - 8 * i));
	records->seq++;
	memcpy(text, plain, len);
	text[len] = (unsigned char)type;
	out[0] = records->is_13 ? RECORD_DATA : (unsigned char)type;
	out[1] = out[2] = 3;
	out[3] = (unsigned char)(whole >> 8);
	out[4] = (unsigned char)whole;
	if (records->is_13) {
		memcpy(nonce, records->iv, 12);
		for (size_t i = 0; i < 8; i++)
			nonce[4 + i] ^= seq[i];
		memcpy(aad, out, 5);
	} else {
		memcpy(nonce, records->iv, 4);
		memcpy(nonce + 4, seq, 8);
		memcpy(out + 5, seq, 8); /* the explicit nonce */
		memcpy(aad, seq, 8);
		memcpy(aad + 8, out, 3);
		aad[11] = (unsigned char)(len >> 8);
		aad[12] = (unsigned char)len;
	}
	records_need(ctx != NULL && EVP_EncryptInit_ex2(ctx, EVP_aes_128_gcm(), records->key, nonce, NULL) == 1 &&
			     EVP_EncryptUpdate(ctx, NULL, &put, aad, records->is_13 ? 5 : 13) == 1 &&
			     EVP_EncryptUpdate(ctx, out + at, &put, text, (int)inner) == 1 &&
			     EVP_EncryptFinal_ex(ctx, out + at + put, &more) == 1 &&
			     EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_GCM_GET_TAG, 16, out + at + put) == 1,
		     "sealing a record");
	EVP_CIPHER_CTX_free(ctx);
	return at + (size_t)put + 16;
}

/* RFC 8446 4.6.3 */
static inline size_t records_key_update(struct records *records, unsigned char *out)
{
	static const unsigned char message[] = {24, 0, 0, 1, 0};
	size_t len = records_seal(records, RECORD_HANDSHAKE, message, sizeof(message), out);

	records_update(records);
	return len;
}

/* RFC 5246 7.4.1.2: the smallest that parses, with the cipher suite of RFC 5746 3.3. message: 64 bytes. */
static inline size_t records_client_hello(unsigned char *message)
{
	static const unsigned char tail[] = {0, 0, 4, 0xc0, 0x2f, 0, 0xff, 1, 0};

	memset(message, 0x5a, 64);
	message[0] = 1;
	message[1] = message[2] = 0;
	message[3] = 2 + 32 + sizeof(tail);
	message[4] = message[5] = 3;
	memcpy(message + 6 + 32, tail, sizeof(tail));
	return 4 + (size_t)message[3];
}

#endif
