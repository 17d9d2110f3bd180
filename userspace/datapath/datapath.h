/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel side, as the rest of userspace sees it: maps by descriptor, and
 * the verbs that load, attach, swap and remove the programs. Only this folder
 * knows skeletons and pins.
 */
#ifndef BGSWITCH_DATAPATH_H
#define BGSWITCH_DATAPATH_H

#include <stdbool.h>

#include "datapath/pins.h"
#include "datapath/place.h"

/* Descriptors of the pinned objects, -1 where there is none; owned by the holder. */
struct datapath {
	const struct place *place;
	int fds[PIN_COUNT];
};

/* For initialization, and after datapath_close(). */
void datapath_init(struct datapath *datapath, const struct place *place);
void datapath_close(struct datapath *datapath);

/*
 * Opens what is pinned. A state that is not there, not whole, of another
 * layout or of another network namespace is refused by name.
 */
int datapath_open(struct datapath *datapath, struct failure *failure);

/* Is there state to open at all? Follows from the presence of `settings`. */
bool datapath_exists(const struct place *place);

/* Are new connections being steered? */
bool datapath_is_steering(const struct datapath *datapath);

/* Makes maps and pins them, unless they exist. Nothing is steered by it yet. */
int datapath_create(struct datapath *datapath, struct failure *failure);

/*
 * Loads this tool's programs over the existing maps and puts them in the place
 * of those that run, each in one step. Attaches where nothing is attached.
 * `all`: no interface filter is needed.
 */
int datapath_load(struct datapath *datapath, bool all, struct failure *failure);

/*
 * Fails if the pins steer another network namespace than this one. State that
 * is damaged, or whose namespace is gone, belongs to nobody.
 */
int datapath_check_owner(const struct place *place, struct failure *failure);

/* Ends steering and removes every pin. Works on a damaged state, too. */
int datapath_remove(const struct place *place, struct failure *failure);

/* A kernel feature the tool can do without, and why it is missing; NULL if it is there. */
const char *datapath_missing_registration(const struct datapath *datapath);
const char *datapath_missing_adoption(const struct datapath *datapath);

#endif
