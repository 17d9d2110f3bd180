/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands that move traffic or end it (set, rollback, drain, promote,
 * abort): through the agent where there is one, else by this process itself.
 */
#ifndef BGSWITCH_CHANGE_H
#define BGSWITCH_CHANGE_H

#include "command.h"
#include "drain/options.h"
#include "switch/cutover.h"

enum change_kind { CHANGE_SET, CHANGE_ROLLBACK, CHANGE_DRAIN };

struct change {
	enum change_kind kind;
	const char *service; /* NULL: the only one */
	int color; /* of set and drain; rollback: -1 */
	struct drain_options drain;
	/* not of drain */
	bool force, dry_run, no_wait;
	bool has_soak;
	unsigned int soak_ms;
};

/* Options that set and rollback share; 1 if `option` is one, 0 if not, -1 with failure. */
int change_option(struct command_context *context, struct change *change, int option);
extern const struct option change_options[];

/* Does it, prints how it ended, and fails with what it ended with. */
int change_run(struct command_context *context, const struct change *change);

/* The same for "promote" and "abort", which act on what is under way. */
int change_end(struct command_context *context, const char *verb, const char *service);

#endif
