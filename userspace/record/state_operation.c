/* SPDX-License-Identifier: GPL-2.0-only */
/* What is under way: operations that outlive their process, and stops that are yet to come. */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "record/state_parts.h"

#define AGENT ((uid_t)-1)

static const char *const phases[] = {
	[OPERATION_SWITCHING] = "switching",
	[OPERATION_SOAKING] = "soaking",
};

static bool read_phase(const char *text, enum operation_phase *phase)
{
	for (size_t i = 0; i < sizeof(phases) / sizeof(phases[0]); i++) {
		if (strcmp(text, phases[i]))
			continue;
		*phase = i;
		return true;
	}
	return false;
}

static json_t *uid_json(uid_t uid)
{
	return uid == AGENT ? json_null() : json_integer(uid);
}

static uid_t read_uid(const json_t *uid)
{
	return json_is_integer(uid) ? (uid_t)json_integer_value(uid) : AGENT;
}

static json_t *drain_json(const struct drain_policy *drain)
{
	return json_pack("{s:I, s:s, s:I, s:I}", "timeout_ms", (json_int_t)drain->timeout_ms,
			 "at_deadline", deadline_name(drain->at_deadline), "close_idle_ms",
			 (json_int_t)drain->close_idle_ms, "over_ms", (json_int_t)drain->over_ms);
}

static bool is_time(json_int_t ms)
{
	return ms >= 0 && ms <= UINT_MAX;
}

static bool read_drain(json_t *object, struct drain_policy *drain)
{
	json_int_t timeout, close_idle, over;
	struct policy normal;
	const char *deadline;

	if (!object) { /* written before there were drains */
		policy_init(&normal);
		*drain = normal.drain;
		policy_free(&normal);
		return true;
	}
	if (json_unpack(object, "{s:I, s:s, s:I, s:I}", "timeout_ms", &timeout, "at_deadline",
			&deadline, "close_idle_ms", &close_idle, "over_ms", &over))
		return false;
	*drain = (struct drain_policy){
		.timeout_ms = timeout,
		.at_deadline = deadline_parse(deadline),
		.close_idle_ms = close_idle,
		.over_ms = over,
	};
	return is_time(timeout) && is_time(close_idle) && is_time(over) &&
	       deadline_parse(deadline) >= 0;
}

bool state_operation(const struct state *state, const char *service, struct operation *operation)
{
	json_t *object = state_of_service(state, "operations", service), *before, *uid;
	json_int_t began, until, soak;
	const char *phase, *verb, *to;

	if (json_unpack(object, "{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:o}", "phase", &phase, "verb",
			&verb, "before", &before, "to", &to, "began_ms", &began, "soak_until_ms",
			&until, "soak_ms", &soak, "uid", &uid))
		return false;
	*operation = (struct operation){
		.to = color_parse(to),
		.forced = json_is_true(json_object_get(object, "forced")),
		.began_ms = began,
		.soak_until_ms = until,
		.soak_ms = soak,
		.draining = json_is_true(json_object_get(object, "draining")),
		.drained = json_is_true(json_object_get(object, "drained")),
		.uid = read_uid(uid),
	};
	snprintf(operation->verb, sizeof(operation->verb), "%s", verb);
	return color_parse(to) >= 0 && read_phase(phase, &operation->phase) &&
	       state_read_route(before, &operation->before) &&
	       read_drain(json_object_get(object, "drain"), &operation->drain);
}

void state_set_operation(struct state *state, const char *service,
			 const struct operation *operation)
{
	json_t *value = NULL;

	if (operation)
		value = json_pack(
			"{s:b, s:b, s:b, s:o, s:s, s:s, s:{s:s, s:i}, s:s, s:I, s:I, s:I, s:o}",
			"forced", operation->forced, "draining", operation->draining, "drained",
			operation->drained, "drain", drain_json(&operation->drain), "phase",
			phases[operation->phase], "verb", operation->verb, "before", "active",
			color_name(operation->before.active), "split_bp",
			(int)operation->before.split_bp, "to", color_name(operation->to),
			"began_ms", (json_int_t)operation->began_ms, "soak_until_ms",
			(json_int_t)operation->soak_until_ms, "soak_ms",
			(json_int_t)operation->soak_ms, "uid", uid_json(operation->uid));
	state_put(state, "operations", service, value);
}

bool state_stop(const struct state *state, const char *service, struct pending_stop *stop)
{
	json_t *object = state_of_service(state, "stops", service);
	const char *color;
	json_int_t since;

	if (json_unpack(object, "{s:s, s:I}", "color", &color, "since_ms", &since) ||
	    color_parse(color) < 0)
		return false;
	*stop = (struct pending_stop){
		.color = color_parse(color),
		.since_ms = since,
		.uid = read_uid(json_object_get(object, "uid")),
		.listeners = (unsigned long long)json_integer_value(
			json_object_get(object, "listeners")),
		.running = json_is_true(json_object_get(object, "running")),
	};
	return true;
}

void state_set_stop(struct state *state, const char *service, const struct pending_stop *stop)
{
	json_t *value = NULL;

	if (stop)
		value = json_pack("{s:s, s:I, s:I, s:b, s:o}", "color", color_name(stop->color),
				  "since_ms", (json_int_t)stop->since_ms, "listeners",
				  (json_int_t)stop->listeners, "running", stop->running, "uid",
				  uid_json(stop->uid));
	state_put(state, "stops", service, value);
}
