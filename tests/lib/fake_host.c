/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/fake_host.h"

#include <stdio.h>

#include "datapath/services.h"
#include "lib/test.h"

__attribute__((format(printf, 2, 3))) static void trace(struct fake_host *fake, const char *format,
							...)
{
	size_t used = strlen(fake->trace);
	va_list args;

	fake->deeds++;
	if (used)
		used += (size_t)snprintf(fake->trace + used, sizeof(fake->trace) - used, " ");
	if (used >= sizeof(fake->trace))
		return;
	va_start(args, format);
	vsnprintf(fake->trace + used, sizeof(fake->trace) - used, format, args);
	va_end(args);
}

static unsigned long long now(void *data)
{
	return ((const struct fake_host *)data)->now;
}

static enum verdict gate(void *data, enum bgs_color color)
{
	const struct fake_host *fake = data;

	assert_int_equal(color, fake->cutover.request.to);
	return fake->verdict;
}

static enum health health(void *data, enum bgs_color color)
{
	return ((const struct fake_host *)data)->health[color];
}

static const char *reason(void *data, enum bgs_color color)
{
	(void)color;
	return ((const struct fake_host *)data)->reason;
}

static int route(void *data, struct bgs_route *found, struct failure *failure)
{
	const struct fake_host *fake = data;

	if (fake->route_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "the route cannot be read");
	*found = fake->route;
	return 0;
}

static int record(void *data, const struct cutover *cutover, struct failure *failure)
{
	struct fake_host *fake = data;
	bool over = cutover->state == CUTOVER_IDLE;
	bool late = cutover->flipped && !over;
	bool fails = fake->record_fails || (fake->late_record_fails && late);

	trace(fake, "save:%s%s",
	      over				   ? "nothing"
	      : cutover->state == CUTOVER_DRAINING ? "draining"
	      : cutover->flipped		   ? "soaking"
						   : "switching",
	      fails ? "!" : "");
	fake->record_is_open = !over;
	if (fails)
		return failure_set(failure, EXIT_SYSTEM, "free some", "the disk is full");
	fake->recorded = !over;
	return 0;
}

static int flip(void *data, struct bgs_route to, struct failure *failure)
{
	struct fake_host *fake = data;
	char split[16] = "";

	/* Whoever is killed now must find what it was about. */
	assert_true(fake->recorded);
	assert_true(fake->cutover.state != CUTOVER_IDLE);
	if (to.split_bp)
		snprintf(split, sizeof(split), "/%d", to.split_bp);
	trace(fake, "flip:%s%s%s", color_name(to.active), split, fake->flip_fails ? "!" : "");
	if (fake->flip_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "the route cannot be stored");
	assert_int_equal(to.flips, (__u16)(fake->route.flips + 1));
	fake->route = to;
	fake->flips++;
	return 0;
}

static void announce(void *data, enum event_kind kind, int color, const char *text)
{
	struct fake_host *fake = data;

	assert_true(color == BGS_BLUE || color == BGS_GREEN);
	assert_true(*text);
	trace(fake, "say:%s", event_name(kind));
	snprintf(fake->said, sizeof(fake->said), "%s", text);
}

static void finished(void *data, const struct cutover *cutover)
{
	struct fake_host *fake = data;
	const struct cutover_request *again = fake->again;

	assert_int_equal(cutover->state, CUTOVER_IDLE);
	trace(fake, "end:%s", cutover_outcome_name(cutover->outcome));
	fake->ends++;
	if (fake->ended)
		fake->ended(fake);
	fake->again = NULL;
	if (again)
		fake_begin(fake, again);
}

static const char *receives(void *data, enum bgs_color color)
{
	const struct fake_host *fake = data;

	assert_int_equal(color, !fake->cutover.request.to);
	return fake->receives ? "preview networks still send clients to blue" : NULL;
}

static int count(void *data, enum bgs_color color, struct connection_counts *counts,
		 struct failure *failure)
{
	const struct fake_host *fake = data;

	assert_int_equal(color, !fake->cutover.request.to);
	if (fake->count_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "nothing can be counted");
	*counts = fake->counts;
	return 0;
}

static int close_idle(void *data, enum bgs_color color, unsigned int idle_ms, unsigned int share,
		      unsigned int *closed, struct failure *failure)
{
	(void)data;
	(void)color;
	(void)idle_ms;
	(void)share;
	(void)closed;
	return failure_set(failure, EXIT_SYSTEM, "look", "nothing can be closed");
}

static int cut(void *data, enum bgs_color color, unsigned int share, unsigned int most,
	       unsigned int *done, struct failure *failure)
{
	struct fake_host *fake = data;

	(void)color;
	(void)share;
	(void)failure;
	*done = fake->counts.established < most ? fake->counts.established : most;
	fake->counts.established -= *done;
	if (*done)
		trace(fake, "cut:%u", *done);
	return 0;
}

static void warn(void *data, const struct failure *failure)
{
	assert_true(*failure->what);
	trace(data, "warn");
}

static const struct cutover_host host = {
	.now = now,
	.gate = gate,
	.health = health,
	.reason = reason,
	.route = route,
	.record = record,
	.flip = flip,
	.receives = receives,
	.announce = announce,
	.finished = finished,
};

void fake_init(struct fake_host *fake)
{
	*fake = (struct fake_host){
		.now = FAKE_START,
		.health = { HEALTH_HEALTHY, HEALTH_HEALTHY },
		.reason = "connection refused",
		.route = { .active = BGS_BLUE },
		.drain_host = { now, count, count, close_idle, cut, warn, fake },
	};
	cutover_init(&fake->cutover, &host, &fake->drain_host, fake);
}

void fake_begin(struct fake_host *fake, const struct cutover_request *request)
{
	fake->flips = 0;
	fake->recorded = false;
	cutover_begin(&fake->cutover, request);
}

void fake_step(struct fake_host *fake)
{
	bool healthy, due;
	struct cutover before, after;
	unsigned int deeds;

	cutover_drain_step(&fake->cutover);
	before = fake->cutover;
	deeds = fake->deeds;
	due = cutover_is_due(&fake->cutover);
	cutover_step(&fake->cutover);
	if (due) {
		assert_true(fake->deeds > deeds);
		return;
	}
	assert_int_equal(fake->deeds, deeds);
	after = fake->cutover;
	healthy = cutover_is_watching(&before) && fake->health[before.request.to] == HEALTH_HEALTHY;
	assert_int_equal(after.was_healthy, before.was_healthy || healthy);
	after.was_healthy = before.was_healthy;
	assert_memory_equal(&after, &before, sizeof(after));
}
