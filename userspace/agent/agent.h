/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The daemon: looks after every service, answers on the control socket, and
 * follows what commands change. It holds nothing that steering needs: when it
 * dies, connections go on as the maps say.
 *
 *   agent.c      start, loop, end            roster.c    one supervisor a service
 *   configure.c  file, reboot, SIGHUP        calls.c     the control socket's methods
 *   probes.c     service checks              child.c     answers by a command of our own
 *   outputs.c    log, webhooks, groups       followers.c who is told of events
 */
#ifndef BGSWITCH_AGENT_H
#define BGSWITCH_AGENT_H

#include <limits.h>
#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include <systemd/sd-event.h>

#include "agent/keeper.h"
#include "agent/links.h"
#include "agent/webhooks.h"
#include "config/config.h"
#include "control/control.h"
#include "datapath/datapath.h"
#include "record/files.h"
#include "switch/supervisor.h"

struct agent_setup {
	const char *config_path; /* NULL: no file */
	const char *run_dir, *suffix; /* "" or "@NETNS": of files there */
	const struct files *files;
	const struct place *place;
	const char *const *options; /* global options for commands of our own; ended by NULL */
};

/* Tells one version of the state file from another. */
struct state_mark {
	ino_t inode;
	struct timespec changed;
};

/* A service in the agent's care. */
struct member {
	struct agent *agent;
	struct supervisor *supervisor;
	sd_event_source *timer; /* supervisor_deadline() */
	sd_event_source *stop; /* the stop command that runs */
	bool knows_stop; /* ... that another agent was to run */
	sd_event_source *adoption; /* an operation to take over, once its lock is free */
	/* the cutover under way: who asked, and what they wait for */
	struct call *call;
	bool waits_for_flip; /* and not for the end */
	unsigned long long progress_at; /* not told again before, ms */
	bool holds_lock;
	/* the service check */
	sd_event_source *check_timer, *check_io;
	struct service_check *check;
	struct service_check_result check_result; /* the supervisor's once it has ended */
	unsigned int check_which; /* listen address that was last */
	__u16 flips; /* of the route when it was last looked at */
};

struct agent {
	const struct agent_setup *setup;
	sd_event *event;
	struct datapath datapath; /* closed: nothing is attached */
	struct config *config; /* as last applied; NULL: there is no file */
	struct prober *prober;
	struct supervisor_host host;
	struct event_log *log;
	struct webhooks *webhooks;
	struct control *control;
	struct links *links;
	struct keeper keeper;
	struct member **members; /* by name */
	size_t member_count;
	struct call **followers; /* of events */
	size_t follower_count;
	unsigned int children; /* commands of our own that run */
	struct state_mark state_mark; /* of the state file as we know it; zeros: none */
	bool state_missed; /* another one's change, which roster_sync() has yet to follow */
	bool ready; /* told the service manager */
	unsigned int status[4]; /* what it was told last */
	char socket_path[PATH_MAX / 2];
	int only_one[2]; /* locks that keep a second agent out */
	bool save_failed; /* and said so */
	bool tells_loss; /* of a webhook's events */
	sd_event_source *files_source, *interfaces_timer, *reload_timer;
};

/* Runs until SIGTERM or SIGINT; steering is as before when it returns. */
int agent_run(const struct agent_setup *setup, struct failure *failure);

/* ---- between its files */

/* roster.c: takes over services as they are in the maps now. */
int roster_sync(struct agent *agent, struct failure *failure);
void roster_clear(struct agent *agent);
/* By name, or the only one; NULL with `failure` set. */
struct member *roster_find(const struct agent *agent, const char *service, struct failure *failure);
/* For struct supervisor_host. */
void roster_host(struct agent *agent);

/* configure.c */
int configure_start(struct agent *agent, struct failure *failure);
/* Fails with EXIT_BUSY while another operation is in progress, one that is waited for here as well.
 */
int configure_reload(struct agent *agent, struct failure *failure);
bool configure_is_busy(struct agent *agent);
void configure_interfaces(struct agent *agent); /* links came or went */
/*
 * Around each write of the state file, with the lock held: what another process
 * wrote before, and the agent has not seen yet, must not pass for its own.
 */
void configure_claim_state(struct agent *agent);
void configure_note_state(struct agent *agent); /* the state file is ours as it is now */
bool configure_state_is_ours(const struct agent *agent);

/* outputs.c: log, webhooks and groups as `config` has them, before it replaces agent->config. */
int outputs_change(struct agent *agent, const struct config *config, struct failure *failure);

/* calls.c */
extern const struct control_method agent_methods[];
/* The cutover of a member moved on, or ended (`over`): answers who waits, gives up the lock. */
void calls_moved(struct member *member, const struct cutover *over);
void calls_forget(struct agent *agent); /* all of them, at the end */

/* followers.c: the method Events, and telling whoever follows or waits */
void followers_add(struct call *call, const json_t *parameters, void *data);
void followers_tell(struct agent *agent, const struct event *event);
void followers_forget(struct agent *agent);

/* probes.c */
void probes_start(struct member *member);
void probes_hurry(struct member *member); /* after a flip */
void probes_stop(struct member *member);

/* child.c: answers a call with the JSON that a command of our own prints, under `key`. */
void child_answer(struct agent *agent, struct call *call, const char *key,
		  const char *const words[]);

/* agent.c */
struct event_log *agent_open_log(struct agent *agent, const struct config *config,
				 struct failure *failure);
void agent_tell_manager(struct agent *agent); /* READY=1 once, STATUS= */

#endif
