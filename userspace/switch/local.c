/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/local.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "switch/draining.h"
#include "switch/result.h"

struct local {
	struct local_setup setup;
	struct supervisor_host host;
	struct prober *prober;
	struct event_log *log;
	struct supervisor *supervisor;
	struct cutover last; /* as it ended: the supervisor's own may be used again */
	bool ended;
	int signals;
	int stop; /* readable when the stop command has news; -1: none runs */
	sigset_t mask_before;
};

static int lock(const char *operation, struct failure *failure, void *data)
{
	(void)operation;
	(void)failure;
	(void)data;
	return 0; /* the command holds it */
}

static void unlock(void *data)
{
	(void)data;
}

/* A disk that is full must not stand between a bad release and the way back. */
static int save(const struct supervisor *supervisor, const struct operation *operation,
		struct failure *failure, void *data)
{
	struct local *local = data;

	if (!files_save_operation(local->setup.files, local->setup.datapath, supervisor->name,
				  operation, supervisor->previous, failure))
		return 0;
	event_emit(local->log, EVENT_ALARM, supervisor->name, EVENT_NO_COLOR,
		   "a reboot will not bring this back: %s; %s", failure->what, failure->next);
	return 0;
}

static int save_stop(const struct supervisor *supervisor, const struct pending_stop *stop,
		     struct failure *failure, void *data)
{
	struct local *local = data;

	if (files_save_stop(local->setup.files, local->setup.datapath, supervisor->name, stop,
			    failure))
		event_emit(local->log, EVENT_ALARM, supervisor->name, EVENT_NO_COLOR,
			   "an agent will not know of this change: %s; %s", failure->what,
			   failure->next);
	return 0;
}

static int watch_stop(struct supervisor *supervisor, int fd, void *data)
{
	struct local *local = data;

	(void)supervisor;
	local->stop = fd;
	return 0;
}

static void ended(struct supervisor *supervisor, const struct cutover *cutover, void *data)
{
	struct local *local = data;

	(void)supervisor;
	local->last = *cutover;
	local->ended = true;
}

static int open_log(struct local *local, struct failure *failure)
{
	const struct files *files = local->setup.files;
	const struct event_sinks nothing = {}, sinks = {
		.directory = files->directory,
		.name = files->events,
		.also = local->setup.show,
		.data = local->setup.data,
	};

	local->log = event_log_open(local->setup.dry_run ? &nothing : &sinks, failure);
	return local->log ? 0 : -1;
}

static int find_service(struct local *local, struct service *service, struct failure *failure)
{
	struct service *services;
	struct bgs_service value;
	__u32 slot;
	int count;

	if (service_find(local->setup.datapath, local->setup.service, &slot, &value, failure))
		return -1;
	count = services_read(local->setup.datapath, &services, failure);
	if (count < 0)
		return -1;
	for (int i = 0; i < count; i++) {
		if (services[i].slot == slot)
			*service = services[i];
	}
	free(services);
	return 0;
}

static int supervise(struct local *local, struct failure *failure)
{
	struct service *service = calloc(1, sizeof(*service));
	struct policy *policy = calloc(1, sizeof(*policy));
	struct pending_stop pending;
	struct operation operation;
	struct state *state = NULL;
	int err = -1;

	if (!service || !policy) {
		failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
		goto out;
	}
	if (find_service(local, service, failure) ||
	    files_open_state(local->setup.files, &state, NULL, NULL, failure) ||
	    state_policy(state, service->spec.name, &service->spec.flags, policy, failure))
		goto out;
	local->supervisor = supervisor_new(&local->host, service, policy, failure);
	policy = NULL;
	if (!local->supervisor)
		goto out;
	local->supervisor->previous = state_previous(state, service->spec.name);
	if (!local->setup.dry_run && state_stop(state, service->spec.name, &pending))
		supervisor_resume_stop(local->supervisor, &pending);
	if (!local->setup.dry_run && state_operation(state, service->spec.name, &operation)) {
		operation.draining = false; /* only who waits to the end may drain */
		supervisor_adopt(local->supervisor, &operation);
	}
	err = 0;
out:
	state_close(state);
	free(policy);
	free(service);
	return err;
}

static int watch_signals(struct local *local, struct failure *failure)
{
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGINT);
	sigaddset(&mask, SIGTERM);
	sigaddset(&mask, SIGHUP);
	sigprocmask(SIG_BLOCK, &mask, &local->mask_before);
	local->signals = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (local->signals < 0)
		return failure_errno(failure, errno, "try again", "cannot watch signals");
	return 0;
}

int local_open(struct local **opened, const struct local_setup *setup, struct failure *failure)
{
	struct local *local = calloc(1, sizeof(*local));

	if (!local)
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	local->setup = *setup;
	local->signals = -1;
	local->stop = -1;
	local->host = (struct supervisor_host){
		.datapath = setup->datapath,
		.lock = lock,
		.unlock = unlock,
		.save = save,
		.save_stop = save_stop,
		.watch_stop = watch_stop,
		.ended = ended,
		.history_directory = setup->files->directory,
		.history_name = setup->files->history,
		.data = local,
	};
	local->prober = prober_new(failure);
	local->host.prober = local->prober;
	if (!local->prober || open_log(local, failure))
		goto fail;
	local->host.log = local->log;
	if (watch_signals(local, failure) || supervise(local, failure))
		goto fail;
	*opened = local;
	return 0;
fail:
	local_close(local);
	return -1;
}

void local_close(struct local *local)
{
	if (!local)
		return;
	supervisor_free(local->supervisor);
	prober_free(local->prober);
	event_log_close(local->log);
	if (local->signals >= 0) {
		close(local->signals);
		sigprocmask(SIG_SETMASK, &local->mask_before, NULL);
	}
	free(local);
}

struct supervisor *local_supervisor(struct local *local)
{
	return local->supervisor;
}

int local_begin(struct local *local, const struct cutover_request *request, struct failure *failure)
{
	supervisor_make_way(local->supervisor, request->to);
	local->ended = false;
	return supervisor_begin(local->supervisor, request, failure);
}

int local_drain(struct local *local, enum bgs_color color, const struct drain_options *options,
		struct failure *failure)
{
	/* The lock is ours: what seems to be under way is of a command that was killed. */
	if (cutover_is_watching(&local->supervisor->cutover))
		supervisor_supersede(local->supervisor, "a drain was asked for during the soak");
	local->ended = false;
	return supervisor_drain(local->supervisor, color, options, getuid(), failure);
}

static int timeout_ms(const struct local *local)
{
	unsigned long long now = supervisor_now();
	unsigned long long deadline = supervisor_deadline(local->supervisor);

	if (!deadline)
		return -1;
	if (deadline <= now)
		return 0;
	return deadline - now > INT_MAX ? INT_MAX : (int)(deadline - now);
}

static int take_signal(struct local *local)
{
	const struct cutover *cutover = &local->supervisor->cutover;
	struct signalfd_siginfo signal;
	struct failure unused;

	if (read(local->signals, &signal, sizeof(signal)) != sizeof(signal))
		return 0;
	if (cutover->state == CUTOVER_CHECKING)
		supervisor_abort(local->supervisor, getuid(), &unused);
	else
		supervisor_supersede(
			local->supervisor,
			cutover->switched ? "interrupted; the switch stands and nobody watches it"
					  : "interrupted; what is open stays");
	return (int)signal.ssi_signo;
}

static void show_progress(const struct local *local)
{
	json_t *progress = draining_progress(local->supervisor);

	local->setup.progress(progress, local->setup.data);
	json_decref(progress);
}

/* For the end of what was begun, and then for the stop command of the color that it left. */
static bool has_to_wait(const struct local *local, bool until_flip)
{
	if (!local->ended)
		return !until_flip || !cutover_is_watching(&local->supervisor->cutover);
	return !until_flip && warm_is_to_come(&local->supervisor->warm);
}

int local_run(struct local *local, bool until_flip)
{
	const struct cutover *cutover = &local->supervisor->cutover;
	struct pollfd events[] = { { .fd = prober_fd(local->prober), .events = POLLIN },
				   { .fd = local->signals, .events = POLLIN },
				   { .events = POLLIN } };

	while (has_to_wait(local, until_flip)) {
		int ready;

		if (cutover->state == CUTOVER_DRAINING && local->setup.progress)
			show_progress(local);
		events[2].fd = local->stop;
		ready = poll(events, 3, timeout_ms(local));
		if (ready > 0 && events[1].revents) {
			int signal = take_signal(local);

			if (signal)
				return signal;
		}
		if (ready > 0 && events[0].revents)
			prober_run(local->prober);
		if (ready > 0 && events[2].revents)
			supervisor_run_stop(local->supervisor);
		supervisor_tick(local->supervisor);
	}
	return 0;
}

json_t *local_result(const struct local *local)
{
	return result_json(local->supervisor->name,
			   local->ended ? &local->last : &local->supervisor->cutover);
}
