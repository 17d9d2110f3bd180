/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of a service that change while it runs: each one store, in place. */
#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "datapath/map.h"
#include "datapath/services.h"

static int retire_by_update(const struct datapath *datapath, const struct bgs_flip *request)
{
	struct bgs_rotation set;
	int err = map_get(datapath->fds[PIN_ROTATION], &request->slot, &set);

	if (err)
		return err;
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++)
		set.ready[request->color][family] &= ~request->places;
	return map_put(datapath->fds[PIN_ROTATION], &request->slot, &set);
}

/*
 * Linux before 5.14 has no program type for it: the element is replaced as a
 * whole, so there, changes by two at once can lose one another's.
 */
static int store_by_update(const struct datapath *datapath, const struct bgs_flip *request)
{
	struct bgs_service value;
	int err;

	if (request->word == BGS_WORD_RETIRED)
		return retire_by_update(datapath, request);
	err = map_get(datapath->fds[PIN_SERVICES], &request->slot, &value);
	if (err)
		return err;
	if (request->word == BGS_WORD_ROUTE)
		value.route = request->route;
	else if (request->word == BGS_WORD_ENABLED)
		value.enabled[request->color] = request->places;
	else
		value.flags = request->flags;
	return map_put(datapath->fds[PIN_SERVICES], &request->slot, &value);
}

static int store_by_program(const struct datapath *datapath, struct bgs_flip *request)
{
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = request, .ctx_size_in = sizeof(*request));

	if (bpf_prog_test_run_opts(datapath->fds[PIN_FLIP], &run))
		return -errno;
	return (int)run.retval;
}

static int store(const struct datapath *datapath, struct bgs_flip request)
{
	return datapath->fds[PIN_FLIP] >= 0 ? store_by_program(datapath, &request)
					    : store_by_update(datapath, &request);
}

int service_flip(const struct datapath *datapath, __u32 slot, struct bgs_route route,
		 struct failure *failure)
{
	int err = store(datapath,
			(struct bgs_flip){ .slot = slot, .word = BGS_WORD_ROUTE, .route = route });

	return err ? failure_errno(failure, -err, "run 'bgswitch status' to see what it serves",
				   "cannot flip the service")
		   : 0;
}

int service_enable(const struct datapath *datapath, __u32 slot, enum bgs_color color, __u64 enabled)
{
	return store(datapath, (struct bgs_flip){ .slot = slot,
						  .word = BGS_WORD_ENABLED,
						  .color = color,
						  .places = enabled });
}

int service_set_flags(const struct datapath *datapath, __u32 slot, struct bgs_flags flags)
{
	return store(datapath,
		     (struct bgs_flip){ .slot = slot, .word = BGS_WORD_FLAGS, .flags = flags });
}

int service_retire(const struct datapath *datapath, __u32 slot, enum bgs_color color, __u64 places)
{
	return store(datapath, (struct bgs_flip){ .slot = slot,
						  .word = BGS_WORD_RETIRED,
						  .color = color,
						  .places = places });
}
