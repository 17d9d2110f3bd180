/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every hook is a small state machine: idle, sending (its easy handle is in the
 * multi handle), or waiting for its retry timer. webhook_loop.c drives libcurl.
 */
#include "agent/webhooks.h"

#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "agent/webhook_loop.h"
#include "agent/webhook_queue.h"
#include "curl.h"
#include "version.h"

const struct webhook_pace webhook_pace_default = {
	.timeout_ms = 10 * 1000,
	.first_delay_ms = 1000,
	.longest_delay_ms = 60 * 1000,
	.tries = 10,
	.queue = 1000,
};

struct hook {
	struct webhooks *hooks;
	CURL *easy;
	struct curl_slist *headers;
	char error[CURL_ERROR_SIZE];
	struct webhook_queue queue;
	struct body *current; /* being sent, or to be sent again; NULL: idle */
	unsigned int failed; /* tries of `current` so far */
	sd_event_source *retry;
	struct webhook_statistics statistics;
	bool told_loss; /* and delivered nothing since */
};

struct webhooks {
	sd_event *event;
	struct webhook_loop *loop;
	struct webhook_pace pace;
	void (*gave_up)(size_t place, const char *error, void *data);
	void *data;
	size_t count;
	struct hook hooks[CONFIG_MAX_WEBHOOKS];
};

unsigned int webhook_delay_ms(const struct webhook_pace *pace, unsigned int failed)
{
	unsigned long long delay = pace->first_delay_ms;

	for (unsigned int i = 1; i < failed && delay < pace->longest_delay_ms; i++)
		delay *= 2;
	return delay < pace->longest_delay_ms ? delay : pace->longest_delay_ms;
}

/* ---- sending */

static void start_next(struct hook *hook);

static void count_waiting(struct hook *hook)
{
	hook->statistics.waiting = hook->queue.count + (hook->current != NULL);
}

static void end_current(struct hook *hook)
{
	body_unref(hook->current);
	hook->current = NULL;
	hook->failed = 0;
	start_next(hook);
}

static bool is_final(long status)
{
	return status >= 300 && status < 500 && status != 408 && status != 429;
}

static void note_error(struct hook *hook, CURLcode result, long status)
{
	if (result == CURLE_OK)
		snprintf(hook->statistics.last_error, sizeof(hook->statistics.last_error),
			 "the answer was status %ld", status);
	else
		snprintf(hook->statistics.last_error, sizeof(hook->statistics.last_error), "%s",
			 *hook->error ? hook->error : curl->easy_strerror(result));
}

static void try_again_later(struct hook *hook)
{
	uint64_t delay_us = webhook_delay_ms(&hook->hooks->pace, hook->failed) * 1000ULL;

	hook->statistics.retried++;
	sd_event_source_set_time_relative(hook->retry, delay_us);
	sd_event_source_set_enabled(hook->retry, SD_EVENT_ONESHOT);
}

/* A request came to its end. */
static void tell_loss(struct hook *hook)
{
	const struct webhooks *hooks = hook->hooks;

	if (hooks->gave_up && !hook->told_loss)
		hooks->gave_up(hook - hooks->hooks, hook->statistics.last_error, hooks->data);
	hook->told_loss = true;
}

void webhooks_on_loss(struct webhooks *hooks,
		      void (*gave_up)(size_t place, const char *error, void *data), void *data)
{
	hooks->gave_up = gave_up;
	hooks->data = data;
}

static void request_done(void *data, CURLcode result)
{
	struct hook *hook = data;
	long status = 0;

	curl->easy_getinfo(hook->easy, CURLINFO_RESPONSE_CODE, &status);
	if (result == CURLE_OK && status >= 200 && status < 300) {
		hook->statistics.delivered++;
		hook->told_loss = false;
		end_current(hook);
		return;
	}
	note_error(hook, result, status);
	if (++hook->failed < hook->hooks->pace.tries && !(result == CURLE_OK && is_final(status))) {
		try_again_later(hook);
		return;
	}
	hook->statistics.failed++;
	tell_loss(hook);
	end_current(hook);
}

static void send_current(struct hook *hook)
{
	*hook->error = '\0';
	curl->easy_setopt(hook->easy, CURLOPT_POSTFIELDSIZE, (long)hook->current->length);
	curl->easy_setopt(hook->easy, CURLOPT_POSTFIELDS, hook->current->text);
	if (webhook_loop_start(hook->hooks->loop, hook->easy))
		request_done(hook, CURLE_OUT_OF_MEMORY);
}

static void start_next(struct hook *hook)
{
	if (!hook->current) {
		hook->current = webhook_queue_pop(&hook->queue);
		if (hook->current)
			send_current(hook);
	}
	count_waiting(hook);
}

static int retry_now(sd_event_source *source, uint64_t usec, void *data)
{
	(void)source, (void)usec;
	send_current(data);
	return 0;
}

void webhooks_send(struct webhooks *hooks, const struct event *event)
{
	json_t *object = hooks->count ? event_json(event) : NULL;
	char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;
	struct body *body = text ? body_new(text) : NULL;

	for (size_t i = 0; i < hooks->count; i++) {
		struct hook *hook = &hooks->hooks[i];

		if (!body || webhook_queue_push(&hook->queue, body))
			hook->statistics.dropped++;
		start_next(hook);
	}
	body_unref(body);
	free(text);
	json_decref(object);
}

/* ---- setting up */

static int no_memory(struct failure *failure)
{
	return failure_set(failure, EXIT_SYSTEM, "free some", "webhook: out of memory");
}

static int add_header(struct hook *hook, const char *name, const char *value,
		      struct failure *failure)
{
	struct curl_slist *longer;
	char *line;

	if (asprintf(&line, "%s: %s", name, value) < 0)
		return no_memory(failure);
	longer = curl->slist_append(hook->headers, line);
	secret_wipe(line);
	if (!longer)
		return no_memory(failure);
	hook->headers = longer;
	return 0;
}

static int add_headers(struct hook *hook, const struct config_webhook *config,
		       struct failure *failure)
{
	int err = add_header(hook, "Content-Type", "application/json", failure);

	for (size_t i = 0; i < config->header_count && !err; i++) {
		char *value = NULL;

		err = secret_read(&config->headers[i].value, &value, failure);
		if (!err)
			err = add_header(hook, config->headers[i].name, value, failure);
		secret_wipe(value);
	}
	return err;
}

/* Answers are of no use; their status is. */
static size_t discard(char *data, size_t size, size_t count, void *unused)
{
	(void)data, (void)unused;
	return size * count;
}

static int set_options(struct hook *hook, const struct config_webhook *config,
		       struct failure *failure)
{
	CURL *easy = hook->easy;
	int err = 0;

	err |= curl->easy_setopt(easy, CURLOPT_URL, config->url);
	err |= curl->easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	err |= curl->easy_setopt(easy, CURLOPT_HTTPHEADER, hook->headers);
	err |= curl->easy_setopt(easy, CURLOPT_USERAGENT, "bgswitch/" BGSWITCH_VERSION);
	err |= curl->easy_setopt(easy, CURLOPT_POST, 1L);
	err |= curl->easy_setopt(easy, CURLOPT_TIMEOUT_MS, (long)hook->hooks->pace.timeout_ms);
	err |= curl->easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	/* The end of a handle does not wait for a name server that does not answer. */
	err |= curl->easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
	err |= curl->easy_setopt(easy, CURLOPT_WRITEFUNCTION, discard);
	err |= curl->easy_setopt(easy, CURLOPT_ERRORBUFFER, hook->error);
	err |= curl->easy_setopt(easy, CURLOPT_PRIVATE, hook);
	if (config->ca)
		err |= curl->easy_setopt(easy, CURLOPT_CAINFO, config->ca);
	return err ? failure_set(failure, EXIT_SYSTEM, "see its url and ca",
				 "webhook: libcurl refuses the options")
		   : 0;
}

/* A timer that waits to be armed. */
static int add_timer(struct hook *hook, struct failure *failure)
{
	int err = sd_event_add_time(hook->hooks->event, &hook->retry, CLOCK_MONOTONIC, 0, 10000,
				    retry_now, hook);

	if (err >= 0)
		err = sd_event_source_set_enabled(hook->retry, SD_EVENT_OFF);
	return err < 0 ? failure_errno(failure, -err, "try again", "webhook: no timer") : 0;
}

static int add_hook(struct webhooks *hooks, const struct config_webhook *config,
		    struct failure *failure)
{
	struct hook *hook = &hooks->hooks[hooks->count++];

	hook->hooks = hooks;
	hook->easy = curl->easy_init();
	if (!hook->easy || !webhook_queue_init(&hook->queue, hooks->pace.queue))
		return no_memory(failure);
	return add_headers(hook, config, failure) || set_options(hook, config, failure) ||
			       add_timer(hook, failure)
		       ? -1
		       : 0;
}

struct webhooks *webhooks_new(sd_event *event, const struct config_agent *agent,
			      struct failure *failure)
{
	return webhooks_new_paced(event, agent, &webhook_pace_default, failure);
}

struct webhooks *webhooks_new_paced(sd_event *event, const struct config_agent *agent,
				    const struct webhook_pace *pace, struct failure *failure)
{
	struct webhooks *hooks = calloc(1, sizeof(*hooks));
	int err = 0;

	if (!hooks) {
		no_memory(failure);
		return NULL;
	}
	hooks->event = sd_event_ref(event);
	hooks->pace = *pace;
	if (agent->webhook_count) {
		err = curl_load(failure);
		if (!err)
			hooks->loop = webhook_loop_new(event, request_done, failure);
		if (!hooks->loop)
			err = -1;
	}
	for (size_t i = 0; i < agent->webhook_count && !err; i++)
		err = add_hook(hooks, &agent->webhooks[i], failure);
	if (!err)
		return hooks;
	webhooks_free(hooks);
	return NULL;
}

/* Header lines may hold secrets. */
static void free_headers(struct curl_slist *headers)
{
	for (struct curl_slist *line = headers; line; line = line->next)
		explicit_bzero(line->data, strlen(line->data));
	curl->slist_free_all(headers);
}

static void free_hook(struct hook *hook)
{
	sd_event_source_disable_unref(hook->retry);
	if (hook->easy)
		curl->easy_cleanup(hook->easy);
	free_headers(hook->headers);
	body_unref(hook->current);
	webhook_queue_free(&hook->queue);
}

void webhooks_free(struct webhooks *hooks)
{
	if (!hooks)
		return;
	/* libcurl's list of handles may still refer to one that was taken out (seen in 7.88). */
	for (size_t i = 0; i < hooks->count; i++) {
		if (hooks->hooks[i].easy)
			webhook_loop_stop(hooks->loop, hooks->hooks[i].easy);
	}
	webhook_loop_free(hooks->loop);
	for (size_t i = 0; i < hooks->count; i++)
		free_hook(&hooks->hooks[i]);
	sd_event_unref(hooks->event);
	free(hooks);
}

/* ---- looking */

const struct webhook_statistics *webhooks_statistics(const struct webhooks *hooks, size_t place)
{
	return &hooks->hooks[place].statistics;
}

size_t webhooks_count(const struct webhooks *hooks)
{
	return hooks->count;
}

size_t webhooks_waiting(const struct webhooks *hooks)
{
	size_t waiting = 0;

	for (size_t i = 0; i < hooks->count; i++)
		waiting += hooks->hooks[i].statistics.waiting;
	return waiting;
}
