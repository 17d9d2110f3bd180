/* SPDX-License-Identifier: GPL-2.0-only */
#include "rig.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/interface.h"
#include "test.h"

#define LIMIT_S 5

/* ---- methods */

static void ping(struct call *call, const json_t *parameters, void *data)
{
	struct rig *rig = data;

	(void)parameters;
	rig->calls++;
	call_reply(call, json_pack("{s:i}", "pid", (int)call_peer(call)->pid));
}

static void echo(struct call *call, const json_t *parameters, void *data)
{
	struct rig *rig = data;

	rig->calls++;
	call_reply(call, json_deep_copy(parameters));
}

static void on_gone(struct call *call, void *data)
{
	struct rig *rig = data;

	assert_ptr_equal(call, rig->held);
	rig->held = NULL;
	rig->gone++;
}

static void hold(struct call *call, const json_t *parameters, void *data)
{
	struct rig *rig = data;

	(void)parameters;
	assert_null(rig->held);
	rig->calls++;
	rig->held = call;
	call_on_gone(call, on_gone, rig);
}

static void fail_with(struct call *call, const json_t *parameters, void *data)
{
	struct failure failure;

	(void)parameters, (void)data;
	failure_set(&failure, EXIT_REFUSED, "wait", "green is not \xff healthy");
	call_fail_with(call, &failure);
}

static void miss_parameter(struct call *call, const json_t *parameters, void *data)
{
	(void)parameters, (void)data;
	call_fail_parameter(call, "color");
}

static void expect_more(struct call *call, const json_t *parameters, void *data)
{
	(void)parameters, (void)data;
	if (!call_wants_more(call)) {
		call_fail_expected_more(call);
		return;
	}
	call_continue(call, NULL);
	call_continue(call, json_pack("{s:i}", "n", 1));
	call_reply(call, json_pack("{s:i}", "n", 2));
}

static const struct control_method methods[] = {
	{ "Ping", CONTROL_READS, ping },
	{ "Check", CONTROL_READS, echo },
	{ "Set", CONTROL_CHANGES, hold },
	{ "Abort", CONTROL_CHANGES, hold },
	{ "Events", CONTROL_READS, hold },
	{ "History", CONTROL_READS, fail_with },
	{ "Reload", CONTROL_READS, miss_parameter },
	{ "Promote", CONTROL_READS, expect_more },
	{ "Split", CONTROL_CHANGES, NULL },
	{},
};

/* ---- the server */

int rig_open(struct rig *rig, const char *directory, const struct control_setup *how,
	     struct failure *failure)
{
	struct control_setup setup = how ? *how : (struct control_setup){};

	*rig = (struct rig){};
	if (sd_event_new(&rig->event) < 0)
		errx(99, "sd_event_new");
	snprintf(rig->path, sizeof(rig->path), "%s/control.sock", directory);
	setup.path = rig->path;
	setup.description = control_interface;
	setup.methods = methods;
	setup.data = rig;
	rig->control = control_new(rig->event, &setup, failure);
	if (rig->control)
		return 0;
	rig_close(rig);
	return -1;
}

void rig_close(struct rig *rig)
{
	control_free(rig->control);
	sd_event_unref(rig->event);
	*rig = (struct rig){};
}

void rig_step(struct rig *rig)
{
	if (sd_event_run(rig->event, 20000) < 0)
		errx(99, "sd_event_run");
}

void rig_settle(struct rig *rig)
{
	int ran;

	for (int turns = 0; (ran = sd_event_run(rig->event, 0)) > 0; turns++)
		if (turns > 100000)
			fail_msg("the loop never comes to rest");
	assert_int_equal(ran, 0);
}

/* ---- clients */

int rig_connect(const struct rig *rig)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%.100s", rig->path);
	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)))
		err(99, "connect %s", rig->path);
	return fd;
}

void rig_send_bytes(int fd, const void *bytes, size_t length)
{
	/* The server may have had enough of it already. */
	if (send(fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EPIPE &&
	    errno != EAGAIN)
		err(99, "send");
}

void rig_send(int fd, const char *text)
{
	rig_send_bytes(fd, text, strlen(text) + 1);
}

const char *rig_read(struct rig *rig, int fd)
{
	static char message[1 << 20];
	const time_t limit = time(NULL) + LIMIT_S;
	size_t length = 0;

	while (length < sizeof(message)) {
		ssize_t got = recv(fd, message + length, 1, MSG_DONTWAIT);

		if (!got || (got < 0 && errno == ECONNRESET))
			return NULL;
		if (got < 0 && time(NULL) > limit)
			break;
		if (got < 0)
			rig_step(rig);
		else if (!message[length++])
			return message;
	}
	fail_msg("no answer within %d s", LIMIT_S);
	return NULL;
}

const char *rig_call(struct rig *rig, int fd, const char *text)
{
	rig_send(fd, text);
	return rig_read(rig, fd);
}

void rig_expect_end(struct rig *rig, int fd)
{
	const char *message = rig_read(rig, fd);

	if (message)
		fail_msg("not closed, but answered: %.200s", message);
	close(fd);
}
