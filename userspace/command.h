/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every command gets, and the commands themselves. A cmd_*.c file holds
 * one verb; only these files print data.
 */
#ifndef BGSWITCH_COMMAND_H
#define BGSWITCH_COMMAND_H

#include <getopt.h>
#include <stdbool.h>

#include <jansson.h>

#include "datapath/datapath.h"
#include "failure.h"
#include "record/files.h"

struct command_context {
	const struct command *command;
	/* global options */
	const char *netns, *bpffs, *run_dir, *state_dir, *cgroup; /* NULL: the default */
	bool json, pretty;
	/* filled in by command_begin() */
	struct place place;
	struct files files;
	struct datapath datapath;
	int lock, pin_lock;
	struct failure failure; /* what main() prints when the command returns non-zero */
};

struct command {
	const char *name;
	const char *arguments;
	const char *help;
	/* Returns 0, or -1 with `failure` set. */
	int (*run)(struct command_context *context, int argc, char **argv);
	bool needs_root;
	const char *details; /* lines for 'help COMMAND'; NULL: there is no more to say */
};

/*
 * Reads the next option, of the command or global ones anywhere. Returns the
 * option's `val`, -1 at the end, or '?' with `failure` set. Operands are then
 * argv[optind..argc-1].
 */
int command_option(struct command_context *context, int argc, char **argv,
		   const struct option *own);

/* Fails with usage unless there are `least` to `most` operands left. */
int command_operands(struct command_context *context, int argc, char **argv, int least, int most);

/* Before anything else; and the end: closes what is open, and gives up the locks. */
void command_init(struct command_context *context);
void command_end(struct command_context *context);

enum command_access {
	COMMAND_READS,
	COMMAND_CHANGES,
	COMMAND_REMOVES, /* works for a network namespace that is gone, too */
};

/*
 * Finds the place; a command that changes things takes the lock as well, with
 * `operation` as its name for those who find it taken.
 */
int command_begin(struct command_context *context, enum command_access access,
		  const char *operation);

/* command_begin(), and opens the datapath. */
int command_open(struct command_context *context, enum command_access access,
		 const char *operation);

/* Fails unless this process is root's: for what can only be done without the agent then. */
int command_need_root(struct command_context *context);

/*
 * After a change of the maps (or of preview networks): the state file follows. A
 * disk that is full is worth a warning; the change was made.
 */
void command_keep(struct command_context *context);
void command_keep_previews(struct command_context *context);
/* The same, with how a service is looked after. */
void command_keep_policy(struct command_context *context, const char *service,
			 const struct policy *policy);

/* The socket of an agent that answers; CLIENT_NO_AGENT; or -1 with `failure` set. */
int command_agent(struct command_context *context);

/* Where the lock and the control socket are, and where state, events and history are. */
const char *command_run_dir(const struct command_context *context);
const char *command_state_dir(const struct command_context *context);

/*
 * Name of a file in the state directory: BASE and ENDING, with "@NETNS" between
 * them where one is named. Needs no command_begin(), nor root.
 */
int command_record_name(struct command_context *context, const char *base, const char *ending,
			char name[NAME_MAX]);

/* For -j: prints and releases `object`. */
void command_print_json(const struct command_context *context, json_t *object);

/*
 * Splits operands into a color or number and the service name, in either
 * order. NULL in `*service`: not named.
 */
int command_split_operands(struct command_context *context, int argc, char **argv,
			   bool (*is_value)(const char *text), const char **value,
			   const char **service);

/* Options of a command are taken anywhere after its name; see command_option(). */
int cmd_attach(struct command_context *context, int argc, char **argv);
int cmd_detach(struct command_context *context, int argc, char **argv);
int cmd_service(struct command_context *context, int argc, char **argv);
int cmd_apply(struct command_context *context, int argc, char **argv);
int cmd_set(struct command_context *context, int argc, char **argv);
int cmd_split(struct command_context *context, int argc, char **argv);
int cmd_preview(struct command_context *context, int argc, char **argv);
int cmd_drain(struct command_context *context, int argc, char **argv);
int cmd_conns(struct command_context *context, int argc, char **argv);
int cmd_status(struct command_context *context, int argc, char **argv);
int cmd_events(struct command_context *context, int argc, char **argv);
int cmd_history(struct command_context *context, int argc, char **argv);
int cmd_agent(struct command_context *context, int argc, char **argv);
int cmd_check(struct command_context *context, int argc, char **argv);
int cmd_rollback(struct command_context *context, int argc, char **argv);
int cmd_promote(struct command_context *context, int argc, char **argv);
int cmd_abort(struct command_context *context, int argc, char **argv);
int cmd_upgrade(struct command_context *context, int argc, char **argv);
int cmd_version(struct command_context *context, int argc, char **argv);
int cmd_help(struct command_context *context, int argc, char **argv);

#endif
