/* SPDX-License-Identifier: GPL-2.0-only */
/* Where events go. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "datapath/services.h"
#include "message.h"
#include "record/event.h"
#include "record/moment.h"
#include "record/records.h"
#include "text.h"

#define JOURNAL_SOCKET "/run/systemd/journal/socket"
#define NEXT_FILE "name another file, or make its directory"

struct event_log {
	char *directory, *name, *path; /* NULL: not wanted */
	int file; /* -1: none */
	bool to_stderr, colored, journal;
	void (*also)(const struct event *event, void *data);
	void *data;
	bool file_failed, records_failed, journal_failed; /* and it was said */
};

/* Does standard error end in the journal already? systemd says so in $JOURNAL_STREAM. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       !fstat(STDERR_FILENO, &st) && st.st_dev == device && st.st_ino == inode;
}

static int open_file(const struct event_log *log, struct failure *failure)
{
	int fd = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return failure_errno(failure, errno, NEXT_FILE, "cannot open the log %s",
				     log->path);
	return fd;
}

static bool copy_string(char **copy, const char *text)
{
	*copy = text ? strdup(text) : NULL;
	return !text || *copy;
}

struct event_log *event_log_open(const struct event_sinks *sinks, struct failure *failure)
{
	struct event_log *log = calloc(1, sizeof(*log));

	if (log)
		log->file = -1;
	if (!log || !copy_string(&log->directory, sinks->directory) ||
	    !copy_string(&log->name, sinks->name) || !copy_string(&log->path, sinks->file)) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		goto fail;
	}
	log->journal = sinks->journal && !access(JOURNAL_SOCKET, W_OK);
	log->to_stderr = sinks->to_stderr && !(log->journal && stderr_is_journal());
	log->colored = isatty(STDERR_FILENO) && !getenv("NO_COLOR");
	log->also = sinks->also;
	log->data = sinks->data;
	if (log->name && records_check(log->directory, log->name, failure))
		goto fail;
	if (log->path) {
		log->file = open_file(log, failure);
		if (log->file < 0)
			goto fail;
	}
	return log;
fail:
	event_log_close(log);
	return NULL;
}

void event_log_close(struct event_log *log)
{
	if (!log)
		return;
	if (log->file >= 0)
		close(log->file);
	free(log->directory);
	free(log->name);
	free(log->path);
	free(log);
}

int event_log_reopen(struct event_log *log, struct failure *failure)
{
	int fd;

	log->file_failed = log->records_failed = log->journal_failed = false;
	if (!log->path)
		return 0;
	fd = open_file(log, failure);
	if (fd < 0)
		return -1;
	close(log->file);
	log->file = fd;
	return 0;
}

/* One write a line: lines of several processes do not mix. */
static bool write_line(int fd, const char *before, const char *line, const char *after)
{
	char text[EVENT_LINE + 32];
	int length = snprintf(text, sizeof(text), "%s%s%s\n", before, line, after);

	return write(fd, text, length) == length;
}

static void to_stderr(const struct event_log *log, const struct event *event, const char *line)
{
	const char *before = "", *after = "";

	if (log->colored && event_priority(event->kind) <= EVENT_PRIORITY_WARNING) {
		before = event_priority(event->kind) == EVENT_PRIORITY_ERROR ? "\033[31m"
									     : "\033[33m";
		after = "\033[0m";
	}
	write_line(STDERR_FILENO, before, line, after); /* nobody to tell */
}

static void to_file(struct event_log *log, const char *line)
{
	if (write_line(log->file, "", line, "") || log->file_failed)
		return;
	log->file_failed = true;
	message_error("cannot write to the log %s: %s; event lines are lost", log->path,
		      strerror(errno));
}

static void to_records(struct event_log *log, const struct event *event)
{
	json_t *object = event_json(event);
	struct failure failure;

	if (records_append(log->directory, log->name, object, &failure) && !log->records_failed) {
		log->records_failed = true;
		message_failure(&failure);
	}
	json_decref(object);
}

#define JOURNAL_FIELDS 8

struct journal_entry {
	struct iovec fields[JOURNAL_FIELDS];
	char texts[JOURNAL_FIELDS][EVENT_TEXT + 64];
	int count;
};

__attribute__((format(printf, 2, 3))) static void add_field(struct journal_entry *entry,
							    const char *format, ...)
{
	char *text = entry->texts[entry->count];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(entry->texts[0]), format, args);
	va_end(args);
	entry->fields[entry->count++] = (struct iovec){ .iov_base = text, .iov_len = strlen(text) };
}

static void to_journal(struct event_log *log, const struct event *event)
{
	struct journal_entry entry = {};
	int err;

	add_field(&entry, "MESSAGE=%s: %s", *event->service ? event->service : "bgswitch",
		  event->message);
	add_field(&entry, "MESSAGE_ID=%s", event_message_id(event->kind));
	add_field(&entry, "PRIORITY=%d", event_priority(event->kind));
	add_field(&entry, "SYSLOG_IDENTIFIER=bgswitch");
	add_field(&entry, "BGSWITCH_EVENT=%s", event_name(event->kind));
	if (*event->service)
		add_field(&entry, "BGSWITCH_SERVICE=%s", event->service);
	if (event->color != EVENT_NO_COLOR)
		add_field(&entry, "BGSWITCH_COLOR=%s", color_name(event->color));
	err = sd_journal_sendv(entry.fields, entry.count); /* 0 also when there is none any more */
	if (err < 0 && !log->journal_failed) {
		log->journal_failed = true;
		message_error("cannot write to the journal: %s; entries are lost", strerror(-err));
	}
}

__attribute__((format(printf, 2, 0))) static void set_message(struct event *event,
							      const char *format, va_list args)
{
	int length = vsnprintf(event->message, sizeof(event->message), format, args);

	if (length >= (int)sizeof(event->message))
		strcpy(event->message + sizeof(event->message) - sizeof("..."), "...");
	for (char *byte = event->message; *byte; byte++) {
		if (*byte == '\n' || *byte == '\t')
			*byte = ' ';
	}
	text_defuse(event->message);
}

void event_emit(struct event_log *log, enum event_kind kind, const char *service, int color,
		const char *format, ...)
{
	struct event event = { .kind = kind, .at_ms = moment_now(), .color = color };
	char line[EVENT_LINE];
	va_list args;

	snprintf(event.service, sizeof(event.service), "%s", service ? service : "");
	va_start(args, format);
	set_message(&event, format, args);
	va_end(args);
	event_format(line, &event);
	if (log->to_stderr)
		to_stderr(log, &event, line);
	if (log->file >= 0)
		to_file(log, line);
	if (log->journal)
		to_journal(log, &event);
	if (log->name)
		to_records(log, &event);
	if (log->also)
		log->also(&event, log->data);
}
