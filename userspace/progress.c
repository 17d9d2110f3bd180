/* SPDX-License-Identifier: GPL-2.0-only */
#include "progress.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drain/drain.h"
#include "duration.h"
#include "message.h"
#include "record/moment.h"
#include "text.h"

#define ERASE_LINE "\r\033[K"

void progress_init(struct progress *progress)
{
	const char *terminal = getenv("TERM");

	*progress = (struct progress){
		.out = message_level() >= NORMAL ? stderr : NULL,
		.is_terminal = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb"),
	};
}

static unsigned long long number_of(const json_t *object, const char *key)
{
	return (unsigned long long)json_integer_value(json_object_get(object, key));
}

/* ", oldest 3m", ", 21s left"; whole seconds, and nothing if it is not known. */
static void add_time(char text[PROGRESS_TEXT], const json_t *object, const char *key,
		     const char *before, const char *after)
{
	const json_t *value = json_object_get(object, key);
	char length[DURATION_TEXT];
	size_t used = strlen(text);
	json_int_t milliseconds = json_integer_value(value);

	if (!json_is_integer(value) || milliseconds < 0 || milliseconds > DURATION_MAX_MS)
		return;
	duration_format(length, (unsigned int)(milliseconds / 1000 * 1000));
	snprintf(text + used, PROGRESS_TEXT - used, ", %s%s%s", before, length, after);
}

static bool describe(char text[PROGRESS_TEXT], const json_t *object)
{
	const char *color = json_string_value(json_object_get(object, "color"));
	const struct connection_counts counts = {
		.handshaking = number_of(object, "handshaking"),
		.cookies = json_is_true(json_object_get(object, "syn_cookies")),
		.accept_queue = number_of(object, "accept_queue"),
		.established = number_of(object, "established"),
		.untagged = number_of(object, "untagged"),
	};
	char numbers[DRAIN_TEXT];

	if (!color)
		return false;
	snprintf(text, PROGRESS_TEXT, "draining %.16s: %s", color,
		 drain_counts_text(numbers, &counts));
	text_defuse(text);
	return true;
}

static void show_line(const struct progress *progress, const char *text, const json_t *object)
{
	const char *service = json_string_value(json_object_get(object, "service"));
	char name[64], time[MOMENT_TEXT];

	snprintf(name, sizeof(name), "%s", service ? service : "bgswitch");
	text_defuse(name);
	fprintf(progress->out, "[%s] %s: %s\n", moment_local(time, moment_now()), name, text);
}

void progress_show(struct progress *progress, const json_t *object, unsigned long long now)
{
	char text[PROGRESS_TEXT], numbers[PROGRESS_TEXT];
	bool is_first = !progress->next;

	if (!progress->out || !describe(text, object))
		return;
	strcpy(numbers, text);
	add_time(text, object, "oldest_ms", "oldest ", "");
	add_time(text, object, "left_ms", "", " left");
	if (progress->is_terminal) {
		if (progress->is_open && !strcmp(text, progress->shown))
			return;
		strcpy(progress->shown, text);
		fprintf(progress->out, ERASE_LINE "%s", text);
		fflush(progress->out);
		progress->is_open = true;
		return;
	}
	if (!is_first && (now < progress->next || !strcmp(numbers, progress->shown)))
		return;
	if (!is_first || !progress->is_told)
		show_line(progress, text, object);
	strcpy(progress->shown, numbers);
	progress->next = now + PROGRESS_PAUSE_MS;
}

void progress_clear(struct progress *progress)
{
	if (progress->is_open)
		fputs(ERASE_LINE, progress->out);
	progress->is_open = false;
}
