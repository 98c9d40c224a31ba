/* BIO methods that are created once for the process, on first use. */
#ifndef TLS_METHOD_H
#define TLS_METHOD_H

#include <stdatomic.h>

#include <openssl/bio.h>

struct tls_method {
	_Atomic(BIO_METHOD *) made; /* NULL: not yet */
	atomic_int type;            /* of its BIOs; 0: not yet assigned */
	int kind;                   /* BIO_TYPE_SOURCE_SINK or BIO_TYPE_FILTER */
	const char *name;
	int (*write)(BIO *bio, const char *data, int len);
	int (*read)(BIO *bio, char *data, int room);
	long (*ctrl)(BIO *bio, int command, long number, void *pointer);
	int (*destroy)(BIO *bio);
};

/* A BIO with that data. NULL: out of memory; the next call tries again. */
BIO *tls_method_bio(struct tls_method *method, void *data);

/* The first BIO of that method in the chain. NULL: there is none. */
BIO *tls_method_find(const struct tls_method *method, BIO *chain);

#endif
