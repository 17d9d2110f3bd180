/* SPDX-License-Identifier: GPL-2.0-only */
#include "apply.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/attach.h"
#include "datapath/listeners.h"
#include "difference.h"

#define NEXT_MEMORY "free some"

struct plan {
	struct state *state;
	struct service *services; /* that run */
	struct policy *policies; /* in force, one for each of them */
	size_t service_count;
	struct difference difference;
	bool attaches; /* nothing steers yet */
	struct interface added[BGS_MAX_INTERFACES];
	size_t added_count;
	struct interface removed[BGS_MAX_INTERFACES];
	size_t removed_count;
	int (*before_attach)(const struct datapath *datapath, void *data, struct failure *failure);
	void *data;
};

static int out_of_memory(struct failure *failure)
{
	return failure_set(failure, EXIT_SYSTEM, NEXT_MEMORY, "out of memory");
}

static int read_running(struct plan *plan, const struct datapath *datapath, struct failure *failure)
{
	int count = services_read(datapath, &plan->services, failure);

	if (count < 0)
		return -1;
	plan->policies = calloc(count + 1, sizeof(*plan->policies));
	if (!plan->policies)
		return out_of_memory(failure);
	for (; plan->service_count < (size_t)count; plan->service_count++) {
		const struct service_spec *spec = &plan->services[plan->service_count].spec;

		if (state_policy(plan->state, spec->name, &spec->flags,
				 &plan->policies[plan->service_count], failure))
			return -1;
	}
	return 0;
}

static bool is_attached(const struct interface_list *list, const char *name)
{
	for (size_t i = 0; i < list->count; i++) {
		if (!strcmp(list->items[i].name, name))
			return true;
	}
	return false;
}

static bool is_wanted(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->attach_count; i++) {
		if (!strcmp(config->attach[i], name))
			return true;
	}
	return false;
}

static int compare_interfaces(struct plan *plan, const struct interface_list *now,
			      const struct config *config, struct failure *failure)
{
	struct difference *difference = &plan->difference;

	for (size_t i = 0; i < config->attach_count; i++) {
		struct interface *added = &plan->added[plan->added_count];

		if (is_attached(now, config->attach[i]))
			continue;
		if (config->awaits ? interface_find_or_await(added, config->attach[i], failure)
				   : interface_find(added, config->attach[i], failure))
			return -1;
		plan->added_count++;
		if (difference_say(difference, "+ interface %s%s", added->name,
				   added->index < INTERFACE_AWAITED ? "" : " (when it is there)"))
			return out_of_memory(failure);
	}
	for (size_t i = 0; i < now->count; i++) {
		if (is_wanted(config, now->items[i].name))
			continue;
		plan->removed[plan->removed_count++] = now->items[i];
		if (difference_say(difference, "- interface %s", now->items[i].name))
			return out_of_memory(failure);
	}
	return 0;
}

static int check_attach(const struct plan *plan, const struct config *config,
			struct failure *failure)
{
	if (plan->attaches && !config->has_attach)
		return failure_set(failure, EXIT_SYSTEM,
				   "run 'bgswitch attach IF' first, or add 'attach: [IF]' to the "
				   "file",
				   "nothing is attached, and the configuration does not say where");
	if (config->has_attach && !config->attach_count)
		return failure_set(failure, EXIT_USAGE,
				   "name one; 'bgswitch detach all' ends steering",
				   "attach: names no interface");
	if (config->has_services && config->service_count > BGS_MAX_SERVICES)
		return failure_set(failure, EXIT_USAGE, "declare fewer",
				   "services: %zu of them, and room for %d", config->service_count,
				   BGS_MAX_SERVICES);
	return 0;
}

static int fill_plan(struct plan *plan, const struct datapath *datapath,
		     const struct config *config, struct failure *failure)
{
	bool is_there = datapath->fds[PIN_SETTINGS] >= 0;
	struct interface_list now = {};

	plan->attaches = !is_there || !datapath_is_steering(datapath);
	if (check_attach(plan, config, failure))
		return -1;
	if (is_there && read_running(plan, datapath, failure))
		return -1;
	if (config->has_services && difference_make(&plan->difference, plan->services,
						    plan->policies, plan->service_count, config))
		return out_of_memory(failure);
	if (!config->has_attach)
		return 0;
	if (!plan->attaches) /* what an attach that was cut short has noted is not steered */
		interfaces_list(datapath, &now);
	return compare_interfaces(plan, &now, config, failure);
}

int plan_make(struct plan **plan, const struct datapath *datapath, struct state *state,
	      const struct config *config, struct failure *failure)
{
	struct plan *made = calloc(1, sizeof(*made));

	if (!made)
		return out_of_memory(failure);
	made->state = state;
	if (fill_plan(made, datapath, config, failure)) {
		plan_free(made);
		return -1;
	}
	*plan = made;
	return 0;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	difference_free(&plan->difference);
	for (size_t i = 0; i < plan->service_count; i++)
		policy_free(&plan->policies[i]);
	free(plan->policies);
	free(plan->services);
	free(plan);
}

void plan_before_attach(struct plan *plan,
			int (*act)(const struct datapath *datapath, void *data,
				   struct failure *failure),
			void *data)
{
	plan->before_attach = act;
	plan->data = data;
}

size_t plan_count(const struct plan *plan)
{
	return plan->difference.line_count;
}

const char *plan_line(const struct plan *plan, size_t step)
{
	return plan->difference.lines[step];
}

/* Puts the step before what went wrong, and what was done behind. */
static int explain(const struct plan *plan, size_t done, struct failure *failure)
{
	struct failure cause = *failure;

	return failure_set(failure, cause.code, cause.next, "%s: %s; %zu of %zu steps are done",
			   plan_line(plan, done), cause.what, done, plan_count(plan));
}

/* What others get has to be free when they get it. */
static int make_way(const struct plan *plan, const struct datapath *datapath,
		    struct failure *failure)
{
	for (size_t i = 0; i < plan->difference.count; i++) {
		const struct change *change = &plan->difference.changes[i];
		struct service_spec common;

		if (!change->yields || change->kind != CHANGE_UPDATE)
			continue;
		difference_common(&common, change);
		if (service_update(datapath, change->running->slot, &common, failure))
			return -1;
	}
	return 0;
}

/* They come first in a difference, and go together. */
static int remove_services(const struct plan *plan, const struct datapath *datapath, size_t *next,
			   size_t *done, struct failure *failure)
{
	const struct difference *difference = &plan->difference;
	__u32 slots[BGS_MAX_SERVICES];
	size_t count = 0;

	while (count < difference->count && count < BGS_MAX_SERVICES &&
	       difference->changes[count].kind == CHANGE_REMOVE) {
		slots[count] = difference->changes[count].running->slot;
		count++;
	}
	*next = count;
	if (!count)
		return 0;
	if (services_remove(datapath, slots, count, failure))
		return -1;
	*done = difference->changes[count - 1].last_line;
	return 0;
}

static int make_change(const struct plan *plan, const struct datapath *datapath,
		       const struct change *change, struct failure *failure)
{
	const struct config_service *wanted = change->wanted;
	int err = 0;

	if (change->kind == CHANGE_ADD)
		err = service_add(datapath, &wanted->spec, failure);
	else if (change->spec)
		err = service_update(datapath, change->running->slot, &wanted->spec, failure);
	if (!err)
		state_set_policy(plan->state, wanted->spec.name, &wanted->policy);
	return err;
}

static int change_services(const struct plan *plan, const struct datapath *datapath, size_t *done,
			   struct failure *failure)
{
	const struct difference *difference = &plan->difference;
	size_t first;

	if (remove_services(plan, datapath, &first, done, failure) ||
	    make_way(plan, datapath, failure))
		return -1;
	for (size_t i = first; i < difference->count; i++) {
		const struct change *change = &difference->changes[i];

		if (make_change(plan, datapath, change, failure))
			return -1;
		*done = change->last_line;
	}
	return 0;
}

struct preparation {
	const struct plan *plan;
	size_t *done;
};

static int prepare(struct datapath *datapath, void *data, struct failure *failure)
{
	const struct preparation *preparation = data;
	const struct plan *plan = preparation->plan;

	if (change_services(plan, datapath, preparation->done, failure))
		return -1;
	return plan->before_attach ? plan->before_attach(datapath, plan->data, failure) : 0;
}

/* The first connection that is steered finds the services. */
static int attach(const struct plan *plan, struct datapath *datapath, size_t *done,
		  struct failure *failure)
{
	struct preparation preparation = { plan, done };
	const struct attachment attachment = { .interfaces = plan->added,
					       .count = plan->added_count,
					       .prepare = prepare,
					       .data = &preparation };

	if (!datapath_attach(datapath, &attachment, failure)) {
		*done = plan_count(plan);
		return 0;
	}
	if (!datapath_exists(datapath->place))
		*done = 0; /* where nothing was, nothing is left */
	return -1;
}

static int change_interfaces(const struct plan *plan, const struct datapath *datapath, size_t *done,
			     struct failure *failure)
{
	for (size_t i = 0; i < plan->added_count; i++, ++*done) {
		if (interfaces_add(datapath, &plan->added[i], failure))
			return -1;
	}
	for (size_t i = 0; i < plan->removed_count; i++, ++*done)
		interfaces_remove(datapath, plan->removed[i].name);
	return 0;
}

static int run(const struct plan *plan, struct datapath *datapath, size_t *done,
	       struct failure *failure)
{
	int err;

	if (plan->attaches)
		return attach(plan, datapath, done, failure);
	if (change_services(plan, datapath, done, failure) ||
	    change_interfaces(plan, datapath, done, failure))
		return -1;
	err = listeners_adopt(datapath); /* those of a service that went may serve another now */
	return err ? failure_errno(failure, -err, "run 'bgswitch status'",
				   "cannot look for listeners")
		   : 0;
}

int plan_run(const struct plan *plan, struct datapath *datapath, struct failure *failure)
{
	size_t done = 0;

	if (!plan_count(plan))
		return 0;
	if (!run(plan, datapath, &done, failure))
		return state_capture(plan->state, datapath, failure);
	return done < plan_count(plan) ? explain(plan, done, failure) : -1;
}
