/* SPDX-License-Identifier: GPL-2.0-only */
/* What the agent makes true when it starts, and when its configuration changes. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/agent.h"
#include "apply.h"
#include "datapath/interfaces.h"
#include "datapath/preview.h"

#define WAIT_SECONDS 10
#define RETRY_USEC 50000ULL

/* ---- whose the state file is */

/* It is never written in place, so another inode, or another time, is another one's work. */
static struct state_mark state_mark(const struct agent *agent)
{
	const struct files *files = agent->setup->files;
	char path[PATH_MAX];
	struct stat st;

	snprintf(path, sizeof(path), "%s/%s", files->directory, files->state);
	if (stat(path, &st))
		return (struct state_mark){};
	return (struct state_mark){ st.st_ino, st.st_ctim };
}

bool configure_state_is_ours(const struct agent *agent)
{
	struct state_mark now = state_mark(agent);

	return !agent->state_missed && now.inode == agent->state_mark.inode &&
	       now.changed.tv_sec == agent->state_mark.changed.tv_sec &&
	       now.changed.tv_nsec == agent->state_mark.changed.tv_nsec;
}

void configure_claim_state(struct agent *agent)
{
	agent->state_missed = !configure_state_is_ours(agent);
}

void configure_note_state(struct agent *agent)
{
	agent->state_mark = state_mark(agent);
}

static void warn_of_state(const char *text, void *data)
{
	struct agent *agent = data;

	event_emit(agent->log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "%s", text);
}

static int open_state(struct agent *agent, struct state **state, struct failure *failure)
{
	return files_open_state(agent->setup->files, state, warn_of_state, agent, failure);
}

/* ---- making a configuration true */

static void tell_steps(struct agent *agent, const struct plan *plan)
{
	for (size_t i = 0; i < plan_count(plan); i++)
		event_emit(agent->log, EVENT_CONFIG_APPLIED, NULL, EVENT_NO_COLOR, "%s",
			   plan_line(plan, i));
}

/* Opens what is there, if anything. */
static int reopen(struct agent *agent, struct failure *failure)
{
	datapath_close(&agent->datapath);
	return datapath_exists(agent->setup->place) ? datapath_open(&agent->datapath, failure) : 0;
}

/* Takes over `plan`. The lock is held. */
static int run_plan(struct agent *agent, struct plan *plan, struct failure *failure)
{
	int err = plan_run(plan, &agent->datapath, failure);

	if (!err)
		tell_steps(agent, plan);
	plan_free(plan);
	return err;
}

/* What was done is kept, also when a step after it failed. */
static void keep(struct agent *agent, struct state *state)
{
	struct failure failure;

	configure_claim_state(agent);
	if (datapath_exists(agent->setup->place) &&
	    (state_capture(state, &agent->datapath, &failure) || state_save(state, &failure)))
		warn_of_state(failure.what, agent);
	configure_note_state(agent);
}

/* ---- after a reboot */

struct restoration {
	struct agent *agent;
	const struct state *state; /* as it was written before */
	const struct config *config;
};

static int restore_previews(const struct restoration *restoration, const struct datapath *datapath,
			    const char *name, __u32 slot, struct failure *failure)
{
	struct preview *previews;
	char *warning = NULL;
	ssize_t count = state_previews(restoration->state, name, &previews, &warning, failure);
	int err = 0;

	if (warning)
		warn_of_state(warning, restoration->agent);
	free(warning);
	if (count < 0)
		return -1;
	if (count)
		err = previews_add(datapath, slot, previews, count, failure);
	free(previews);
	return err;
}

/* One that cannot be restored must not keep the others from being steered. */
static int restore_routes(const struct datapath *datapath, void *data, struct failure *failure)
{
	const struct restoration *restoration = data;
	const struct config *config = restoration->config;

	for (size_t i = 0; i < config->service_count; i++) {
		const char *name = config->services[i].spec.name;
		struct bgs_service service;
		struct bgs_route route;
		__u32 slot;

		if (!state_route(restoration->state, name, &route) ||
		    service_find(datapath, name, &slot, &service, failure))
			continue;
		if (service_flip(datapath, slot, route, failure) ||
		    restore_previews(restoration, datapath, name, slot, failure))
			warn_of_state(failure->what, restoration->agent);
	}
	return 0;
}

static int restore_config(struct agent *agent, struct state *state, const struct config *config,
			  struct failure *failure)
{
	struct restoration restoration = { agent, state, config };
	struct plan *plan;

	if (reopen(agent, failure) || plan_make(&plan, &agent->datapath, state, config, failure))
		return -1;
	plan_before_attach(plan, restore_routes, &restoration);
	if (run_plan(agent, plan, failure))
		return -1;
	event_emit(agent->log, EVENT_RESTORED, NULL, EVENT_NO_COLOR,
		   "steering is as it was before the machine went down: %zu services",
		   config->service_count);
	return 0;
}

static int restore(struct agent *agent, struct state *state, struct failure *failure)
{
	struct config *config;
	int err = 0;

	if (state_config(state, &config, failure))
		return -1;
	config->awaits = true;
	if (config->has_attach && config->attach_count)
		err = restore_config(agent, state, config, failure);
	config_free(config);
	return err;
}

static bool is_steering(const struct agent *agent)
{
	struct datapath datapath;
	struct failure unused;
	bool steering;

	datapath_init(&datapath, agent->setup->place);
	if (!datapath_exists(agent->setup->place) || datapath_open(&datapath, &unused))
		return false;
	steering = datapath_is_steering(&datapath);
	datapath_close(&datapath);
	return steering;
}

/* ---- the file */

/* What can be refused is refused first: then nothing has changed. */
static int apply_config(struct agent *agent, const struct config *config, struct failure *failure)
{
	struct plan *plan = NULL;
	struct state *state;
	int err = 0;

	if (open_state(agent, &state, failure))
		return -1;
	if (config->has_attach || config->has_services)
		err = reopen(agent, failure) ||
		      plan_make(&plan, &agent->datapath, state, config, failure);
	if (!err)
		err = outputs_change(agent, config, failure);
	if (err) {
		plan_free(plan);
	} else if (plan) {
		err = run_plan(agent, plan, failure);
		keep(agent, state);
	}
	state_close(state);
	return err ? -1 : 0;
}

/* When the machine starts interfaces may come later (`awaits`); a reload has a typing mistake. */
static int apply_file(struct agent *agent, bool awaits, struct failure *failure)
{
	struct config *config;

	if (!agent->setup->config_path)
		return 0;
	if (config_load(&config, agent->setup->config_path, failure))
		return -1;
	config->awaits = awaits;
	if (config_try_secrets(config, false, failure) || apply_config(agent, config, failure)) {
		config_free(config);
		return -1;
	}
	config_free(agent->config);
	agent->config = config;
	return 0;
}

int configure_start(struct agent *agent, struct failure *failure)
{
	struct state *state = NULL;
	int err;

	if (keeper_wait(&agent->keeper, "start", WAIT_SECONDS, failure))
		return -1;
	err = open_state(agent, &state, failure);
	if (!err && !state_is_of_this_boot(state) && !is_steering(agent)) {
		err = restore(agent, state, failure);
		if (!err)
			keep(agent, state);
	}
	state_close(state);
	if (!err)
		err = apply_file(agent, true, failure);
	keeper_release(&agent->keeper);
	return err;
}

/* The agent's own hold is another operation, too: somebody waits for a cutover. */
static int take_turn(struct agent *agent, struct failure *failure)
{
	if (agent->keeper.depth)
		return failure_set(failure, EXIT_BUSY, "wait until it is done and try again",
				   "another operation is in progress: a cutover that somebody "
				   "waits for");
	return keeper_take(&agent->keeper, "reload", failure);
}

bool configure_is_busy(struct agent *agent)
{
	struct failure failure;

	if (take_turn(agent, &failure))
		return failure.code == EXIT_BUSY;
	keeper_release(&agent->keeper);
	return false;
}

int configure_reload(struct agent *agent, struct failure *failure)
{
	int err = take_turn(agent, failure);

	if (!err) {
		err = apply_file(agent, false, failure);
		keeper_release(&agent->keeper);
	}
	if (err) {
		struct failure unused;

		event_emit(agent->log, EVENT_CONFIG_REFUSED, NULL, EVENT_NO_COLOR,
			   "reload failed: %s; %s", failure->what, failure->next);
		roster_sync(agent, &unused); /* steps before one that the kernel refused stand */
		return -1;
	}
	event_emit(agent->log, EVENT_CONFIG_APPLIED, NULL, EVENT_NO_COLOR, "%s%s",
		   agent->setup->config_path ? "configuration read: "
					     : "no configuration file to read",
		   agent->setup->config_path ? agent->setup->config_path : "");
	return roster_sync(agent, failure);
}

/* ---- interfaces */

static void tell_interface(const struct interface *interface, bool present, void *data)
{
	struct agent *agent = data;

	event_emit(agent->log, EVENT_INTERFACE, NULL, EVENT_NO_COLOR,
		   present ? "interface %s came back and is steered again"
			   : "interface %s is gone; it will be steered when it comes back",
		   interface->name);
}

static int on_retry(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source;
	(void)usec;
	configure_interfaces(data);
	return 0;
}

void configure_interfaces(struct agent *agent)
{
	struct failure failure;

	agent->interfaces_timer = sd_event_source_disable_unref(agent->interfaces_timer);
	if (agent->datapath.fds[PIN_SETTINGS] < 0)
		return;
	if (keeper_take(&agent->keeper, "interfaces", &failure)) {
		sd_event_add_time_relative(agent->event, &agent->interfaces_timer, CLOCK_MONOTONIC,
					   RETRY_USEC, 0, on_retry, agent);
		return;
	}
	configure_claim_state(agent);
	if (interfaces_refresh(&agent->datapath, tell_interface, agent, &failure) < 0)
		warn_of_state(failure.what, agent);
	else if (files_save_maps(agent->setup->files, &agent->datapath, &failure))
		warn_of_state(failure.what, agent);
	configure_note_state(agent);
	keeper_release(&agent->keeper);
}
