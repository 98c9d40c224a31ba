/* What the command line of `thaw send` says. */
#ifndef CLI_SEND_OPTIONS_H
#define CLI_SEND_OPTIONS_H

#include "cli/route.h"
#include "send/send.h"

struct send_arguments {
	struct send_options send;
	struct cli_identity identity;
	struct cli_route route;
	char **files; /* of the command line; borrowed. None: a form */
	char **urls;  /* with their hosts in ASCII */
	size_t file_count, url_count;
	char *prime_url;
	char *user, *proxy_user; /* NAME:PASSWORD, which is not on the command line any more */
	bool json, quiet, follows;
};

/*
 * Takes the words of the command line that are no options. URLs are told from files by their scheme; where none has
 * one, the last is to be a URL. EX_OK; or the exit code, after what is wrong was told.
 */
int send_take_targets(struct send_arguments *arguments, char **words, size_t count);

/* How many uploads it is: each file goes to each URL. */
size_t send_count(const struct send_arguments *arguments);

/*
 * Sets file and url of one of them: the first file's to all URLs come first. *url: where that is kept, for the caller
 * to free. False: no memory, and it is told.
 */
bool send_choose(struct send_arguments *arguments, size_t number, char **url, struct thaw_error *err);

void send_arguments_free(struct send_arguments *arguments);

/* CLI_GO_ON; or the exit code, after the help or what is wrong was told. */
int send_take_arguments(struct send_arguments *arguments, int argc, char **argv);

#endif
