/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/health.h"

const char *health_name(enum health health)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown",
		[HEALTH_HEALTHY] = "healthy",
		[HEALTH_UNHEALTHY] = "unhealthy",
	};

	return names[health];
}

bool health_note(struct instance_health *instance, const struct check *check, bool ok)
{
	enum health before = instance->health;
	unsigned int needed = before == HEALTH_UNHEALTHY ? check->rise : 1;

	instance->good = ok ? instance->good + 1 : 0;
	instance->bad = ok ? 0 : instance->bad + 1;
	instance->fresh++;
	if (instance->good >= needed)
		instance->health = HEALTH_HEALTHY;
	else if (instance->bad >= check->fall)
		instance->health = HEALTH_UNHEALTHY;
	return instance->health != before;
}

void health_watch(struct instance_health *instance)
{
	instance->fresh = 0;
}

bool health_is_changing(const struct instance_health *instance)
{
	return instance->health == HEALTH_UNKNOWN ||
	       (instance->health == HEALTH_HEALTHY && instance->bad) ||
	       (instance->health == HEALTH_UNHEALTHY && instance->good);
}

enum verdict instance_verdict(const struct instance_health *instance, const struct check *check)
{
	if (!instance->fresh)
		return VERDICT_PENDING;
	if (instance->health == HEALTH_HEALTHY && instance->good)
		return VERDICT_GOOD;
	if (instance->bad >= check->fall && instance->fresh >= check->fall)
		return VERDICT_BAD;
	return VERDICT_PENDING;
}

unsigned int health_needed(const struct minimum *minimum, unsigned int total)
{
	unsigned int needed =
		minimum->percent ? (total * minimum->value + 99) / 100 : minimum->value;

	if (needed > total)
		needed = total;
	return needed ? needed : 1;
}

enum health color_health(const struct minimum *minimum, unsigned int total, unsigned int good,
			 unsigned int bad)
{
	unsigned int needed = health_needed(minimum, total);

	if (good >= needed)
		return HEALTH_HEALTHY;
	return total - bad < needed ? HEALTH_UNHEALTHY : HEALTH_UNKNOWN;
}

__u64 rotation_mask(const struct rotation_place *places, size_t count, __u64 before)
{
	__u64 mask = 0, all = 0;

	for (size_t i = 0; i < count; i++) {
		__u64 bit = 1ULL << places[i].place;

		all |= bit;
		if (places[i].health == HEALTH_HEALTHY)
			mask |= bit;
		else if (places[i].health == HEALTH_UNKNOWN)
			mask |= before & bit;
	}
	return mask ? mask : all;
}
