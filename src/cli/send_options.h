/* What the command line of `thaw send` says. */
#ifndef CLI_SEND_OPTIONS_H
#define CLI_SEND_OPTIONS_H

#include "cli/route.h"
#include "send/send.h"

struct send_arguments {
	struct send_options send;
	struct cli_identity identity;
	struct cli_route route;
	char *url, *prime_url;   /* with their hosts in ASCII */
	char *named_url;         /* and the file's name behind it */
	char *user, *proxy_user; /* NAME:PASSWORD, which is not on the command line any more */
	bool json, quiet;
};

/* CLI_GO_ON; or the exit code, after the help or what is wrong was told. */
int send_take_arguments(struct send_arguments *arguments, int argc, char **argv);

/* Overwrites and frees the password. */
void send_forget_user(struct send_arguments *arguments);

#endif
