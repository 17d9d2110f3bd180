/* SPDX-License-Identifier: GPL-2.0-only */
/* The engine: when checks begin and end. How one is done is its way's business. */
#include "check/prober.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "check/probe.h"
#include "check/utf8.h"

#define MS 1000000ull /* nanoseconds */
#define BEGINNINGS 64 /* in a run: answers want their turn */
#define EXPIRIES 1024

uint64_t probe_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 * MS + (uint64_t)t.tv_nsec;
}

/* xorshift64: spreading needs no better. Uniform from 0 to limit - 1. */
static uint64_t random_below(struct prober *prober, uint64_t limit)
{
	prober->random ^= prober->random << 13;
	prober->random ^= prober->random >> 7;
	prober->random ^= prober->random << 17;
	return prober->random % limit;
}

static uint64_t interval_of(const struct probe *probe)
{
	return (probe->fast ? probe->check->fast_interval_ms : probe->check->interval_ms) * MS;
}

/* The interval, 5 % more or less; the second check comes anywhere within it. */
static uint64_t next_step(struct probe *probe, bool second)
{
	uint64_t interval = interval_of(probe);

	if (second)
		return 1 + random_below(probe->prober, interval);
	return interval - interval / 20 + random_below(probe->prober, interval / 10 + 1);
}

/*
 * Wakes up for what is due first; an earlier waking is not taken back. Setting
 * a timer is dear, so a run does it once, at its end.
 */
static void arm(struct prober *prober, uint64_t now)
{
	const struct timetable_slot *first = timetable_first(&prober->timetable);
	struct itimerspec when = {};

	if (!first || prober->in_run)
		return;
	if (prober->armed_ns > now && prober->armed_ns <= first->due)
		return;
	prober->armed_ns = first->due ? first->due : 1;
	when.it_value.tv_sec = (time_t)(prober->armed_ns / (1000 * MS));
	when.it_value.tv_nsec = (long)(prober->armed_ns % (1000 * MS));
	timerfd_settime(prober->timer, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Whole milliseconds, so that beginnings share their wakings. */
static void plan(struct probe *probe, uint64_t when)
{
	probe->planned_ns = (when + MS - 1) / MS * MS;
	if (probe->held)
		timetable_remove(&probe->prober->timetable, &probe->entry);
	else
		timetable_set(&probe->prober->timetable, &probe->entry, probe->planned_ns);
}

static void plan_next(struct probe *probe, uint64_t now, bool second)
{
	uint64_t interval = interval_of(probe);
	uint64_t next = probe->planned_ns + next_step(probe, second);

	if (probe->hurried)
		next = now;
	else if (next < now) /* those that would have overlapped are left out */
		next += (now - next + interval - 1) / interval * interval;
	probe->hurried = false;
	plan(probe, next);
}

static void take_time(const struct probe *probe, uint64_t now, struct check_result *result)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	result->ended_ms = t.tv_sec * 1000ll + t.tv_nsec / (long)MS;
	result->duration_us = (unsigned int)((now - probe->begun_ns) / 1000);
}

/* The line break that most answers end with says nothing. */
static void trim_end(char *text)
{
	size_t length = strlen(text);

	while (length && isspace((unsigned char)text[length - 1]))
		text[--length] = '\0';
}

void probe_end(struct probe *probe, struct check_result *result)
{
	uint64_t now = probe_now();
	bool second = !probe->begun_before;

	take_time(probe, now, result);
	probe->way->describe(probe, result->sent);
	trim_end(result->body);
	utf8_defuse(result->body);
	utf8_defuse(result->error);
	probe->running = false;
	probe->begun_before = true;
	probe->prober->statistics.checks++;
	probe->prober->statistics.failed += !result->ok;
	plan_next(probe, now, second);
	probe->done(probe->data, result);
}

static void count_delay(struct probe *probe, uint64_t now)
{
	struct prober_statistics *statistics = &probe->prober->statistics;
	uint64_t delay = now > probe->planned_ns ? now - probe->planned_ns : 0;

	if (delay > interval_of(probe) / 10)
		statistics->late++;
	if (delay / 1000 > statistics->worst_delay_us)
		statistics->worst_delay_us = (unsigned int)(delay / 1000);
}

static void begin(struct probe *probe, uint64_t now)
{
	if (probe->begun_before)
		count_delay(probe, now);
	else
		probe->planned_ns = now;
	probe->begun_ns = now;
	probe->running = true;
	probe->address_now = 0;
	timetable_set(&probe->prober->timetable, &probe->entry,
		      now + probe->check->timeout_ms * MS);
	probe->way->begin(probe);
}

static void expire(struct probe *probe)
{
	struct check_result result = {};

	probe->way->expire(probe, &result);
	result.ok = false;
	probe_end(probe, &result);
}

static void run_due(struct prober *prober)
{
	const struct timetable_slot *first;
	int beginnings = 0, expiries = 0;
	uint64_t now = probe_now();

	while ((first = timetable_first(&prober->timetable)) && first->due <= now) {
		struct probe *probe = (struct probe *)first->entry;

		if (probe->running && expiries++ < EXPIRIES)
			expire(probe);
		else if (!probe->running && beginnings++ < BEGINNINGS)
			begin(probe, now);
		else
			break;
		now = probe_now();
	}
}

/* Answers first: they may have come before the deadline that is found passed. */
void prober_run(struct prober *prober)
{
	uint64_t now;

	prober->in_run = true;
	watches_run(&prober->watches);
	run_due(prober);
	prober->in_run = false;
	now = probe_now();
	socket_pool_trim(&prober->sockets, &prober->watches, now);
	arm(prober, now);
}

/* The timer only wakes up: what is due, prober_run() finds. */
static void timer_ready(struct watch *watch, uint32_t events)
{
	(void)watch, (void)events;
}

static int open_timer(struct prober *prober)
{
	static struct watch timer_watch = { .ready = timer_ready };

	prober->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (prober->timer < 0)
		return -errno;
	/* Edge-triggered: it need not be read. */
	return watch_add(&prober->watches, prober->timer, EPOLLIN | EPOLLET, &timer_watch);
}

struct prober *prober_new(struct failure *failure)
{
	struct prober *prober = calloc(1, sizeof(*prober));
	int err;

	if (!prober) {
		failure_errno(failure, ENOMEM, "free some memory", "cannot check");
		return NULL;
	}
	prober->timer = -1;
	err = watches_open(&prober->watches);
	if (!err)
		err = open_timer(prober);
	if (err) {
		failure_errno(failure, -err, "raise the limit on open files", "cannot check");
		prober_free(prober);
		return NULL;
	}
	if (getrandom(&prober->random, sizeof(prober->random), GRND_NONBLOCK) < 0)
		prober->random = probe_now();
	prober->random |= 1; /* xorshift stays at 0 for ever */
	return prober;
}

void prober_free(struct prober *prober)
{
	if (!prober)
		return;
	while (prober->probes)
		probe_remove(prober->probes);
	command_runs_end(prober);
	transfers_free(prober->transfers);
	socket_pool_close(&prober->sockets, &prober->watches);
	timetable_free(&prober->timetable);
	if (prober->timer >= 0)
		close(prober->timer);
	watches_close(&prober->watches);
	free(prober);
}

int prober_fd(const struct prober *prober)
{
	return prober->watches.epoll;
}

const struct prober_statistics *prober_statistics(const struct prober *prober)
{
	return &prober->statistics;
}

/* libcurl only where its skills are needed: it costs twice the time. */
static const struct probe_way *choose_way(const struct check *check)
{
	switch (check->kind) {
	case CHECK_TCP:
		return &probe_tcp;
	case CHECK_HTTP:
		return check->redirects ? &probe_curl : &probe_http;
	case CHECK_HTTPS:
		return &probe_curl;
	case CHECK_COMMAND:
		return &probe_command;
	case CHECK_NONE:
		break;
	}
	return NULL;
}

static void link_probe(struct prober *prober, struct probe *probe)
{
	probe->next = prober->probes;
	if (probe->next)
		probe->next->previous = probe;
	prober->probes = probe;
}

static void unlink_probe(struct probe *probe)
{
	if (probe->next)
		probe->next->previous = probe->previous;
	if (probe->previous)
		probe->previous->next = probe->next;
	else
		probe->prober->probes = probe->next;
}

static struct probe *make_probe(struct prober *prober, const struct probe_way *way,
				const struct check *check, struct failure *failure)
{
	struct probe *probe = calloc(1, sizeof(*probe));

	if (!probe || timetable_reserve(&prober->timetable)) {
		failure_errno(failure, ENOMEM, "free some memory", "cannot add a check");
		free(probe);
		return NULL;
	}
	probe->prober = prober;
	probe->way = way;
	probe->check = check;
	return probe;
}

struct probe *prober_add(struct prober *prober, const struct check *check,
			 const struct endpoint *instance, probe_done *done, void *data,
			 struct failure *failure)
{
	const struct probe_way *way = choose_way(check);
	struct probe *probe;

	if (!way) {
		failure_set(failure, EXIT_USAGE, "name a kind of check",
			    "check: 'none' cannot be run");
		return NULL;
	}
	probe = make_probe(prober, way, check, failure);
	if (!probe)
		return NULL;
	probe_find_addresses(probe, instance);
	probe->done = done;
	probe->data = data;
	if (way->prepare(probe, failure)) {
		way->dispose(probe);
		free(probe);
		return NULL;
	}
	link_probe(prober, probe);
	probe_hurry(probe);
	return probe;
}

void probe_remove(struct probe *probe)
{
	if (!probe)
		return;
	if (probe->running)
		probe->way->stop(probe);
	timetable_remove(&probe->prober->timetable, &probe->entry);
	unlink_probe(probe);
	probe->way->dispose(probe);
	free(probe);
}

void probe_hurry(struct probe *probe)
{
	uint64_t now = probe_now();

	if (probe->running) {
		probe->hurried = true;
		return;
	}
	if (probe->held)
		return; /* one begins when it is let go */
	probe->planned_ns = now;
	timetable_set(&probe->prober->timetable, &probe->entry, now);
	arm(probe->prober, now);
}

void probe_hold(struct probe *probe, bool held)
{
	if (probe->held == held)
		return;
	probe->held = held;
	if (!held)
		probe_hurry(probe);
	else if (!probe->running)
		timetable_remove(&probe->prober->timetable, &probe->entry);
}

bool probe_is_running(const struct probe *probe)
{
	return probe->running;
}

void probe_pace(struct probe *probe, bool fast)
{
	uint64_t now = probe_now(), soon;

	if (probe->fast == fast)
		return;
	probe->fast = fast;
	soon = now + random_below(probe->prober, interval_of(probe)) + 1;
	if (!fast || probe->running || probe->planned_ns <= soon)
		return;
	plan(probe, soon);
	arm(probe->prober, now);
}
