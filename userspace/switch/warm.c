/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/warm.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "datapath/services.h"
#include "duration.h"

static unsigned long long now_of(const struct warm *warm)
{
	return warm->host->now(warm->data);
}

__attribute__((format(printf, 3, 4))) static void
announce(const struct warm *warm, enum event_kind kind, const char *format, ...)
{
	char text[EVENT_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	warm->host->announce(warm->data, kind, warm->color, text);
}

void warm_init(struct warm *warm, const struct warm_host *host, void *data, bool impatient)
{
	*warm = (struct warm){ .host = host, .data = data, .impatient = impatient };
}

static void save(struct warm *warm)
{
	warm->unsaved = !warm->host->save(warm->data, warm);
	warm->next = warm->unsaved ? now_of(warm) + WARM_SOON_MS : 0;
}

static void move_to(struct warm *warm, enum warm_state state)
{
	warm->state = state;
	*warm->told = '\0';
	save(warm);
}

static void set_due(struct warm *warm, unsigned int keep_ms)
{
	long long due = warm->since + keep_ms;

	warm->due = due > 0 ? due : 0;
}

static void tell_time(const struct warm *warm)
{
	unsigned long long left = warm_left(warm, warm->color);
	char text[DURATION_TEXT];

	if (left > DURATION_MAX_MS)
		left = DURATION_MAX_MS;
	if (left > 1000)
		left = (left + 999) / 1000 * 1000; /* for people */
	if (left)
		announce(warm, EVENT_KEPT_WARM, "%s is kept warm for %s, then stopped",
			 color_name(warm->color), duration_format(text, left));
}

static void keep(struct warm *warm, enum bgs_color color, uid_t uid, unsigned int keep_ms)
{
	warm->color = color;
	warm->uid = uid;
	set_due(warm, keep_ms);
	move_to(warm, WARM_KEPT);
	tell_time(warm);
}

void warm_begin(struct warm *warm, enum bgs_color color, uid_t uid, unsigned int keep_ms)
{
	if (warm->state == WARM_STOPPING)
		return;
	warm->since = now_of(warm);
	keep(warm, color, uid, keep_ms);
}

void warm_resume(struct warm *warm, enum bgs_color color, uid_t uid, unsigned int spent_ms,
		 unsigned int keep_ms)
{
	warm->since = (long long)now_of(warm) - spent_ms;
	keep(warm, color, uid, keep_ms);
}

void warm_leave(struct warm *warm, enum bgs_color color)
{
	warm->state = WARM_KEPT;
	warm->color = color;
	warm->due = WARM_NEVER;
}

void warm_change(struct warm *warm, unsigned int keep_ms)
{
	unsigned long long before = warm->due;

	if (warm->state != WARM_KEPT)
		return;
	set_due(warm, keep_ms);
	if (warm->due != before)
		tell_time(warm);
}

void warm_drop(struct warm *warm, const char *why)
{
	if (warm->state != WARM_KEPT)
		return;
	announce(warm, EVENT_NOT_STOPPED, "%s; %s is not stopped", why, color_name(warm->color));
	move_to(warm, WARM_NONE);
}

static void give_up(struct warm *warm, const char *why)
{
	announce(warm, EVENT_NOT_STOPPED, "%s; it is not stopped", why);
	move_to(warm, WARM_NONE);
}

static void drop_in_use(struct warm *warm)
{
	char why[WARM_TEXT];

	snprintf(why, sizeof(why), "%s is in use again", color_name(warm->color));
	give_up(warm, why);
}

static void fail(struct warm *warm, const char *outcome, const char *text, unsigned int duration_ms)
{
	announce(warm, EVENT_STOP_FAILED, "%s is not stopped: %s", color_name(warm->color), text);
	warm->host->record(warm->data, warm, outcome, text, duration_ms);
	move_to(warm, WARM_NONE);
}

/* The same words again are no news, but figures may change in them: only the first are told. */
static void put_off(struct warm *warm, const char *why, unsigned long long began)
{
	unsigned long long now = now_of(warm), pause = 9 * (now - began);

	if (warm->impatient) {
		fail(warm, "failed", why, 0);
		return;
	}
	warm->next = now + (pause > WARM_LOOK_MS ? pause : WARM_LOOK_MS);
	if (*warm->told)
		return;
	snprintf(warm->told, sizeof(warm->told), "%s", why);
	announce(warm, EVENT_STOP_PUT_OFF, "%s is stopped later: %s", color_name(warm->color), why);
}

static void attempt(struct warm *warm)
{
	unsigned long long began = now_of(warm);
	char why[WARM_TEXT] = "";

	switch (warm->host->attempt(warm->data, warm, why)) {
	case WARM_STARTED:
		warm->state = WARM_STOPPING; /* as it is written down already */
		warm->next = 0;
		*warm->told = '\0';
		break;
	case WARM_SOON:
		warm->next = now_of(warm) + WARM_SOON_MS;
		break;
	case WARM_BUSY:
		warm->next = now_of(warm) + WARM_LOOK_MS;
		break;
	case WARM_NOT_SAFE:
		put_off(warm, why, began);
		break;
	case WARM_NO_MORE:
		give_up(warm, why);
		break;
	case WARM_CANNOT:
		fail(warm, "failed", why, 0);
		break;
	}
}

void warm_step(struct warm *warm)
{
	unsigned long long now = now_of(warm);

	if (warm->unsaved && now >= warm->next)
		save(warm);
	if (warm->state != WARM_KEPT)
		return;
	if (warm->host->in_use(warm->data, warm->color))
		drop_in_use(warm);
	else if (now >= warm->due && now >= warm->next)
		attempt(warm);
}

unsigned long long warm_deadline(const struct warm *warm)
{
	if (warm->unsaved)
		return warm->next;
	if (warm->state != WARM_KEPT || warm->due == WARM_NEVER)
		return 0;
	if (warm->next > warm->due)
		return warm->next;
	return warm->due ? warm->due : 1;
}

void warm_ended(struct warm *warm, const char *outcome, const char *text, unsigned int duration_ms)
{
	if (strcmp(outcome, "complete")) {
		fail(warm, outcome, text, duration_ms);
		return;
	}
	announce(warm, EVENT_STOPPED, "%s is stopped", color_name(warm->color));
	warm->host->record(warm->data, warm, outcome, NULL, duration_ms);
	move_to(warm, WARM_NONE);
}

bool warm_is_to_come(const struct warm *warm)
{
	return warm->state == WARM_STOPPING ||
	       (warm->state == WARM_KEPT && warm->due != WARM_NEVER);
}

bool warm_is_stopping(const struct warm *warm, enum bgs_color color)
{
	return warm->state == WARM_STOPPING && warm->color == color;
}

long long warm_left(const struct warm *warm, enum bgs_color color)
{
	unsigned long long now = now_of(warm);

	if (warm->state != WARM_KEPT || warm->color != color)
		return -1;
	return warm->due > now ? (long long)(warm->due - now) : 0;
}
