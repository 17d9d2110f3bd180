/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a command may say about a drain: only what is given replaces what the
 * service's policy says. On the command line, and as parameters of a call.
 */
#ifndef BGSWITCH_DRAIN_OPTIONS_H
#define BGSWITCH_DRAIN_OPTIONS_H

#include <getopt.h>
#include <stdbool.h>

#include <jansson.h>

#include "config/policy.h"
#include "failure.h"

struct drain_options {
	bool has_timeout, has_at_deadline, has_close_idle, has_over;
	struct drain_policy policy;
};

/* Codes of options; for tables of getopt_long(3). The timeout's name differs by command. */
enum {
	DRAIN_OPTION_TIMEOUT = 0x100,
	DRAIN_OPTION_CLOSE_IDLE,
	DRAIN_OPTION_OVER,
	DRAIN_OPTION_KILL,
	DRAIN_OPTION_KEEP,
};

#define DRAIN_OPTIONS(timeout)                                                                     \
	{ timeout, required_argument, NULL, DRAIN_OPTION_TIMEOUT },                                \
		{ "close-idle", required_argument, NULL, DRAIN_OPTION_CLOSE_IDLE },                \
		{ "over", required_argument, NULL, DRAIN_OPTION_OVER },                            \
		{ "kill", no_argument, NULL, DRAIN_OPTION_KILL },                                  \
	{                                                                                          \
		"keep", no_argument, NULL, DRAIN_OPTION_KEEP                                       \
	}

/* 1 if `option` is one of them (with optarg), 0 if not, -1 with `failure` set. */
int drain_options_parse(struct drain_options *options, int option, struct failure *failure);

/* "drain_timeout_ms", "drain_forever", "at_deadline", "close_idle_ms", "over_ms": added, read. */
void drain_options_add(const struct drain_options *options, json_t *parameters);
int drain_options_read(struct drain_options *options, const json_t *parameters,
		       struct failure *failure);

/* Over a policy. Fails when closes would be spread over more time than there is. */
int drain_options_apply(const struct drain_options *options, struct drain_policy *policy,
			struct failure *failure);

#endif
