/* SPDX-License-Identifier: GPL-2.0-only */
/* A program's exit status. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check/command_environment.h"
#include "check/probe.h"
#include "launch.h"
#include "words.h"

#define READS 16 /* of output in a turn: a flood must not hold up the others */
#define KILL_WAIT_MS 1000

struct output {
	struct watch watch;
	int fd; /* -1 after its end */
	size_t length; /* bytes kept */
	char beginning[CHECK_BODY];
};

/* A process; outlives the check when it was killed, until it is reaped. */
struct command_run {
	struct watch watch; /* of the pidfd */
	struct command_run *next, *previous; /* of all runs */
	struct prober *prober;
	struct probe *probe; /* NULL once it is removed */
	struct output *output; /* NULL once it was killed: nobody waits for the result */
	pid_t pid;
	int pidfd;
};

struct command {
	struct command_run *run; /* NULL once it is reaped */
	char **environment;
};

static void close_fd(struct output *output)
{
	if (output->fd >= 0)
		close(output->fd);
	output->fd = -1;
}

static void close_output(struct command_run *run)
{
	close_fd(run->output);
	watch_retire(&run->prober->watches, &run->output->watch);
	run->output = NULL;
}

static void keep_output(struct output *output, const char *bytes, size_t length)
{
	size_t room = sizeof(output->beginning) - 1 - output->length;

	if (length > room)
		length = room;
	memcpy(output->beginning + output->length, bytes, length);
	output->length += length;
}

/* Closes it at its end, which would be reported for ever. */
static void drain(struct output *output)
{
	char bytes[4096];
	ssize_t got;

	for (int i = 0; i < READS && output->fd >= 0; i++) {
		got = read(output->fd, bytes, sizeof(bytes));
		if (got < 0)
			break;
		if (!got)
			close_fd(output);
		keep_output(output, bytes, (size_t)got);
	}
}

static void output_ready(struct watch *watch, uint32_t events)
{
	(void)events;
	drain((struct output *)watch);
}

static void forget(struct command_run *run)
{
	struct prober *prober = run->prober;

	if (run->output)
		close_output(run);
	if (run->next)
		run->next->previous = run->previous;
	if (run->previous)
		run->previous->next = run->next;
	else
		prober->runs = run->next;
	close(run->pidfd);
	watch_retire(&prober->watches, &run->watch);
}

static void judge(const siginfo_t *end, struct check_result *result)
{
	if (end->si_code == CLD_EXITED) {
		result->status = (unsigned int)end->si_status;
		result->ok = !end->si_status;
		if (!result->ok)
			probe_fail(result, "exit status %d", end->si_status);
	} else {
		probe_fail(result, "killed by signal %d", end->si_status);
	}
}

/*
 * The first of its group has ended. It is reaped last: until then the group's
 * number is taken, and what else belongs to it can be ended safely.
 */
static void run_ended(struct watch *watch, uint32_t events)
{
	struct command_run *run = (struct command_run *)watch;
	struct probe *probe = run->probe;
	struct check_result result = {};
	siginfo_t end = {};

	(void)events;
	kill(-run->pid, SIGKILL);
	if (waitid(P_PIDFD, (id_t)run->pidfd, &end, WEXITED | WNOHANG))
		probe_fail(&result, "its end is not known: %s", strerror(errno));
	else
		judge(&end, &result);
	if (probe)
		((struct command *)probe->private)->run = NULL;
	if (run->output) {
		drain(run->output);
		probe_keep_body(&result, run->output->beginning, run->output->length);
	} else {
		probe = NULL;
	}
	forget(run);
	if (probe)
		probe_end(probe, &result);
}

/* Its end comes when it comes: the result does not wait for it. */
static void end_run(struct command_run *run)
{
	kill(-run->pid, SIGKILL);
	close_output(run);
}

static int open_output(struct command_run *run, int *write_end)
{
	struct output *output = calloc(1, sizeof(*output));
	int ends[2];

	if (!output || pipe2(ends, O_CLOEXEC)) {
		free(output);
		return -errno;
	}
	*write_end = ends[1];
	output->fd = ends[0];
	output->watch.ready = output_ready;
	fcntl(output->fd, F_SETFL, O_NONBLOCK);
	run->output = output;
	return 0;
}

/* A process that cannot be watched is ended; it is no zombie afterwards. */
static int watch_process(struct command_run *run)
{
	int err;

	run->pidfd = pidfd_open(run->pid, 0);
	err = run->pidfd < 0 ? -errno
			     : watch_add(&run->prober->watches, run->pidfd, EPOLLIN, &run->watch);
	if (!err)
		return 0;
	if (run->pidfd >= 0)
		close(run->pidfd);
	kill(-run->pid, SIGKILL);
	waitpid(run->pid, NULL, 0);
	return err;
}

static int start_process(struct command_run *run)
{
	int write_end = -1, err = open_output(run, &write_end);

	if (err)
		return err;
	err = watch_add(&run->prober->watches, run->output->fd, EPOLLIN, &run->output->watch);
	if (!err)
		err = launch_group(&run->pid, run->probe->check->command,
				   ((struct command *)run->probe->private)->environment, write_end);
	close(write_end);
	if (!err)
		err = watch_process(run);
	if (err)
		close_output(run);
	return err;
}

static int start_run(struct probe *probe)
{
	struct command_run *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	run->watch.ready = run_ended;
	run->prober = probe->prober;
	run->probe = probe;
	err = start_process(run);
	if (err) {
		free(run);
		return err;
	}
	run->next = run->prober->runs;
	if (run->next)
		run->next->previous = run;
	run->prober->runs = run;
	((struct command *)probe->private)->run = run;
	return 0;
}

static void command_begin(struct probe *probe)
{
	struct command *command = probe->private;
	struct check_result result = {};
	int err;

	if (command->run) { /* sleeps in the kernel, and another one would as well */
		probe_fail(&result, "no end within %s, killed, and not gone yet",
			   probe_timeout(probe));
		probe_end(probe, &result);
		return;
	}
	err = start_run(probe);
	if (!err)
		return;
	probe_fail(&result, "cannot run %s: %s", probe->check->command[0], strerror(-err));
	probe_end(probe, &result);
}

/* The killed process stays the probe's until it has ended, so that they cannot pile up. */
static void command_expire(struct probe *probe, struct check_result *result)
{
	struct command_run *run = ((struct command *)probe->private)->run;

	drain(run->output);
	probe_keep_body(result, run->output->beginning, run->output->length);
	probe_fail(result, "no end within %s, killed", probe_timeout(probe));
	end_run(run);
}

static void command_stop(struct probe *probe)
{
	struct command_run *run = ((struct command *)probe->private)->run;

	if (run)
		end_run(run);
}

static void command_describe(const struct probe *probe, char sent[CHECK_TEXT])
{
	char text[ENDPOINT_TEXT];

	snprintf(sent, CHECK_TEXT, "%s for %s", probe->check->command[0],
		 probe_address_text(probe, text));
}

static int command_prepare(struct probe *probe, struct failure *failure)
{
	struct command *command = calloc(1, sizeof(*command));

	probe->private = command;
	if (!command)
		return failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
	if (!probe->check->command || !probe->check->command[0])
		return failure_set(failure, EXIT_USAGE, "name the program to run",
				   "check: the command is empty");
	command->environment = command_environment(probe);
	if (!command->environment)
		return failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
	return 0;
}

static void command_dispose(struct probe *probe)
{
	struct command *command = probe->private;

	if (!command)
		return;
	if (command->run)
		command->run->probe = NULL;
	words_free(command->environment);
	free(command);
}

/* SIGKILL has been sent; one that sleeps in the kernel for longer is left to init. */
void command_runs_end(struct prober *prober)
{
	struct command_run *run;

	while ((run = prober->runs)) {
		struct pollfd end = { .fd = run->pidfd, .events = POLLIN };

		if (poll(&end, 1, KILL_WAIT_MS) > 0)
			waitid(P_PIDFD, (id_t)run->pidfd, &(siginfo_t){}, WEXITED | WNOHANG);
		forget(run);
	}
}

const struct probe_way probe_command = {
	.prepare = command_prepare,
	.begin = command_begin,
	.expire = command_expire,
	.stop = command_stop,
	.describe = command_describe,
	.dispose = command_dispose,
};
