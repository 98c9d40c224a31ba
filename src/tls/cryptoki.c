#include "tls/cryptoki.h"

#include <dlfcn.h>
#include <string.h>

/* ---- the required part of PKCS #11 (2.40, 2 and 4.3 to 4.6) ---- */

typedef unsigned long ck_ulong;

#define CKR_OK                  0UL
#define CKR_INITIALIZED_ALREADY 0x191UL
#define CKF_SERIAL_SESSION      4UL
#define CKF_LOGIN_REQUIRED      4UL
#define CKS_RO_USER_FUNCTIONS   1UL
#define CKO_CERTIFICATE         1UL
#define CKO_PUBLIC_KEY          2UL
#define CKO_PRIVATE_KEY         3UL
#define CKA_CLASS               0UL
#define CKA_LABEL               3UL
#define CKA_VALUE               0x11UL
#define CKA_ID                  0x102UL
#define SLOTS_MAX               64

struct ck_attribute {
	ck_ulong type;
	void *value;
	ck_ulong len;
};

struct ck_token_info {
	unsigned char label[32], manufacturer[32], model[16], serial[16];
	ck_ulong flags, counts[10];
	unsigned char versions[4], time[16];
};

struct ck_session_info {
	ck_ulong slot, state, flags, device_error;
};

struct ck_functions {
	unsigned char version[2];
	ck_ulong (*initialize)(void *arguments);
	ck_ulong (*finalize)(void *reserved);
	void *get_info[2];
	ck_ulong (*get_slots)(unsigned char present, ck_ulong *slots, ck_ulong *count);
	void *get_slot_info;
	ck_ulong (*get_token_info)(ck_ulong slot, struct ck_token_info *info);
	void *mechanisms_to_pin[5];
	ck_ulong (*open_session)(ck_ulong slot, ck_ulong flags, void *arg, void *notify, ck_ulong *session);
	ck_ulong (*close_session)(ck_ulong session);
	void *close_all_sessions;
	ck_ulong (*get_session_info)(ck_ulong session, struct ck_session_info *info);
	void *operations_to_size[8];
	ck_ulong (*get_attributes)(ck_ulong session, ck_ulong object, struct ck_attribute *attributes, ck_ulong count);
	void *set_attributes;
	ck_ulong (*find_begin)(ck_ulong session, struct ck_attribute *attributes, ck_ulong count);
	ck_ulong (*find)(ck_ulong session, ck_ulong *objects, ck_ulong max, ck_ulong *count);
	ck_ulong (*find_end)(ck_ulong session);
};

/* ---- finding ---- */

struct wanted {
	const char *label, *serial;
	const unsigned char *der;
	size_t len;
	struct cryptoki_place *place;
};

static bool find_id(const struct ck_functions *token, ck_ulong session, const struct wanted *wanted,
		    struct cryptoki_place *place)
{
	ck_ulong class = CKO_CERTIFICATE, object = 0, count = 0;
	struct ck_attribute looked_for[] = {
		{CKA_CLASS, &class, sizeof(class)},
		{CKA_VALUE, (void *)wanted->der, wanted->len},
	};
	struct ck_attribute id = {CKA_ID, place->id, sizeof(place->id)};

	if (token->find_begin(session, looked_for, 2) != CKR_OK)
		return false;
	bool found = token->find(session, &object, 1, &count) == CKR_OK && count == 1;
	(void)token->find_end(session);
	found = found && token->get_attributes(session, object, &id, 1) == CKR_OK && id.len > 0 &&
		id.len <= sizeof(place->id);
	place->id_len = found ? id.len : 0;
	return found;
}

static bool is_padded(const unsigned char *text, size_t len, const char *wanted)
{
	size_t used = strlen(wanted);

	if (used == 0)
		return true;
	if (used > len || memcmp(text, wanted, used) != 0)
		return false;
	while (used < len && text[used] == ' ')
		used++;
	return used == len;
}

static bool look_in_slot(const struct ck_functions *token, ck_ulong slot, void *arg)
{
	struct wanted *wanted = arg;
	struct cryptoki_place *place = wanted->place;
	struct ck_token_info info;
	ck_ulong session = 0;

	if (token->get_token_info(slot, &info) != CKR_OK || !is_padded(info.label, sizeof(info.label), wanted->label) ||
	    !is_padded(info.serial, sizeof(info.serial), wanted->serial) ||
	    token->open_session(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
		return false;
	memcpy(place->label, info.label, sizeof(place->label));
	memcpy(place->serial, info.serial, sizeof(place->serial));
	bool found = find_id(token, session, wanted, place);
	(void)token->close_session(session);
	return found;
}

/* ---- the module ---- */

/* Called for one slot; true: stop. */
typedef bool look_fn(const struct ck_functions *token, ck_ulong slot, void *arg);

static bool look(const struct ck_functions *token, look_fn *in_slot, void *arg)
{
	ck_ulong slots[SLOTS_MAX], count = SLOTS_MAX, begun = token->initialize(NULL);
	bool found = false;

	if (begun != CKR_OK && begun != CKR_INITIALIZED_ALREADY)
		return false;
	if (token->get_slots(1, slots, &count) == CKR_OK)
		for (ck_ulong i = 0; i < count && i < SLOTS_MAX && !found; i++)
			found = in_slot(token, slots[i], arg);
	if (begun == CKR_OK) /* otherwise the engine keeps using it */
		(void)token->finalize(NULL);
	return found;
}

static bool look_through(const char *module, look_fn *in_slot, void *arg)
{
	ck_ulong (*get_functions)(struct ck_functions **) = NULL;
	struct ck_functions *functions = NULL;
	void *opened = dlopen(module, RTLD_NOW | RTLD_LOCAL);

	if (opened == NULL)
		return false;
	void *symbol = dlsym(opened, "C_GetFunctionList");
	memcpy(&get_functions, &symbol, sizeof(symbol)); /* see POSIX, dlsym() */
	bool found = symbol != NULL && get_functions(&functions) == CKR_OK && functions != NULL &&
		     look(functions, in_slot, arg);
	(void)dlclose(opened);
	return found;
}

bool cryptoki_find(const char *module, const char *label, const char *serial, const unsigned char *der, size_t len,
		   struct cryptoki_place *place)
{
	struct wanted wanted = {.label = label, .serial = serial, .der = der, .len = len, .place = place};

	*place = (struct cryptoki_place){.id_len = 0};
	return look_through(module, look_in_slot, &wanted);
}

/* ---- listing ---- */

struct listing {
	const struct cryptoki_query *query;
	struct cryptoki_object *found;
	size_t count;
};

/* Attributes that the module does not return stay empty. */
static void describe(const struct ck_functions *token, ck_ulong session, ck_ulong object,
		     const struct ck_token_info *info, struct cryptoki_object *into)
{
	struct ck_attribute id = {CKA_ID, into->place.id, sizeof(into->place.id)};
	struct ck_attribute label = {CKA_LABEL, into->label, sizeof(into->label)};

	*into = (struct cryptoki_object){.label_len = 0};
	memcpy(into->place.label, info->label, sizeof(into->place.label));
	memcpy(into->place.serial, info->serial, sizeof(into->place.serial));
	if (token->get_attributes(session, object, &id, 1) == CKR_OK && id.len <= sizeof(into->place.id))
		into->place.id_len = id.len;
	if (token->get_attributes(session, object, &label, 1) == CKR_OK && label.len <= sizeof(into->label))
		into->label_len = label.len;
}

static void list_class(const struct ck_functions *token, ck_ulong session, ck_ulong class,
		       const struct ck_token_info *info, struct listing *listing)
{
	const struct cryptoki_query *query = listing->query;
	struct ck_attribute looked_for[3] = {{CKA_CLASS, &class, sizeof(class)}};
	ck_ulong used = 1, objects[CRYPTOKI_LIST_MAX], count = 0;

	if (query->id_len > 0)
		looked_for[used++] = (struct ck_attribute){CKA_ID, (void *)query->id, query->id_len};
	if (query->label[0] != '\0')
		looked_for[used++] = (struct ck_attribute){CKA_LABEL, (void *)query->label, strlen(query->label)};
	if (token->find_begin(session, looked_for, used) != CKR_OK)
		return;
	if (token->find(session, objects, CRYPTOKI_LIST_MAX, &count) != CKR_OK || count > CRYPTOKI_LIST_MAX)
		count = 0;
	(void)token->find_end(session); /* before attributes are read: some modules allow one operation at a time */
	for (ck_ulong i = 0; i < count; i++, listing->count++)
		if (listing->count < CRYPTOKI_LIST_MAX)
			describe(token, session, objects[i], info, &listing->found[listing->count]);
}

static bool is_wanted(const struct ck_token_info *info, const struct cryptoki_query *query)
{
	return is_padded(info->label, sizeof(info->label), query->token) &&
	       is_padded(info->serial, sizeof(info->serial), query->serial) &&
	       is_padded(info->manufacturer, sizeof(info->manufacturer), query->manufacturer) &&
	       is_padded(info->model, sizeof(info->model), query->model);
}

/* PKCS #11 2.40, 5.6: a read-only session has two states; the second is logged in. */
static bool hides_keys(const struct ck_functions *token, ck_ulong session, const struct ck_token_info *info)
{
	struct ck_session_info state;

	return (info->flags & CKF_LOGIN_REQUIRED) != 0 && token->get_session_info(session, &state) == CKR_OK &&
	       state.state != CKS_RO_USER_FUNCTIONS;
}

static bool list_slot(const struct ck_functions *token, ck_ulong slot, void *arg)
{
	struct listing *listing = arg;
	struct ck_token_info info;
	ck_ulong session = 0;

	if (token->get_token_info(slot, &info) != CKR_OK || !is_wanted(&info, listing->query) ||
	    token->open_session(slot, CKF_SERIAL_SESSION, NULL, NULL, &session) != CKR_OK)
		return false;
	if (listing->query->class == CRYPTOKI_CERTIFICATE)
		list_class(token, session, CKO_CERTIFICATE, &info, listing);
	else
		list_class(token, session, hides_keys(token, session, &info) ? CKO_PUBLIC_KEY : CKO_PRIVATE_KEY, &info,
			   listing);
	(void)token->close_session(session);
	return false;
}

size_t cryptoki_list(const char *module, const struct cryptoki_query *query,
		     struct cryptoki_object found[static CRYPTOKI_LIST_MAX])
{
	struct listing listing = {.query = query, .found = found};

	(void)look_through(module, list_slot, &listing);
	return listing.count;
}
