#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "thaw/thaw.h"
#include "tls/version.h"

static const char help[] = "usage: thaw version [--json]\n"
			   "\n"
			   "Prints the version of thaw and of the TLS library that it uses.\n"
			   "\n"
			   "  --json   print a JSON object with schema, version and tls\n"
			   "  --help   print this text\n";

static int print(bool json)
{
	if (!json)
		return printf("thaw %s (%s)\n", thaw_version(), tls_library_version()) >= 0 ? cli_print("") : EX_IOERR;
	json_t *told = json_pack("{s:i, s:s, s:s}", "schema", JSON_SCHEMA, "version", thaw_version(), "tls",
				 tls_library_version());
	if (told == NULL)
		return EX_OSERR;
	int failed = json_dumpf(told, stdout, JSON_COMPACT);
	json_decref(told);
	return failed == 0 ? cli_print("\n") : EX_IOERR;
}

static int take_option(void *arg, int option, char *value)
{
	bool *json = arg;

	(void)option; /* there is only one option */
	(void)value;
	*json = true;
	return EX_OK;
}

int version_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	bool json = false;
	const struct cli_options walk = {"version", help, options, ":h", take_option, &json};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	if (optind < argc)
		return cli_bad_usage("version", "unexpected argument '%s'", argv[optind]);
	return print(json);
}
