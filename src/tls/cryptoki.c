#include "tls/cryptoki.h"

#include <dlfcn.h>
#include <string.h>

/* ---- the part of PKCS #11 that is needed (2.40, 2 and 4.3 to 4.6) ---- */

typedef unsigned long ck_ulong;

#define CKR_OK                  0UL
#define CKR_INITIALIZED_ALREADY 0x191UL
#define CKF_SERIAL_SESSION      4UL
#define CKO_CERTIFICATE         1UL
#define CKA_CLASS               0UL
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
	void *sessions_to_size[10];
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

static bool look_in_slot(const struct ck_functions *token, ck_ulong slot, const struct wanted *wanted,
			 struct cryptoki_place *place)
{
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

static bool look(const struct ck_functions *token, const struct wanted *wanted, struct cryptoki_place *place)
{
	ck_ulong slots[SLOTS_MAX], count = SLOTS_MAX, begun = token->initialize(NULL);
	bool found = false;

	if (begun != CKR_OK && begun != CKR_INITIALIZED_ALREADY)
		return false;
	if (token->get_slots(1, slots, &count) == CKR_OK)
		for (ck_ulong i = 0; i < count && i < SLOTS_MAX && !found; i++)
			found = look_in_slot(token, slots[i], wanted, place);
	if (begun == CKR_OK) /* else the engine uses it on */
		(void)token->finalize(NULL);
	return found;
}

bool cryptoki_find(const char *module, const char *label, const char *serial, const unsigned char *der, size_t len,
		   struct cryptoki_place *place)
{
	const struct wanted wanted = {.label = label, .serial = serial, .der = der, .len = len};
	ck_ulong (*get_functions)(struct ck_functions **) = NULL;
	struct ck_functions *functions = NULL;
	void *opened = dlopen(module, RTLD_NOW | RTLD_LOCAL);

	*place = (struct cryptoki_place){.id_len = 0};
	if (opened == NULL)
		return false;
	void *symbol = dlsym(opened, "C_GetFunctionList");
	memcpy(&get_functions, &symbol, sizeof(symbol)); /* as POSIX says of dlsym() */
	bool found = symbol != NULL && get_functions(&functions) == CKR_OK && functions != NULL &&
		     look(functions, &wanted, place);
	(void)dlclose(opened);
	return found;
}
