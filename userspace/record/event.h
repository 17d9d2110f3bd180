/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What happened, one line each:
 *
 *   [2026-02-18 10:28:20] web: switching traffic blue -> green
 *
 * Lines go to standard error or a file, to the journal with fields, and as
 * JSON into events.jsonl, which `events` reads.
 */
#ifndef BGSWITCH_EVENT_H
#define BGSWITCH_EVENT_H

#include <stdbool.h>

#include <jansson.h>
#include <stdbool.h>

#include "bgswitch/maps.h"
#include "failure.h"

/* Names (event_name()) and message ids are part of the outside interface: append only. */
enum event_kind {
	EVENT_AGENT_STARTED,
	EVENT_AGENT_STOPPED,
	EVENT_CONFIG_APPLIED,
	EVENT_CONFIG_REFUSED,
	EVENT_RESTORED, /* from the state file, after a reboot */
	EVENT_INSTANCE_HEALTHY,
	EVENT_INSTANCE_UNHEALTHY,
	EVENT_COLOR_HEALTHY,
	EVENT_COLOR_UNHEALTHY,
	EVENT_CHECKING, /* a cutover's gate began */
	EVENT_REFUSED, /* ... and did not open; nothing changed */
	EVENT_SWITCHING, /* the flip */
	EVENT_SOAKING,
	EVENT_COMPLETED,
	EVENT_ROLLED_BACK, /* by itself */
	EVENT_ABORTED, /* by an operator */
	EVENT_PROMOTED,
	EVENT_SUPERSEDED, /* another change ended the soak */
	EVENT_INTERRUPTED, /* by the end of the process that drove it; says what became of it */
	EVENT_FAILOVER,
	EVENT_ALARM,
	EVENT_ALARM_CLEARED,
	EVENT_SPLIT,
	EVENT_SERVICE_CHECK, /* the switch does not steer as the map claims, or does again */
	EVENT_INTERFACE,
	EVENT_DRAINING, /* a color whose connections are waited for */
	EVENT_SAFE_TO_STOP, /* ... has none left */
	EVENT_NOT_SAFE, /* ... has some left, or gets new ones; says which */
	EVENT_CUT, /* connections were reset at the deadline */
	EVENT_KEPT_WARM, /* a color that is safe to stop, and for how long */
	EVENT_STOP_PUT_OFF, /* ... is not safe to stop when that is over; says why */
	EVENT_NOT_STOPPED, /* ... is not stopped after all; says why */
	EVENT_STOPPING, /* its stop command runs */
	EVENT_STOPPED,
	EVENT_STOP_FAILED, /* says why */
	EVENT_KINDS,
};

/* As in syslog(3). */
enum event_priority {
	EVENT_PRIORITY_ERROR = 3,
	EVENT_PRIORITY_WARNING,
	EVENT_PRIORITY_NOTICE,
	EVENT_PRIORITY_INFO,
};

#define EVENT_NO_COLOR (-1)
#define EVENT_TEXT 1024

struct event {
	enum event_kind kind; /* EVENT_KINDS: one that only a newer bgswitch knows */
	long long at_ms; /* CLOCK_REALTIME */
	char service[BGS_NAME_SIZE]; /* empty: not about one */
	int color; /* enum bgs_color, or EVENT_NO_COLOR */
	char message[EVENT_TEXT]; /* one line, without time and service */
};

const char *event_name(enum event_kind kind); /* "rolled-back" */
enum event_priority event_priority(enum event_kind kind);
const char *event_message_id(enum event_kind kind); /* 32 hexadecimal digits, for the journal */

/* "[2026-02-18 10:28:20] web: message", local time; returns `line`. */
#define EVENT_LINE (EVENT_TEXT + 128)
const char *event_format(char line[EVENT_LINE], const struct event *event);

/* {"time": RFC 3339 with milliseconds, "event", "service", "color", "message"}; null: not given. */
json_t *event_json(const struct event *event);
/* Reads event_json() again; false if it is none. */
bool event_from_json(struct event *event, const json_t *object);

#define EVENTS_NAME "events" /* of the file of records, see command_record_name() */
#define EVENTS_ENDING ".jsonl"

struct event_log;

struct event_sinks {
	const char *directory, *name; /* of the JSON lines; `name` NULL: no such file */
	const char *file; /* lines go here; NULL: nowhere */
	bool to_stderr;
	bool journal; /* also to the journal, when there is one */
	/* For further readers (webhooks, followers on the control socket); may be NULL. */
	void (*also)(const struct event *event, void *data);
	void *data;
};

/*
 * Sinks that cannot be opened are named in `failure`. Strings are copied.
 * Where standard error is the journal, lines go there once, with their fields.
 * Later trouble (a full disk) is said once on standard error and loses lines,
 * never the caller.
 */
struct event_log *event_log_open(const struct event_sinks *sinks, struct failure *failure);
void event_log_close(struct event_log *log); /* NULL is fine */
int event_log_reopen(struct event_log *log, struct failure *failure); /* for rotation by others */

/* `service` may be NULL, `color` EVENT_NO_COLOR. Line breaks in the text are replaced. */
void event_emit(struct event_log *log, enum event_kind kind, const char *service, int color,
		const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif
