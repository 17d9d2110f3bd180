/* SPDX-License-Identifier: GPL-2.0-only */
/* The command table, which is the help text as well. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "command.h"
#include "message.h"

#define OPTIONS_OF_CHANGES                                                                         \
	"  --force      also to a color that is not healthy\n"                                     \
	"  --no-wait    return right after the switch; an agent goes on with the rest\n"           \
	"  --soak TIME  how long it is watched, as 500ms, 30s, 5m, 2h; 0: not at all.\n"           \
	"               If it fails meanwhile, new connections go back (exit code 5).\n"           \
	"  -n           only say what would be done\n"                                             \
	"  --drain-timeout TIME|inf\n"                                                             \
	"               the time that the other color's connections have to "                      \
	"end\n" OPTIONS_OF_DRAINS

#define OPTIONS_OF_DRAINS                                                                          \
	"  --close-idle TIME\n"                                                                    \
	"               close connections gently that were idle for so long\n"                     \
	"  --over TIME  spread closes over this time\n"                                            \
	"  --kill       reset what is left when the time is over (exit code 4)\n"                  \
	"  --keep       leave it then (exit code 4 too: it is not safe to stop)\n"

static const struct command commands[] = {
	{ "attach", "IF...|all", "steer new connections that arrive on these interfaces",
	  cmd_attach, true,
	  "Loopback is always steered. The first time, it declares the service 'default':\n"
	  "clients come to port 80, blue listens on 8081, green on 8082.\n" },
	{ "detach", "IF...|all", "stop steering; the last one removes everything", cmd_detach,
	  true },
	{ "service",
	  "add NAME --listen A... --blue A... --green A... [--failover auto|listener|off]\n"
	  "         [--on-empty refuse|pass] [--affinity client|connection] | rm NAME | ls",
	  "declare services", cmd_service, true,
	  "  A...         ADDRESS:PORT, [IPV6]:PORT or a port alone, separated by commas\n"
	  "  --failover   who may leave a color that does not serve: auto (the kernel for want\n"
	  "               of a listener, the agent by health), listener (only the kernel), off\n"
	  "  --on-empty   without any listener: refuse a connection, or pass it to whoever\n"
	  "               listens on the service's own address\n"
	  "  --affinity   a split goes by client, or by connection\n" },
	{ "apply", "FILE [-n]", "make what runs as the configuration file says", cmd_apply, true,
	  "  -n           only print the steps\n" },
	{ "agent", "[-c FILE]", "the daemon: checks health, fails over, takes bad releases back",
	  cmd_agent, true,
	  "  -c FILE      configuration (/etc/bgswitch/bgswitch.yaml, if it is there)\n"
	  "SIGHUP reads it again. When the agent ends, steering goes on as it is.\n" },
	{ "check", "[SERVICE] [COLOR]", "probe now, and explain", cmd_check, false,
	  "Exit code 3: this color, or without one the active color, is unhealthy.\n" },
	{ "set",
	  "[SERVICE] COLOR [--force] [--no-wait] [--soak TIME] [--drain-timeout TIME]\n"
	  "         [--close-idle TIME] [--over TIME] [--kill|--keep] [-n]",
	  "check this color, send new connections to it, drain the other one, watch it", cmd_set,
	  false, OPTIONS_OF_CHANGES },
	{ "promote", "[SERVICE]", "end the soak now, as passed", cmd_promote, false },
	{ "abort", "[SERVICE]", "undo the cutover that is under way", cmd_abort, false },
	{ "rollback",
	  "[SERVICE] [--force] [--no-wait] [--soak TIME] [--drain-timeout TIME]\n"
	  "         [--close-idle TIME] [--over TIME] [--kill|--keep] [-n]",
	  "go back to the previous color", cmd_rollback, false, OPTIONS_OF_CHANGES },
	{ "split", "[SERVICE] PERCENT", "share of new connections that standby gets", cmd_split,
	  false },
	{ "preview", "add CIDR...|- COLOR [SERVICE] | rm CIDR...|- [SERVICE] | ls [SERVICE]",
	  "client networks that always get one color", cmd_preview, true,
	  "  -            networks come from standard input\n" },
	{ "drain",
	  "[SERVICE] COLOR [--timeout TIME|inf] [--close-idle TIME] [--over TIME]\n"
	  "         [--kill|--keep]",
	  "wait until a color is safe to stop", cmd_drain, false,
	  "  --timeout TIME|inf\n"
	  "               how long its connections may take to end\n" OPTIONS_OF_DRAINS },
	{ "conns", "[SERVICE] [COLOR]", "the connections of services, by color and instance",
	  cmd_conns, true },
	{ "status", "[-w]", "what is attached, active, listening and healthy", cmd_status, false,
	  "  -w           show it every second\n" },
	{ "events", "[-f] [-n N]", "what happened, and with -f what happens", cmd_events, false,
	  "  -f           go on with those that come\n"
	  "  -n N         only the last N of those there are\n" },
	{ "history", "[SERVICE] [-n N]", "who changed where traffic goes, when, and how it ended",
	  cmd_history, false, "  -n N         only the last N\n" },
	{ "upgrade", "", "replace the running programs by this version's", cmd_upgrade, true },
	{ "version", "", "print the version", cmd_version, false },
	{ "help", "[COMMAND]", "this text, or more on one command", cmd_help, false },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static void print_help(void)
{
	puts("Usage: bgswitch [OPTION...] [COMMAND]\n"
	     "\n"
	     "Hands each new connection to the blue or the green version of a service.\n"
	     "\n"
	     "Commands (none: status):");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s%s\n", commands[i].name, commands[i].help);
	puts("\n"
	     "Options, anywhere:\n"
	     "  -j, --json      print JSON        -p, --pretty    print JSON, indented\n"
	     "  -q, --quiet     errors only       -v, --verbose   libbpf's words, too\n"
	     "  --netns NAME    network namespace, by its name under /run/netns\n"
	     "  --bpffs DIR     where maps are pinned (/sys/fs/bpf)\n"
	     "  --run-dir DIR   where the lock and the agent's socket are (/run/bgswitch)\n"
	     "  --state-dir DIR where state, events and history are (/var/lib/bgswitch)\n"
	     "  --cgroup DIR    cgroup v2 whose listeners count (its mount point)\n"
	     "  The last five can be set as BGSWITCH_NETNS, BGSWITCH_BPFFS, ... too.\n"
	     "\n"
	     "Exit codes: 0 done, 1 usage, 2 kernel, permission or I/O,\n"
	     "  3 refused and nothing changed, 4 switched, and connections were cut or left,\n"
	     "  5 switched, then rolled back by itself, 6 the agent cannot be reached,\n"
	     "  7 another operation is in progress");
}

static void print_command(const struct command *command)
{
	printf("Usage: bgswitch %s %s\n\n%s\n", command->name, command->arguments, command->help);
	if (command->details)
		printf("\n%s", command->details);
}

int cmd_help(struct command_context *context, int argc, char **argv)
{
	const struct command *command;

	if (command_option(context, argc, argv, NULL) != -1)
		return -1;
	if (optind >= argc) {
		print_help();
		return 0;
	}
	command = find_command(argv[optind]);
	if (!command)
		return failure_set(&context->failure, EXIT_USAGE, "see 'bgswitch help'",
				   "unknown command '%s'", argv[optind]);
	print_command(command);
	return 0;
}

/* libbpf explains in many lines what we say in one: for -v only. */
__attribute__((format(printf, 2, 0))) static int print_libbpf(enum libbpf_print_level level,
							      const char *format, va_list args)
{
	if (message_level() < VERBOSE || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, args);
}

static bool asks_for_help(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "-h") || !strcmp(argv[i], "--help"))
			return true;
	}
	return false;
}

static int find(struct command_context *context, int argc, char **argv)
{
	const char *name = "status";

	if (command_option(context, argc, argv, NULL) != -1)
		return -1;
	if (optind < argc)
		name = argv[optind];
	context->command = find_command(name);
	if (!context->command)
		return failure_set(&context->failure, EXIT_USAGE, "see 'bgswitch help'",
				   "unknown command '%s'", name);
	if (context->command->needs_root && geteuid())
		return failure_set(&context->failure, EXIT_SYSTEM, "run it with sudo",
				   "'bgswitch %s' needs root", name);
	return 0;
}

static int run(struct command_context *context, int argc, char **argv)
{
	if (asks_for_help(argc, argv)) {
		const struct command *command = find_command(argv[1]);

		command ? print_command(command) : print_help();
		return 0;
	}
	if (find(context, argc, argv))
		return -1;
	if (optind < argc) {
		argc -= optind;
		argv += optind;
		optind = 0; /* getopt_long starts anew, after the command's name */
	}
	return context->command->run(context, argc, argv);
}

/* Without 0, 1 or 2 open, the next file that is opened would get our messages. */
static void open_standard_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct command_context context;
	int err;

	open_standard_streams();
	libbpf_set_print(print_libbpf);
	command_init(&context);
	err = run(&context, argc, argv);
	command_end(&context);
	if (err)
		message_failure(&context.failure);
	if (fflush(stdout) || ferror(stdout)) {
		fputs("bgswitch: cannot write the output; see where stdout goes\n", stderr);
		return EXIT_SYSTEM;
	}
	return err ? (int)context.failure.code : EXIT_DONE;
}
