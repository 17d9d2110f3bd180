/* SPDX-License-Identifier: GPL-2.0-only */
#include "command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "lock.h"
#include "message.h"
#include "record/state.h"

#define DEFAULT_RUN_DIR "/run/bgswitch"
#define MAX_OPTIONS 32

/* Long-only options; values above any character. */
enum { OPTION_NETNS = 1000, OPTION_BPFFS, OPTION_RUN_DIR, OPTION_STATE_DIR, OPTION_CGROUP };

static const struct option global_options[] = {
	{ "json", no_argument, NULL, 'j' },
	{ "pretty", no_argument, NULL, 'p' },
	{ "quiet", no_argument, NULL, 'q' },
	{ "verbose", no_argument, NULL, 'v' },
	{ "netns", required_argument, NULL, OPTION_NETNS },
	{ "bpffs", required_argument, NULL, OPTION_BPFFS },
	{ "run-dir", required_argument, NULL, OPTION_RUN_DIR },
	{ "state-dir", required_argument, NULL, OPTION_STATE_DIR },
	{ "cgroup", required_argument, NULL, OPTION_CGROUP },
	{},
};

/* True if `option` was a global one. */
static bool take_global(struct command_context *context, int option)
{
	switch (option) {
	case 'p':
		context->pretty = true;
		/* fall through */
	case 'j':
		context->json = true;
		return true;
	case 'q':
		message_verbosity(QUIET);
		return true;
	case 'v':
		message_verbosity(VERBOSE);
		return true;
	case OPTION_NETNS:
		context->netns = optarg;
		return true;
	case OPTION_BPFFS:
		context->bpffs = optarg;
		return true;
	case OPTION_RUN_DIR:
		context->run_dir = optarg;
		return true;
	case OPTION_STATE_DIR:
		context->state_dir = optarg;
		return true;
	case OPTION_CGROUP:
		context->cgroup = optarg;
		return true;
	default:
		return false;
	}
}

static const char *next_help(const struct command_context *context)
{
	static char next[64];

	snprintf(next, sizeof(next), "see 'bgswitch help%s%s'", context->command ? " " : "",
		 context->command ? context->command->name : "");
	return next;
}

static size_t append_options(struct option *all, size_t count, const struct option *options)
{
	for (; options && options->name && count < MAX_OPTIONS - 1; options++)
		all[count++] = *options;
	all[count] = (struct option){};
	return count;
}

/* The short form of options whose value is a character. */
static void short_options(char *letters, const char *mode, const struct option *options)
{
	letters = stpcpy(letters, mode);
	for (; options->name; options++) {
		if (options->val < ' ' || options->val > '~')
			continue;
		*letters++ = (char)options->val;
		if (options->has_arg == required_argument)
			*letters++ = ':';
	}
	*letters = '\0';
}

/* The word getopt stopped at: it stays with a cluster of short options until the last is read. */
static const char *offending_word(char **argv)
{
	const char *last = argv[optind - 1], *next = argv[optind];
	bool finished = *last && last[strlen(last) - 1] == optopt;

	if (optopt && !finished && next && next[0] == '-' && next[1] != '-' &&
	    strchr(next + 1, optopt))
		return next;
	return last;
}

int command_option(struct command_context *context, int argc, char **argv, const struct option *own)
{
	struct option all[MAX_OPTIONS];
	char letters[2 * MAX_OPTIONS + 4];
	int option;

	append_options(all, append_options(all, 0, global_options), own);
	/* Before the command is known, stop at its name; after that, take options anywhere. */
	short_options(letters, context->command ? ":" : "+:", all);
	opterr = 0;
	do {
		option = getopt_long(argc, argv, letters, all, NULL);
	} while (take_global(context, option));
	if (option == ':')
		failure_set(&context->failure, EXIT_USAGE, next_help(context),
			    "option %s needs a value", offending_word(argv));
	else if (option == '?')
		failure_set(&context->failure, EXIT_USAGE, next_help(context),
			    "unknown option '%s'", offending_word(argv));
	return option == ':' ? '?' : option;
}

int command_operands(struct command_context *context, int argc, char **argv, int least, int most)
{
	int count = argc - optind;

	if (count < least)
		return failure_set(&context->failure, EXIT_USAGE, next_help(context),
				   "%s: expected %s", context->command->name,
				   context->command->arguments);
	if (count > most)
		return failure_set(&context->failure, EXIT_USAGE, next_help(context),
				   "%s: '%s' is one argument too many", context->command->name,
				   argv[argc - 1]);
	return 0;
}

static const char *option_or_environment(const char *option, const char *variable)
{
	const char *value = option ? option : getenv(variable);

	return value && *value ? value : NULL;
}

/* An empty value is a script's unset variable; the default is not what it meant. */
static int check_given(const char *option, const char *value, struct failure *failure)
{
	if (!value || *value)
		return 0;
	return failure_set(failure, EXIT_USAGE, "leave it out, or name one",
			   "option %s has an empty value", option);
}

void command_init(struct command_context *context)
{
	*context = (struct command_context){ .lock = -1, .pin_lock = -1 };
	datapath_init(&context->datapath, &context->place);
}

void command_end(struct command_context *context)
{
	datapath_close(&context->datapath);
	if (context->pin_lock >= 0)
		close(context->pin_lock);
	if (context->lock >= 0)
		close(context->lock);
}

static int check_all_given(struct command_context *context)
{
	struct failure *failure = &context->failure;

	return check_given("--netns", context->netns, failure) ||
			       check_given("--bpffs", context->bpffs, failure) ||
			       check_given("--run-dir", context->run_dir, failure) ||
			       check_given("--state-dir", context->state_dir, failure) ||
			       check_given("--cgroup", context->cgroup, failure)
		       ? -1
		       : 0;
}

static const char *netns_of(const struct command_context *context)
{
	return option_or_environment(context->netns, "BGSWITCH_NETNS");
}

const char *command_run_dir(const struct command_context *context)
{
	const char *dir = option_or_environment(context->run_dir, "BGSWITCH_RUN_DIR");

	return dir ? dir : DEFAULT_RUN_DIR;
}

const char *command_state_dir(const struct command_context *context)
{
	const char *dir = option_or_environment(context->state_dir, "BGSWITCH_STATE_DIR");

	return dir ? dir : STATE_DEFAULT_DIR;
}

int command_record_name(struct command_context *context, const char *base, const char *ending,
			char name[NAME_MAX])
{
	char suffix[PLACE_SUFFIX];

	if (check_all_given(context) || place_suffix(suffix, netns_of(context), &context->failure))
		return -1;
	snprintf(name, NAME_MAX, "%s%s%s", base, suffix, ending);
	return 0;
}

static void warn(const char *text)
{
	message_warning("%s", text);
}

int command_begin(struct command_context *context, enum command_access access,
		  const char *operation)
{
	struct failure *failure = &context->failure;

	if (check_all_given(context))
		return -1;
	if (place_find(&context->place, netns_of(context),
		       option_or_environment(context->bpffs, "BGSWITCH_BPFFS"),
		       option_or_environment(context->cgroup, "BGSWITCH_CGROUP"), failure) &&
	    !(access == COMMAND_REMOVES && context->place.netns_gone))
		return -1;
	datapath_init(&context->datapath, &context->place);
	files_name(&context->files, command_state_dir(context), context->place.suffix);
	context->files.warn = warn;
	if (access == COMMAND_READS)
		return 0;
	context->lock =
		lock_take(command_run_dir(context), context->place.lock_name, operation, failure);
	if (context->lock < 0)
		return -1;
	context->pin_lock = lock_directory(context->place.pin_dir, failure);
	return context->pin_lock == -1 ? -1 : 0;
}

int command_open(struct command_context *context, enum command_access access, const char *operation)
{
	if (command_begin(context, access, operation))
		return -1;
	return datapath_open(&context->datapath, &context->failure);
}

int command_need_root(struct command_context *context)
{
	if (!geteuid())
		return 0;
	return failure_set(&context->failure, EXIT_SYSTEM,
			   "run it with sudo, or start the agent and join its groups",
			   "'bgswitch %s' needs root where there is no agent",
			   context->command->name);
}

static void warn_not_kept(const struct failure *failure)
{
	message_warning("a reboot will not bring this back: %s; %s", failure->what, failure->next);
}

void command_keep(struct command_context *context)
{
	struct failure failure;

	if (files_save_maps(&context->files, &context->datapath, &failure))
		warn_not_kept(&failure);
}

void command_keep_previews(struct command_context *context)
{
	struct failure failure;

	if (files_save_previews(&context->files, &context->datapath, &failure))
		warn_not_kept(&failure);
}

/* Calls may take any time; whether anybody is there to answer them is found out before. */
static int greet(int agent, struct failure *failure)
{
	const struct client_call ping = { .method = "Ping", .stop_fd = -1 };
	json_t *answer = client_call(agent, &ping, failure);

	json_decref(answer);
	if (answer)
		return agent;
	close(agent);
	return -1;
}

void command_keep_policy(struct command_context *context, const char *service,
			 const struct policy *policy)
{
	struct failure failure;

	if (files_save_policy(&context->files, &context->datapath, service, policy, &failure))
		warn_not_kept(&failure);
}

int command_agent(struct command_context *context)
{
	char suffix[PLACE_SUFFIX], path[PATH_MAX];
	int agent;

	if (check_all_given(context) || place_suffix(suffix, netns_of(context), &context->failure))
		return -1;
	snprintf(path, sizeof(path), "%s/agent%s.sock", command_run_dir(context), suffix);
	agent = client_connect(path, &context->failure);
	return agent < 0 ? agent : greet(agent, &context->failure);
}

void command_print_json(const struct command_context *context, json_t *object)
{
	json_dumpf(object, stdout,
		   (context->pretty ? JSON_INDENT(2) : JSON_COMPACT) | JSON_REAL_PRECISION(6));
	putchar('\n');
	json_decref(object);
}

int command_split_operands(struct command_context *context, int argc, char **argv,
			   bool (*is_value)(const char *text), const char **value,
			   const char **service)
{
	*value = *service = NULL;
	if (command_operands(context, argc, argv, 1, 2))
		return -1;
	for (int i = optind; i < argc; i++) {
		if (!*value && is_value(argv[i]))
			*value = argv[i];
		else if (!*service)
			*service = argv[i];
	}
	/* Neither word is a value: complain about the one in the documented place. */
	if (!*value) {
		*value = argv[argc - 1];
		*service = argc - optind > 1 ? argv[optind] : NULL;
	}
	return 0;
}
