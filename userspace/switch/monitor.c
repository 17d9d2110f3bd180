/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "text.h"

static long long now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

/* Failures are rare and large; most instances never keep one. */
static void keep_failure(struct monitor *monitor, const struct check_result *result)
{
	if (!monitor->failure)
		monitor->failure = malloc(sizeof(*monitor->failure));
	if (monitor->failure)
		*monitor->failure = *result;
	monitor->attempts = monitor->health.bad;
}

static void note(void *data, const struct check_result *result)
{
	struct monitor *monitor = data;
	enum health before = monitor->health.health;

	monitor->has_last = true;
	monitor->last.ok = result->ok;
	monitor->last.status = result->status;
	monitor->last.duration_us = result->duration_us;
	monitor->last.ended_ms = result->ended_ms;
	health_note(&monitor->health, monitor->check, result->ok);
	/* The clock on the wall may have been set meanwhile, so its times are not asked. */
	if (now_us() - result->duration_us < monitor->watched_us)
		health_watch(&monitor->health); /* it was under way before */
	if (!result->ok)
		keep_failure(monitor, result);
	monitor->checked(monitor, before, monitor->data);
}

int monitor_start(struct monitor *monitor, struct prober *prober, struct failure *failure)
{
	if (monitor->check->kind == CHECK_NONE)
		return 0;
	monitor->probe =
		prober_add(prober, monitor->check, &monitor->address, note, monitor, failure);
	return monitor->probe ? 0 : -1;
}

void monitor_watch(struct monitor *monitor)
{
	monitor->watched_us = now_us();
	health_watch(&monitor->health);
	if (monitor->probe)
		probe_hurry(monitor->probe);
}

void monitor_pace(struct monitor *monitor, bool hurried)
{
	bool fast = hurried || health_is_changing(&monitor->health);

	if (!monitor->probe)
		return;
	monitor->pace = fast ? PACE_FAST : PACE_NORMAL;
	probe_pace(monitor->probe, fast);
}

void monitor_hold(struct monitor *monitor, bool held)
{
	if (monitor->probe)
		probe_hold(monitor->probe, held);
}

bool monitor_is_checking(const struct monitor *monitor)
{
	return monitor->probe && probe_is_running(monitor->probe);
}

bool monitor_is_steady(const struct monitor *monitor, enum health before)
{
	return monitor->health.health == before && monitor->pace == PACE_NORMAL &&
	       !health_is_changing(&monitor->health);
}

void monitor_stop(struct monitor *monitor)
{
	probe_remove(monitor->probe);
	monitor->probe = NULL;
	free(monitor->failure);
	monitor->failure = NULL;
}

const char *monitor_reason(const struct monitor *monitor, char *text, size_t size)
{
	const struct check_result *result = monitor->failure;
	char address[ENDPOINT_TEXT];
	int length;

	endpoint_format(address, &monitor->address.key, monitor->address.any_family);
	if (!result) {
		snprintf(text, size, "%s: no check has ended yet", address);
		return text;
	}
	length = snprintf(text, size, "%s: %s (%s, %u failed in a row, the last after %.1f ms)",
			  address, result->error, result->sent, monitor->attempts,
			  result->duration_us / 1e3);
	if (*result->body && length >= 0 && (size_t)length < size)
		snprintf(text + length, size - length, ", answer: '%s'", result->body);
	return text;
}

static json_t *text_or_null(const char *text)
{
	return *text ? text_json(text) : json_null();
}

static json_t *last_json(const struct monitor *monitor)
{
	const struct check_result *failure = monitor->last.ok ? NULL : monitor->failure;

	if (!monitor->has_last)
		return json_null();
	return json_pack(
		"{s:b, s:o, s:f, s:I, s:o, s:o, s:o, s:i}", "ok", monitor->last.ok, "status",
		monitor->last.status ? json_integer(monitor->last.status) : json_null(), "ms",
		monitor->last.duration_us / 1e3, "at_ms", (json_int_t)monitor->last.ended_ms,
		"error", failure ? text_or_null(failure->error) : json_null(), "sent",
		failure ? text_or_null(failure->sent) : json_null(), "body",
		failure ? text_or_null(failure->body) : json_null(), "attempts",
		(int)(monitor->last.ok ? monitor->health.good : monitor->health.bad));
}

static json_t *failure_json(const struct monitor *monitor)
{
	const struct check_result *failure = monitor->failure;

	if (!failure)
		return json_null();
	return json_pack("{s:I, s:o, s:f, s:o, s:o, s:o, s:i}", "at_ms",
			 (json_int_t)failure->ended_ms, "status",
			 failure->status ? json_integer(failure->status) : json_null(), "ms",
			 failure->duration_us / 1e3, "error", text_or_null(failure->error), "sent",
			 text_or_null(failure->sent), "body", text_or_null(failure->body),
			 "attempts", (int)monitor->attempts);
}

json_t *monitor_json(const struct monitor *monitor)
{
	char text[ENDPOINT_TEXT];

	return json_pack("{s:s, s:s, s:o, s:o}", "address",
			 endpoint_format(text, &monitor->address.key, monitor->address.any_family),
			 "health", health_name(monitor->health.health), "last_check",
			 last_json(monitor), "last_failure", failure_json(monitor));
}
