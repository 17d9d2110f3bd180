/* SPDX-License-Identifier: GPL-2.0-only */
#include "agent/webhook_loop.h"

#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>

#define TIMER_ACCURACY_US 1000

struct webhook_loop {
	sd_event *event;
	CURLM *multi;
	sd_event_source *timer;
	void (*done)(void *data, CURLcode result);
};

static void take_results(struct webhook_loop *loop)
{
	CURLMsg *message;
	int left;

	while ((message = curl->multi_info_read(loop->multi, &left))) {
		CURL *easy = message->easy_handle;
		CURLcode result = message->data.result;
		void *data = NULL;

		if (message->msg != CURLMSG_DONE)
			continue;
		curl->easy_getinfo(easy, CURLINFO_PRIVATE, &data);
		curl->multi_remove_handle(loop->multi, easy); /* ends the life of `message` */
		loop->done(data, result);
	}
}

static void act(struct webhook_loop *loop, curl_socket_t fd, int events)
{
	int running;

	curl->multi_socket_action(loop->multi, fd, events, &running);
	take_results(loop);
}

static int on_socket(sd_event_source *source, int fd, uint32_t revents, void *data)
{
	int events = (revents & EPOLLIN ? CURL_CSELECT_IN : 0) |
		     (revents & EPOLLOUT ? CURL_CSELECT_OUT : 0) |
		     (revents & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0);

	(void)source;
	act(data, fd, events);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source, (void)usec;
	act(data, CURL_SOCKET_TIMEOUT, 0);
	return 0;
}

/* libcurl says which sockets it wants watched; `assigned` is our source for this one. */
static int watch_socket(CURL *easy, curl_socket_t fd, int what, void *data, void *assigned)
{
	struct webhook_loop *loop = data;
	sd_event_source *source = assigned;
	uint32_t events =
		(what & CURL_POLL_IN ? EPOLLIN : 0) | (what & CURL_POLL_OUT ? EPOLLOUT : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		sd_event_source_disable_unref(source);
		curl->multi_assign(loop->multi, fd, NULL);
		return 0;
	}
	if (source)
		return sd_event_source_set_io_events(source, events) < 0 ? -1 : 0;
	if (sd_event_add_io(loop->event, &source, fd, events, on_socket, loop) < 0)
		return -1;
	curl->multi_assign(loop->multi, fd, source);
	return 0;
}

static int set_timer(CURLM *multi, long timeout_ms, void *data)
{
	struct webhook_loop *loop = data;

	(void)multi;
	if (timeout_ms < 0)
		return sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF) < 0 ? -1 : 0;
	if (sd_event_source_set_time_relative(loop->timer, timeout_ms * 1000ULL) < 0)
		return -1;
	return sd_event_source_set_enabled(loop->timer, SD_EVENT_ONESHOT) < 0 ? -1 : 0;
}

static int set_up(struct webhook_loop *loop)
{
	int err = sd_event_add_time(loop->event, &loop->timer, CLOCK_MONOTONIC, 0,
				    TIMER_ACCURACY_US, on_timer, loop);

	if (err < 0 || sd_event_source_set_enabled(loop->timer, SD_EVENT_OFF) < 0)
		return -1;
	return curl->multi_setopt(loop->multi, CURLMOPT_SOCKETFUNCTION, watch_socket) ||
			       curl->multi_setopt(loop->multi, CURLMOPT_SOCKETDATA, loop) ||
			       curl->multi_setopt(loop->multi, CURLMOPT_TIMERFUNCTION, set_timer) ||
			       curl->multi_setopt(loop->multi, CURLMOPT_TIMERDATA, loop)
		       ? -1
		       : 0;
}

struct webhook_loop *webhook_loop_new(sd_event *event, void (*done)(void *data, CURLcode result),
				      struct failure *failure)
{
	struct webhook_loop *loop = calloc(1, sizeof(*loop));

	if (loop) {
		loop->event = sd_event_ref(event);
		loop->done = done;
		loop->multi = curl->multi_init();
	}
	if (loop && loop->multi && !set_up(loop))
		return loop;
	failure_set(failure, EXIT_SYSTEM, "free some", "webhooks: out of memory");
	webhook_loop_free(loop);
	return NULL;
}

void webhook_loop_free(struct webhook_loop *loop)
{
	if (!loop)
		return;
	if (loop->multi)
		curl->multi_cleanup(loop->multi);
	sd_event_source_disable_unref(loop->timer);
	sd_event_unref(loop->event);
	free(loop);
}

int webhook_loop_start(struct webhook_loop *loop, CURL *easy)
{
	return curl->multi_add_handle(loop->multi, easy) ? -1 : 0;
}

void webhook_loop_stop(struct webhook_loop *loop, CURL *easy)
{
	curl->multi_remove_handle(loop->multi, easy);
}
