/* Parses the options of a command; shared by all commands. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <getopt.h>

#define CLI_GO_ON (-1) /* not an exit code: continue with the command */

struct cli_options {
	const char *command, *help;
	const struct option *options; /* for getopt_long(); --help must return 'h' */
	const char *shorts;           /* for getopt_long(); begins with ':' */
	/* Handles one option and its value, if it has one. Returns EX_OK, or the exit code after printing an error. */
	int (*take)(void *arg, int option, char *value);
	void *arg;
};

/* Returns CLI_GO_ON with optind at the first argument that is not an option; or the exit code, after printing the
 * help or an error. */
int cli_take_options(const struct cli_options *options, int argc, char **argv);

#endif
