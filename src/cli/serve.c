#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/throwaway.h"
#include "config/config.h"
#include "loop/loop.h"

#define LISTENS_MAX 64
#define ARGV_MAX    (2 * LISTENS_MAX + 8)
#define PID_TEXT    32

static const char help[] =
	"usage: thaw serve -c FILE [--listen ADDRESS]... [--pid-file FILE]\n"
	"       thaw serve [--listen ADDRESS]... [--pki DIR] [--pid-file FILE]\n"
	"\n"
	"Runs the gateway until it is stopped. Without -c, it creates test certificates (if there are none) and has\n"
	"a test path for each way of asking for a client certificate, on 127.0.0.1:8443 and [::1]:8443: /late, "
	"/early,\n"
	"/body, /after, and / which never asks. The configuration is described in thaw.yaml(5).\n"
	"\n"
	"  -c, --config FILE   the configuration\n"
	"  --listen ADDRESS    listen on HOST:PORT, [V6]:PORT or unix:PATH instead of the addresses in the\n"
	"                      configuration; port 0 is any free port. May be repeated\n"
	"  --pki DIR           the folder for the test certificates: ca.pem, server.pem, server.key, client.pem and\n"
	"                      client.key; default: " THROWAWAY_PKI "\n"
	"  --pid-file FILE     write the process ID to this file when the gateway is ready; it is deleted at the end\n"
	"  --help              print this text\n"
	"\n"
	"SIGTERM or SIGINT: stop; current requests may finish, a second signal ends them. SIGHUP: reload the\n"
	"configuration, as `thaw reload` does. SIGUSR1: reopen the access log.\n"
	"\n"
	"Exit code: 0 stopped by a signal; 64 wrong usage; 71 system error, such as an address in use; 78 wrong\n"
	"configuration.\n";

struct settings {
	const char *file, *pki, *pid_file;
	const char *listens[LISTENS_MAX];
	size_t listen_count;
};

/* Replaces the addresses of the file with those of the command line. */
static void replace_listens(struct config *config, struct config *from)
{
	struct config_listen *listens = config->listens;
	size_t count = config->listen_count;

	config->listens = from->listens;
	config->listen_count = from->listen_count;
	from->listens = listens;
	from->listen_count = count;
	config_free(&from);
}

/* Renames a complete file into place, so that readers always find a number. False with errno set. */
static bool write_pid(const char *path)
{
	char *beside = NULL;

	if (asprintf(&beside, "%s.new", path) < 0)
		return false;
	FILE *file = fopen(beside, "we");
	bool written = file != NULL && fprintf(file, "%d\n", (int)getpid()) > 0;
	if (file != NULL)
		written = fclose(file) == 0 && written;
	written = written && rename(beside, path) == 0;
	if (!written && file != NULL)
		(void)unlink(beside);
	free(beside);
	return written;
}

/* Another process may have taken over and written its own id. */
static void remove_pid(const char *path)
{
	FILE *file = fopen(path, "re");
	char line[PID_TEXT] = "";
	bool ours = file != NULL && fgets(line, sizeof(line), file) != NULL && strtol(line, NULL, 10) == getpid();

	if (file != NULL)
		(void)fclose(file);
	if (ours)
		(void)unlink(path);
}

/* Builds a program and arguments that lead to the same settings. */
static void same_again(const struct settings *settings, const char *argv[ARGV_MAX])
{
	size_t count = 0;

	argv[count++] = cli_program;
	argv[count++] = "serve";
	if (settings->file != NULL) {
		argv[count++] = "-c";
		argv[count++] = settings->file;
	} else {
		argv[count++] = "--pki";
		argv[count++] = settings->pki;
	}
	for (size_t i = 0; i < settings->listen_count; i++) {
		argv[count++] = "--listen";
		argv[count++] = settings->listens[i];
	}
	if (settings->pid_file != NULL) {
		argv[count++] = "--pid-file";
		argv[count++] = settings->pid_file;
	}
	argv[count] = NULL;
}

static void on_ready(void *arg, const char *const *addresses, size_t count)
{
	const struct settings *settings = arg;

	if (settings->pid_file != NULL && !write_pid(settings->pid_file))
		cli_warn("cannot write %s: %s", settings->pid_file, strerror(errno));
	if (settings->file == NULL && count > 0)
		throwaway_explain(stderr, settings->pki, addresses[0]);
}

/* The configuration, with the addresses of the command line. NULL with *err set. */
static struct config *complete(const struct settings *settings, struct config *config, struct thaw_error *err)
{
	if (config == NULL || settings->listen_count == 0)
		return config;
	struct config *listens = throwaway_listens(settings->listens, settings->listen_count, err);
	if (listens != NULL)
		replace_listens(config, listens);
	else
		config_free(&config);
	return config;
}

static struct config *load(const struct settings *settings, struct thaw_error *err)
{
	return complete(settings, config_load(settings->file, err), err);
}

static struct config *load_again(void *arg, struct thaw_error *err)
{
	const struct settings *settings = arg;

	return complete(settings, config_load_again(settings->file, err), err);
}

static bool check_listens(const struct settings *settings, struct thaw_error *err)
{
	if (settings->listen_count == 0)
		return true;
	struct config *listens = throwaway_listens(settings->listens, settings->listen_count, err);
	bool well = listens != NULL;
	config_free(&listens);
	return well;
}

static int serve(struct settings *settings)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};

	if (!check_listens(settings, &err))
		return cli_bad_usage("serve", "%s", err.text);
	struct config *config =
		settings->file != NULL ? load(settings, &err)
				       : throwaway_make(settings->pki, settings->listens, settings->listen_count, &err);
	if (config == NULL) {
		loop_cannot_begin(&err);
		(void)cli_fail(&err);
		return settings->file != NULL ? EX_CONFIG : cli_exit_code(&err);
	}
	const char *argv[ARGV_MAX];
	same_again(settings, argv);
	struct loop_hooks hooks = {
		.ready = on_ready,
		.load = settings->file != NULL ? load_again : NULL,
		.argv = (char *const *)argv,
		.file = settings->file,
		.arg = settings,
	};
	int code = loop_serve(config, &hooks, &err) == THAW_OK ? EX_OK : cli_fail(&err);
	if (settings->pid_file != NULL)
		remove_pid(settings->pid_file);
	config_free(&config);
	return code;
}

static int take_option(void *arg, int option, char *value)
{
	struct settings *settings = arg;

	switch (option) {
	case 'c':
		settings->file = value;
		return EX_OK;
	case 'l':
		if (settings->listen_count == LISTENS_MAX)
			return cli_bad_usage("serve", "too many --listen options; at most %d are allowed", LISTENS_MAX);
		settings->listens[settings->listen_count++] = value;
		return EX_OK;
	case 'p':
		settings->pki = value;
		return EX_OK;
	default:
		settings->pid_file = value;
		return EX_OK;
	}
}

int serve_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"config", required_argument, NULL, 'c'}, {"listen", required_argument, NULL, 'l'},
		{"pki", required_argument, NULL, 'p'},    {"pid-file", required_argument, NULL, 'i'},
		{"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
	};
	struct settings settings = {.file = NULL};
	const struct cli_options walk = {"serve", help, options, ":c:h", take_option, &settings};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	if (optind < argc)
		return cli_bad_usage("serve", "unexpected argument '%s'%s", argv[optind],
				     settings.file == NULL ? "; use -c FILE to name a configuration" : "");
	if (settings.file != NULL && settings.pki != NULL)
		return cli_bad_usage("serve", "--pki cannot be used with -c");
	if (settings.pki == NULL)
		settings.pki = THROWAWAY_PKI;
	return serve(&settings);
}
