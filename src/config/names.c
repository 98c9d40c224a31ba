/* Readers of addresses, host names, paths and origins. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "base/ascii.h"
#include "config/schema.h"

#define HOST_NAME_MAX_LEN 253 /* RFC 1035 3.1, as text without the root's dot */
#define LABEL_MAX_LEN     63
#define ROUTE_PATH_MAX    1024
#define ADMIN_NAMES_MAX   256

static enum thaw_status not_understood(const struct config_at *at, const struct config_rule *rule,
				       const struct config_scalar *scalar)
{
	return config_not_understood(at, scalar->text, scalar->len, rule->allowed);
}

/* RFC 1123 2.1: labels of letters, digits and inner hyphens; with underscores anywhere, if they are allowed. */
static bool is_name(const char *text, size_t len, bool underscores)
{
	size_t label = 0;
	if (len == 0 || len > HOST_NAME_MAX_LEN)
		return false;
	for (size_t i = 0; i <= len; i++) {
		bool end = i == len || text[i] == '.';
		if (end && (label == 0 || label > LABEL_MAX_LEN || text[i - 1] == '-'))
			return false;
		bool underscore = !end && underscores && text[i] == '_';
		if (!end && !underscore && !ascii_is_alnum(text[i]) && (text[i] != '-' || label == 0))
			return false;
		label = end ? 0 : label + 1;
	}
	return true;
}

static bool is_dns_name(const char *text, size_t len)
{
	return is_name(text, len, false);
}

/* Without the trailing dot of the root (RFC 1034 3.1). */
static size_t without_root(const char *text, size_t len)
{
	return len > 1 && text[len - 1] == '.' ? len - 1 : len;
}

/*
 * The name of a server to connect to: names in /etc/hosts, of containers and of service discovery may have underscores
 * (RFC 2181 11), and a trailing dot disables search domains.
 */
static bool is_server_name(const char *text, size_t len)
{
	return is_name(text, without_root(text, len), true);
}

static void to_lower(char *text)
{
	for (; *text != '\0'; text++)
		*text = ascii_lower(*text);
}

/* Whether the text is a port number of at least `least`; sets *port. */
static bool is_port(const char *text, unsigned least, uint16_t *port)
{
	uint64_t number;
	size_t digits = config_scan_number(text, UINT16_MAX, &number);
	if (digits == 0 || text[digits] != '\0' || number < least)
		return false;
	*port = (uint16_t)number;
	return true;
}

/* A numeric address in its usual form, so that equal addresses compare equal. */
static bool canonical(int family, const char *host, size_t len, char out[INET6_ADDRSTRLEN])
{
	struct in6_addr address;
	char text[INET6_ADDRSTRLEN];
	if (len >= sizeof(text))
		return false;
	memcpy(text, host, len);
	text[len] = '\0';
	const char *numeric = family == AF_INET && strcmp(text, "localhost") == 0 ? "127.0.0.1" : text;
	return inet_pton(family, numeric, &address) == 1 && inet_ntop(family, &address, out, INET6_ADDRSTRLEN) != NULL;
}

static enum thaw_status read_unix(const struct config_at *at, const struct config_rule *rule,
				  const struct config_scalar *scalar, struct config_listen *listen)
{
	const char *path = scalar->text + strlen("unix:");
	if (path[0] == '\0')
		return not_understood(at, rule, scalar);
	listen->kind = CONFIG_LISTEN_UNIX;
	if (config_set_file(at, &listen->path, path, strlen(path)) != THAW_OK)
		return THAW_FAILED;
	size_t most = sizeof(((struct sockaddr_un *)0)->sun_path) - 1;
	if (strlen(listen->path) > most)
		return config_refuse(at, "the path '%s' is too long for a socket; allowed: at most %zu bytes",
				     config_quote(listen->path, strlen(listen->path)).text, most);
	return THAW_OK;
}

/* Returns why a text is not a valid HOST:PORT, for a message. */
static const char *address_fault(const char *text, const char *colon, bool has_port)
{
	size_t host = colon != NULL ? (size_t)(colon - text) : strlen(text);
	bool brackets = host >= 2 && text[0] == '[' && text[host - 1] == ']';

	if (strstr(text, "://") != NULL)
		return "is a URL; write ADDRESS:PORT";
	if (text[0] == '[')
		return brackets && has_port ? "has no valid IPv6 address in its brackets" : "is not '[ADDRESS]:PORT'";
	if (memchr(text, ':', host) != NULL)
		return "is an IPv6 address without brackets; write '[ADDRESS]:PORT', in quotes";
	if (colon == NULL)
		return text[strspn(text, "0123456789")] == '\0' ? "is a port without an address; write ADDRESS:PORT"
								: "has no port; write ADDRESS:PORT";
	if (!has_port)
		return "does not end in a port between 0 and 65535";
	if (host == 0 || strncmp(text, "*:", 2) == 0)
		return "has no address; all of this machine's are 0.0.0.0:PORT and '[::]:PORT'";
	return "has no numeric address; names are not looked up here";
}

/* into: the struct config_listen. */
enum thaw_status config_read_address(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_listen *listen = into;
	struct config_scalar scalar;
	char host[INET6_ADDRSTRLEN];
	if (config_text(at, &scalar, rule->allowed) != THAW_OK ||
	    config_set_text(at, &listen->address, scalar.text, scalar.len) != THAW_OK)
		return THAW_FAILED;
	free(listen->place);
	listen->place = config_place(at);
	if (listen->place == NULL)
		return config_no_memory(at);
	if (strncmp(scalar.text, "unix:", strlen("unix:")) == 0)
		return read_unix(at, rule, &scalar, listen);
	const char *colon = strrchr(scalar.text, ':');
	bool has_port = colon != NULL && is_port(colon + 1, 0, &listen->port);
	size_t len = colon != NULL ? (size_t)(colon - scalar.text) : 0;
	bool v6 = len >= 2 && scalar.text[0] == '[' && scalar.text[len - 1] == ']';
	if (!has_port ||
	    (v6 ? !canonical(AF_INET6, scalar.text + 1, len - 2, host) : !canonical(AF_INET, scalar.text, len, host)))
		return config_refuse(at, "'%s' %s; allowed: %s", config_quote(scalar.text, scalar.len).text,
				     address_fault(scalar.text, colon, has_port), rule->allowed);
	return config_set_text(at, &listen->host, host, strlen(host));
}

/* into: a struct config_listen *. */
enum thaw_status config_read_admin_address(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_listen **admin = into;
	*admin = calloc(1, sizeof(**admin));
	return *admin != NULL ? config_read_address(at, rule, *admin) : config_no_memory(at);
}

/* off, an address, or a mapping. into: the struct config. */
enum thaw_status config_read_admin(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config *config = into;
	struct config_scalar scalar;
	if (config_is_mapping(at))
		return config_read_table(at, rule->table, config);
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	return strcmp(scalar.text, "off") == 0 ? THAW_OK : config_read_admin_address(at, rule, &config->admin);
}

/* The name of a user or group; whether it exists is checked when it is used. */
enum thaw_status config_read_account(const struct config_at *at, const struct config_rule *rule, void *into)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (scalar.len == 0 || scalar.text[0] == '-' || scalar.text[strspn(scalar.text, allowed)] != '\0')
		return not_understood(at, rule, &scalar);
	return config_set_text(at, into, scalar.text, scalar.len);
}

bool config_scan_authority(const struct config_at *at, const char *text, size_t len, char **host, uint16_t *port)
{
	char address[INET6_ADDRSTRLEN], number[8];
	const char *end = text + len, *bracket = len > 0 && text[0] == '[' ? memchr(text, ']', len) : NULL;
	const char *colon =
		memchr(bracket != NULL ? bracket : text, ':', (size_t)(end - (bracket != NULL ? bracket : text)));
	const char *host_end = colon != NULL ? colon : end;

	if (colon != NULL) {
		size_t digits = (size_t)(end - colon) - 1;
		if (digits >= sizeof(number))
			return false;
		memcpy(number, colon + 1, digits);
		number[digits] = '\0';
		if (!is_port(number, 1, port))
			return false;
	}
	if (bracket != NULL) {
		if (host_end != bracket + 1 || !canonical(AF_INET6, text + 1, (size_t)(bracket - text) - 1, address))
			return false;
		return config_set_text(at, host, address, strlen(address)) == THAW_OK;
	}
	if (!is_server_name(text, (size_t)(host_end - text)) ||
	    config_set_text(at, host, text, (size_t)(host_end - text)) != THAW_OK)
		return false;
	to_lower(*host);
	return true;
}

/* The name in a server's certificate: without a trailing dot, which neither SNI nor certificates have (RFC 6066 3). */
enum thaw_status config_read_server_name(const struct config_at *at, const struct config_rule *rule, void *into)
{
	char **name = into;
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (!is_server_name(scalar.text, scalar.len))
		return not_understood(at, rule, &scalar);
	if (config_set_text(at, name, scalar.text, without_root(scalar.text, scalar.len)) != THAW_OK)
		return THAW_FAILED;
	to_lower(*name);
	return THAW_OK;
}

static bool has_beyond_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text > 0x7E)
			return true;
	return false;
}

/* In the form for comparisons: SNI has no trailing dot (RFC 6066 3). */
static void tidy_name(char *name)
{
	name[without_root(name, strlen(name))] = '\0';
	to_lower(name);
}

/* NULL: valid; otherwise the error. */
static const char *why_no_host(const char *text, size_t len)
{
	char unused[INET6_ADDRSTRLEN];
	size_t skip = strncmp(text, "*.", 2) == 0 ? 2 : 0;

	if (strstr(text, "://") != NULL)
		return "is a URL; write the host name alone";
	if (strpbrk(text, ", ") != NULL)
		return "is more than one name; write [ NAME, NAME ]";
	if (text[0] != '[' && strchr(text, ':') != NULL)
		return "has a port, which belongs to 'listen'; write the host name alone";
	if (has_beyond_ascii(text))
		return "has letters beyond ASCII; write the name as clients send it, with 'xn--' (idn2 shows it)";
	/* RFC 6066 3: SNI carries no literal addresses. */
	if (strcmp(text, "localhost") != 0 && canonical(AF_INET, text, len, unused))
		return "is an address, which clients never send as SNI";
	if (strcmp(text, "*") != 0 && !is_name(text + skip, without_root(text, len) - skip, true))
		return "is not understood";
	return NULL;
}

static enum thaw_status read_host_name(const struct config_at *at, const struct config_rule *rule, char **name)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (config_strange_sign(scalar.text) != NULL)
		return not_understood(at, rule, &scalar);
	const char *why = why_no_host(scalar.text, scalar.len);
	if (why != NULL)
		return config_refuse(at, "'%s' %s; allowed: %s", config_quote(scalar.text, scalar.len).text, why,
				     rule->allowed);
	if (config_set_text(at, name, scalar.text, scalar.len) != THAW_OK)
		return THAW_FAILED;
	tidy_name(*name);
	return THAW_OK;
}

/* One name, or a list of them. into: the name of a struct config_host. */
enum thaw_status config_read_host_names(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_host *host = (struct config_host *)((char *)into - rule->offset);
	bool single = config_is_text(at);
	size_t count = 1;

	if (!single && config_list(at, &count, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	host->names = calloc(count + 1, sizeof(*host->names));
	if (host->names == NULL)
		return config_no_memory(at);
	for (size_t i = 0; i < count; i++) {
		struct config_at item = single ? *at : config_item(at, i);
		if (read_host_name(&item, rule, &host->names[i]) != THAW_OK ||
		    (i == 0 && read_host_name(&item, rule, &host->name) != THAW_OK))
			return THAW_FAILED;
	}
	return THAW_OK;
}

static const char *why_no_admin_name(const char *text, size_t len)
{
	return is_server_name(text, len) ? NULL : "is not understood";
}

/* The allowed names in the Host field of requests to the admin address. into: a NULL-terminated list. */
enum thaw_status config_read_admin_names(const struct config_at *at, const struct config_rule *rule, void *into)
{
	return config_read_texts(at, rule, &(struct config_kind){ADMIN_NAMES_MAX, why_no_admin_name, tidy_name}, into);
}

/* Whether the path has a segment "." or "..". */
static bool has_dot_segment(const char *path)
{
	for (const char *at = path; at != NULL; at = strchr(at + 1, '/')) {
		size_t len = strcspn(at + 1, "/");
		if ((len == 1 || len == 2) && strncmp(at + 1, "..", len) == 0)
			return true;
	}
	return false;
}

/* Returns the first wildcard, variable or anchor of other servers' pattern syntax; NULL: none. */
static const char *find_pattern(const char *path)
{
	const char *sign = strpbrk(path, "*{}^<>[]|"), *variable = strstr(path, "/:");
	size_t len = strlen(path);

	if (sign == NULL && path[len - 1] == '$')
		sign = path + len - 1;
	if (variable != NULL && (sign == NULL || variable < sign))
		return variable + 1;
	return sign;
}

/* Refuses a path that looks like a pattern. Paths are taken literally, so it would match no request, and protect
 * nothing. */
static enum thaw_status refuse_pattern(const struct config_at *at, const struct config_rule *rule, const char *path,
				       const char *sign)
{
	size_t above = (size_t)(sign - path);

	while (path[above - 1] != '/')
		above--;
	return config_refuse(
		at, "'%s' has a '%c', and a path is not a pattern; write '%s' to cover all below it; allowed: %s",
		config_quote(path, strlen(path)).text, *sign, config_quote(path, above).text, rule->allowed);
}

/* Allows only results of http_route_path(): any other path would protect nothing. */
enum thaw_status config_read_route_path(const struct config_at *at, const struct config_rule *rule, void *into)
{
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	const char *why = NULL, *path = scalar.text;
	if (path[0] != '/')
		why = "does not begin with '/'";
	else if (scalar.len > ROUTE_PATH_MAX)
		why = "is too long";
	else if (strpbrk(path, "%;?#\\") != NULL)
		why = "has one of % ; ? # \\";
	else if (strstr(path, "//") != NULL)
		why = "has an empty segment";
	else if (has_dot_segment(path))
		why = "has a dot segment";
	const char *sign = why == NULL ? find_pattern(path) : NULL;
	if (sign != NULL)
		return refuse_pattern(at, rule, path, sign);
	if (why != NULL)
		return config_refuse(at, "'%s' %s; allowed: %s", config_quote(path, scalar.len).text, why,
				     rule->allowed);
	return config_set_text(at, into, path, scalar.len);
}

/* The prefix is written into request lines; a trailing slash has no meaning. */
enum thaw_status config_read_prefix(const struct config_at *at, const struct config_rule *rule, void *into)
{
	char **prefix = into;
	enum thaw_status status = config_read_route_path(at, rule, into);

	if (status != THAW_OK)
		return status;
	size_t len = strlen(*prefix);
	for (size_t i = 0; i < len; i++)
		if ((*prefix)[i] <= ' ' || (*prefix)[i] > '~' || strchr("\"<>", (*prefix)[i]) != NULL)
			return config_refuse(at, "'%s' has a blank, a quote or a byte beyond ASCII; allowed: %s",
					     config_quote(*prefix, len).text, rule->allowed);
	if (len > 1 && (*prefix)[len - 1] == '/')
		(*prefix)[--len] = '\0';
	return len > 1 ? THAW_OK : config_refuse(at, "'/' is the beginning of every path; allowed: %s", rule->allowed);
}

/* https://HOST or https://HOST:PORT: RFC 6454 4, an origin. */
static bool is_https_origin(const char *text)
{
	char unused[INET6_ADDRSTRLEN];
	uint16_t port;
	if (strncmp(text, "https://", strlen("https://")) != 0)
		return false;
	const char *host = text + strlen("https://");
	const char *end = host[0] == '[' ? strchr(host, ']') : host + strcspn(host, ":");
	if (end == NULL)
		return false;
	if (host[0] == '[') {
		if (!canonical(AF_INET6, host + 1, (size_t)(end - host) - 1, unused))
			return false;
		end++;
	} else if (!is_dns_name(host, (size_t)(end - host))) {
		return false;
	}
	return end[0] == '\0' || (end[0] == ':' && is_port(end + 1, 1, &port));
}

/* 'none' removes an inherited value. */
enum thaw_status config_read_elsewhere(const struct config_at *at, const struct config_rule *rule, void *into)
{
	char **elsewhere = into;
	struct config_scalar scalar;
	if (config_text(at, &scalar, rule->allowed) != THAW_OK)
		return THAW_FAILED;
	if (strcmp(scalar.text, "none") == 0) {
		free(*elsewhere);
		*elsewhere = NULL;
		return THAW_OK;
	}
	if (!is_https_origin(scalar.text))
		return not_understood(at, rule, &scalar);
	return config_set_text(at, elsewhere, scalar.text, scalar.len);
}
