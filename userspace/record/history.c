/* SPDX-License-Identifier: GPL-2.0-only */
#include "record/history.h"

#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/services.h"
#include "record/moment.h"
#include "record/records.h"
#include "text.h"

static json_t *color_json(int color)
{
	return color < 0 ? json_null() : json_string(color_name(color));
}

static json_t *uid_json(uid_t uid)
{
	return uid == HISTORY_AGENT ? json_null() : json_integer(uid);
}

/* A name is kept as well as the number: users come and go. */
static json_t *user_json(uid_t uid)
{
	char buffer[16384];
	struct passwd entry, *found = NULL;

	if (uid == HISTORY_AGENT || getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) ||
	    !found)
		return json_null();
	return text_json(entry.pw_name);
}

static json_t *reason_json(const char *reason)
{
	char *copy = reason ? strdup(reason) : NULL;
	json_t *json;

	if (!copy)
		return json_null();
	text_defuse(copy);
	json = text_json(copy);
	free(copy);
	return json;
}

json_t *history_json(const struct history_entry *entry)
{
	char time[MOMENT_TEXT];

	return json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:o}", "time",
			 moment_rfc3339(time, entry->at_ms), "duration_ms",
			 (json_int_t)entry->duration_ms, "service", entry->service, "operation",
			 entry->operation, "from", color_json(entry->from), "to",
			 color_json(entry->to), "uid", uid_json(entry->uid), "user",
			 user_json(entry->uid), "outcome", entry->outcome, "reason",
			 reason_json(entry->reason));
}

int history_add(const char *directory, const char *name, const struct history_entry *entry,
		struct failure *failure)
{
	json_t *line = history_json(entry);
	int err;

	if (!line)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	err = records_append(directory, name, line, failure);
	json_decref(line);
	return err;
}
