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
#define MIB_MIN     16 /* less than what the buffers between two peers hold would not freeze */
#define MIB_MAX     4096
#define FREEZE_MS   5000

#define FROZEN_LISTEN "127.0.0.1:8444"

static const char help[] =
	"usage: thaw demo [--size MIB] [--json]\n"
	"       thaw demo --frozen-server [--listen ADDRESS] [--read-ahead BYTES] [--give-up SECONDS] [--pki DIR]\n"
	"\n"
	"Uploads the same file to Thaw and to a small server that requests a client certificate and then waits for it\n"
	"without reading. It uses curl and a client that writes everything before it reads, over TLS 1.3 and TLS 1.2,\n"
	"and prints the outcome of each upload. One without progress for 5 s is frozen. Everything happens on the\n"
	"loopback interface, and is removed at the end.\n"
	"\n"
	"  --size MIB  how much to upload: 16 to 4096, 64 if not given\n"
	"  --json      print an array of objects instead of the table\n"
	"  --help      show this text\n"
	"\n"
	"With --frozen-server it runs that other server until it is interrupted, to test your own clients with. / "
	"never\n"
	"asks; every other path asks, and answers with JSON that says what arrived.\n"
	"\n"
	"  --listen ADDRESS   HOST:PORT or [V6]:PORT, 127.0.0.1:8444 if not given; port 0: any free one\n"
	"  --read-ahead BYTES how much body it holds while it waits for the certificate: it freezes on one more;\n"
	"                     49152 if not given, as with IIS\n"
	"  --give-up SECONDS  how long it waits without progress, 120 if not given\n"
	"  --pki DIR          where the throwaway PKI is kept, and made if it is missing; default ./thaw-pki\n"
	"\n"
	"Exit code: 0 if every upload to Thaw arrived whole and under the right identity, and those that\n"
	"must freeze at the other server did, or the frozen server was stopped; 64 usage; 69 if curl is missing\n"
	"or something else could not be run or did not hold; 71 the system refused, as an address in use.\n";

static int show(struct demo_options demo)
{
	struct thaw_error err = {0};
	char program[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);

	if (len <= 0)
		return cli_bad_usage("demo", "cannot find this program: /proc is not mounted");
	program[len] = '\0';
	demo.program = program;
	if (demo_run(&demo, &err) == THAW_OK)
		return EX_OK;
	(void)cli_fail(&err);
	return EX_UNAVAILABLE;
}

/* What the command line says; which of both the given options are for. */
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
		return cli_bad_usage("demo", "'%s': no argument is expected", argv[optind]);
	if (choice.server && choice.for_demo)
		return cli_bad_usage("demo", "--size and --json are not for --frozen-server");
	if (!choice.server && choice.for_server)
		return cli_bad_usage("demo", "--listen, --read-ahead, --give-up and --pki are for --frozen-server");
	return choice.server ? frozen_serve(choice.listen, &choice.frozen) : show(choice.demo);
}
