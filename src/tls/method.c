#include "tls/method.h"

static BIO_METHOD *make(const struct tls_method *method)
{
	int index = BIO_get_new_index();
	BIO_METHOD *made = index < 0 ? NULL : BIO_meth_new(index | method->kind, method->name);

	if (made != NULL && BIO_meth_set_write(made, method->write) == 1 &&
	    BIO_meth_set_read(made, method->read) == 1 && BIO_meth_set_ctrl(made, method->ctrl) == 1 &&
	    BIO_meth_set_destroy(made, method->destroy) == 1)
		return made;
	BIO_meth_free(made);
	return NULL;
}

/* Kept until the process ends. If two threads create one at the same time, one of them is freed. */
static BIO_METHOD *get(struct tls_method *method)
{
	BIO_METHOD *made = atomic_load(&method->made);

	if (made != NULL)
		return made;
	BIO_METHOD *mine = make(method);
	if (mine == NULL)
		return NULL;
	if (atomic_compare_exchange_strong(&method->made, &made, mine))
		return mine;
	BIO_meth_free(mine);
	return made;
}

BIO *tls_method_bio(struct tls_method *method, void *data)
{
	BIO_METHOD *made = get(method);
	BIO *bio = made != NULL ? BIO_new(made) : NULL;

	if (bio == NULL)
		return NULL;
	atomic_store(&method->type, BIO_method_type(bio));
	BIO_set_data(bio, data);
	BIO_set_init(bio, 1);
	return bio;
}

BIO *tls_method_find(const struct tls_method *method, BIO *chain)
{
	int type = atomic_load(&method->type);
	BIO *bio = chain;

	while (bio != NULL && (type == 0 || BIO_method_type(bio) != type))
		bio = BIO_next(bio);
	return bio;
}
