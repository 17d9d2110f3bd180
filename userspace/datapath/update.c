/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Changing a service that stays. New instances are there, with their listeners,
 * before the one store by which they come into rotation and old ones leave it;
 * only then the old ones are removed. What stays is not touched at all.
 */
#include "datapath/update.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/changing.h"
#include "datapath/instances.h"
#include "datapath/listen.h"
#include "datapath/listeners.h"
#include "datapath/map.h"
#include "datapath/services.h"
#include "datapath/spec_check.h"

#define NEXT "run 'bgswitch status' and try again"

/* A round adds what there is room for; what it removed makes room for the next. */
#define MAX_ROUNDS 2

struct round {
	const struct datapath *datapath;
	const struct service_spec *spec;
	struct bgs_service stored;
	struct bgs_update update;
	struct color_spec now[BGS_COLORS]; /* with what is coming */
	struct bgs_endpoint listen[BGS_MAX_LISTEN]; /* now */
	size_t listen_count;
	bool again; /* something had to wait for the next round */
};

static int read_instance(const void *key, const void *value, void *data)
{
	const struct bgs_instance *instance = value;
	struct round *round = data;
	struct color_spec *color;
	__u32 number, place;

	memcpy(&number, key, sizeof(number));
	if (BGS_INSTANCE_SLOT(number) != round->update.slot)
		return 0;
	place = BGS_INSTANCE_PLACE(number);
	color = &round->now[BGS_INSTANCE_COLOR(number)];
	color->instances[place] = (struct endpoint){ instance->address, instance->any_family };
	if (color->count <= place)
		color->count = place + 1;
	return 0;
}

static int read_listen(const void *key, const void *value, void *data)
{
	const __u32 *slot = value;
	struct round *round = data;

	if (*slot == round->update.slot && round->listen_count < BGS_MAX_LISTEN)
		memcpy(&round->listen[round->listen_count++], key, sizeof(round->listen[0]));
	return 0;
}

static int read_now(struct round *round)
{
	const struct datapath *datapath = round->datapath;
	int err = map_get(datapath->fds[PIN_SERVICES], &round->update.slot, &round->stored);

	if (!err)
		err = map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32),
			       sizeof(struct bgs_instance), read_instance, round);
	return err ? err
		   : map_each(datapath->fds[PIN_LISTEN], sizeof(struct bgs_endpoint), sizeof(__u32),
			      read_listen, round);
}

static bool has_instance(const struct color_spec *color, const struct endpoint *instance)
{
	for (size_t i = 0; i < color->count; i++) {
		if (color_has(color, i) && instance_equal(&color->instances[i], instance))
			return true;
	}
	return false;
}

static bool is_in(const struct bgs_endpoint *list, size_t count, const struct bgs_endpoint *address)
{
	for (size_t i = 0; i < count; i++) {
		if (!memcmp(&list[i], address, sizeof(*address)))
			return true;
	}
	return false;
}

static void choose_going(struct round *round)
{
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (size_t i = 0; i < round->now[color].count; i++) {
			if (color_has(&round->now[color], i) &&
			    !has_instance(&round->spec->colors[color],
					  &round->now[color].instances[i]))
				round->update.going[color] |= 1ULL << i;
		}
	}
}

/* Is one of its keys still an instance's that goes? */
static bool must_wait(const struct round *round, const struct endpoint *instance)
{
	struct bgs_endpoint keys[BGS_FAMILIES];
	size_t count = instance_keys(instance, keys);
	__u32 number;

	for (size_t i = 0; i < count; i++) {
		if (!map_get(round->datapath->fds[PIN_BACKENDS], &keys[i], &number))
			return true;
	}
	return false;
}

static bool find_place(const struct color_spec *color, size_t *place)
{
	for (*place = 0; *place < BGS_MAX_INSTANCES; (*place)++) {
		if (!color_has(color, *place))
			return true;
	}
	return false;
}

static void choose_coming(struct round *round, enum bgs_color color)
{
	const struct color_spec *wanted = &round->spec->colors[color];
	struct color_spec *now = &round->now[color];

	for (size_t i = 0; i < wanted->count; i++) {
		const struct endpoint *instance = &wanted->instances[i];
		size_t place;

		if (!color_has(wanted, i) || has_instance(now, instance))
			continue;
		if (must_wait(round, instance) || !find_place(now, &place)) {
			round->again = true;
			continue;
		}
		now->instances[place] = *instance;
		if (now->count <= place)
			now->count = place + 1;
		round->update.coming[color] |= 1ULL << place;
	}
}

static bool has_places(const __u64 places[BGS_COLORS])
{
	return places[BGS_BLUE] || places[BGS_GREEN];
}

static int add_coming(const struct round *round)
{
	const struct bgs_update *update = &round->update;
	int err = 0;

	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (__u32 place = 0; place < BGS_MAX_INSTANCES && !err; place++) {
			if (update->coming[color] >> place & 1)
				err = instance_add(round->datapath,
						   BGS_INSTANCE(update->slot, color, place),
						   &round->now[color].instances[place]);
		}
	}
	/* Their listeners are in the map before anybody is sent to them. */
	return !err && has_places(update->coming) ? listeners_adopt(round->datapath) : err;
}

/* From here on others come and go, which is how an update that was cut short is finished, too. */
static int replace(const struct datapath *datapath, const struct bgs_update *update)
{
	struct bgs_service stored;
	int err = map_get(datapath->fds[PIN_SERVICES], &update->slot, &stored);

	for (enum bgs_color color = 0; color < BGS_COLORS && !err; color++) {
		__u64 enabled =
			(stored.enabled[color] | update->coming[color]) & ~update->going[color];

		if (enabled != stored.enabled[color])
			err = service_enable(datapath, update->slot, color, enabled);
	}
	if (err || !has_places(update->going))
		return err;
	err = instances_remove(datapath, update->slot, update->going);
	return err ? err : listeners_adopt(datapath); /* their listeners may serve another now */
}

int update_repair(const struct datapath *datapath, enum bgs_changing kind,
		  const struct bgs_update *update)
{
	int err = kind == BGS_COMMITTED ? replace(datapath, update)
					: instances_remove(datapath, update->slot, update->coming);

	return err == -ENOENT ? 0 : err; /* the service is gone, and the rest goes with it */
}

static int change_instances(struct round *round)
{
	int err;

	choose_going(round);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		choose_coming(round, color);
	if (!has_places(round->update.coming) && !has_places(round->update.going))
		return 0;
	err = changing_mark(round->datapath, BGS_PREPARING, &round->update);
	if (!err)
		err = add_coming(round);
	if (!err)
		err = changing_mark(round->datapath, BGS_COMMITTED, &round->update);
	if (!err)
		err = replace(round->datapath, &round->update);
	return err ? err : changing_mark(round->datapath, BGS_UNCHANGING, NULL);
}

/* An address that was cut short half way is made whole by services_repair(). */
static int change_listen(const struct round *round)
{
	const struct datapath *datapath = round->datapath;
	const struct service_spec *spec = round->spec;
	__u32 slot = round->update.slot;
	int err = changing_mark(datapath, BGS_DECLARING, NULL);

	for (size_t i = 0; i < spec->listen_count && !err; i++) {
		if (!is_in(round->listen, round->listen_count, &spec->listen[i]))
			err = listen_add(datapath, &spec->listen[i], slot);
	}
	for (size_t i = 0; i < round->listen_count && !err; i++) {
		if (!is_in(spec->listen, spec->listen_count, &round->listen[i]))
			err = listen_remove(datapath, &round->listen[i], slot);
	}
	return err ? err : changing_mark(datapath, BGS_UNCHANGING, NULL);
}

/* `has_preview` is not declared: it belongs to the networks. */
static int change_flags(const struct round *round)
{
	struct bgs_flags flags = round->spec->flags;

	flags.has_preview = round->stored.flags.has_preview;
	if (!memcmp(&flags, &round->stored.flags, sizeof(flags)))
		return 0;
	return service_set_flags(round->datapath, round->update.slot, flags);
}

static int run_round(struct round *round)
{
	int err = read_now(round);

	if (!err)
		err = change_instances(round);
	if (err || round->again)
		return err;
	err = change_listen(round); /* new clients come when the new instances are there */
	return err ? err : change_flags(round);
}

int service_update(const struct datapath *datapath, __u32 slot, const struct service_spec *spec,
		   struct failure *failure)
{
	struct failure unused;
	struct round *round;
	bool again = true;
	int err = 0;

	if (spec_check(datapath, spec, slot, failure))
		return -1;
	round = malloc(sizeof(*round));
	if (!round)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	for (int i = 0; i < MAX_ROUNDS && again && !err; i++) {
		*round = (struct round){ .datapath = datapath, .spec = spec, .update.slot = slot };
		err = run_round(round);
		again = round->again;
	}
	free(round);
	if (!err)
		return 0;
	services_repair(datapath, &unused);
	return failure_errno(failure, -err, NEXT, "cannot change service %s", spec->name);
}
