/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Does a connection that looks answered really have no request in flight? The
 * walk is compared with what the server itself knows.
 */
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "datapath/connections.h"
#include "lib/dialogue.h"
#include "lib/stage.h"
#include "lib/test.h"

#define PORT 8081
#define SETTLED_NS 100000000ULL /* by then the last answer is acknowledged: 40 ms and more */
#define ROUND_NS 2500000000ULL
#define LATEST_NS 60000000000ULL /* a round on a machine that is slow */
#define ENOUGH_BUSY 1000 /* samples that say something */
#define ENOUGH_IDLE 100

static const struct bgs_flags flags = { .failover = 0 };

struct sample {
	struct dialogue_truth before[65536];
	bool answered[65536], seen[65536];
};

struct tally {
	unsigned long long busy, wrong; /* busy samples, and those that looked answered */
	unsigned long long idle, found; /* idle samples, and those that looked so */
};

static unsigned long long now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1000000000ULL + time.tv_nsec;
}

static int note(const struct bgs_connection *connection, void *data)
{
	struct sample *sample = data;
	unsigned int port = ntohs(connection->remote.port);

	if (ntohs(connection->local.port) != PORT || connection->kind != BGS_CONNECTION_HELD)
		return 0;
	sample->seen[port] = true;
	sample->answered[port] = connection->answered;
	return 0;
}

/* Only what was so during the whole walk counts. */
static void compare(const struct sample *sample, unsigned long long begin, struct tally *tally)
{
	for (unsigned int port = 0; port < 65536; port++) {
		const struct dialogue_truth *before = &sample->before[port];
		struct dialogue_truth after;

		if (!sample->seen[port] || !before->since_ns)
			continue;
		after = dialogue_truth(port);
		if (after.sent != before->sent || after.asked != before->asked ||
		    after.answered != before->answered)
			continue;
		if (before->asked != before->answered) {
			tally->busy++;
			tally->wrong += sample->answered[port];
		} else if (before->sent == before->answered &&
			   before->since_ns + SETTLED_NS < begin) {
			tally->idle++;
			tally->found += sample->answered[port];
		}
	}
}

static void walk_once(const struct stage *stage, struct sample *sample, struct tally *tally)
{
	unsigned long long begin;

	memset(sample, 0, sizeof(*sample));
	for (unsigned int port = 0; port < 65536; port++)
		sample->before[port] = dialogue_truth(port);
	begin = now_ns();
	assert_int_equal(connections_each(&stage->fixture.datapath, note, sample), 0);
	compare(sample, begin, tally);
}

static const struct dialogue_plan plans[] = {
	{ "a slow request at once after a quick one", .clients = 1000, .slow_ms = 400,
	  .pause_ms = 800, .quick_size = 64 },
	{ "windows that open bit by bit", .clients = 100, .slow_ms = 400, .pause_ms = 800,
	  .quick_size = 65536, .receive_buffer = 4096 },
	{ "keepalive probes while it is busy", .clients = 500, .slow_ms = 4000, .pause_ms = 500,
	  .quick_size = 64, .keepalive = true },
	{ "the server speaks first", .clients = 200, .slow_ms = 400, .pause_ms = 800,
	  .quick_size = 64, .greets = true },
	{ "clients that never ask", .clients = 200, .silent = true },
};

static bool is_enough(const struct tally *tally, const struct dialogue_plan *plan)
{
	return (plan->silent || tally->busy > ENOUGH_BUSY) && tally->idle > ENOUGH_IDLE;
}

static void check_plan(const struct stage *stage, struct sample *sample,
		       const struct dialogue_plan *plan)
{
	unsigned long long begin = now_ns();
	struct tally tally = {};

	dialogue_start(plan, stage->listeners[0], PORT);
	while (now_ns() < begin + ROUND_NS ||
	       (!is_enough(&tally, plan) && now_ns() < begin + LATEST_NS))
		walk_once(stage, sample, &tally);
	dialogue_stop();
	print_message("%s: %llu requests; busy %llu, of which %llu look idle; idle %llu, of which "
		      "%llu look so\n",
		      plan->name, dialogue_requests(), tally.busy, tally.wrong, tally.idle,
		      tally.found);
	assert_row(!tally.wrong, plan->name);
	assert_row(is_enough(&tally, plan), plan->name);
	assert_row(tally.found * 100 >= tally.idle * 95, plan->name);
}

static void test_busy_connection_never_looks_answered(void **state)
{
	const struct rlimit most = { 8192, 8192 };
	struct stage *stage = *state;
	struct sample *sample = calloc(1, sizeof(*sample));

	if (!sample || setrlimit(RLIMIT_NOFILE, &most))
		err(99, "setup");
	stage_web(stage, flags);
	listen(stage->listeners[0], DIALOGUE_CLIENTS);
	for (size_t i = 0; i < ROWS(plans); i++)
		check_plan(stage, sample, &plans[i]);
	free(sample);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_busy_connection_never_looks_answered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
