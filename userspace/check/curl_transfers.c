/* SPDX-License-Identifier: GPL-2.0-only */
#include "check/curl_transfers.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "check/probe.h"

#define IDLE_HANDLES 32 /* kept for the next checks */

struct transfers {
	struct watches *watches;
	CURLM *multi;
	int timer;
	struct timer_watch *timer_watch;
	transfer_end *end;
	CURL **idle;
	size_t idle_count, idle_room;
	size_t started; /* and not stopped */
};

struct timer_watch {
	struct watch watch;
	struct transfers *transfers;
};

struct socket_watch {
	struct watch watch;
	struct transfers *transfers;
	curl_socket_t fd;
};

/* Ends change the list of handles, so each message is copied before. */
static void tell_ends(struct transfers *transfers)
{
	CURLMsg *message;
	int left;

	while ((message = curl->multi_info_read(transfers->multi, &left))) {
		CURLcode code = message->data.result;
		char *data = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &data);
		transfers->end(data, code);
	}
}

static void socket_ready(struct watch *watch, uint32_t events)
{
	struct socket_watch *socket = (struct socket_watch *)watch;
	struct transfers *transfers = socket->transfers;
	int running, what = 0;

	if (events & (EPOLLIN | EPOLLRDHUP))
		what |= CURL_CSELECT_IN;
	if (events & EPOLLOUT)
		what |= CURL_CSELECT_OUT;
	if (events & (EPOLLERR | EPOLLHUP))
		what |= CURL_CSELECT_ERR;
	curl->multi_socket_action(transfers->multi, socket->fd, what, &running);
	tell_ends(transfers);
}

static void timer_ready(struct watch *watch, uint32_t events)
{
	struct transfers *transfers = ((struct timer_watch *)watch)->transfers;
	int running;

	(void)events;
	curl->multi_socket_action(transfers->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	tell_ends(transfers);
}

static int unwatch(struct transfers *transfers, struct socket_watch *socket)
{
	if (!socket)
		return 0;
	epoll_ctl(transfers->watches->epoll, EPOLL_CTL_DEL, socket->fd, NULL);
	watch_retire(transfers->watches, &socket->watch);
	return 0;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *known)
{
	struct transfers *transfers = data;
	struct socket_watch *socket = known;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE)
		return unwatch(transfers, socket);
	if (socket)
		return watch_change(transfers->watches, fd, events, &socket->watch) ? -1 : 0;
	socket = calloc(1, sizeof(*socket));
	if (!socket)
		return -1;
	*socket = (struct socket_watch){ { .ready = socket_ready }, transfers, fd };
	if (watch_add(transfers->watches, fd, events, &socket->watch)) {
		free(socket);
		return -1;
	}
	curl->multi_assign(transfers->multi, fd, socket);
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *data)
{
	const struct transfers *transfers = data;
	struct itimerspec when = {};

	(void)multi;
	if (timeout_ms >= 0) {
		when.it_value.tv_sec = timeout_ms / 1000;
		when.it_value.tv_nsec = timeout_ms % 1000 * 1000000 + 1; /* 0 would stop it */
	}
	return timerfd_settime(transfers->timer, 0, &when, NULL) ? -1 : 0;
}

static int open_timer(struct transfers *transfers)
{
	transfers->timer_watch = calloc(1, sizeof(*transfers->timer_watch));
	transfers->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (!transfers->timer_watch || transfers->timer < 0)
		return -1;
	*transfers->timer_watch = (struct timer_watch){ { .ready = timer_ready }, transfers };
	/* Edge-triggered: it need not be read. */
	return watch_add(transfers->watches, transfers->timer, EPOLLIN | EPOLLET,
			 &transfers->timer_watch->watch);
}

static struct transfers *transfers_new(struct watches *watches)
{
	struct transfers *transfers = calloc(1, sizeof(*transfers));

	if (!transfers)
		return NULL;
	transfers->watches = watches;
	transfers->timer = -1;
	transfers->multi = curl->multi_init();
	if (!transfers->multi || open_timer(transfers)) {
		transfers_free(transfers);
		return NULL;
	}
	curl->multi_setopt(transfers->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl->multi_setopt(transfers->multi, CURLMOPT_SOCKETDATA, transfers);
	curl->multi_setopt(transfers->multi, CURLMOPT_TIMERFUNCTION, on_timer);
	curl->multi_setopt(transfers->multi, CURLMOPT_TIMERDATA, transfers);
	return transfers;
}

static void trim_idle(struct transfers *transfers, size_t kept)
{
	while (transfers->idle_count > kept)
		curl->easy_cleanup(transfers->idle[--transfers->idle_count]);
}

void transfers_free(struct transfers *transfers)
{
	if (!transfers)
		return;
	if (transfers->multi)
		curl->multi_cleanup(transfers->multi);
	trim_idle(transfers, 0);
	free(transfers->idle);
	if (transfers->timer >= 0)
		close(transfers->timer);
	if (transfers->timer_watch)
		watch_retire(transfers->watches, &transfers->timer_watch->watch);
	free(transfers);
}

CURL *transfer_take(struct prober *prober)
{
	struct transfers *transfers;

	if (!prober->transfers)
		prober->transfers = transfers_new(&prober->watches);
	transfers = prober->transfers;
	if (!transfers)
		return NULL;
	return transfers->idle_count ? transfers->idle[--transfers->idle_count] : curl->easy_init();
}

int transfer_start(struct transfers *transfers, CURL *easy, transfer_end *end, void *data)
{
	transfers->end = end;
	transfers->started++;
	curl->easy_setopt(easy, CURLOPT_PRIVATE, data);
	return curl->multi_add_handle(transfers->multi, easy) ? -1 : 0;
}

static bool make_room(struct transfers *transfers)
{
	size_t room = transfers->idle_room ? 2 * transfers->idle_room : IDLE_HANDLES;
	CURL **grown;

	if (transfers->idle_count < transfers->idle_room)
		return true;
	grown = reallocarray(transfers->idle, room, sizeof(CURL *));
	if (!grown)
		return false;
	transfers->idle = grown;
	transfers->idle_room = room;
	return true;
}

/*
 * Handles are freed when none is started: libcurl 7.88 unlinks a transfer that
 * has ended once more when it is removed, through neighbours that may be gone.
 */
void transfer_stop(struct transfers *transfers, CURL *easy)
{
	curl->multi_remove_handle(transfers->multi, easy);
	curl->easy_reset(easy);
	transfers->started--;
	if (make_room(transfers)) /* without memory one is lost; better than one too early */
		transfers->idle[transfers->idle_count++] = easy;
	if (!transfers->started)
		trim_idle(transfers, IDLE_HANDLES);
}
