#include <inttypes.h>
#include <limits.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/commands.h"
#include "cli/frozen.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/values.h"
#include "demo/demo.h"

#define MIB_DEFAULT 64
#define MIB_MIN     16 /* a smaller upload fits into the buffers between the peers and does not freeze */
#define MIB_MAX     4096
#define FREEZE_MS   5000

#define FROZEN_LISTEN "127.0.0.1:8444"

static const char help[] =
	"usage: thaw demo [--size MIB] [--json]\n"
	"       thaw demo --frozen-server [--listen ADDRESS] [--read-ahead BYTES] [--give-up SECONDS] [--pki DIR]\n"
	"\n"
	"Uploads the same file to Thaw and to a small built-in server that asks for a client certificate and then "
	"stops\n"
	"reading until it arrives. The clients are curl and one that writes everything before it reads, over TLS 1.3 "
	"and\n"
	"1.2. Prints the outcome of each upload; one without progress for 5 s counts as frozen. Everything happens on "
	"the\n"
	"loopback interface; temporary files are removed at the end.\n"
	"\n"
	"  --size MIB          how much to upload: 16 to 4096; default: 64\n"
	"  --json              print an array of objects instead of the table\n"
	"  --frozen-server     run only that other server, until it is interrupted, so that you can test other "
	"clients.\n"
	"                      The path / never asks; every other path asks, and answers with JSON that says what "
	"arrived\n"
	"  --listen ADDRESS    with --frozen-server: listen on HOST:PORT or [V6]:PORT; default: 127.0.0.1:8444; port 0 "
	"is\n"
	"                      any free port\n"
	"  --read-ahead BYTES  with --frozen-server: how much of a body the server still reads while it waits for the\n"
	"                      certificate; a larger body freezes; default: 49152, as with IIS\n"
	"  --give-up SECONDS   with --frozen-server: how long the server waits without progress; default: 120\n"
	"  --pki DIR           with --frozen-server: the folder for the test certificates; default: ./thaw-pki\n"
	"  --help              print this text\n"
	"\n"
	"Exit code: 0 if every upload to Thaw arrived whole with the client's certificate and the other server froze\n"
	"as expected, or the frozen server was stopped; 64 wrong usage; 69 if curl is missing, an upload ended "
	"otherwise,\n"
	"or a step failed; 71 system error, such as an address in use.\n";

static int show(struct demo_options demo)
{
	struct thaw_error err = {0};
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len <= 0)
		return cli_bad_usage("demo", "cannot find the path of this program: /proc is not mounted");
	program[len] = '\0';
	demo.program = program;
	if (demo_run(&demo, &err) == THAW_OK)
		return EX_OK;
	(void)cli_fail(&err);
	return EX_UNAVAILABLE;
}

/* The command line; for_server and for_demo: an option that only applies to one of them was given. */
struct choice {
	struct demo_options demo;
	struct frozen_options frozen;
	const char *listen;
	bool server, for_server, for_demo;
};

static int take_number(const char *option, const char *value, uint64_t min, uint64_t max, const char *unit,
		       uint64_t *number)
{
	if (cli_read_number(value, min, max, number))
		return EX_OK;
	return cli_bad_usage("demo", "--%s '%s': allowed: %" PRIu64 " to %" PRIu64 " (%s)", option, value, min, max,
			     unit);
}

static int take_option(void *arg, int option, char *value)
{
	struct choice *choice = arg;
	uint64_t number = 0;
	int code = EX_OK;

	choice->for_demo |= option == 's' || option == 'j';
	choice->for_server |= option == 'l' || option == 'r' || option == 'g' || option == 'p';
	switch (option) {
	case 's':
		code = take_number("size", value, MIB_MIN, MIB_MAX, "MiB", &number);
		choice->demo.upload = number << 20;
		break;
	case 'j':
		choice->demo.json = true;
		break;
	case 'f':
		choice->server = true;
		break;
	case 'l':
		choice->listen = value;
		break;
	case 'r':
		code = take_number("read-ahead", value, 0, FROZEN_READ_AHEAD_MAX, "bytes", &number);
		choice->frozen.read_ahead = (size_t)number;
		break;
	case 'g':
		code = take_number("give-up", value, 1, FROZEN_LIMIT_MAX_S, "seconds", &number);
		choice->frozen.limit_s = (unsigned)number;
		break;
	default:
		choice->frozen.pki = value;
		break;
	}
	return code;
}

int demo_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"frozen-server", no_argument, NULL, 'f'},
		{"listen", required_argument, NULL, 'l'},
		{"read-ahead", required_argument, NULL, 'r'},
		{"give-up", required_argument, NULL, 'g'},
		{"pki", required_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct choice choice = {
		.demo = {.upload = (uint64_t)MIB_DEFAULT << 20, .freeze_ms = FREEZE_MS},
		.frozen = {.read_ahead = FROZEN_READ_AHEAD, .limit_s = FROZEN_LIMIT_S},
		.listen = FROZEN_LISTEN,
	};
	const struct cli_options walk = {"demo", help, options, ":h", take_option, &choice};
	int code = cli_take_options(&walk, argc, argv);

	if (code != CLI_GO_ON)
		return code;
	if (optind < argc)
		return cli_bad_usage("demo", "unexpected argument '%s'", argv[optind]);
	if (choice.server && choice.for_demo)
		return cli_bad_usage("demo", "--size and --json cannot be used with --frozen-server");
	if (!choice.server && choice.for_server)
		return cli_bad_usage(
			"demo", "--listen, --read-ahead, --give-up and --pki are only allowed with --frozen-server");
	return choice.server ? frozen_serve(choice.listen, &choice.frozen) : show(choice.demo);
}
