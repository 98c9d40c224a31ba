/* The command line of `thaw send`. */
#ifndef CLI_SEND_OPTIONS_H
#define CLI_SEND_OPTIONS_H

#include "cli/route.h"
#include "send/send.h"

struct send_arguments {
	struct send_options send;
	struct cli_identity identity;
	struct cli_route route;
	char **files; /* point into the command line. None: a form */
	char **urls;  /* their hosts are in ASCII */
	size_t file_count, url_count;
	char *prime_url;
	char *user; /* NAME:PASSWORD, which is not on the command line any more */
	bool json, quiet, follows;
};

/*
 * Takes the arguments that are not options. URLs are recognised by their scheme; if none has one, the last argument
 * must be a URL. Returns EX_OK, or the exit code after printing an error.
 */
int send_take_targets(struct send_arguments *arguments, char **words, size_t count);

/* The number of uploads: files times URLs. */
size_t send_count(const struct send_arguments *arguments);

/*
 * Sets file and url for upload number i; the first file goes to all URLs first. *url: holds the URL, for the caller
 * to free. False after printing an error: out of memory.
 */
bool send_choose(struct send_arguments *arguments, size_t number, char **url, struct thaw_error *err);

void send_arguments_free(struct send_arguments *arguments);

/* Returns CLI_GO_ON; or the exit code, after printing the help or an error. */
int send_take_arguments(struct send_arguments *arguments, int argc, char **argv);

#endif
