/* SPDX-License-Identifier: GPL-2.0-only */
#include "switch/stop.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check/utf8.h"
#include "datapath/services.h"
#include "duration.h"
#include "environment.h"
#include "launch.h"
#include "switch/tail.h"
#include "words.h"

#define READS 16 /* of output in a turn: a flood must not hold up the others */
#define KILL_WAIT_MS 1000 /* from SIGKILL to the end, if nothing sleeps in the kernel */
#define MAX_WORDS (STOP_TEXT - 32) /* leaves room for some of the output */
#define NEXT "free some memory or descriptors; the color still runs"

enum phase { RUNNING, TERMINATING, KILLING, OVER };

struct stop {
	enum phase phase;
	pid_t pid; /* of the group, too; 0: not started */
	int epoll, pidfd, output, timer; /* -1: closed */
	int error; /* why it did not start, errno; */
	char *program; /* and what it is that did not */
	unsigned int timeout_ms;
	unsigned long long began_ms;
	struct tail tail;
	struct stop_outcome outcome;
};

static unsigned long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (unsigned long long)now.tv_sec * 1000 + (unsigned long long)now.tv_nsec / 1000000;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* 0: at once. */
static void set_timer(const struct stop *stop, unsigned int ms)
{
	const struct itimerspec at = {
		.it_value = { .tv_sec = ms / 1000, .tv_nsec = ms ? ms % 1000 * 1000000L : 1 },
	};

	timerfd_settime(stop->timer, 0, &at, NULL);
}

static int watch(const struct stop *stop, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return fd < 0 || epoll_ctl(stop->epoll, EPOLL_CTL_ADD, fd, &event) ? -1 : 0;
}

static bool is_passed_on(const char *variable)
{
	static const char *const names[] = { "PATH", "HOME", "LANG" };

	return environment_is_any(variable, names, sizeof(names) / sizeof(names[0]));
}

static char **make_environment(const char *service, enum bgs_color color)
{
	char name[BGS_NAME_SIZE + 32], color_variable[32];
	const char *const added[] = { name, color_variable };

	snprintf(name, sizeof(name), "BGSWITCH_SERVICE=%s", service);
	snprintf(color_variable, sizeof(color_variable), "BGSWITCH_COLOR=%s", color_name(color));
	return environment_make(is_passed_on, added, sizeof(added) / sizeof(added[0]));
}

/* A process that cannot be watched is ended; it is no zombie afterwards. */
static int watch_process(struct stop *stop)
{
	int err;

	stop->pidfd = pidfd_open(stop->pid, 0);
	if (!watch(stop, stop->pidfd))
		return 0;
	err = errno;
	kill(-stop->pid, SIGKILL);
	waitpid(stop->pid, NULL, 0);
	stop->pid = 0;
	errno = err;
	return -1;
}

/* Starts it, or notes in `error` why it cannot be. */
static int launch(struct stop *stop, char *const argv[], char *const environment[])
{
	int ends[2], err;

	if (pipe2(ends, O_CLOEXEC))
		return -1;
	stop->output = ends[0];
	if (fcntl(stop->output, F_SETFL, O_NONBLOCK) || watch(stop, stop->output)) {
		close(ends[1]);
		return -1;
	}
	err = launch_group(&stop->pid, argv, environment, ends[1]);
	close(ends[1]);
	if (!err)
		return watch_process(stop);
	stop->pid = 0;
	stop->error = -err;
	stop->program = strdup(argv[0]);
	return stop->program ? 0 : -1;
}

static int start(struct stop *stop, const char *service, enum bgs_color color, char *const argv[])
{
	char **environment = make_environment(service, color);
	int err;

	if (!environment)
		return -1;
	stop->epoll = epoll_create1(EPOLL_CLOEXEC);
	stop->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	err = stop->epoll < 0 || watch(stop, stop->timer) || launch(stop, argv, environment) ? -1
											     : 0;
	words_free(environment);
	if (!err)
		set_timer(stop, stop->error ? 0 : stop->timeout_ms);
	return err;
}

struct stop *stop_new(const char *service, enum bgs_color color, char *const argv[],
		      unsigned int timeout_ms, struct failure *failure)
{
	struct stop *stop = calloc(1, sizeof(*stop));

	if (stop) {
		stop->epoll = stop->pidfd = stop->output = stop->timer = -1;
		stop->timeout_ms = timeout_ms;
		stop->began_ms = now_ms();
	}
	if (!stop || start(stop, service, color, argv)) {
		failure_errno(failure, errno, NEXT, "%s: cannot run the stop command of %s",
			      service, color_name(color));
		stop_free(stop);
		return NULL;
	}
	return stop;
}

int stop_fd(const struct stop *stop)
{
	return stop->epoll;
}

bool stop_is_over(const struct stop *stop)
{
	return stop->phase == OVER;
}

const struct stop_outcome *stop_outcome(const struct stop *stop)
{
	return stop_is_over(stop) ? &stop->outcome : NULL;
}

/* Closed at its end, which would be readable for ever. */
static void take_output(struct stop *stop)
{
	char bytes[4096];

	for (int i = 0; i < READS && stop->output >= 0; i++) {
		ssize_t got = read(stop->output, bytes, sizeof(bytes));

		if (got < 0)
			break;
		if (!got)
			close_fd(&stop->output);
		tail_add(&stop->tail, bytes, (size_t)got);
	}
}

/* What happened in words, and the last line of output behind it. */
__attribute__((format(printf, 4, 5))) static void finish(struct stop *stop, enum stop_end end,
							 int number, const char *format, ...)
{
	struct stop_outcome *outcome = &stop->outcome;
	char line[STOP_TEXT];
	va_list args;

	va_start(args, format);
	vsnprintf(outcome->text, MAX_WORDS, format, args);
	va_end(args);
	utf8_defuse(outcome->text);
	tail_last_line(&stop->tail, line, STOP_TEXT - strlen(outcome->text) - strlen(": "));
	if (*line && end != STOP_DONE)
		strcat(strcat(outcome->text, ": "), line);
	outcome->end = end;
	outcome->number = number;
	outcome->duration_ms = (unsigned int)(now_ms() - stop->began_ms);
	stop->phase = OVER;
	close_fd(&stop->output);
	close_fd(&stop->timer);
}

static void judge(struct stop *stop, const siginfo_t *end)
{
	char limit[DURATION_TEXT];

	duration_format(limit, stop->timeout_ms);
	if (stop->phase == TERMINATING)
		finish(stop, STOP_TIMED_OUT, 0, "no end within %s, terminated", limit);
	else if (stop->phase == KILLING)
		finish(stop, STOP_TIMED_OUT, 0, "no end within %s, killed", limit);
	else if (end->si_code != CLD_EXITED)
		finish(stop, STOP_KILLED, end->si_status, "killed by signal %d", end->si_status);
	else if (end->si_status)
		finish(stop, STOP_EXITED, end->si_status, "exit status %d", end->si_status);
	else
		finish(stop, STOP_DONE, 0, "done");
}

/*
 * The first of its group is reaped last: until then the group's number is
 * taken, and what else belongs to it can be ended safely. False: it still runs.
 */
static bool reap(struct stop *stop, siginfo_t *end)
{
	*end = (siginfo_t){};
	if (waitid(P_PIDFD, (id_t)stop->pidfd, end, WEXITED | WNOHANG | WNOWAIT) || !end->si_pid)
		return false;
	kill(-stop->pid, SIGKILL);
	take_output(stop);
	waitid(P_PIDFD, (id_t)stop->pidfd, &(siginfo_t){}, WEXITED | WNOHANG);
	close_fd(&stop->pidfd);
	stop->pid = 0;
	return true;
}

static void time_is_up(struct stop *stop)
{
	char limit[DURATION_TEXT];

	switch (stop->phase) {
	case RUNNING:
		stop->phase = TERMINATING;
		kill(-stop->pid, SIGTERM);
		set_timer(stop, STOP_GRACE_MS);
		break;
	case TERMINATING:
		stop->phase = KILLING;
		kill(-stop->pid, SIGKILL);
		set_timer(stop, KILL_WAIT_MS);
		break;
	default: /* sleeps in the kernel: its end comes when it comes */
		epoll_ctl(stop->epoll, EPOLL_CTL_DEL, stop->pidfd, NULL);
		finish(stop, STOP_TIMED_OUT, 0, "no end within %s, killed, and not gone yet",
		       duration_format(limit, stop->timeout_ms));
		break;
	}
}

void stop_run(struct stop *stop)
{
	uint64_t expired;
	siginfo_t end;

	if (stop->phase == OVER)
		return;
	if (stop->error) {
		finish(stop, STOP_NOT_STARTED, stop->error, "cannot run %.160s: %s", stop->program,
		       strerror(stop->error));
		return;
	}
	take_output(stop);
	if (reap(stop, &end))
		judge(stop, &end);
	else if (read(stop->timer, &expired, sizeof(expired)) == sizeof(expired))
		time_is_up(stop);
}

void stop_free(struct stop *stop)
{
	siginfo_t end;

	if (!stop)
		return;
	if (stop->pid) {
		struct pollfd gone = { .fd = stop->pidfd, .events = POLLIN };

		kill(-stop->pid, SIGKILL);
		if (poll(&gone, 1, KILL_WAIT_MS) > 0)
			reap(stop, &end);
	}
	close_fd(&stop->output);
	close_fd(&stop->pidfd);
	close_fd(&stop->timer);
	close_fd(&stop->epoll);
	free(stop->program);
	free(stop);
}
