/* SPDX-License-Identifier: GPL-2.0-only */
/* The command line's side: against the real server, and against one that is mad. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "control/client.h"
#include "lib/rig.h"
#include "lib/scratch.h"
#include "lib/test.h"

/* ---- a server in a process of its own */

struct agent {
	pid_t pid;
	char path[PATH_MAX];
};

static void serve(const char *directory, int ready)
{
	struct failure failure;
	struct rig rig;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (rig_open(&rig, directory, NULL, &failure) || write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		rig_step(&rig);
}

static struct agent start_agent(const char *directory)
{
	struct agent agent;
	int ready[2];
	char byte;

	scratch_path(agent.path, directory, "control.sock");
	assert_int_equal(pipe(ready), 0);
	agent.pid = fork();
	assert_true(agent.pid >= 0);
	if (!agent.pid)
		serve(directory, ready[1]);
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return agent;
}

static void kill_agent(const struct agent *agent)
{
	kill(agent->pid, SIGKILL);
	waitpid(agent->pid, NULL, 0);
}

static void test_without_an_agent_there_is_none(void **state)
{
	struct failure failure = {};
	struct agent agent;
	char path[PATH_MAX];
	int fd;

	scratch_path(path, *state, "control.sock");
	assert_int_equal(client_connect(path, &failure), CLIENT_NO_AGENT);
	agent = start_agent(*state);
	fd = client_connect(path, &failure);
	assert_true(fd >= 0);
	close(fd);
	kill_agent(&agent); /* leaves its file */
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(client_connect(path, &failure), CLIENT_NO_AGENT);
	assert_string_equal(failure.what, "");
}

static void test_an_agent_of_others_cannot_be_reached(void **state)
{
	struct agent agent;
	struct failure failure;
	int status;
	pid_t pid;

	if (geteuid()) {
		print_message("skipped: only root can be another user\n");
		skip();
	}
	assert_int_equal(chmod(*state, 0711), 0);
	agent = start_agent(*state);
	pid = fork();
	if (!pid) {
		if (setresuid(65534, 65534, 65534))
			_exit(99);
		_exit(client_connect(agent.path, &failure) != -1 || failure.code != EXIT_SYSTEM ||
		      !strstr(failure.what, agent.path) ||
		      !strstr(failure.what, "Permission denied") || !strstr(failure.next, "root"));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	kill_agent(&agent);
}

static void test_a_call_returns_its_parameters(void **state)
{
	struct agent agent = start_agent(*state);
	struct failure failure = {};
	int fd = client_connect(agent.path, &failure);

	for (int i = 0; i < 3; i++) { /* one connection, several calls */
		struct client_call call = { .method = "Check",
					    .parameters = json_pack("{s:i}", "n", i),
					    .stop_fd = -1 };
		json_t *reply = client_call(fd, &call, &failure);

		assert_non_null(reply);
		assert_int_equal(json_integer_value(json_object_get(reply, "n")), i);
		json_decref(reply);
	}
	close(fd);
	kill_agent(&agent);
}

static void count(const json_t *parameters, void *data)
{
	assert_true(json_is_object(parameters));
	++*(int *)data;
}

static void test_progress_is_reported(void **state)
{
	struct agent agent = start_agent(*state);
	struct failure failure = {};
	int fd = client_connect(agent.path, &failure), seen = 0;
	struct client_call call = {
		.method = "Promote", .stop_fd = -1, .progress = count, .data = &seen
	};
	json_t *reply = client_call(fd, &call, &failure);

	assert_int_equal(seen, 2);
	assert_int_equal(json_integer_value(json_object_get(reply, "n")), 2);
	json_decref(reply);
	close(fd);
	kill_agent(&agent);
}

/* Set is never answered by this agent. */
static void test_waiting_ends_by_time_or_by_the_stop(void **state)
{
	struct agent agent = start_agent(*state);
	struct failure failure = {};
	int stop = eventfd(0, EFD_CLOEXEC), fd = client_connect(agent.path, &failure);
	struct client_call call = { .method = "Set", .timeout_ms = 50, .stop_fd = stop };

	assert_null(client_call(fd, &call, &failure));
	assert_failure(failure, EXIT_AGENT, "does not answer for 50 ms");
	assert_contains(failure.what, agent.path);
	close(fd);
	assert_int_equal(eventfd_write(stop, 1), 0);
	fd = client_connect(agent.path, &failure);
	call.waits = true;
	assert_null(client_call(fd, &call, &failure));
	assert_failure(failure, EXIT_DONE, "no longer waiting");
	close(fd);
	close(stop);
	kill_agent(&agent);
}

static void test_the_death_of_the_agent_ends_waiting(void **state)
{
	struct agent agent = start_agent(*state);
	struct failure failure = {};
	int fd = client_connect(agent.path, &failure);
	struct client_call call = { .method = "Set", .waits = true, .stop_fd = -1 };
	pid_t killer = fork();

	if (!killer) {
		/* Kills while the other waits, or before it asks: both must end it. */
		kill(agent.pid, SIGKILL);
		_exit(0);
	}
	assert_null(client_call(fd, &call, &failure));
	assert_failure(failure, EXIT_AGENT, "closed the connection");
	assert_contains(failure.next, "systemctl status bgswitch");
	close(fd);
	waitpid(killer, NULL, 0);
	kill_agent(&agent);
}

/* ---- answers of all kinds */

#define FAILED(parameters) "{\"error\":\"org.bgswitch.Failed\",\"parameters\":{" parameters "}}"
#define SERVICE(name) "{\"error\":\"org.varlink.service." name "\",\"parameters\":{}}"

static const struct {
	const char *answer;
	enum exit_code code;
	const char *what, *next;
} failures[] = {
	{ FAILED("\"code\":3,\"what\":\"green is ill\",\"next\":\"wait\""), EXIT_REFUSED,
	  "green is ill", "wait" },
	{ FAILED("\"code\":7,\"what\":\"busy\",\"next\":\"\""), EXIT_BUSY, "busy", "systemctl" },
	{ FAILED("\"code\":0,\"what\":\"w\",\"next\":\"n\""), EXIT_AGENT, "no Varlink reply",
	  "systemctl" },
	{ FAILED("\"code\":8,\"what\":\"w\",\"next\":\"n\""), EXIT_AGENT, "no Varlink reply",
	  "systemctl" },
	{ FAILED(""), EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "{\"error\":\"org.bgswitch.Failed\"}", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "{\"error\":\"org.bgswitch.NoSuchService\",\"parameters\":{\"service\":\"web\"}}",
	  EXIT_USAGE, "no service named 'web'", "service ls" },
	{ SERVICE("PermissionDenied"), EXIT_SYSTEM, "does not let this user", "operators" },
	{ SERVICE("MethodNotFound"), EXIT_AGENT, "answered org.varlink.service.MethodNotFound",
	  "restart" },
	{ "{\"error\":\"\\u001b[2J\"}", EXIT_AGENT, "answered ?[2J", "restart" },
	{ "{\"error\":1}", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "{\"parameters\":[]}", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "{\"parameters\":{},\"continues\":true}", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "{}", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "[]", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ "HTTP/1.1 400 Bad Request", EXIT_AGENT, "no Varlink reply", "systemctl" },
	{ NULL, EXIT_AGENT, "closed the connection", "systemctl" },
};

static void test_each_answer_has_its_failure(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(failures); i++) {
		const char *answer = failures[i].answer;
		struct client_call call = { .method = "Ping", .stop_fd = -1 };
		struct failure failure = {};
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
		if (answer)
			rig_send(pair[1], answer);
		assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
		assert_null(client_call(pair[0], &call, &failure));
		assert_failure(failure, failures[i].code, failures[i].what);
		assert_contains(failure.next, failures[i].next);
		close(pair[0]);
		close(pair[1]);
	}
}

static void test_where_no_socket_fits_there_is_no_agent(void **state)
{
	struct failure failure;
	char path[200];

	(void)state;
	memset(path, 'p', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(client_connect(path, &failure), CLIENT_NO_AGENT);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, scratch_make, scratch_remove)
	const struct CMUnitTest tests[] = {
		TEST(test_without_an_agent_there_is_none),
		TEST(test_an_agent_of_others_cannot_be_reached),
		TEST(test_a_call_returns_its_parameters),
		TEST(test_progress_is_reported),
		TEST(test_waiting_ends_by_time_or_by_the_stop),
		TEST(test_the_death_of_the_agent_ends_waiting),
		TEST(test_each_answer_has_its_failure),
		TEST(test_where_no_socket_fits_there_is_no_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
