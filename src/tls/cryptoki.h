/* What the engine "pkcs11" does not say: where on a token a certificate is, and which objects a URI means. PKCS
 * #11 2.40, through the same module. */
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

#define CRYPTOKI_LIST_MAX  8
#define CRYPTOKI_LABEL_MAX 64

enum cryptoki_class { CRYPTOKI_CERTIFICATE, CRYPTOKI_PRIVATE_KEY };

/* "" and id_len 0: any. */
struct cryptoki_query {
	enum cryptoki_class class;
	const char *token, *serial, *manufacturer, *model, *label; /* label: of the object */
	unsigned char id[CRYPTOKI_ID_MAX];
	size_t id_len;
};

struct cryptoki_object {
	struct cryptoki_place place;
	unsigned char label[CRYPTOKI_LABEL_MAX]; /* its beginning; not terminated */
	size_t label_len;
};

/*
 * How many objects match, of which the first CRYPTOKI_LIST_MAX are in found[]. 0: none, or they cannot be seen. Private
 * keys on tokens on which nobody is logged in cannot be seen: their public keys, which can, are listed in their place.
 */
size_t cryptoki_list(const char *module, const struct cryptoki_query *query,
		     struct cryptoki_object found[static CRYPTOKI_LIST_MAX]);

#endif
