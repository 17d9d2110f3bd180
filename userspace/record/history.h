/* SPDX-License-Identifier: GPL-2.0-only */
/* Cutovers and other changes of where traffic goes, one line of JSON each, bounded in size. */
#ifndef BGSWITCH_HISTORY_H
#define BGSWITCH_HISTORY_H

#include <sys/types.h>

#include <jansson.h>

#include "bgswitch/maps.h"
#include "failure.h"

#define HISTORY_NAME "history" /* of the file of records, see command_record_name() */
#define HISTORY_ENDING ".jsonl"

#define HISTORY_AGENT ((uid_t)-1)

struct history_entry {
	long long at_ms; /* CLOCK_REALTIME: when it began */
	unsigned int duration_ms;
	char service[BGS_NAME_SIZE];
	const char *operation; /* "set", "failover", "rollback", "split", ... */
	int from, to; /* enum bgs_color; -1: none */
	uid_t uid; /* who asked; HISTORY_AGENT: the agent by itself */
	const char *outcome; /* "complete", "refused", "rolled-back", "aborted", ... */
	const char *reason; /* one line; NULL: none */
};

/* Appends to the records `name` in `directory`; 0 or -1. */
int history_add(const char *directory, const char *name, const struct history_entry *entry,
		struct failure *failure);

/*
 * {"time", "duration_ms", "service", "operation", "from", "to", "uid", "user", "outcome",
 * "reason"}: null where not given; the user's name is looked up now.
 */
json_t *history_json(const struct history_entry *entry);

#endif
