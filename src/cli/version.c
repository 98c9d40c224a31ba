#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "thaw/thaw.h"
#include "tls/version.h"

static const char help[] = "usage: thaw version [--json]\n"
			   "\n"
			   "Tells the version of thaw, and that of the TLS library it runs with.\n"
			   "\n"
			   "  --json   {\"version\": ..., \"tls\": ...}\n"
			   "  --help   this text\n";

static int print(bool json)
{
	if (!json)
		return printf("thaw %s (%s)\n", thaw_version(), tls_library_version()) >= 0 ? cli_print("") : EX_IOERR;
	json_t *told = json_pack("{s:s, s:s}", "version", thaw_version(), "tls", tls_library_version());
	if (told == NULL)
		return EX_OSERR;
	int failed = json_dumpf(told, stdout, JSON_COMPACT);
	json_decref(told);
	return failed == 0 ? cli_print("\n") : EX_IOERR;
}

int version_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0}};
	bool json = false;
	int option;

	while ((option = getopt_long(argc, argv, "+:h", options, NULL)) != -1) {
		switch (option) {
		case 'j':
			json = true;
			break;
		case 'h':
			return cli_print(help);
		default:
			return cli_bad_option("version", argv, option);
		}
	}
	if (optind < argc)
		return cli_bad_usage("version", "'%s' is too much", argv[optind]);
	return print(json);
}
