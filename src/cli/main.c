/* Finds the subcommand and runs it. */
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/report.h"
#include "tls/secret_file.h"

const char *cli_program = "thaw";

static const struct command {
	const char *name, *summary;
	int (*run)(int argc, char **argv);
} commands[] = {
	{"serve", "run the gateway with a configuration (-c FILE), or with built-in test settings", serve_main},
	{"check", "check a configuration file and the certificates and keys that it names", check_main},
	{"reload", "make a running gateway read its configuration again", reload_main},
	{"upgrade", "switch a running gateway to its newly installed program, without refusing connections",
	 upgrade_main},
	{"probe", "test whether any server hangs when it asks for a certificate during an upload, and how to fix it",
	 probe_main},
	{"send", "upload a file with a client certificate to any server, without hanging", send_main},
	{"demo", "upload to a gateway and to a server that hangs, side by side", demo_main},
	{"version", "print the version of thaw and of its TLS library", version_main},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static int usage(FILE *to)
{
	(void)fputs(
		"usage: thaw COMMAND [OPTIONS]\n"
		"       thaw COMMAND --help\n"
		"\n"
		"An HTTPS reverse proxy that asks for a TLS client certificate only when a request needs it. It can\n"
		"ask during a large upload, where other servers hang. Its tools work with any server.\n"
		"\n",
		to);
	for (size_t i = 0; i < COMMANDS; i++)
		(void)fprintf(to, "  %-8s  %s\n", commands[i].name, commands[i].summary);
	(void)fprintf(to, "  %-8s  %s\n", "help", "print this text, or the help of a command");
	return fflush(to) == 0 && !ferror(to) ? EX_OK : EX_IOERR;
}

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static int unknown(const char *name)
{
	(void)fprintf(stderr, "thaw: unknown command '%s'; see 'thaw --help'\n", name);
	return EX_USAGE;
}

static int help(int argc, char **argv)
{
	if (argc < 2)
		return usage(stdout);
	const struct command *command = find(argv[1]);
	if (command == NULL)
		return unknown(argv[1]);
	char option[] = "--help";
	return command->run(2, (char *[]){argv[1], option, NULL});
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

/* Opens closed standard streams, so that no socket or file gets a descriptor of 0 to 2. Reading from or writing to
 * such a stream fails, and error messages to it are lost. */
static bool have_standard_streams(void)
{
	static const int modes[] = {[STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDWR};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			return false;
	return true;
}

int main(int argc, char **argv)
{
	static const char *const help_words[] = {"help", "--help", "-h", NULL};
	static const char *const version_words[] = {"--version", "-V", NULL};

	/* Only cli/secret.c asks for pass phrases. A daemon must never wait at a prompt of OpenSSL. */
	if (!have_standard_streams() || !tls_disable_prompts())
		return EX_OSERR;
	if (argc < 2) {
		(void)usage(stderr);
		return EX_USAGE;
	}
	cli_program = argv[0];
	if (is_one_of(argv[1], help_words))
		return help(argc - 1, argv + 1);
	if (is_one_of(argv[1], version_words))
		return version_main(argc - 1, argv + 1);
	const struct command *command = find(argv[1]);
	return command != NULL ? command->run(argc - 1, argv + 1) : unknown(argv[1]);
}
