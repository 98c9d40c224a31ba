/* `headers`: the fields that an operator sets, adds or removes, and the variables in their values. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "config/schema.h"

#define RULES_MAX     64    /* of one direction of a host or a route */
#define NAME_MAX_LEN  64    /* bytes */
#define VALUE_MAX_LEN 4096  /* bytes */
#define TEXT_MAX      16384 /* most bytes of names and literal text for one request or response */
#define LETTERS       "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
#define VALUE_TEXT    "a field's value, perhaps with variables in braces"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const variables[CONFIG_VARIABLES] = {
	[CONFIG_VAR_CLIENT_ADDRESS] = "client.address",
	[CONFIG_VAR_CLIENT_PORT] = "client.port",
	[CONFIG_VAR_TLS_VERSION] = "tls.version",
	[CONFIG_VAR_TLS_CIPHER] = "tls.cipher",
	[CONFIG_VAR_REQUEST_ID] = "request.id",
	[CONFIG_VAR_REQUEST_HOST] = "request.host",
	[CONFIG_VAR_IDENTITY_VERIFIED] = "identity.verified",
	[CONFIG_VAR_IDENTITY_SUBJECT] = "identity.subject",
	[CONFIG_VAR_IDENTITY_COMMON_NAME] = "identity.common_name",
	[CONFIG_VAR_IDENTITY_ISSUER] = "identity.issuer",
	[CONFIG_VAR_IDENTITY_SERIAL] = "identity.serial",
	[CONFIG_VAR_IDENTITY_SHA256] = "identity.sha256",
	[CONFIG_VAR_IDENTITY_NOT_BEFORE] = "identity.not_before",
	[CONFIG_VAR_IDENTITY_NOT_AFTER] = "identity.not_after",
	[CONFIG_VAR_IDENTITY_SAN_DNS] = "identity.san.dns",
	[CONFIG_VAR_IDENTITY_SAN_EMAIL] = "identity.san.email",
	[CONFIG_VAR_IDENTITY_SAN_URI] = "identity.san.uri",
	[CONFIG_VAR_IDENTITY_SAN_IP] = "identity.san.ip",
	[CONFIG_VAR_IDENTITY_CERTIFICATE] = "identity.certificate",
	[CONFIG_VAR_IDENTITY_PEM] = "identity.certificate_pem",
	[CONFIG_VAR_IDENTITY_CHAIN] = "identity.chain",
	[CONFIG_VAR_UNVERIFIED_REASON] = "unverified.reason",
	[CONFIG_VAR_UNVERIFIED_SHA256] = "unverified.sha256",
	[CONFIG_VAR_UNVERIFIED_CERTIFICATE] = "unverified.certificate",
	[CONFIG_VAR_UNVERIFIED_PEM] = "unverified.certificate_pem",
};

/* Fields for framing or for one connection, and fields that the gateway writes. Folded. */
static const char *const fixed[] = {
	"connection",
	"content-length",
	"date",
	"expect",
	"host",
	"http2-settings",
	"keep-alive",
	"max-forwards",
	"proxy-authenticate",
	"proxy-authorization",
	"proxy-connection",
	"te",
	"trailer",
	"transfer-encoding",
	"upgrade",
	"via",
};

static enum thaw_status check_name(const struct config_at *at, const char *name)
{
	size_t len = strlen(name);
	struct config_quoted quoted = config_quote(name, len);

	if (!config_is_field_name(name, len))
		return config_refuse(at,
				     "'%s' is not a field name; allowed: 1 to %d letters, digits and signs such "
				     "as '-'",
				     quoted.text, NAME_MAX_LEN);
	for (size_t i = 0; i < COUNT(fixed); i++)
		if (config_is_named(fixed[i], name, strlen(name)))
			return config_refuse(at,
					     "'%s' cannot be changed: it frames a message, is about one connection, or "
					     "is written by the gateway; allowed: other fields%s",
					     quoted.text,
					     strcmp(fixed[i], "host") == 0 ? " (see 'host' of an upstream)" : "");
	return THAW_OK;
}

/* into: a char *. */
enum thaw_status config_read_field_name(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;

	if (config_text(at, &scalar, rule->allowed) != THAW_OK || check_name(at, scalar.text) != THAW_OK)
		return THAW_FAILED;
	return config_set_text(at, into, scalar.text, scalar.len);
}

/* Adds a rule to the list; NULL: out of memory, or too many. */
static struct config_header *new_rule(const struct config_at *at, struct config_headers *headers)
{
	if (headers->own == NULL)
		headers->own = calloc(RULES_MAX, sizeof(*headers->own));
	if (headers->own == NULL) {
		(void)config_no_memory(at);
		return NULL;
	}
	if (headers->own_count == RULES_MAX) {
		(void)config_refuse(at, "there are too many fields here; allowed: at most %d", RULES_MAX);
		return NULL;
	}
	return &headers->own[headers->own_count++];
}

static enum thaw_status begin_rule(const struct config_at *at, struct config_headers *headers,
				   enum config_header_action action, const char *name, struct config_header **rule)
{
	if (check_name(at, name) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < headers->own_count; i++)
		if (config_is_named(headers->own[i].name, name, strlen(name)) &&
		    (action != CONFIG_HEADER_ADD || headers->own[i].action == CONFIG_HEADER_REMOVE))
			return config_refuse(at, "the field '%s' is named by another rule beside it",
					     config_quote(name, strlen(name)).text);
	*rule = new_rule(at, headers);
	if (*rule == NULL)
		return THAW_FAILED;
	(*rule)->action = action;
	return config_set_text(at, &(*rule)->name, name, strlen(name));
}

static unsigned variable_named(const char *name, size_t len)
{
	for (unsigned i = CONFIG_VAR_TEXT + 1; i < CONFIG_VARIABLES; i++)
		if (strlen(variables[i]) == len && memcmp(variables[i], name, len) == 0)
			return i;
	return CONFIG_VARIABLES;
}

/*
 * The variable at the beginning of the text, and its length with braces in *len. CONFIG_VAR_TEXT: no variable;
 * CONFIG_VARIABLES: unknown or malformed, which would otherwise be sent as text.
 */
static unsigned find_variable(const char *text, size_t *len)
{
	*len = 1;
	if (text[0] != '{')
		return CONFIG_VAR_TEXT;
	size_t blanks = strspn(text + 1, " "), name = strspn(text + 1 + blanks, LETTERS);
	size_t end = 1 + blanks + name + strspn(text + 1 + blanks + name, " ");
	unsigned variable = variable_named(text + 1 + blanks, name);
	bool closed = text[end] == '}';

	if (name == 0 || (!closed && variable == CONFIG_VARIABLES))
		return CONFIG_VAR_TEXT;
	*len = end + closed;
	return closed && end == 1 + name ? variable : CONFIG_VARIABLES;
}

static enum thaw_status refuse_variable(const struct config_at *at, const char *text, size_t len)
{
	struct config_quoted quoted = config_quote(text, len);

	if (text[len - 1] != '}')
		return config_refuse(at, "'%s' has no '}'; allowed: {NAME}; a plain '{' is '{{'", quoted.text);
	return config_refuse(at,
			     "unknown variable '%s'; allowed: client.address, client.port, tls.version, tls.cipher, "
			     "request.id, request.host, identity.* (verified, subject, common_name, issuer, serial, "
			     "sha256, not_before, not_after, san.dns, san.email, san.uri, san.ip, certificate, "
			     "certificate_pem, chain), unverified.* (reason, sha256, certificate, certificate_pem); a "
			     "plain '{' is '{{'",
			     quoted.text);
}

/* Another program's variable would be sent as text. */
static enum thaw_status refuse_foreign(const struct config_at *at, const char *text)
{
	struct config_foreign is;
	struct config_quoted quoted = config_quote(text, config_find_foreign(text, &is));
	char sign = text[text[1] == '{'];

	return config_refuse(at,
			     "'%s' is a variable of %s, and would be sent as it is written; allowed: %s; a plain '%c' "
			     "is '%c%c'",
			     quoted.text, is.program, is.ours != NULL ? is.ours : "variables such as {client.address}",
			     sign, sign, sign);
}

static enum thaw_status add_piece(const struct config_at *at, struct config_header *rule, unsigned variable,
				  const char *text, size_t len)
{
	struct config_piece *grown = realloc(rule->pieces, (rule->piece_count + 1) * sizeof(*grown));

	if (grown == NULL)
		return config_no_memory(at);
	rule->pieces = grown;
	grown[rule->piece_count] = (struct config_piece){.variable = variable};
	rule->has_variable |= variable != CONFIG_VAR_TEXT;
	return config_set_text(at, &grown[rule->piece_count++].text, text, len);
}

/* Two signs for one: "{{", and "$$" and "%%" where one would begin another program's variable. */
static bool is_doubled(const char *text)
{
	struct config_foreign is;

	return text[0] == text[1] && (text[0] == '{' || config_find_foreign(text + 1, &is) > 0);
}

static enum thaw_status read_value(const struct config_at *at, struct config_header *rule, const char *text)
{
	size_t from = 0, i = 0, len = 0;

	while (text[i] != '\0') {
		bool doubled = is_doubled(text + i);
		unsigned variable = doubled ? CONFIG_VAR_TEXT : find_variable(text + i, &len);
		if (variable == CONFIG_VARIABLES)
			return refuse_variable(at, text + i, len);
		if (!doubled && config_find_foreign(text + i, &(struct config_foreign){0}) > 0)
			return refuse_foreign(at, text + i);
		if (variable == CONFIG_VAR_TEXT && !doubled) {
			i++;
			continue;
		}
		/* The first of two signs is text. */
		if (i + doubled > from &&
		    add_piece(at, rule, CONFIG_VAR_TEXT, text + from, i + doubled - from) != THAW_OK)
			return THAW_FAILED;
		if (variable != CONFIG_VAR_TEXT && add_piece(at, rule, variable, text + i, len) != THAW_OK)
			return THAW_FAILED;
		i += doubled ? 2 : len;
		from = i;
	}
	return i > from ? add_piece(at, rule, CONFIG_VAR_TEXT, text + from, i - from) : THAW_OK;
}

static enum thaw_status read_rule(const struct config_at *at, struct config_headers *headers,
				  enum config_header_action action, const char *name)
{
	struct config_scalar scalar;
	struct config_header *header;

	if (begin_rule(at, headers, action, name, &header) != THAW_OK ||
	    config_text(at, &scalar, action == CONFIG_HEADER_ADD ? VALUE_TEXT ", or a list of these" : VALUE_TEXT) !=
		    THAW_OK)
		return THAW_FAILED;
	if (scalar.len > VALUE_MAX_LEN)
		return config_refuse(at, "the value has %zu bytes; allowed: 1 to %d", scalar.len, VALUE_MAX_LEN);
	if (scalar.text[0] == ' ' || scalar.text[scalar.len - 1] == ' ')
		return config_refuse(at, "the value begins or ends with a blank, which is not part of a "
					 "field's value (RFC 9110 5.5); allowed: the same without it");
	return read_value(at, header, scalar.text);
}

/* Reads the rules of a field: a value, or several values to add. */
static enum thaw_status read_field(const struct config_at *at, struct config_headers *headers,
				   enum config_header_action action)
{
	size_t count;

	if (action != CONFIG_HEADER_ADD || !config_is_list(at))
		return read_rule(at, headers, action, at->key);
	if (config_list(at, &count, VALUE_TEXT ", or a list of these") != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		if (read_rule(&item, headers, action, at->key) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

static enum thaw_status read_values(const struct config_at *at, const struct config_rule *rule,
				    enum config_header_action action, struct config_headers *headers)
{
	size_t pairs, line;

	if (config_mapping(at, &pairs, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < pairs; i++) {
		struct config_at value;
		if (config_pair(at, i, &value, &line) != THAW_OK || read_field(&value, headers, action) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

/* into: the struct config_headers. */
enum thaw_status config_read_headers_set(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return read_values(at, rule, CONFIG_HEADER_SET, into);
}

enum thaw_status config_read_headers_add(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return read_values(at, rule, CONFIG_HEADER_ADD, into);
}

enum thaw_status config_read_headers_remove(const struct config_at *at, const struct config_rule *rule, void *into)
{
	size_t count;

	if (config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < count; i++) {
		struct config_at item = config_item(at, i);
		struct config_scalar scalar;
		struct config_header *header;
		if (config_text(&item, &scalar, rule->allowed) != THAW_OK ||
		    begin_rule(&item, into, CONFIG_HEADER_REMOVE, scalar.text, &header) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

/* ---- combining the rules of a route and its host ---- */

static bool is_overruled(const struct config_header *of_host, const struct config_headers *route)
{
	for (size_t i = 0; i < route->own_count; i++)
		if (route->own[i].action != CONFIG_HEADER_ADD &&
		    config_is_named(route->own[i].name, of_host->name, strlen(of_host->name)))
			return true;
	return false;
}

static size_t text_of(const struct config_header *rule)
{
	size_t len = strlen(rule->name) + 4;

	for (size_t i = 0; i < rule->piece_count; i++)
		len += rule->pieces[i].variable == CONFIG_VAR_TEXT ? strlen(rule->pieces[i].text) : 0;
	return len;
}

/* host: NULL for the host's own rules. */
static enum thaw_status join(const struct config_at *at, struct config_headers *headers,
			     const struct config_headers *host)
{
	size_t most = headers->own_count + (host != NULL ? host->own_count : 0), text = 0;

	if (most == 0)
		return THAW_OK;
	headers->rules = calloc(most, sizeof(const struct config_header *));
	if (headers->rules == NULL)
		return config_no_memory(at);
	for (size_t i = 0; host != NULL && i < host->own_count; i++)
		if (!is_overruled(&host->own[i], headers))
			headers->rules[headers->count++] = &host->own[i];
	for (size_t i = 0; i < headers->own_count; i++)
		headers->rules[headers->count++] = &headers->own[i];
	for (size_t i = 0; i < headers->count; i++)
		text += text_of(headers->rules[i]);
	if (text > TEXT_MAX)
		return config_refuse(at,
				     "the fields that 'headers' sets or adds have %zu bytes, those of the host "
				     "included; allowed: at most %d",
				     text, TEXT_MAX);
	return THAW_OK;
}

/* The gateway writes this field itself, so it would be duplicated. */
static enum thaw_status check_written(const struct config_at *at, const struct config_host *host,
				      const struct config_headers *request)
{
	for (size_t i = 0; i < request->own_count; i++) {
		const char *name = request->own[i].name;
		if (!config_is_written(host, name))
			continue;
		struct config_at headers = config_child(at, "headers");
		return config_refuse(&headers,
				     "'%s' is a field of requests that this gateway writes itself; allowed: other "
				     "fields",
				     name);
	}
	return THAW_OK;
}

static enum thaw_status check_headers(const struct config_at *at, const struct config_host *host,
				      struct config_header_set *set, const struct config_header_set *of_host)
{
	if (check_written(at, host, &set->request) != THAW_OK ||
	    join(at, &set->request, of_host != NULL ? &of_host->request : NULL) != THAW_OK)
		return THAW_FAILED;
	return join(at, &set->response, of_host != NULL ? &of_host->response : NULL);
}

enum thaw_status config_check_headers(const struct config_at *at, struct config_host *host)
{
	struct config_at routes = config_child(at, "routes");

	if (check_headers(at, host, &host->headers, NULL) != THAW_OK)
		return THAW_FAILED;
	for (size_t i = 0; i < host->route_count; i++) {
		struct config_at route = config_item(&routes, i);
		if (check_headers(&route, host, &host->routes[i].headers, &host->headers) != THAW_OK)
			return THAW_FAILED;
	}
	return THAW_OK;
}

/* ---- names that clients may not send ---- */

/* list: NULL to count only. */
static size_t claim(const struct config_headers *headers, char **list, size_t count)
{
	for (size_t i = 0; i < headers->own_count; i++) {
		if (!headers->own[i].has_variable)
			continue;
		if (list != NULL)
			list[count] = headers->own[i].name;
		count++;
	}
	return count;
}

static size_t claim_all(const struct config *config, char **list)
{
	size_t count = 0;

	for (size_t i = 0; i < config->host_count; i++) {
		const struct config_host *host = &config->hosts[i];
		count = claim(&host->headers.request, list, count);
		for (size_t k = 0; k < host->route_count; k++)
			count = claim(&host->routes[k].headers.request, list, count);
	}
	return count;
}

enum thaw_status config_claim_names(const struct config_at *at, struct config *config)
{
	size_t count = claim_all(config, NULL);

	if (count == 0)
		return THAW_OK;
	config->claimed = calloc(count + 1, sizeof(*config->claimed));
	if (config->claimed == NULL)
		return config_no_memory(at);
	(void)claim_all(config, config->claimed);
	for (size_t i = 0; i < config->host_count; i++)
		config->hosts[i].claimed = config->claimed;
	return THAW_OK;
}

static void free_headers(struct config_headers *headers)
{
	for (size_t i = 0; i < headers->own_count; i++) {
		for (size_t k = 0; k < headers->own[i].piece_count; k++)
			free(headers->own[i].pieces[k].text);
		free(headers->own[i].pieces);
		free(headers->own[i].name);
	}
	free(headers->own);
	free(headers->rules);
}

void config_free_headers(struct config_header_set *set)
{
	free_headers(&set->request);
	free_headers(&set->response);
}
