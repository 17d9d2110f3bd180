/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What has to change so that services that run become those of a configuration.
 * Only compares: no map and no file is looked at.
 */
#ifndef BGSWITCH_DIFFERENCE_H
#define BGSWITCH_DIFFERENCE_H

#include "config/config.h"
#include "datapath/services.h"

enum change_kind { CHANGE_REMOVE, CHANGE_UPDATE, CHANGE_ADD };

/* Of one service; nothing to do for those that are equal. Borrows from both sides. */
struct change {
	enum change_kind kind;
	const struct service *running; /* NULL: added */
	const struct config_service *wanted; /* NULL: removed */
	bool spec, policy; /* what differs, of an update */
	bool yields; /* an address it loses is another's afterwards: it has to go first */
	size_t last_line; /* of those below that this change stands for, plus one */
};

/* In the order in which the changes can be made: removals first, additions last. */
struct difference {
	struct change *changes;
	size_t count;
	char **lines; /* "+ service web", "~ web: green 127.0.0.1:9102 added", ... */
	size_t line_count;
};

/*
 * `policies` are those in force, one for each of `running`. All addresses of the
 * configuration are different, as config_load() sees to. 0, or -1 for want of
 * memory; difference_free() in any case.
 */
int difference_make(struct difference *difference, const struct service *running,
		    const struct policy *policies, size_t count, const struct config *config);
void difference_free(struct difference *difference);

/* Adds a line; 0, or -1 for want of memory. */
int difference_say(struct difference *difference, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for a value: "~ NAME: KEY FROM -> TO", and nothing if both are one. */
int difference_say_word(struct difference *difference, const char *name, const char *key,
			const char *from, const char *to);

/* A line for each thing in which the policies of the service `name` differ. */
int difference_policy(struct difference *difference, const char *name, const struct policy *now,
		      const struct policy *wanted);

/* What a service that yields keeps meanwhile: what it has before and after. */
void difference_common(struct service_spec *common, const struct change *change);

#endif
