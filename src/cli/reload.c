#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/report.h"
#include "loop/control.h"

#define PID_FILE_MAX 32
#define ANSWER_ROOM  512

/* How both name the process. */
#define PROCESS                                                                                              \
	"\n"                                                                                                 \
	"  -c, --config FILE   the gateway that was started with -c and this file\n"                         \
	"  --pid-file FILE     the gateway whose process ID is in this file (see `thaw serve --pid-file`)\n" \
	"  PID                 the gateway with this process ID\n"                                           \
	"  --help              print this text\n"                                                            \
	"\n"

static const char help[] =
	"usage: thaw reload -c FILE\n"
	"       thaw reload --pid-file FILE\n"
	"       thaw reload PID\n"
	"\n"
	"Makes a running `thaw serve` read its configuration again, and waits for the result. The whole configuration\n"
	"is checked first; then new workers start, and the old ones finish their requests. If anything is wrong, the\n"
	"reason is printed and the old configuration stays in use. SIGHUP does the same, but reports in the log "
	"only.\n" PROCESS "Exit code: 0 reloaded; 64 wrong usage; 71 no such process, or it ended meanwhile; 78 the\n"
	"configuration was refused.\n";

static const char upgrade_help[] =
	"usage: thaw upgrade -c FILE\n"
	"       thaw upgrade --pid-file FILE\n"
	"       thaw upgrade PID\n"
	"\n"
	"Replaces a running `thaw serve` after an update of thaw, or of a library such as OpenSSL. The new program is\n"
	"started with the same arguments and the same listening sockets. Once the new workers accept connections,\n"
	"the old process finishes its requests and ends, as after SIGTERM. No connection is refused meanwhile. The\n"
	"process ID changes; the file of --pid-file is rewritten. If the new process cannot serve, the reason is "
	"printed\n"
	"and the old process continues.\n" PROCESS
	"Exit code: 0 replaced; 64 wrong usage; 71 no such process, or it ended meanwhile; 78 the new\n"
	"process cannot serve.\n";

struct settings {
	enum control_kind kind;
	const char *file, *pid_file, *pid;
};

/* -1 with *err set. */
static pid_t read_pid(const char *text, const char *where, struct thaw_error *err)
{
	char *end;

	errno = 0;
	long pid = strtol(text, &end, 10);
	if (errno == 0 && end != text && (*end == '\0' || *end == '\n') && pid > 0 && pid <= INT_MAX)
		return (pid_t)pid;
	(void)error_set(err, THAW_ERR_USAGE, "%s: not a process id", where);
	return -1;
}

static pid_t read_pid_file(const char *path, struct thaw_error *err)
{
	char text[PID_FILE_MAX] = "";
	FILE *file = fopen(path, "re");

	if (file == NULL) {
		(void)error_system(err, errno, "cannot open %s", path);
		return -1;
	}
	const char *line = fgets(text, sizeof(text), file);
	(void)fclose(file);
	return read_pid(line != NULL ? line : "", path, err);
}

static int ask(const struct settings *settings)
{
	struct thaw_error err = {.cls = THAW_ERR_NONE};
	char text[ANSWER_ROOM];
	pid_t master;

	if (settings->file != NULL)
		master = control_find(settings->file, &err);
	else if (settings->pid_file != NULL)
		master = read_pid_file(settings->pid_file, &err);
	else
		master = read_pid(settings->pid, settings->pid, &err);
	if (master < 0)
		return cli_fail(&err);
	if (control_ask(master, settings->kind, text, sizeof(text), &err) == THAW_OK) {
		(void)printf("%s\n", text);
		return cli_print("");
	}
	if (err.cls != THAW_ERR_CONFIG)
		return cli_fail(&err);
	cli_error("%s: %s",
		  settings->kind == CONTROL_RELOAD ? "reload refused, the configuration in use stays"
						   : "upgrade failed, the old process stays",
		  err.text);
	return EX_CONFIG;
}

static int take_option(void *arg, int option, char *value)
{
	struct settings *settings = arg;

	if (option == 'c')
		settings->file = value;
	else
		settings->pid_file = value;
	return EX_OK;
}

static int run(enum control_kind kind, int argc, char **argv)
{
	static const struct option options[] = {{"config", required_argument, NULL, 'c'},
						{"pid-file", required_argument, NULL, 'p'},
						{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	const char *name = kind == CONTROL_RELOAD ? "reload" : "upgrade";
	struct settings settings = {.kind = kind};
	const struct cli_options walk = {
		name, kind == CONTROL_RELOAD ? help : upgrade_help, options, ":c:h", take_option, &settings};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	if (optind < argc)
		settings.pid = argv[optind++];
	if (optind < argc)
		return cli_bad_usage(name, "unexpected argument '%s'", argv[optind]);
	if ((settings.file != NULL) + (settings.pid_file != NULL) + (settings.pid != NULL) != 1)
		return cli_bad_usage(name, "one of -c FILE, --pid-file FILE or PID is required");
	return ask(&settings);
}

int reload_main(int argc, char **argv)
{
	return run(CONTROL_RELOAD, argc, argv);
}

int upgrade_main(int argc, char **argv)
{
	return run(CONTROL_UPGRADE, argc, argv);
}
