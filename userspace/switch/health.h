/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From checks to health: of an instance by rise and fall, of a color by how
 * many of its instances are healthy. Pure: no clock, no kernel.
 */
#ifndef BGSWITCH_HEALTH_H
#define BGSWITCH_HEALTH_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/types.h>

#include "config/policy.h"

enum health { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_UNHEALTHY };

const char *health_name(enum health health); /* "unknown", "healthy", "unhealthy" */

/* The checks of one instance, counted. Starts as zeros: unknown, and not assumed to be anything. */
struct instance_health {
	enum health health;
	unsigned int good, bad; /* in a row, up to now */
	unsigned int fresh; /* ended since health_watch() */
};

/*
 * Notes how a check ended. From unknown the first good one is enough; from
 * unhealthy it takes `rise` in a row, and to unhealthy `fall`. Returns whether
 * the health changed.
 */
bool health_note(struct instance_health *instance, const struct check *check, bool ok);

/* From here on only checks that begin later count for instance_verdict(). */
void health_watch(struct instance_health *instance);

/* Undecided, or with checks that speak against its health: then it is worth asking sooner. */
bool health_is_changing(const struct instance_health *instance);

enum verdict { VERDICT_PENDING, VERDICT_GOOD, VERDICT_BAD };

/*
 * What the checks since health_watch() say: good, when the last one was and the
 * instance is healthy; bad, when the last `fall` were not.
 */
enum verdict instance_verdict(const struct instance_health *instance, const struct check *check);

/* How many instances a color needs, of `total`: 1 to `total` (1 of none). */
unsigned int health_needed(const struct minimum *minimum, unsigned int total);

/*
 * Healthy, once enough are; unhealthy, once too few can be; else unknown.
 * `good` and `bad` are instances, `total` those and the undecided.
 */
enum health color_health(const struct minimum *minimum, unsigned int total, unsigned int good,
			 unsigned int bad);

/* An instance of a color, for rotation_mask(). */
struct rotation_place {
	unsigned int place;
	enum health health;
};

/*
 * Which instances take new connections: the healthy ones, and of those that
 * are unknown the ones that did so before. When that leaves none, all of them:
 * trying is better than refusing, and a color that as a whole does not serve is
 * left by a switch, not by rotation.
 */
__u64 rotation_mask(const struct rotation_place *places, size_t count, __u64 before);

#endif
