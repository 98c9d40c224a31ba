/* Where on a token a certificate is: what the engine "pkcs11" does not say. PKCS #11 2.40, through the same module. */
#ifndef TLS_CRYPTOKI_H
#define TLS_CRYPTOKI_H

#include <stdbool.h>
#include <stddef.h>

#define CRYPTOKI_ID_MAX 64

struct cryptoki_place {
	unsigned char id[CRYPTOKI_ID_MAX]; /* CKA_ID, which the private key has, too */
	size_t id_len;
	unsigned char label[32], serial[16]; /* of the token, padded with blanks */
};

/* module: the shared object. label, serial: of the tokens that are looked at; "": of all. False: the certificate (DER)
 * is on no token, has no ID, or cannot be seen. */
bool cryptoki_find(const char *module, const char *label, const char *serial, const unsigned char *der, size_t len,
		   struct cryptoki_place *place);

#endif
