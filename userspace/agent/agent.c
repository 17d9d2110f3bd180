/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/agent.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <systemd/sd-daemon.h>

#include "control/interface.h"
#include "lock.h"
#include "version.h"

#define RELOAD_RETRY_USEC 100000ULL
#define NEXT "see what the system is short of"

/* ---- the service manager */

void agent_tell_manager(struct agent *agent)
{
	unsigned int healthy = 0, busy = 0, alarms = 0;
	bool looked = true;

	for (size_t i = 0; i < agent->member_count; i++) {
		const struct supervisor *supervisor = agent->members[i]->supervisor;

		looked = looked && supervisor_has_looked(supervisor);
		healthy += supervisor->health[supervisor->route.active] == HEALTH_HEALTHY;
		busy += supervisor->cutover.state != CUTOVER_IDLE;
		alarms += *supervisor->alarm != '\0';
	}
	if (!agent->ready && !looked)
		return;
	if (agent->status[0] == agent->member_count && agent->status[1] == healthy &&
	    agent->status[2] == busy && agent->status[3] == alarms && agent->ready)
		return;
	agent->status[0] = agent->member_count;
	agent->status[1] = healthy;
	agent->status[2] = busy;
	agent->status[3] = alarms;
	sd_notifyf(0,
		   "%sSTATUS=%zu services, %u with a healthy active color, %u switching, %u alarms",
		   agent->ready ? "" : "READY=1\n", agent->member_count, healthy, busy, alarms);
	agent->ready = true;
}

/* ---- events */

static void tell(const struct event *event, void *data)
{
	struct agent *agent = data;

	followers_tell(agent, event);
	if (agent->webhooks && !agent->tells_loss)
		webhooks_send(agent->webhooks, event);
}

struct event_log *agent_open_log(struct agent *agent, const struct config *config,
				 struct failure *failure)
{
	const struct files *files = agent->setup->files;
	const char *file = config ? config->agent.log : NULL;
	const struct event_sinks sinks = {
		.directory = files->directory,
		.name = files->events,
		.file = file,
		.to_stderr = !file,
		.journal = true,
		.also = tell,
		.data = agent,
	};

	return event_log_open(&sinks, failure);
}

/* ---- sources */

static int on_prober(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct agent *agent = data;

	(void)source;
	(void)fd;
	(void)events;
	prober_run(agent->prober);
	return 0;
}

static int on_reload_time(sd_event_source *source, uint64_t usec, void *data)
{
	struct agent *agent = data;
	struct failure failure;

	(void)usec;
	/* Nobody waits for a signal to be refused, so it waits for its turn. */
	if (configure_is_busy(agent)) {
		sd_event_source_set_time_relative(source, RELOAD_RETRY_USEC);
		return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	}
	agent->reload_timer = sd_event_source_disable_unref(agent->reload_timer);
	event_log_reopen(agent->log, &failure);
	configure_reload(agent, &failure); /* what went wrong is an event */
	sd_notify(0, "READY=1");
	return 0;
}

static int on_reload(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	struct agent *agent = data;

	(void)source;
	(void)info;
	sd_notify(0, "RELOADING=1");
	if (agent->reload_timer)
		return 0;
	return sd_event_add_time_relative(agent->event, &agent->reload_timer, CLOCK_MONOTONIC, 0, 0,
					  on_reload_time, agent);
}

static int on_end(sd_event_source *source, const struct signalfd_siginfo *info, void *data)
{
	(void)info;
	(void)data;
	return sd_event_exit(sd_event_source_get_event(source), 0);
}

/* A command has changed what runs, and has written it down after that. */
static int on_files(sd_event_source *source, const struct inotify_event *event, void *data)
{
	struct agent *agent = data;
	struct failure failure;
	bool overflow = event->mask & IN_Q_OVERFLOW;

	(void)source;
	if (!overflow && (!event->len || strcmp(event->name, agent->setup->files->state)))
		return 0;
	if (configure_state_is_ours(agent))
		return 0;
	if (roster_sync(agent, &failure))
		event_emit(agent->log, EVENT_ALARM, NULL, EVENT_NO_COLOR,
			   "cannot take over a change that a command made: %s; %s", failure.what,
			   failure.next);
	return 0;
}

static void on_links(void *data)
{
	configure_interfaces(data);
}

static int watch_signals(struct agent *agent)
{
	sigset_t mask;
	int err;

	sigemptyset(&mask);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	signal(SIGPIPE, SIG_IGN);
	err = sd_event_add_signal(agent->event, NULL, SIGTERM, on_end, agent);
	if (err >= 0)
		err = sd_event_add_signal(agent->event, NULL, SIGINT, on_end, agent);
	if (err >= 0)
		err = sd_event_add_signal(agent->event, NULL, SIGHUP, on_reload, agent);
	return err;
}

static int watch(struct agent *agent, struct failure *failure)
{
	int err = watch_signals(agent);

	if (err >= 0)
		err = sd_event_add_io(agent->event, NULL, prober_fd(agent->prober), EPOLLIN,
				      on_prober, agent);
	if (err >= 0)
		err = sd_event_add_inotify(agent->event, &agent->files_source,
					   agent->setup->files->directory, IN_MOVED_TO | IN_DELETE,
					   on_files, agent);
	if (err < 0)
		return failure_errno(failure, -err, NEXT, "cannot watch signals and %s",
				     agent->setup->files->directory);
	sd_event_set_watchdog(agent->event, true);
	agent->links = links_new(agent->event, on_links, agent, failure);
	return agent->links ? 0 : -1;
}

/* Who may call is set with the configuration. Calls wait until the loop runs. */
static int open_control(struct agent *agent, struct failure *failure)
{
	struct control_setup setup = {
		.path = agent->socket_path,
		.description = control_interface,
		.methods = agent_methods,
		.data = agent,
	};

	snprintf(agent->socket_path, sizeof(agent->socket_path), "%s/agent%s.sock",
		 agent->setup->run_dir, agent->setup->suffix);
	agent->control = control_new(agent->event, &setup, failure);
	return agent->control ? 0 : -1;
}

/* ---- start and end */

/* Every check may have a connection of its own. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

/* Two agents with the same run directory, or the same state, would act against each other. */
static int keep_others_out(struct agent *agent, struct failure *failure)
{
	const char *const directories[] = { agent->setup->run_dir, agent->setup->files->directory };
	/* Names differ, for both may be one directory. */
	const char *const endings[] = { "lock", "state.lock" };
	char name[NAME_MAX];

	for (size_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "agent%.200s.%s", agent->setup->suffix, endings[i]);
		agent->only_one[i] = lock_take(directories[i], name, "agent", failure);
		if (agent->only_one[i] >= 0)
			continue;
		if (failure->code == EXIT_BUSY)
			failure_set(failure, EXIT_BUSY, "stop it first; see 'bgswitch status'",
				    "an agent is running already (%s/%s)", directories[i], name);
		return -1;
	}
	return 0;
}

static int start(struct agent *agent, struct failure *failure)
{
	struct config *config = NULL;
	int err;

	if (keep_others_out(agent, failure))
		return -1;
	/* The log before anything is done; its place is in the file, which is read again below. */
	if (agent->setup->config_path && config_load(&config, agent->setup->config_path, failure))
		return -1;
	agent->log = agent_open_log(agent, config, failure);
	config_free(config);
	if (!agent->log)
		return -1;
	err = sd_event_new(&agent->event);
	if (err < 0)
		return failure_errno(failure, -err, NEXT, "cannot make an event loop");
	agent->prober = prober_new(failure);
	if (!agent->prober)
		return -1;
	roster_host(agent);
	event_emit(agent->log, EVENT_AGENT_STARTED, NULL, EVENT_NO_COLOR,
		   "agent " BGSWITCH_VERSION " started, pid %d", (int)getpid());
	/* A command that comes while it starts waits for it, and does not act beside it. */
	if (watch(agent, failure) || open_control(agent, failure) ||
	    configure_start(agent, failure) || roster_sync(agent, failure))
		return -1;
	configure_interfaces(agent);
	return 0;
}

static void end(struct agent *agent)
{
	if (agent->log)
		event_emit(agent->log, EVENT_AGENT_STOPPED, NULL, EVENT_NO_COLOR,
			   "agent stopped; steering goes on as it is");
	sd_notify(0, "STOPPING=1");
	calls_forget(agent);
	followers_forget(agent);
	control_free(agent->control);
	roster_clear(agent);
	links_free(agent->links);
	webhooks_free(agent->webhooks);
	sd_event_source_disable_unref(agent->interfaces_timer);
	sd_event_source_disable_unref(agent->reload_timer);
	/* libsystemd 252 leaks an event loop with an inotify source that nobody holds. */
	sd_event_source_disable_unref(agent->files_source);
	prober_free(agent->prober);
	event_log_close(agent->log);
	datapath_close(&agent->datapath);
	config_free(agent->config);
	sd_event_unref(agent->event);
	for (size_t i = 0; i < 2; i++) {
		if (agent->only_one[i] >= 0)
			close(agent->only_one[i]);
	}
}

int agent_run(const struct agent_setup *setup, struct failure *failure)
{
	struct agent *agent = calloc(1, sizeof(*agent));
	int err;

	if (!agent)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	raise_descriptors();
	agent->setup = setup;
	agent->only_one[0] = agent->only_one[1] = -1;
	datapath_init(&agent->datapath, setup->place);
	keeper_init(&agent->keeper, setup->run_dir, setup->place->lock_name, setup->place->pin_dir);
	err = start(agent, failure);
	if (!err) {
		err = sd_event_loop(agent->event);
		if (err < 0)
			failure_errno(failure, -err, NEXT, "the event loop ended");
	} else if (agent->log) {
		event_emit(agent->log, EVENT_ALARM, NULL, EVENT_NO_COLOR, "cannot start: %s; %s",
			   failure->what, failure->next);
	}
	end(agent);
	free(agent);
	return err < 0 ? -1 : 0;
}
