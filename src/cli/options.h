/* The walk over a command's options, the same for all commands. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include <getopt.h>

#define CLI_GO_ON (-1) /* no exit code: the command goes on */

struct cli_options {
	const char *command, *help;
	const struct option *options; /* as getopt_long() takes them; --help gives 'h' */
	const char *shorts;           /* as getopt_long() takes them, ':' first */
	/* Takes one option, and its value where it has one: EX_OK, or the exit code after it told what is wrong. */
	int (*take)(void *arg, int option, char *value);
	void *arg;
};

/* CLI_GO_ON with optind at the first argument that is no option; or the exit code: help was printed, or what is wrong
 * was told. */
int cli_take_options(const struct cli_options *options, int argc, char **argv);

#endif
