/* Lists of field names, protocols and methods. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ascii.h"
#include "config/schema.h"

#define NAMES_MAX      64
#define NAME_MAX_LEN   64 /* bytes */
#define METHODS_MAX    32
#define METHOD_MAX_LEN 32 /* bytes */

#define ALNUM  "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define TCHARS ALNUM "!#$%&'+-.^_`|~" /* RFC 9110 5.6.2, except '*' */

bool config_is_named(const char *pattern, const char *name, size_t len)
{
	size_t own = strlen(pattern);
	bool beginning = own > 0 && pattern[own - 1] == '*';

	own -= beginning;
	if (beginning ? len < own : len != own)
		return false;
	for (size_t i = 0; i < own; i++)
		if (ascii_fold_sign(pattern[i]) != ascii_fold_sign(name[i]))
			return false;
	return true;
}

bool config_is_field_name(const char *text, size_t len)
{
	return len > 0 && len <= NAME_MAX_LEN && strspn(text, TCHARS) == len;
}

static const char *why_no_name(const char *text, size_t len)
{
	if (len > NAME_MAX_LEN)
		return "is too long";
	return config_is_field_name(text, len) ? NULL : "is not a field name";
}

/* Fields that a request requires, or that the gateway writes. */
static const char *why_not_stripped(const char *text, size_t len)
{
	static const char *const needed[] = {"Host", "Content-Length", "Transfer-Encoding", "Expect", "Connection"};
	size_t name = strspn(text, TCHARS);

	if (len > NAME_MAX_LEN)
		return "is too long";
	if (name == 0 || (name != len && strcmp(text + name, "*") != 0))
		return "is not a field name";
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (strncasecmp(text, needed[i], name) == 0 && (name < len || needed[i][name] == '\0'))
			return "is needed, or names a field that is: Host, Content-Length, Transfer-Encoding, Expect "
			       "and "
			       "Connection cannot be left out";
	return NULL;
}

enum thaw_status config_read_strip(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return config_read_texts(at, rule, &(struct config_kind){.most = NAMES_MAX, .why_not = why_not_stripped}, into);
}

enum thaw_status config_read_pass(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return config_read_texts(at, rule, &(struct config_kind){.most = NAMES_MAX, .why_not = why_no_name}, into);
}

/* RFC 9110 7.8: a name, optionally with "/" and a version. */
static const char *why_no_protocol(const char *text, size_t len)
{
	size_t name = strspn(text, TCHARS), version = text[name] == '/' ? strspn(text + name + 1, TCHARS) : 0;

	if (len > NAME_MAX_LEN)
		return "is too long";
	if (name == 0 || (name != len && (version == 0 || name + 1 + version != len)))
		return "is not a protocol";
	if (strncasecmp(text, "HTTP", name > 4 ? name : 4) == 0)
		return "is a version of HTTP, whose requests would pass unseen";
	return NULL;
}

/* The word 'none' is an empty list. into: a char **. */
enum thaw_status config_read_upgrade(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;

	if (!config_is_text(at))
		return config_read_texts(at, rule, &(struct config_kind){.most = NAMES_MAX, .why_not = why_no_protocol},
					 into);
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strcmp(scalar.text, "none") != 0)
		return config_refuse(at, "'%s' is not a list; allowed: %s", config_quote(scalar.text, scalar.len).text,
				     rule->allowed);
	*(char ***)into = calloc(1, sizeof(char *));
	return *(char ***)into != NULL ? THAW_OK : config_no_memory(at);
}

/* RFC 9110 5.6.2, without lower case: methods are case-sensitive, and 'get' would never match. */
static const char *why_no_method(const char *text, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~";

	return len <= METHOD_MAX_LEN && text[strspn(text, allowed)] == '\0' ? NULL : "is not understood";
}

enum thaw_status config_read_methods(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return config_read_texts(at, rule, &(struct config_kind){.most = METHODS_MAX, .why_not = why_no_method}, into);
}

/* A client could send these fields in addition to the gateway's, under any name that services treat as equal. */
bool config_is_written(const struct config_host *host, const char *name)
{
	static const struct {
		const char *name;
		unsigned set; /* 0: always */
	} written[] = {
		{"Forwarded", 0},
		{"X-Forwarded-For", 0},
		{"X-Forwarded-Proto", 0},
		{"X-Forwarded-Host", 0},
		{"Client-Cert*", CONFIG_IDENTITY_RFC9440},
		{"X-Forwarded-Client-Cert", CONFIG_IDENTITY_XFCC},
		{"X-SSL-Client-*", CONFIG_IDENTITY_NGINX},
	};

	for (size_t i = 0; i < sizeof(written) / sizeof(written[0]); i++)
		if ((written[i].set == 0 || (host->identity & written[i].set) != 0) &&
		    config_is_named(written[i].name, name, strlen(name)))
			return true;
	return false;
}

enum thaw_status config_check_pass(const struct config_at *at, const struct config_host *host)
{
	for (size_t i = 0; host->pass != NULL && host->pass[i] != NULL; i++) {
		if (!config_is_written(host, host->pass[i]))
			continue;
		struct config_at headers = config_child(at, "client_headers"), pass = config_child(&headers, "pass");
		struct config_at item = config_item(&pass, i);
		return config_refuse(
			&item,
			"'%s' is a field that this gateway writes itself; a client's own would stand beside "
			"it; allowed: other fields",
			host->pass[i]);
	}
	return THAW_OK;
}
