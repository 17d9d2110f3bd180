/* SPDX-License-Identifier: GPL-2.0-only */
/* What the supervisor of a service knows and the maps do not. */
#include "duration.h"
#include "switch/supervisor_private.h"
#include "switch/warming.h"
#include "text.h"

/* Roles are in the maps, but for this one. */
static bool is_draining(const struct supervisor *supervisor, enum bgs_color color)
{
	const struct cutover *cutover = &supervisor->cutover;

	return cutover->state == CUTOVER_DRAINING && cutover->drain.color == color;
}

static json_t *color_json(const struct supervisor *supervisor, enum bgs_color color)
{
	json_t *instances = json_array(), *object;

	for (size_t i = 0; i < supervisor->monitor_count; i++) {
		if (supervisor->monitors[i]->color == color)
			json_array_append_new(instances, monitor_json(supervisor->monitors[i]));
	}
	object = json_pack("{s:s, s:o, s:o}", "health", health_name(supervisor->health[color]),
			   "stop", warming_json(supervisor, color), "instances", instances);
	if (is_draining(supervisor, color))
		json_object_set_new(object, "role", json_string("draining"));
	return object;
}

static json_t *operation_json(const struct supervisor *supervisor)
{
	const struct cutover *cutover = &supervisor->cutover;
	long long left = cutover_left(cutover);

	if (cutover->state == CUTOVER_IDLE)
		return json_null();
	return json_pack("{s:s, s:s, s:s, s:I, s:o}", "operation", cutover->request.verb, "from",
			 color_name(cutover->before.active), "to", color_name(cutover->request.to),
			 "uid",
			 cutover->request.uid == (uid_t)-1 ? (json_int_t)-1 : cutover->request.uid,
			 "left_ms", left < 0 ? json_null() : json_integer(left));
}

static json_t *name_or_null(int color)
{
	return color < 0 ? json_null() : json_string(color_name(color));
}

json_t *supervisor_json(const struct supervisor *supervisor)
{
	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o}}", "state",
			 supervisor_state(supervisor), "operation", operation_json(supervisor),
			 "alarm", *supervisor->alarm ? text_json(supervisor->alarm) : json_null(),
			 "previous", name_or_null(supervisor->previous), "service_check",
			 supervisor->has_service_check
				 ? service_check_json(&supervisor->service_check)
				 : json_null(),
			 "colors", "blue", color_json(supervisor, BGS_BLUE), "green",
			 color_json(supervisor, BGS_GREEN));
}
