/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tells others what happened: an HTTP POST of event_json() to each webhook, in
 * order, one request at a time. Nothing here blocks, and a hook that is slow,
 * hangs or refuses delays neither the agent nor other hooks. 2xx is success;
 * 3xx (not followed) and 4xx other than 408 and 429 are final; the rest is
 * tried again.
 */
#ifndef BGSWITCH_WEBHOOKS_H
#define BGSWITCH_WEBHOOKS_H

#include <stddef.h>

#include <systemd/sd-event.h>

#include "config/config.h"
#include "record/event.h"

struct webhooks;

/* Pace of every hook; the defaults: 10 s, 1 s doubled up to 60 s, 10 tries, 1,000 events. */
struct webhook_pace {
	unsigned int timeout_ms; /* of one request */
	unsigned int first_delay_ms, longest_delay_ms; /* before it is tried again */
	unsigned int tries; /* of one event */
	size_t queue; /* events that wait; the oldest makes room */
};

extern const struct webhook_pace webhook_pace_default;

/* Before try number `failed` + 1, when `failed` (at least 1) have failed. */
unsigned int webhook_delay_ms(const struct webhook_pace *pace, unsigned int failed);

/*
 * Reads the hooks' secrets (a failure names what cannot be read) and loads
 * libcurl, if there is any hook. `agent` is copied from; `event` is referenced,
 * and its loop dispatches. The usual proxy variables are respected.
 */
struct webhooks *webhooks_new(sd_event *event, const struct config_agent *agent,
			      struct failure *failure);
struct webhooks *webhooks_new_paced(sd_event *event, const struct config_agent *agent,
				    const struct webhook_pace *pace, struct failure *failure);
/* Ends requests under way; what waits is lost. NULL is fine. */
void webhooks_free(struct webhooks *hooks);

/*
 * Calls `gave_up` when an event of hook `place` is lost, the first time since
 * one was delivered: `error` says why.
 */
void webhooks_on_loss(struct webhooks *hooks,
		      void (*gave_up)(size_t place, const char *error, void *data), void *data);

/* Queues it for every hook; never fails, see the statistics. */
void webhooks_send(struct webhooks *hooks, const struct event *event);

struct webhook_statistics {
	unsigned long long delivered;
	unsigned long long retried; /* requests that failed and were tried again */
	unsigned long long failed; /* events given up */
	unsigned long long dropped; /* events that made room for newer ones */
	size_t waiting; /* also the one that is being sent */
	char last_error[256]; /* of a request, in words; empty: none so far */
};

/* Of hook `place` in the configuration. */
const struct webhook_statistics *webhooks_statistics(const struct webhooks *hooks, size_t place);
size_t webhooks_count(const struct webhooks *hooks);

/* Events that wait, of all hooks: 0 when everything was said. */
size_t webhooks_waiting(const struct webhooks *hooks);

#endif
