/* Lookups that the engine "pkcs11" lacks: the token and ID of a certificate, and the objects that a URI matches. Uses
 * PKCS #11 2.40 through the same module. */
#ifndef TLS_CRYPTOKI_H
#define TLS_CRYPTOKI_H

#include <stdbool.h>
#include <stddef.h>

#define CRYPTOKI_ID_MAX 64

struct cryptoki_place {
	unsigned char id[CRYPTOKI_ID_MAX]; /* CKA_ID, which is the same for the private key */
	size_t id_len;
	unsigned char label[32], serial[16]; /* of the token, padded with blanks */
};

/* module: the shared object. label, serial: select tokens; "": all. False: the certificate (DER) is on no token, has no
 * ID, or is not visible. */
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
	unsigned char label[CRYPTOKI_LABEL_MAX]; /* possibly truncated; not NUL-terminated */
	size_t label_len;
};

/*
 * The number of objects that match; found[] gets the first CRYPTOKI_LIST_MAX. 0: none, or none is visible. Without a
 * login private keys are not visible; then their public keys are listed instead.
 */
size_t cryptoki_list(const char *module, const struct cryptoki_query *query,
		     struct cryptoki_object found[static CRYPTOKI_LIST_MAX]);

#endif
