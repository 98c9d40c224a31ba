/* Engines are deprecated in OpenSSL 3.0, but Debian 12 has no provider for PKCS #11. */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "tls/pkcs11.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/ui.h>
#include <openssl/x509.h>

#include "base/ascii.h"
#include "base/error.h"
#include "tls/cryptoki.h"
#include "tls/failure.h"
#include "tls/secret_file.h"

#define SCHEME    "pkcs11:"
#define URI_MAX   1024
#define PLACE_MAX 512 /* token, serial and ID, percent-encoded */

struct pkcs11_token {
	ENGINE *engine;       /* NULL, or initialized */
	UI_METHOD *ui;        /* how the engine asks for a PIN */
	char uri[URI_MAX];    /* without its query and its type */
	char module[URI_MAX]; /* path; empty: the system's */
	char pin_file[URI_MAX];
	struct tls_secret secret;
	struct thaw_error err; /* why there was no PIN */
	bool answered;
};

bool pkcs11_is_uri(const char *text)
{
	return strncmp(text, SCHEME, strlen(SCHEME)) == 0;
}

/* ---- the URI ---- */

/* Percent-decodes (RFC 3986 2.1). to: room for len bytes. Returns the number of bytes; -1: malformed. */
static int decode_bytes(const char *from, size_t len, char *to)
{
	int used = 0;

	for (size_t i = 0; i < len; i++, used++) {
		to[used] = from[i];
		if (from[i] != '%')
			continue;
		int byte = i + 2 < len ? ascii_hex_byte(from + i + 1) : -1;
		if (byte < 0)
			return -1;
		to[used] = (char)byte;
		i += 2;
	}
	return used;
}

/* to: room for len bytes and a NUL. False: malformed, or contains a NUL. */
static bool decode(const char *from, size_t len, char *to)
{
	int used = decode_bytes(from, len, to);

	if (used < 0 || memchr(to, '\0', (size_t)used) != NULL)
		return false;
	to[used] = '\0';
	return true;
}

static bool starts(const char *text, size_t len, const char *name)
{
	return len >= strlen(name) && strncmp(text, name, strlen(name)) == 0;
}

/* Reads one attribute of the query (RFC 7512 2.4). */
static enum thaw_status take(struct pkcs11_token *token, const char *text, size_t len, struct thaw_error *err)
{
	static const char module[] = "module-path=", source[] = "pin-source=", file[] = "file:";
	const size_t path = strlen(module), pin = strlen(source);

	if (len == 0)
		return THAW_OK;
	if (starts(text, len, "pin-value="))
		return error_set(err, THAW_ERR_CONFIG,
				 SCHEME " URI: a pin-value would lie open; leave it out to be asked for it, or use "
					"pin-source=file:FILE");
	if (starts(text, len, module) && decode(text + path, len - path, token->module))
		return THAW_OK;
	if (!starts(text, len, source) || !decode(text + pin, len - pin, token->pin_file))
		return error_set(err, THAW_ERR_CONFIG,
				 SCHEME " URI: '%.*s': allowed after '?': module-path, pin-source", (int)len, text);
	if (strncmp(token->pin_file, file, strlen(file)) == 0)
		memmove(token->pin_file, token->pin_file + strlen(file), strlen(token->pin_file + strlen(file)) + 1);
	if (token->pin_file[0] == '|')
		return error_set(err, THAW_ERR_CONFIG,
				 SCHEME " URI: a pin-source that is a command is not run; allowed: file:FILE");
	return THAW_OK;
}

/* The value after name, which ends at the next ';'; NULL: the URI has no such attribute. */
static const char *attribute(const char *uri, const char *name)
{
	for (; *uri != '\0'; uri += strcspn(uri, ";"), uri += *uri == ';')
		if (strncmp(uri, name, strlen(name)) == 0)
			return uri + strlen(name);
	return NULL;
}

static bool has_attribute(const char *uri, const char *name)
{
	return attribute(uri, name) != NULL;
}

/* The decoded value; "": the URI has no such attribute. */
static void take_attribute(const char *uri, const char *name, char to[static URI_MAX])
{
	const char *value = attribute(uri, name);

	if (value == NULL || !decode(value, strcspn(value, ";"), to))
		to[0] = '\0';
}

/* Removes the label from a URI with an ID: the engine would accept objects that match either. */
static void leave_out_label(const char *uri, char to[static URI_MAX])
{
	size_t used = 0;

	to[0] = '\0';
	for (size_t len; *uri != '\0'; uri += len + (uri[len] == ';')) {
		len = strcspn(uri, ";");
		if (starts(uri, len, "object="))
			continue;
		(void)snprintf(to + used, URI_MAX - used, "%.*s;", (int)len, uri);
		used = strlen(to);
	}
}

/* Removes `type`, which is added later as needed, and parses the query. */
static enum thaw_status parse(struct pkcs11_token *token, const char *uri, struct thaw_error *err)
{
	const char *query = strchr(uri, '?');
	size_t path = query != NULL ? (size_t)(query - uri) : strlen(uri), used = 0;
	enum thaw_status status = THAW_OK;

	if (strlen(uri) >= URI_MAX)
		return error_set(err, THAW_ERR_CONFIG, SCHEME " URI: longer than %d bytes", URI_MAX - 1);
	for (size_t at = strlen(SCHEME), len; at < path; at += len + 1) {
		len = strcspn(uri + at, ";?");
		if (starts(uri + at, len, "type=") || len == 0)
			continue;
		(void)snprintf(token->uri + used, sizeof(token->uri) - used, "%.*s;", (int)len, uri + at);
		used = strlen(token->uri);
	}
	while (query != NULL && status == THAW_OK) {
		size_t len = strcspn(query + 1, "&");
		status = take(token, query + 1, len, err);
		query = query[1 + len] == '&' ? query + 1 + len : NULL;
	}
	if (has_attribute(token->uri, "id=")) {
		char whole[URI_MAX];
		memcpy(whole, token->uri, sizeof(whole));
		leave_out_label(whole, token->uri);
	}
	return status;
}

/* ---- the PIN ---- */

static enum thaw_status read_pin(struct pkcs11_token *token, char *pin, size_t room)
{
	struct thaw_error why = {.cls = THAW_ERR_NONE};

	if (tls_secret_file_ask(token->pin_file, "", pin, room, &why) == THAW_OK)
		return THAW_OK;
	return error_set(&token->err, why.cls, "pin-source %s", why.text);
}

static enum thaw_status find_pin(struct pkcs11_token *token, char *pin, size_t room)
{
	if (token->answered) /* the PIN was wrong; a token may lock after three attempts */
		return THAW_FAILED;
	if (token->pin_file[0] != '\0')
		return read_pin(token, pin, room);
	if (token->secret.ask == NULL)
		return error_set(&token->err, THAW_ERR_CONFIG,
				 "the token has a PIN, and a daemon asks nobody for it; set key_passphrase, or add "
				 "?pin-source=file:FILE to the URI");
	return token->secret.ask(token->secret.arg, "the token's PIN", pin, room, &token->err);
}

/* OpenSSL's UI callback, for each output or prompt. 1: done; 0: failed. */
static int on_ui(UI *ui, UI_STRING *string)
{
	struct pkcs11_token *token = UI_get0_user_data(ui);
	char pin[TLS_SECRET_MAX];

	if (UI_get_string_type(string) != UIT_PROMPT && UI_get_string_type(string) != UIT_VERIFY)
		return 1;
	bool ok = find_pin(token, pin, sizeof(pin)) == THAW_OK;
	token->answered = true;
	ok = ok && UI_set_result(ui, string, pin) == 0;
	OPENSSL_cleanse(pin, sizeof(pin));
	return ok;
}

/* ---- the engine ---- */

static enum thaw_status open_engine(struct pkcs11_token *token, struct thaw_error *err)
{
	const char *module = token->module[0] != '\0' ? token->module : NULL;
	ENGINE *engine = NULL;

	if (module != NULL && access(module, R_OK) != 0)
		return error_set(err, THAW_ERR_CONFIG, "%s: %s", module, strerror(errno));
	if (OPENSSL_init_crypto(OPENSSL_INIT_ENGINE_DYNAMIC, NULL) == 1)
		engine = ENGINE_by_id("pkcs11");
	ERR_clear_error();
	if (engine == NULL)
		return error_set(
			err, THAW_ERR_CONFIG,
			SCHEME " URI: OpenSSL has no engine \"pkcs11\"; Debian's package is libengine-pkcs11-openssl");
	/* QUIET: otherwise the engine writes errors to standard error. */
	if (ENGINE_ctrl_cmd_string(engine, "QUIET", NULL, 0) == 1 &&
	    (module == NULL || ENGINE_ctrl_cmd_string(engine, "MODULE_PATH", module, 0) == 1) &&
	    ENGINE_init(engine) == 1)
		token->engine = engine;
	else
		(void)tls_library_failure(THAW_ERR_CONFIG, module != NULL ? module : SCHEME " URI", err);
	(void)ENGINE_free(engine); /* ENGINE_init() took its own reference */
	return token->engine != NULL ? THAW_OK : THAW_FAILED;
}

struct pkcs11_token *pkcs11_token_new(const char *uri, const struct tls_secret *secret, struct thaw_error *err)
{
	struct pkcs11_token *token = calloc(1, sizeof(*token));

	if (token != NULL)
		token->ui = UI_create_method("thaw");
	if (token == NULL || token->ui == NULL || UI_method_set_reader(token->ui, on_ui) != 0) {
		(void)error_set(err, THAW_ERR_RESOURCE, "out of memory");
		pkcs11_token_free(&token);
		return NULL;
	}
	token->secret = *secret;
	if (parse(token, uri, err) != THAW_OK || open_engine(token, err) != THAW_OK)
		pkcs11_token_free(&token);
	return token;
}

void pkcs11_token_free(struct pkcs11_token **token)
{
	struct pkcs11_token *gone = *token;

	*token = NULL;
	if (gone == NULL)
		return;
	if (gone->engine != NULL)
		(void)ENGINE_finish(gone->engine);
	UI_destroy_method(gone->ui);
	OPENSSL_cleanse(gone, sizeof(*gone));
	free(gone);
}

/* Reports why nothing was found: a missing or wrong PIN, or the engine's error. */
static void report_error(struct pkcs11_token *token, const char *what, struct thaw_error *err)
{
	if (token->err.cls != THAW_ERR_NONE)
		(void)error_set(err, token->err.cls, SCHEME "%s: %s", token->uri, token->err.text);
	else if (token->answered)
		(void)error_set(err, THAW_ERR_CONFIG, SCHEME "%s: the PIN is wrong, or there is no such %s", token->uri,
				what);
	else
		(void)error_set(err, THAW_ERR_CONFIG, SCHEME "%s: there is no such %s", token->uri, what);
	ERR_clear_error();
}

/* Adds a percent-encoded attribute (RFC 7512 2.3), unless the URI already has it. */
static void add_attribute(const char *own, const char *name, const unsigned char *value, size_t len,
			  char to[static PLACE_MAX])
{
	size_t used = strlen(to);

	if (len == 0 || has_attribute(own, name))
		return;
	(void)snprintf(to + used, PLACE_MAX - used, "%s", name);
	for (size_t i = 0; i < len; i++) {
		used = strlen(to);
		(void)snprintf(to + used, PLACE_MAX - used, "%%%02X", value[i]);
	}
	used = strlen(to);
	(void)snprintf(to + used, PLACE_MAX - used, ";");
}

static size_t unpadded(const unsigned char *text, size_t len)
{
	while (len > 0 && text[len - 1] == ' ')
		len--;
	return len;
}

static const char *module_of(const struct pkcs11_token *token)
{
	return token->module[0] != '\0' ? token->module : "p11-kit-proxy.so";
}

/* ---- URIs that mean several objects ---- */

/* Adds an attribute in readable form: letters are not encoded. */
static void add_readable(const char *name, const unsigned char *value, size_t len, bool binary,
			 char to[static PLACE_MAX])
{
	size_t used = strlen(to);

	if (len == 0)
		return;
	(void)snprintf(to + used, PLACE_MAX - used, "%s%s", used > 0 ? ";" : "", name);
	for (size_t i = 0; i < len; i++) {
		bool plain = !binary && (ascii_is_alnum((char)value[i]) || strchr("-._~", value[i]) != NULL) &&
			     value[i] != '\0';
		used = strlen(to);
		(void)snprintf(to + used, PLACE_MAX - used, plain ? "%c" : "%%%02X", value[i]);
	}
}

static void describe(const struct cryptoki_object *object, char to[static PLACE_MAX])
{
	const struct cryptoki_place *place = &object->place;

	to[0] = '\0';
	add_readable("token=", place->label, unpadded(place->label, sizeof(place->label)), false, to);
	add_readable("serial=", place->serial, unpadded(place->serial, sizeof(place->serial)), false, to);
	add_readable("object=", object->label, object->label_len, false, to);
	add_readable("id=", place->id, place->id_len, true, to);
}

static enum thaw_status refuse_several(const char *uri, const char *what, size_t count,
				       const struct cryptoki_object found[static CRYPTOKI_LIST_MAX],
				       struct thaw_error *err)
{
	char list[THAW_ERROR_TEXT / 2] = "", one[PLACE_MAX];
	size_t used = 0, listed = 0;

	for (; listed < count && listed < CRYPTOKI_LIST_MAX; listed++) {
		describe(&found[listed], one);
		int len = snprintf(list + used, sizeof(list) - used, "%s%s", listed > 0 ? ", " : "", one);
		if (len < 0 || (size_t)len >= sizeof(list) - used) {
			list[used] = '\0';
			break;
		}
		used += (size_t)len;
	}
	return error_set(err, THAW_ERR_CONFIG, SCHEME "%s: several %ss match; add what tells them apart: %s%s", uri,
			 what, list, listed < count ? ", and more" : "");
}

/* Checks that only one object matches. uri: without scheme, type and query. If objects cannot be listed, the engine's
 * choice is used. */
static enum thaw_status check_only(const struct pkcs11_token *token, const char *uri, enum cryptoki_class class,
				   struct thaw_error *err)
{
	static const char *const names[] = {"token=", "serial=", "manufacturer=", "model=", "object="};
	char values[sizeof(names) / sizeof(names[0])][URI_MAX], id[URI_MAX];
	struct cryptoki_query query = {.class = class};
	struct cryptoki_object found[CRYPTOKI_LIST_MAX];
	const char *encoded = attribute(uri, "id=");
	int len = encoded != NULL ? decode_bytes(encoded, strcspn(encoded, ";"), id) : 0;

	if (len < 0 || len > CRYPTOKI_ID_MAX)
		return THAW_OK;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		take_attribute(uri, names[i], values[i]);
	query.token = values[0];
	query.serial = values[1];
	query.manufacturer = values[2];
	query.model = values[3];
	query.label = len > 0 ? "" : values[4]; /* an ID takes precedence */
	query.id_len = (size_t)len;
	memcpy(query.id, id, query.id_len);
	size_t count = cryptoki_list(module_of(token), &query, found);
	if (count <= 1)
		return THAW_OK;
	return refuse_several(token->uri, class == CRYPTOKI_CERTIFICATE ? "certificate" : "private key", count, found,
			      err);
}

/* ---- finding ---- */

/* The attributes that distinguish the certificate's key from other matching keys. */
static bool find_place(const struct pkcs11_token *token, const X509 *certificate, char to[static PLACE_MAX])
{
	struct cryptoki_place place;
	unsigned char *der = NULL;
	int len = certificate != NULL ? i2d_X509(certificate, &der) : 0;
	char label[URI_MAX], serial[URI_MAX];

	take_attribute(token->uri, "token=", label);
	take_attribute(token->uri, "serial=", serial);
	bool found = len > 0 && cryptoki_find(module_of(token), label, serial, der, (size_t)len, &place);

	OPENSSL_free(der);
	to[0] = '\0';
	if (!found)
		return false;
	add_attribute(token->uri, "token=", place.label, unpadded(place.label, sizeof(place.label)), to);
	add_attribute(token->uri, "serial=", place.serial, unpadded(place.serial, sizeof(place.serial)), to);
	add_attribute(token->uri, "id=", place.id, place.id_len, to);
	return to[0] != '\0';
}

struct evp_pkey_st *pkcs11_token_key(struct pkcs11_token *token, const struct x509_st *certificate,
				     struct thaw_error *err)
{
	char uri[URI_MAX + PLACE_MAX], whole[URI_MAX + PLACE_MAX + 32], place[PLACE_MAX], own[URI_MAX];
	bool found = find_place(token, certificate, place);

	leave_out_label(token->uri, own);
	(void)snprintf(uri, sizeof(uri), "%s%s", found ? own : token->uri, place);
	(void)snprintf(whole, sizeof(whole), SCHEME "%stype=private", uri);
	EVP_PKEY *key = ENGINE_load_private_key(token->engine, whole, token->ui, token);
	if (key == NULL && found && !token->answered) { /* no key with the certificate's ID; another one may be right */
		ERR_clear_error();
		(void)snprintf(uri, sizeof(uri), "%s", token->uri);
		(void)snprintf(whole, sizeof(whole), SCHEME "%stype=private", uri);
		key = ENGINE_load_private_key(token->engine, whole, token->ui, token);
	}
	/* The engine has logged in, so that private keys are visible; if several tokens match it finds none. */
	bool no_pin = token->answered || token->err.cls != THAW_ERR_NONE;
	bool only = (key == NULL && no_pin) || check_only(token, uri, CRYPTOKI_PRIVATE_KEY, err) == THAW_OK;
	if (key == NULL && only)
		report_error(token, "private key", err);
	if (!only) {
		ERR_clear_error();
		EVP_PKEY_free(key);
		key = NULL;
	}
	token->answered = false; /* a card may ask again when signing */
	return key;
}

/* Sets the UI method. OpenSSL's default would ask at the terminal. The engine outlives the token. */
static bool set_ui(ENGINE *engine, UI_METHOD *ui, void *arg)
{
	return ENGINE_ctrl_cmd(engine, "SET_USER_INTERFACE", 0, ui, NULL, 0) == 1 &&
	       ENGINE_ctrl_cmd(engine, "SET_CALLBACK_DATA", 0, arg, NULL, 0) == 1;
}

struct x509_st *pkcs11_token_certificate(struct pkcs11_token *token, struct thaw_error *err)
{
	char uri[URI_MAX + 32];
	struct {
		const char *uri;
		X509 *certificate;
	} wanted = {.uri = uri}; /* parameters of the engine's command */

	(void)snprintf(uri, sizeof(uri), SCHEME "%stype=cert", token->uri);
	if (!set_ui(token->engine, token->ui, token) ||
	    ENGINE_ctrl_cmd(token->engine, "LOAD_CERT_CTRL", 0, &wanted, NULL, 0) != 1 || wanted.certificate == NULL)
		report_error(token, "certificate", err);
	(void)set_ui(token->engine, NULL, NULL);
	token->answered = token->answered && wanted.certificate == NULL;
	if (wanted.certificate != NULL && check_only(token, token->uri, CRYPTOKI_CERTIFICATE, err) != THAW_OK) {
		X509_free(wanted.certificate);
		wanted.certificate = NULL;
	}
	return wanted.certificate;
}
