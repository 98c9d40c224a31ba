/*
 * The subcommands of `thaw`, one file each. argv[0] is the command's name. They return the exit code, as in
 * sysexits(3). Each accepts --help.
 */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

extern const char *cli_program; /* argv[0] of main() */

int serve_main(int argc, char **argv);
int check_main(int argc, char **argv);
int reload_main(int argc, char **argv);
int upgrade_main(int argc, char **argv);
int probe_main(int argc, char **argv);
int demo_main(int argc, char **argv);
int send_main(int argc, char **argv);
int version_main(int argc, char **argv);

#endif
