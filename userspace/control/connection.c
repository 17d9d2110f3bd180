/* SPDX-License-Identifier: GPL-2.0-only */
#include "control/connection.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define USEC_PER_MS 1000ull
#define TIMER_ACCURACY_US 50000

/* ---- time */

static enum connection_phase current_phase(const struct connection *connection)
{
	if (connection->call)
		return PHASE_CALL;
	if (buffer_length(&connection->outbox))
		return PHASE_SENDING;
	return buffer_length(&connection->inbox.bytes) ? PHASE_MESSAGE : PHASE_IDLE;
}

/* Who has no right gets no time to take up a place. */
static unsigned int phase_ms(const struct connection *connection)
{
	const struct control_setup *setup = &connection->control->setup;

	if (connection->phase == PHASE_MESSAGE || connection->stranger)
		return setup->message_ms;
	return setup->idle_ms;
}

static int set_timer(struct connection *connection)
{
	enum connection_phase phase = current_phase(connection);
	uint64_t now;
	int err;

	if (phase == connection->phase && !connection->progress)
		return 0;
	connection->phase = phase;
	connection->progress = false;
	if (phase == PHASE_CALL)
		return sd_event_source_set_enabled(connection->timer, SD_EVENT_OFF);
	err = sd_event_now(connection->control->event, CLOCK_MONOTONIC, &now);
	if (err < 0)
		return err;
	err = sd_event_source_set_time(connection->timer, now + phase_ms(connection) * USEC_PER_MS);
	return err < 0 ? err : sd_event_source_set_enabled(connection->timer, SD_EVENT_ONESHOT);
}

/* ---- bytes */

int connection_flush(struct connection *connection)
{
	struct buffer *outbox = &connection->outbox;

	while (buffer_length(outbox)) {
		ssize_t sent = send(connection->fd, buffer_front(outbox), buffer_length(outbox),
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -errno;
		buffer_take(outbox, sent);
		connection->progress = true;
	}
	return 0;
}

/* 0, also when nothing is there now; or -errno */
static int receive(struct connection *connection)
{
	size_t room;
	char *into = varlink_inbox_room(&connection->inbox, &room);
	ssize_t length;

	if (!into)
		return -EMSGSIZE;
	length = recv(connection->fd, into, room, MSG_DONTWAIT);
	if (length > 0)
		varlink_inbox_added(&connection->inbox, length);
	else if (!length)
		connection->at_end = true;
	else if (errno != EAGAIN && errno != EINTR)
		return -errno;
	if (!buffer_length(&connection->inbox.bytes))
		buffer_free(&connection->inbox.bytes); /* an idle client costs no memory */
	return 0;
}

/* ---- work */

/* Without any right: what was sent is not even looked at. */
static void deny(struct connection *connection)
{
	connection->closing = true;
	connection_send(connection, varlink_error(VARLINK_SERVICE ".PermissionDenied", NULL));
}

static int run_message(struct connection *connection, size_t length)
{
	json_t *message = varlink_parse(buffer_front(&connection->inbox.bytes), length);
	int err = 0;

	varlink_inbox_drop(&connection->inbox);
	if (json_is_object(message))
		call_begin(connection, message);
	else
		err = -1; /* who knows where the next one begins */
	json_decref(message);
	return err;
}

/* One message, if it is whole. -1: the client is done, or cannot be understood. */
static int take_message(struct connection *connection)
{
	ssize_t length = varlink_inbox_message(&connection->inbox);

	if (length < 0) {
		if (connection->at_end || receive(connection))
			return -1;
		length = varlink_inbox_message(&connection->inbox);
	}
	if (length < 0) {
		if (connection->hung_up)
			connection_wake(connection); /* no event will tell of the rest */
		return connection->at_end ? -1 : 0;
	}
	connection->progress = true;
	connection_wake(connection); /* the next one, after everybody else's turn */
	if (access_allows(&connection->control->groups, &connection->peer, CONTROL_READS))
		return run_message(connection, length);
	deny(connection);
	return 0;
}

static int advance(struct connection *connection)
{
	if (connection->broken || connection_flush(connection))
		return -1;
	if (connection->call || buffer_length(&connection->outbox))
		return 0;
	return connection->closing ? -1 : take_message(connection);
}

/* Reading waits while anything else is to be done; a hangup is reported even then. */
static int set_events(struct connection *connection)
{
	uint32_t events = 0;

	if (buffer_length(&connection->outbox))
		events = EPOLLOUT;
	else if (!connection->call && !connection->at_end)
		events = EPOLLIN;
	return sd_event_source_set_io_events(connection->io, events);
}

static int step(struct connection *connection)
{
	if (advance(connection) || set_events(connection) < 0 || set_timer(connection) < 0)
		connection_end(connection);
	return 0;
}

void connection_wake(struct connection *connection)
{
	if (sd_event_source_set_enabled(connection->work, SD_EVENT_ONESHOT) < 0)
		connection->broken = true; /* the timer ends it then */
}

void connection_send(struct connection *connection, json_t *message)
{
	if (varlink_append(&connection->outbox, message))
		connection->broken = true;
	connection_wake(connection);
}

/* ---- events */

static int on_io(sd_event_source *source, int fd, uint32_t events, void *data)
{
	struct connection *connection = data;

	(void)fd;
	if (events & (EPOLLHUP | EPOLLERR)) {
		connection->hung_up = true;
		if (connection->call && !connection->call->oneway) {
			connection_end(connection);
			return 0;
		}
		/* It would be reported again and again while the rest is worked off. */
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	}
	return step(connection);
}

static int on_work(sd_event_source *source, void *data)
{
	(void)source;
	return step(data);
}

static int on_time(sd_event_source *source, uint64_t at, void *data)
{
	(void)source, (void)at;
	connection_end(data);
	return 0;
}

/* ---- coming and going */

static int add_sources(struct connection *connection)
{
	sd_event *event = connection->control->event;
	int err =
		sd_event_add_io(event, &connection->io, connection->fd, EPOLLIN, on_io, connection);

	if (err >= 0)
		err = sd_event_add_time(event, &connection->timer, CLOCK_MONOTONIC, 0,
					TIMER_ACCURACY_US, on_time, connection);
	if (err >= 0)
		err = sd_event_add_defer(event, &connection->work, on_work, connection);
	if (err >= 0)
		err = sd_event_source_set_enabled(connection->work, SD_EVENT_OFF);
	return err < 0 ? err : set_timer(connection);
}

int connection_new(struct control *control, int fd, struct peer *peer)
{
	struct connection *connection = calloc(1, sizeof(*connection));
	int err;

	if (!connection) {
		close(fd);
		peer_free(peer);
		return -ENOMEM;
	}
	connection->control = control;
	connection->fd = fd;
	connection->peer = *peer;
	connection->stranger = !access_allows(&control->groups, peer, CONTROL_READS);
	connection->inbox.limit = CONTROL_MAX_MESSAGE;
	control->connections[control->connection_count++] = connection;
	err = add_sources(connection);
	if (err >= 0)
		return 0;
	connection_end(connection);
	return err;
}

static void forget(struct control *control, const struct connection *connection)
{
	for (size_t i = 0; i < control->connection_count; i++)
		if (control->connections[i] == connection) {
			control->connections[i] = control->connections[--control->connection_count];
			return;
		}
}

void connection_end(struct connection *connection)
{
	forget(connection->control, connection);
	if (connection->call)
		call_abandon(connection->call);
	sd_event_source_disable_unref(connection->io);
	sd_event_source_disable_unref(connection->timer);
	sd_event_source_disable_unref(connection->work);
	close(connection->fd);
	peer_free(&connection->peer);
	varlink_inbox_free(&connection->inbox);
	buffer_free(&connection->outbox);
	free(connection);
}
