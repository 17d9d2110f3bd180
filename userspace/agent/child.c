/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Answers that take a walk over all sockets and processes, or a while, come
 * from a command of our own in another process, so that checks are never late
 * for them.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/agent.h"

#define MAX_CHILDREN 4
#define MAX_OUTPUT (16 * 1024 * 1024)
#define MAX_WORDS 32
#define LIMIT_USEC 60000000ULL

extern char **environ;

struct child {
	struct agent *agent;
	struct call *call; /* NULL: the client went away */
	const char *key;
	pid_t pid;
	int output, errors;
	char *text;
	size_t length, room;
	sd_event_source *io, *limit;
};

static void free_child(struct child *child)
{
	sd_event_source_disable_unref(child->io);
	sd_event_source_disable_unref(child->limit);
	close(child->output);
	close(child->errors);
	child->agent->children--;
	free(child->text);
	free(child);
}

static void on_gone(struct call *call, void *data)
{
	struct child *child = data;

	(void)call;
	child->call = NULL;
	kill(child->pid, SIGKILL);
}

/* Its last line says what is wrong and, after the semicolon, what to do next. */
static void read_failure(const struct child *child, int status, struct failure *failure)
{
	static const char prefix[] = "bgswitch: ";
	char text[sizeof(failure->what) + sizeof(failure->next)];
	ssize_t length = pread(child->errors, text, sizeof(text) - 1, 0);
	const char *line = text;
	char *next, *end;

	text[length > 0 ? length : 0] = '\0';
	end = strchr(text, '\0');
	while (end > text && end[-1] == '\n')
		*--end = '\0';
	if (strrchr(text, '\n'))
		line = strrchr(text, '\n') + 1;
	if (!strncmp(line, prefix, sizeof(prefix) - 1))
		line += sizeof(prefix) - 1;
	next = strstr(line, "; ");
	if (!WIFEXITED(status) || !next) {
		failure_set(failure, EXIT_SYSTEM, "try again in a moment",
			    "the command that the agent ran for it printed no answer");
		return;
	}
	*next = '\0';
	failure_set(failure, WEXITSTATUS(status), next + 2, "%s", line);
}

static void finish(struct child *child)
{
	struct failure failure;
	json_error_t error;
	json_t *answer = json_loadb(child->text, child->length, 0, &error);
	int status = 0;

	/* The end of its output was the end of it: it has nothing left to do. */
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!child->call) {
		json_decref(answer);
	} else if (answer) {
		call_reply(child->call, json_pack("{s:o}", child->key, answer));
	} else {
		read_failure(child, status, &failure);
		call_fail_with(child->call, &failure);
	}
	free_child(child);
}

static bool make_room(struct child *child)
{
	size_t room = child->room ? 2 * child->room : 16384;
	char *grown;

	if (child->length < child->room)
		return true;
	grown = room > MAX_OUTPUT ? NULL : realloc(child->text, room);
	if (!grown)
		return false;
	child->text = grown;
	child->room = room;
	return true;
}

static int on_output(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct child *child = data;
	ssize_t got;

	(void)source;
	(void)events;
	if (!make_room(child)) {
		kill(child->pid, SIGKILL);
		child->length = 0;
		finish(child);
		return 0;
	}
	got = read(fd, child->text + child->length, child->room - child->length);
	if (got > 0)
		child->length += got;
	else if (got == 0 || (errno != EAGAIN && errno != EINTR))
		finish(child);
	return 0;
}

static int on_limit(sd_event_source *source, uint64_t usec, void *data)
{
	const struct child *child = data;

	(void)source;
	(void)usec;
	kill(child->pid, SIGKILL);
	return 0;
}

/* With signals as a command expects them; the agent blocks some. */
static int spawn(struct child *child, const char *const words[], int output)
{
	const struct agent *agent = child->agent;
	const char *arguments[MAX_WORDS] = { "bgswitch" };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	size_t count = 1;
	sigset_t none;
	int err;

	for (const char *const *option = agent->setup->options; *option; option++)
		arguments[count++] = *option;
	while (*words && count < MAX_WORDS - 1)
		arguments[count++] = *words++;
	sigemptyset(&none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	/* The agent's own output is for events. */
	posix_spawn_file_actions_adddup2(&actions, child->errors, STDERR_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	err = posix_spawn(&child->pid, "/proc/self/exe", &actions, &attributes, (char **)arguments,
			  environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return err;
}

static int start(struct child *child, const char *const words[])
{
	int ends[2], err;

	child->errors = memfd_create("bgswitch-errors", MFD_CLOEXEC);
	if (child->errors < 0)
		return errno;
	err = pipe2(ends, O_CLOEXEC) ? errno : 0;
	if (!err) {
		err = spawn(child, words, ends[1]);
		close(ends[1]);
		if (err)
			close(ends[0]);
	}
	if (err) {
		close(child->errors);
		return err;
	}
	child->output = ends[0];
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return 0;
}

void child_answer(struct agent *agent, struct call *call, const char *key,
		  const char *const words[])
{
	struct child *child = calloc(1, sizeof(*child));
	struct failure failure;
	int err = child ? 0 : ENOMEM;

	if (agent->children >= MAX_CHILDREN)
		err = EAGAIN;
	if (child)
		*child = (struct child){ .agent = agent, .call = call, .key = key };
	if (!err)
		err = start(child, words);
	if (err) {
		free(child);
		failure_errno(&failure, err, "try again in a moment",
			      "the agent cannot run a command for it");
		call_fail_with(call, &failure);
		return;
	}
	agent->children++;
	call_on_gone(call, on_gone, child);
	if (sd_event_add_io(agent->event, &child->io, child->output, EPOLLIN, on_output, child) <
		    0 ||
	    sd_event_add_time_relative(agent->event, &child->limit, CLOCK_MONOTONIC, LIMIT_USEC, 0,
				       on_limit, child) < 0) {
		kill(child->pid, SIGKILL);
		finish(child);
	}
}
