#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/report.h"
#include "demo/demo.h"

#define MIB_DEFAULT 64
#define MIB_MIN     16 /* less than what the buffers between two peers hold would not freeze */
#define MIB_MAX     4096
#define FREEZE_MS   5000

static const char help[] =
	"usage: thaw demo [--size MIB] [--json]\n"
	"\n"
	"Uploads the same file to Thaw and to a small server that asks for a client certificate and then\n"
	"waits for it without reading, with curl and with a client that writes all before it reads, over\n"
	"TLS 1.3 and TLS 1.2, and prints what became of each upload. A frozen one is given up after 5 s\n"
	"without progress. All of it is on the loopback interface, and is gone when the command ends.\n"
	"\n"
	"  --size MIB  how much to upload: 16 to 4096, 64 if not given\n"
	"  --json      print an array of objects instead of the table\n"
	"  --help      show this text\n"
	"\n"
	"Exit code: 0 if every upload to Thaw arrived whole and under the right identity, and those that\n"
	"must freeze at the other server did; 69 if curl is missing or something else could not be run or\n"
	"did not hold.\n";

int demo_main(int argc, char **argv)
{
	static const struct option options[] = {
		{"size", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	struct demo_options demo = {.upload = (uint64_t)MIB_DEFAULT << 20, .freeze_ms = FREEZE_MS};
	struct thaw_error err = {0};
	char program[PATH_MAX];
	int option;

	while ((option = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		char *end = NULL;
		long mib = 0;
		switch (option) {
		case 's':
			mib = strtol(optarg, &end, 10);
			if (*optarg == '\0' || *end != '\0' || mib < MIB_MIN || mib > MIB_MAX)
				return cli_bad_usage("demo", "--size '%s': allowed: %d to %d (MiB)", optarg, MIB_MIN,
						     MIB_MAX);
			demo.upload = (uint64_t)mib << 20;
			break;
		case 'j':
			demo.json = true;
			break;
		case 'h':
			return cli_print(help);
		default:
			return cli_bad_option("demo", argv, option);
		}
	}
	if (optind < argc)
		return cli_bad_usage("demo", "'%s': no argument is expected", argv[optind]);
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
