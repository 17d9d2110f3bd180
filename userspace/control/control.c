/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/connection.h"

#define ACCEPTS_AT_ONCE 16 /* others want their turn, too */
#define KEPT_FOR_ROOT 16
#define PAUSE_US 100000 /* when descriptors have run out */

/* ---- clients that come */

static bool has_room(const struct control *control, const struct peer *peer)
{
	bool stranger = !access_allows(&control->groups, peer, CONTROL_READS);
	size_t alike = 0;

	if (peer_is_own(peer))
		return control->connection_count < CONTROL_MAX_CLIENTS;
	for (size_t i = 0; i < control->connection_count; i++) {
		const struct connection *other = control->connections[i];

		alike += stranger ? other->stranger : other->peer.id.uid == peer->id.uid;
	}
	return alike < CONTROL_MAX_OF_USER &&
	       control->connection_count < CONTROL_MAX_CLIENTS - KEPT_FOR_ROOT;
}

static void admit(struct control *control, int fd)
{
	struct peer peer;

	if (peer_read(&peer, fd)) {
		close(fd);
	} else if (!has_room(control, &peer)) {
		close(fd);
		peer_free(&peer);
	} else {
		connection_new(control, fd, &peer);
	}
}

static int on_pause_end(sd_event_source *source, uint64_t at, void *data)
{
	struct control *control = data;

	(void)source, (void)at;
	return sd_event_source_set_enabled(control->accepting, SD_EVENT_ON);
}

/* Nothing can be accepted now, and epoll would say again and again that something waits. */
static int pause_accepting(struct control *control)
{
	int err = sd_event_source_set_time_relative(control->pause, PAUSE_US);

	if (err >= 0)
		err = sd_event_source_set_enabled(control->pause, SD_EVENT_ONESHOT);
	if (err >= 0)
		err = sd_event_source_set_enabled(control->accepting, SD_EVENT_OFF);
	return err;
}

static bool is_passing(int error)
{
	return error == EAGAIN || error == EINTR || error == ECONNABORTED;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct control *control = data;

	(void)source, (void)events;
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (client < 0)
			return is_passing(errno) ? 0 : pause_accepting(control);
		admit(control, client);
	}
	return 0;
}

/* ---- the whole */

static int add_sources(struct control *control, struct failure *failure)
{
	int err = sd_event_add_io(control->event, &control->accepting, control->listening.fd,
				  EPOLLIN, on_accept, control);

	if (err >= 0)
		err = sd_event_add_time(control->event, &control->pause, CLOCK_MONOTONIC, 0, 0,
					on_pause_end, control);
	if (err >= 0)
		err = sd_event_source_set_enabled(control->pause, SD_EVENT_OFF);
	return err < 0 ? failure_errno(failure, -err, "free some memory and try again",
				       "cannot watch the control socket")
		       : 0;
}

struct control *control_new(sd_event *event, const struct control_setup *setup,
			    struct failure *failure)
{
	struct control *control = calloc(1, sizeof(*control));

	if (!control) {
		failure_errno(failure, ENOMEM, "free some memory and try again",
			      "cannot make the control socket");
		return NULL;
	}
	control->setup = *setup;
	if (!setup->idle_ms)
		control->setup.idle_ms = CONTROL_IDLE_MS;
	if (!setup->message_ms)
		control->setup.message_ms = CONTROL_MESSAGE_MS;
	if (access_groups_find(&control->groups, setup->operators, setup->readers, failure) ||
	    listening_open(&control->listening, setup->path, access_groups_any(&control->groups),
			   failure)) {
		free(control);
		return NULL;
	}
	control->event = sd_event_ref(event);
	if (add_sources(control, failure)) {
		control_free(control);
		return NULL;
	}
	return control;
}

void control_free(struct control *control)
{
	if (!control)
		return;
	sd_event_source_disable_unref(control->accepting);
	sd_event_source_disable_unref(control->pause);
	listening_close(&control->listening);
	while (control->connection_count) {
		struct connection *last = control->connections[control->connection_count - 1];

		connection_flush(last); /* what was answered just before */
		connection_end(last);
	}
	sd_event_unref(control->event);
	free(control);
}

int control_set_groups(struct control *control, const char *operators, const char *readers,
		       struct failure *failure)
{
	struct access_groups groups;

	if (access_groups_find(&groups, operators, readers, failure) ||
	    listening_set_open(&control->listening, access_groups_any(&groups), failure))
		return -1;
	control->groups = groups;
	return 0;
}
