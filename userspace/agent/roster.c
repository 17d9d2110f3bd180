/* SPDX-License-Identifier: GPL-2.0-only */
/* The services in the agent's care, kept in step with the maps. */
#include <stdlib.h>
#include <string.h>

#include "agent/agent.h"

#define ADOPTION_USEC 1000000ULL

static void forget_operation(struct member *member);

static int take_lock(const char *operation, struct failure *failure, void *data)
{
	struct agent *agent = data;

	return keeper_take(&agent->keeper, operation, failure);
}

static void release_lock(void *data)
{
	struct agent *agent = data;

	keeper_release(&agent->keeper);
}

static void note_save(struct agent *agent, const struct supervisor *supervisor, int err,
		      const struct failure *failure)
{
	if (!err)
		configure_note_state(agent);
	else if (!agent->save_failed)
		event_emit(agent->log, EVENT_ALARM, supervisor->name, EVENT_NO_COLOR,
			   "a restart will not know of this change: %s; %s", failure->what,
			   failure->next);
	agent->save_failed = err;
}

/* A disk that is full must not stand between a bad release and the way back. */
static int save(const struct supervisor *supervisor, const struct operation *operation,
		struct failure *failure, void *data)
{
	struct agent *agent = data;
	int err;

	configure_claim_state(agent);
	err = files_save_operation(agent->setup->files, &agent->datapath, supervisor->name,
				   operation, supervisor->previous, failure);
	note_save(agent, supervisor, err, failure);
	return 0;
}

static int save_stop(const struct supervisor *supervisor, const struct pending_stop *stop,
		     struct failure *failure, void *data)
{
	struct agent *agent = data;
	int err;

	configure_claim_state(agent);
	err = files_save_stop(agent->setup->files, &agent->datapath, supervisor->name, stop,
			      failure);
	note_save(agent, supervisor, err, failure);
	return 0;
}

static int on_stop(sd_event_source *source, int fd, uint32_t events, void *data)
{
	(void)source;
	(void)fd;
	(void)events;
	supervisor_run_stop(data);
	return 0;
}

static int watch_stop(struct supervisor *supervisor, int fd, void *data)
{
	struct member *member = supervisor->user;
	struct agent *agent = data;
	int err = 0;

	member->stop = sd_event_source_disable_unref(member->stop);
	if (fd >= 0)
		err = sd_event_add_io(agent->event, &member->stop, fd, EPOLLIN, on_stop,
				      supervisor);
	return err < 0 ? err : 0;
}

static void ended(struct supervisor *supervisor, const struct cutover *cutover, void *data)
{
	(void)data;
	calls_moved(supervisor->user, cutover);
}

static void set_timer(struct member *member)
{
	unsigned long long deadline = supervisor_deadline(member->supervisor);

	if (!member->timer)
		return;
	if (deadline)
		sd_event_source_set_time(member->timer, deadline * 1000);
	sd_event_source_set_enabled(member->timer, deadline ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static void moved(struct supervisor *supervisor, void *data)
{
	struct member *member = supervisor->user;

	if (!member)
		return; /* it is just being made */
	set_timer(member);
	calls_moved(member, NULL);
	if (member->flips != supervisor->route.flips)
		probes_hurry(member); /* does the switch steer as it is now? */
	member->flips = supervisor->route.flips;
	agent_tell_manager(data);
}

void roster_host(struct agent *agent)
{
	agent->host = (struct supervisor_host){
		.prober = agent->prober,
		.datapath = &agent->datapath,
		.log = agent->log,
		.autonomous = true,
		.lock = take_lock,
		.unlock = release_lock,
		.save = save,
		.save_stop = save_stop,
		.watch_stop = watch_stop,
		.ended = ended,
		.moved = moved,
		.history_directory = agent->setup->files->directory,
		.history_name = agent->setup->files->history,
		.data = agent,
	};
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *data)
{
	struct member *member = data;

	(void)source;
	(void)usec;
	supervisor_tick(member->supervisor);
	return 0;
}

static void free_member(struct member *member)
{
	if (!member)
		return;
	if (member->supervisor) {
		supervisor_supersede(member->supervisor, "the service was removed");
		warm_drop(&member->supervisor->warm, "the service was removed");
		calls_moved(member, &member->supervisor->cutover);
	}
	forget_operation(member);
	probes_stop(member);
	sd_event_source_disable_unref(member->timer);
	supervisor_free(member->supervisor);
	free(member);
}

static struct member *new_member(struct agent *agent, const struct service *service,
				 struct policy *policy, struct failure *failure)
{
	struct member *member = calloc(1, sizeof(*member));
	int err;

	if (!member) {
		policy_free(policy);
		free(policy);
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		return NULL;
	}
	member->agent = agent;
	member->supervisor = supervisor_new(&agent->host, service, policy, failure);
	if (!member->supervisor) {
		free(member);
		return NULL;
	}
	member->supervisor->user = member;
	member->flips = service->route.flips;
	err = sd_event_add_time(agent->event, &member->timer, CLOCK_MONOTONIC, 0, 1000, on_deadline,
				member);
	if (err < 0) {
		failure_errno(failure, -err, "raise its limits", "cannot watch the clock");
		free_member(member);
		return NULL;
	}
	sd_event_source_set_enabled(member->timer, SD_EVENT_OFF);
	probes_start(member);
	return member;
}

/* ---- operations that other processes left */

static bool try_to_adopt(struct member *member)
{
	struct agent *agent = member->agent;
	struct operation operation;
	struct failure unused;
	struct state *state;
	bool there;

	if (member->supervisor->cutover.state != CUTOVER_IDLE)
		return true;
	/* The command that began it may live: then it has the lock, and goes on by itself. */
	if (keeper_take(&agent->keeper, "adopt", &unused))
		return false;
	if (!files_open_state(agent->setup->files, &state, NULL, NULL, &unused)) {
		there = state_operation(state, member->supervisor->name, &operation);
		state_close(state);
		if (there)
			supervisor_adopt(member->supervisor, &operation);
	}
	keeper_release(&agent->keeper);
	return true;
}

static int on_adoption(sd_event_source *source, uint64_t usec, void *data)
{
	struct member *member = data;

	if (try_to_adopt(member)) {
		forget_operation(member);
		return 0;
	}
	sd_event_source_set_time(source, usec + ADOPTION_USEC);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void forget_operation(struct member *member)
{
	member->adoption = sd_event_source_disable_unref(member->adoption);
}

/* Once: from then on the agent knows better than the file. */
static void take_over_stop(struct member *member, const struct state *state)
{
	struct pending_stop pending;

	if (!member->knows_stop && state_stop(state, member->supervisor->name, &pending)) {
		supervisor_resume_stop(member->supervisor, &pending);
		supervisor_tick(member->supervisor);
	}
	member->knows_stop = true;
}

static void take_over_operation(struct member *member, const struct state *state)
{
	struct supervisor *supervisor = member->supervisor;
	struct operation operation;

	take_over_stop(member, state);
	supervisor->previous = state_previous(state, supervisor->name);
	if (supervisor->cutover.state != CUTOVER_IDLE || member->adoption ||
	    !state_operation(state, supervisor->name, &operation))
		return;
	if (!try_to_adopt(member))
		sd_event_add_time_relative(member->agent->event, &member->adoption, CLOCK_MONOTONIC,
					   ADOPTION_USEC, 0, on_adoption, member);
}

/* ---- in step with the maps */

/* Taken out of the old list, for what is left in it is gone. */
static struct member *take_member(struct member **members, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		struct member *member = members[i];

		if (member && !strcmp(member->supervisor->name, name)) {
			members[i] = NULL;
			return member;
		}
	}
	return NULL;
}

static struct member *sync_member(struct agent *agent, struct member *member,
				  const struct service *service, const struct state *state,
				  struct failure *failure)
{
	struct policy *policy = calloc(1, sizeof(*policy));

	if (!policy) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		return member;
	}
	if (state_policy(state, service->spec.name, &service->spec.flags, policy, failure)) {
		free(policy);
		event_emit(agent->log, EVENT_ALARM, service->spec.name, EVENT_NO_COLOR,
			   "its policy cannot be read, the one before stays: %s; %s", failure->what,
			   failure->next);
		return member;
	}
	if (!member)
		member = new_member(agent, service, policy, failure);
	else if (supervisor_update(member->supervisor, service, policy, failure))
		event_emit(agent->log, EVENT_ALARM, service->spec.name, EVENT_NO_COLOR,
			   "not everything is checked: %s; %s", failure->what, failure->next);
	return member;
}

static int sync_services(struct agent *agent, const struct service *services, size_t count,
			 struct failure *failure)
{
	size_t old_count = agent->member_count, kept = 0;
	/* The agent's own list stays whole meanwhile: updates tell events, which walk it. */
	struct member **old = calloc(old_count + 1, sizeof(*old));
	struct member **members = calloc(count + 1, sizeof(*members));
	struct state *state = NULL;
	int err = -1;

	if (!old || !members) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		goto out;
	}
	if (files_open_state(agent->setup->files, &state, NULL, NULL, failure))
		goto out;
	err = 0;
	for (size_t i = 0; i < old_count; i++)
		old[i] = agent->members[i];
	for (size_t i = 0; i < count; i++) {
		const char *name = services[i].spec.name;
		struct member *member = take_member(old, old_count, name);

		member = sync_member(agent, member, &services[i], state, failure);
		if (member)
			members[kept++] = member;
		else
			err = -1;
	}
	free(agent->members);
	agent->members = members;
	agent->member_count = kept;
	members = NULL;
	for (size_t i = 0; i < old_count; i++)
		free_member(old[i]);
	for (size_t i = 0; i < kept; i++)
		take_over_operation(agent->members[i], state);
out:
	state_close(state);
	free(members);
	free(old);
	return err;
}

int roster_sync(struct agent *agent, struct failure *failure)
{
	struct service *services = NULL;
	int count = 0, err;

	/* Before the maps are read: what is written meanwhile will be followed by itself. */
	agent->state_missed = false;
	configure_note_state(agent);
	/* The pins may be others than before: a detach and an attach lie between. */
	datapath_close(&agent->datapath);
	if (datapath_exists(agent->setup->place)) {
		if (datapath_open(&agent->datapath, failure))
			return -1;
		count = services_read(&agent->datapath, &services, failure);
		if (count < 0)
			return -1;
	}
	err = sync_services(agent, services, count, failure);
	free(services);
	agent_tell_manager(agent);
	return err;
}

void roster_clear(struct agent *agent)
{
	for (size_t i = 0; i < agent->member_count; i++) {
		struct member *member = agent->members[i];

		/* What is under way stays written down, for whoever comes next. */
		member->supervisor->cutover.state = CUTOVER_IDLE;
		if (!member->supervisor->stop)
			member->supervisor->warm.state = WARM_NONE;
		free_member(member);
	}
	free(agent->members);
	agent->members = NULL;
	agent->member_count = 0;
}

struct member *roster_find(const struct agent *agent, const char *service, struct failure *failure)
{
	for (size_t i = 0; i < agent->member_count && service; i++) {
		if (!strcmp(agent->members[i]->supervisor->name, service))
			return agent->members[i];
	}
	if (service)
		failure_set(failure, EXIT_USAGE, "see 'bgswitch service ls'",
			    "no service named '%s'", service);
	else if (!agent->member_count)
		failure_set(failure, EXIT_USAGE, "declare one with 'bgswitch service add'",
			    "there is no service");
	else if (agent->member_count > 1)
		failure_set(failure, EXIT_USAGE, "name one of them; see 'bgswitch service ls'",
			    "there are %zu services", agent->member_count);
	else
		return agent->members[0];
	return NULL;
}
