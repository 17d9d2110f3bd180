/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands that move traffic (set, rollback, promote, abort): through the
 * agent where there is one, else by this process itself.
 */
#ifndef BGSWITCH_CHANGE_H
#define BGSWITCH_CHANGE_H

#include "command.h"
#include "switch/cutover.h"

struct change {
	const char *verb; /* "set" or "rollback" */
	const char *service; /* NULL: the only one */
	int color; /* of set; rollback: -1 */
	bool force, dry_run, no_wait;
	bool has_soak, has_drain_timeout;
	unsigned int soak_ms, drain_timeout_ms; /* the latter may be DRAIN_FOREVER */
};

/* Options that set and rollback share; 1 if `option` is one, 0 if not, -1 with failure. */
int change_option(struct command_context *context, struct change *change, int option);
extern const struct option change_options[];

/* Does it, prints how it ended, and fails with what it ended with. */
int change_run(struct command_context *context, const struct change *change);

/* The same for "promote" and "abort", which act on what is under way. */
int change_end(struct command_context *context, const char *verb, const char *service);

#endif
