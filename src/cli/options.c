#include "cli/options.h"

#include <sysexits.h>

#include "cli/report.h"

int cli_take_options(const struct cli_options *options, int argc, char **argv)
{
	int option, code;

	while ((option = getopt_long(argc, argv, options->shorts, options->options, NULL)) != -1) {
		if (option == 'h')
			return cli_print(options->help);
		if (option == '?' || option == ':')
			return cli_bad_option(options->command, argv, options->options, option);
		if ((code = options->take(options->arg, option, optarg)) != EX_OK)
			return code;
	}
	return CLI_GO_ON;
}
