#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "cli/check_request.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "gateway/identity.h"
#include "loop/loop.h"

static const char help[] =
	"usage: thaw check -c FILE [--strict] [--json]\n"
	"       thaw check -c FILE --request 'METHOD https://HOST/PATH' [--certificate FILE] [--from ADDRESS]\n"
	"                          [--header 'Name: value']... [--strict] [--json]\n"
	"\n"
	"Reads a configuration and loads everything that `thaw serve -c FILE` would load: certificates, keys, CAs,\n"
	"CRLs, the spool's directory for request bodies, the log. It does not listen. It warns of settings that are\n"
	"valid but will cause failures, such as an expired certificate.\n"
	"\n"
	"  -c, --config FILE   the configuration\n"
	"  --strict            treat warnings as errors\n"
	"  --request REQUEST   print what happens to this request, such as 'PUT https://example.com/path': its route,\n"
	"                      how each kind of client is asked (TLS 1.2 or 1.3, HTTP/2), whether it is allowed, what\n"
	"                      the service behind Thaw gets. PUT, POST and PATCH have a body, unless --header\n"
	"                      'Content-Length: 0' is given\n"
	"  --certificate FILE  the client's certificate and its chain (PEM), for --request; its key is not needed\n"
	"  --from ADDRESS      the client's address, or 'unix', for --request; default: an allowed address\n"
	"  --header LINE       a header field of the request, 'Name: value', for --request; up to 32 times\n"
	"  --json              print a JSON object with schema, file, ok, error, warnings, listen, hosts and "
	"upstreams,\n"
	"                      and with --request also decision\n"
	"  --help              print this text\n"
	"\n"
	"Exit code: 0 if the configuration can be served; 64 wrong usage; 78 if not. The error names the file,\n"
	"the line, the setting, and what is allowed.\n";

static const char *const upstreams[] = {
	[CONFIG_BUILTIN_INSPECT] = "builtin:inspect",
	[CONFIG_BUILTIN_SINK] = "builtin:sink",
	[CONFIG_BUILTIN_PRIME] = "builtin:prime",
};

static const char *upstream_of(const struct config_route *route)
{
	return route->upstream == CONFIG_PROXY ? route->upstream_name : upstreams[route->upstream];
}

static json_t *list_json(char **list)
{
	json_t *names = json_array();

	for (char **name = list; name != NULL && *name != NULL; name++)
		(void)json_array_append_new(names, json_string(*name));
	return names;
}

static json_t *route_json(const struct config_route *route)
{
	json_t *methods = route->methods != NULL ? list_json(route->methods) : json_null();

	json_t *told = json_pack("{s:s, s:o, s:s, s:s}", "path", route->path, "methods", methods, "when",
				 config_when_name(route->certificate.when), "upstream", upstream_of(route));

	if (route->upgrade != NULL)
		(void)json_object_set_new(told, "upgrade", list_json(route->upgrade));
	if (route->strip_prefix != NULL)
		(void)json_object_set_new(told, "strip_prefix", json_string(route->strip_prefix));
	if (route->add_prefix != NULL)
		(void)json_object_set_new(told, "add_prefix", json_string(route->add_prefix));
	return told;
}

/* The client fields that this host removes; a name that ends in '*' stands for all names with that beginning. */
static json_t *stripped_json(const struct config_host *host)
{
	size_t count = 0;
	const struct gw_reserved *reserved = gw_identity_reserved(&count);
	json_t *names = json_array();

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(names,
					    json_sprintf("%s%s", reserved[i].name, reserved[i].beginning ? "*" : ""));
	for (char **name = host->strip; name != NULL && *name != NULL; name++)
		(void)json_array_append_new(names, json_string(*name));
	for (char **name = host->claimed; name != NULL && *name != NULL; name++)
		(void)json_array_append_new(names, json_string(*name));
	return names;
}

static json_t *host_json(const struct config_host *host)
{
	json_t *routes = json_array();

	for (size_t i = 0; i < host->route_count; i++)
		(void)json_array_append_new(routes, route_json(&host->routes[i]));
	return json_pack("{s:s, s:o, s:{s:o, s:o}}", "name", host->name, "routes", routes, "client_headers", "strip",
			 stripped_json(host), "pass", list_json(host->pass));
}

static json_t *upstream_json(const struct config_upstream *upstream)
{
	json_t *servers = json_array();

	for (size_t i = 0; i < upstream->server_count; i++)
		(void)json_array_append_new(servers, json_string(upstream->servers[i].text));
	return json_pack("{s:s, s:o}", "name", upstream->name, "servers", servers);
}

/* If memory runs out, elements are missing or the result is NULL. */
static json_t *config_json(const char *file, const struct config *config, json_t *warnings, json_t *decision,
			   const struct thaw_error *err)
{
	json_t *listens = json_array(), *hosts = json_array(), *behind = json_array();

	for (size_t i = 0; config != NULL && i < config->listen_count; i++)
		(void)json_array_append_new(listens, json_string(config->listens[i].address));
	for (size_t i = 0; config != NULL && i < config->host_count; i++)
		(void)json_array_append_new(hosts, host_json(&config->hosts[i]));
	for (size_t i = 0; config != NULL && i < config->upstream_count; i++)
		(void)json_array_append_new(behind, upstream_json(&config->upstreams[i]));
	bool ok = err->cls == THAW_ERR_NONE;
	return json_pack("{s:i, s:s, s:b, s:s?, s:O, s:o, s:o, s:o, s:o*}", "schema", JSON_SCHEMA, "file", file, "ok",
			 ok, "error", ok ? NULL : err->text, "warnings", warnings, "listen", listens, "hosts", hosts,
			 "upstreams", behind, "decision", decision);
}

/* Takes ownership of decision, which may be NULL. */
static int print_json(const char *file, const struct config *config, json_t *warnings, json_t *decision,
		      const struct thaw_error *err)
{
	json_t *told = config_json(file, config, warnings, decision, err);

	if (told == NULL)
		return EX_OSERR;
	int failed = json_dumpf(told, stdout, JSON_INDENT(2));
	json_decref(told);
	return failed == 0 ? cli_print("\n") : EX_IOERR;
}

#define LINE_WIDTH 110

/* Prints names after a title, over several lines. column: width of the current line. */
static void print_name(const char *name, const char *end, size_t *column)
{
	size_t len = strlen(name) + strlen(end) + 1;

	if (*column == 0 || *column + len > LINE_WIDTH) {
		(void)printf("%s   ", *column > 0 ? "\n" : "");
		*column = 3;
	}
	(void)printf(" %s%s", name, end);
	*column += len;
}

static void print_names(const char *title, char **names)
{
	size_t column = 0;

	if (names == NULL || *names == NULL)
		return;
	(void)printf("  %s:\n", title);
	for (; *names != NULL; names++)
		print_name(*names, "", &column);
	(void)printf("\n");
}

/* The fields that every host removes. */
static void print_stripped(void)
{
	size_t count = 0, column = 0;
	const struct gw_reserved *reserved = gw_identity_reserved(&count);

	(void)printf(
		"removed from clients' requests, in upper or lower case and with any character in place of '-':\n");
	for (size_t i = 0; i < count; i++)
		print_name(reserved[i].name, reserved[i].beginning ? "*" : "", &column);
	(void)printf("\n");
}

static void print_host(const struct config_host *host)
{
	(void)printf("host %s\n", host->name);
	for (size_t i = 0; i < host->route_count; i++) {
		const struct config_route *route = &host->routes[i];
		(void)printf("  %s", route->path);
		for (char **method = route->methods; method != NULL && *method != NULL; method++)
			(void)printf("%s%s", method == route->methods ? " [" : " ", *method);
		(void)printf("%s: client certificate %s, %s\n", route->methods != NULL ? "]" : "",
			     config_when_name(route->certificate.when), upstream_of(route));
		if (route->strip_prefix != NULL || route->add_prefix != NULL)
			(void)printf("    paths: '%s' becomes '%s'\n",
				     route->strip_prefix != NULL ? route->strip_prefix : "",
				     route->add_prefix != NULL ? route->add_prefix : "");
		print_names("  may upgrade to", route->upgrade);
	}
	print_names("also removed from clients' requests", host->strip);
	print_names("removed from clients' requests, because 'headers' sets them", host->claimed);
	print_names("passed on, although clients can forge them", host->pass);
}

static bool is_used(const struct config *config, size_t upstream)
{
	for (size_t i = 0; i < config->host_count; i++)
		for (size_t k = 0; k < config->hosts[i].route_count; k++) {
			const struct config_route *route = &config->hosts[i].routes[k];
			if (route->upstream == CONFIG_PROXY && route->proxy == upstream)
				return true;
		}
	for (size_t i = 0; i < config->listen_count; i++)
		if (config->listens[i].acme != NULL && config->listens[i].acme->proxy == upstream)
			return true;
	return false;
}

/* Also prints settings that are allowed but may be a mistake. */
static void print_upstream(const struct config *config, size_t i)
{
	const struct config_upstream *upstream = &config->upstreams[i];

	(void)printf("upstream %s:", upstream->name);
	for (size_t k = 0; k < upstream->server_count; k++)
		(void)printf(" %s", upstream->servers[k].text);
	if (upstream->host != NULL || upstream->host_of_server)
		(void)printf(" (host: %s)", upstream->host != NULL ? upstream->host : "upstream");
	(void)printf("%s%s\n", upstream->tls.verify ? "" : " (their certificates are not verified)",
		     is_used(config, i) ? "" : " (no route uses it)");
}

static void show_listen(const struct config_listen *listen)
{
	(void)printf("listen %s", listen->address);
	if (listen->redirect)
		(void)printf(": plain HTTP, redirected to https on port %u", listen->redirect_port);
	if (listen->acme_webroot != NULL)
		(void)printf("; ACME challenges from %s", listen->acme_webroot);
	if (listen->acme != NULL)
		(void)printf("; ACME challenges to upstream %s", listen->acme->upstream_name);
	(void)printf("\n");
}

static int print_text(const char *file, const struct config *config, const json_t *warnings)
{
	(void)printf("%s: ok\n", file);
	for (size_t i = 0; i < json_array_size(warnings); i++)
		(void)printf("warning: %s\n", json_string_value(json_array_get(warnings, i)));
	for (size_t i = 0; i < config->listen_count; i++)
		show_listen(&config->listens[i]);
	for (size_t i = 0; i < config->host_count; i++)
		print_host(&config->hosts[i]);
	print_stripped();
	for (size_t i = 0; i < config->upstream_count; i++)
		print_upstream(config, i);
	if (config->admin != NULL)
		(void)printf("admin %s\n", config->admin->address);
	return cli_print("");
}

/* Only a file's name can be invalid UTF-8. Then the warning is lost, and --json fails anyway. */
static void add_warning(void *warnings, const char *text)
{
	(void)json_array_append_new(warnings, json_string(text));
}

/* With --strict: prints the warnings as errors on standard error. */
static int print_errors(const json_t *warnings)
{
	for (size_t i = 0; i < json_array_size(warnings); i++)
		cli_error("%s", json_string_value(json_array_get(warnings, i)));
	return EX_CONFIG;
}

struct choice {
	const char *file;
	bool json, strict;
	struct check_request wish;
};

static int check(const struct choice *choice)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	struct config *config = config_load(choice->file, &err);
	json_t *warnings = json_array();
	json_t *decision = NULL;
	size_t count = 0;
	bool ok = config != NULL && loop_check(config, add_warning, warnings, &err) == THAW_OK;
	int code;

	if (ok && choice->strict)
		count = json_array_size(warnings);
	if (count > 0) {
		err.cls = THAW_ERR_CONFIG;
		(void)snprintf(err.text, sizeof(err.text), "%zu warning%s, treated as errors because of --strict",
			       count, count == 1 ? "" : "s");
	}
	bool decides = ok && count == 0 && choice->wish.request != NULL;
	if (decides && check_request(&choice->wish, config, choice->json ? &decision : NULL, &err) != THAW_OK) {
		json_decref(warnings);
		config_free(&config);
		return cli_fail(&err);
	}
	if (choice->json)
		code = print_json(choice->file, config, warnings, decision, &err);
	else if (count > 0)
		code = print_errors(warnings);
	else if (decides)
		code = cli_print("");
	else
		code = ok ? print_text(choice->file, config, warnings) : cli_fail(&err);
	json_decref(warnings);
	config_free(&config);
	return (ok && count == 0) || code == EX_IOERR ? code : EX_CONFIG;
}

static int take_option(void *arg, int option, char *value)
{
	struct choice *choice = arg;

	if (option == 'j')
		choice->json = true;
	else if (option == 's')
		choice->strict = true;
	else if (option == 'r')
		choice->wish.request = value;
	else if (option == 'C')
		choice->wish.certificate = value;
	else if (option == 'F')
		choice->wish.from = value;
	else if (option == 'H' && choice->wish.header_count == CHECK_HEADERS_MAX)
		return cli_bad_usage("check", "too many --header options; at most %d are allowed", CHECK_HEADERS_MAX);
	else if (option == 'H')
		choice->wish.headers[choice->wish.header_count++] = value;
	else
		choice->file = value;
	return EX_OK;
}

int check_main(int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"json", no_argument, NULL, 'j'},
						{"strict", no_argument, NULL, 's'},
						{"request", required_argument, NULL, 'r'},
						{"certificate", required_argument, NULL, 'C'},
						{"from", required_argument, NULL, 'F'},
						{"header", required_argument, NULL, 'H'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct choice choice = {.file = NULL};
	const struct cli_options walk = {"check", help, options, ":c:h", take_option, &choice};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	if (optind < argc)
		return cli_bad_usage("check", "unexpected argument '%s'%s", argv[optind],
				     choice.file == NULL ? "; use -c FILE to name a configuration" : "");
	if (choice.file == NULL)
		return cli_bad_usage("check", "option -c FILE is missing");
	if (choice.wish.request == NULL &&
	    (choice.wish.certificate != NULL || choice.wish.from != NULL || choice.wish.header_count > 0))
		return cli_bad_usage("check", "--certificate, --from and --header are only allowed with --request");
	return check(&choice);
}
