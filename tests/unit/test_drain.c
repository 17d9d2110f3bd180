/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Drains as scripts against a host that a test plays: connections that come and
 * go, and what is done to them. See run_word() for the words of a script; each
 * step is taken when drain_next() asks for it, as a caller would.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "drain/drain.h"
#include "lib/test.h"

#define START 5000

struct host {
	struct drain_host host;
	struct drain drain;
	struct drain_policy policy;
	unsigned long long now;
	struct connection_counts counts; /* as they are; `untagged` only a proof finds */
	unsigned int idle; /* of those established */
	unsigned int look_ms; /* that a proof takes */
	bool blind, count_fails, prove_fails, close_fails, cut_fails;
	bool resists; /* what is cut comes again */
	unsigned int proofs, closes, cuts, warnings;
	unsigned int share, idle_ms; /* of the last close, or cut */
	unsigned long long acted; /* when that was, ms after the beginning */
};

static unsigned long long now(void *data)
{
	return ((const struct host *)data)->now;
}

static int count(void *data, enum bgs_color color, struct connection_counts *counts,
		 struct failure *failure)
{
	const struct host *host = data;

	assert_int_equal(color, BGS_BLUE);
	if (host->count_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "nothing can be counted");
	*counts = host->blind ? (struct connection_counts){} : host->counts;
	counts->untagged = 0;
	return 0;
}

static int prove(void *data, enum bgs_color color, struct connection_counts *counts,
		 struct failure *failure)
{
	struct host *host = data;

	assert_int_equal(color, BGS_BLUE);
	host->proofs++;
	host->now += host->look_ms;
	if (host->prove_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "nothing can be proved");
	*counts = host->counts;
	return 0;
}

/* What of `number` is due by a share of 2^32. */
static unsigned int due(unsigned int number, unsigned int share)
{
	return share == DRAIN_ALL ? number
				  : (unsigned int)((unsigned long long)number * share >> 32);
}

static void note(struct host *host, unsigned int share)
{
	host->share = share;
	host->acted = host->now - host->drain.began;
}

static int close_idle(void *data, enum bgs_color color, unsigned int idle_ms, unsigned int share,
		      unsigned int *closed, struct failure *failure)
{
	struct host *host = data;

	assert_int_equal(color, BGS_BLUE);
	assert_true(idle_ms && host->counts.established);
	host->closes++;
	host->idle_ms = idle_ms;
	note(host, share);
	if (host->close_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "nothing can be closed");
	*closed = due(host->idle, share);
	host->idle -= *closed;
	host->counts.established -= *closed;
	return 0;
}

static int cut(void *data, enum bgs_color color, unsigned int share, unsigned int most,
	       unsigned int *done, struct failure *failure)
{
	struct host *host = data;
	unsigned int number = host->counts.established + host->counts.accept_queue;

	assert_int_equal(color, BGS_BLUE);
	assert_int_equal(most, DRAIN_CUT_BATCH);
	/* Whoever asked to keep them, or has no deadline, must not lose one. */
	assert_int_equal(host->policy.at_deadline, DEADLINE_RESET);
	assert_int_not_equal(host->policy.timeout_ms, DRAIN_FOREVER);
	host->cuts++;
	note(host, share);
	if (host->cut_fails)
		return failure_set(failure, EXIT_SYSTEM, "look", "nothing can be reset");
	*done = due(number, share) < most ? due(number, share) : most;
	if (!host->resists) {
		host->counts.established = number - *done;
		host->counts.accept_queue = 0;
	}
	return 0;
}

static void warn(void *data, const struct failure *failure)
{
	struct host *host = data;

	assert_true(*failure->what && *failure->next);
	host->warnings++;
}

static const struct script {
	const char *name, *events;
	enum drain_state state;
	unsigned int spent; /* ms from its beginning to its end; 0 while it waits */
	unsigned int closed, cut, warnings;
} scripts[] = {
	{ "nothing is there", "begin", DRAIN_SAFE },
	{ "closing does not matter", "closing=5 begin", DRAIN_SAFE },
	{ "what the gauges miss is found", "established=1 blind begin", DRAIN_WAITING },
	{ "and waited for", "established=1 blind begin run=500 established=0 run=100", DRAIN_SAFE,
	  550 },
	{ "untagged ones are waited for", "untagged=1 begin run=1000", DRAIN_WAITING },
	{ "and have ended", "untagged=1 begin run=1000 untagged=0 run=100", DRAIN_SAFE, 1050 },
	{ "they end", "established=3 begin run=1000 established=0 run=50", DRAIN_SAFE, 1050 },
	{ "handshakes, too", "handshaking=1 begin run=70 handshaking=0 run=50", DRAIN_SAFE, 100 },
	{ "and the accept queue", "queued=1 begin run=70 queued=0 run=50", DRAIN_SAFE, 100 },

	{ "SYN cookies may come back", "cookies=1 begin run=1000", DRAIN_WAITING },
	{ "until they are too old", "cookies=1 begin run=1000 cookies=0 run=50", DRAIN_SAFE, 1050 },
	{ "also after the deadline", "cookies=1 timeout=0 begin run=10000 cookies=0 run=50",
	  DRAIN_SAFE, 10050 },

	{ "just before the deadline", "established=1 begin run=29999", DRAIN_WAITING },
	{ "reset at the deadline", "established=1 begin run=30000", DRAIN_SAFE, 30000, 0, 1 },
	{ "reset from the accept queue", "queued=2 begin run=30000", DRAIN_SAFE, 30000, 0, 2 },
	{ "many are reset in batches", "established=2500 begin run=30100", DRAIN_SAFE, 30020, 0,
	  2500 },
	{ "an exact thousand", "established=1000 begin run=30100", DRAIN_SAFE, 30000, 0, 1000 },
	{ "no time at all", "timeout=0 established=7 begin run=50", DRAIN_SAFE, 0, 0, 7 },
	{ "a handshake ends after the deadline",
	  "handshaking=1 begin run=31000 handshaking=0 queued=1 run=50 run=50", DRAIN_SAFE, 31050,
	  0, 1 },
	{ "a handshake is not reset", "handshaking=1 begin run=41999", DRAIN_WAITING },
	{ "and given up", "handshaking=1 begin run=42000", DRAIN_KEPT, 42000 },
	{ "resets that do nothing are given up", "established=1 cut-fails begin run=42000",
	  DRAIN_KEPT, 42000, 0, 0, 1 },
	{ "fewer are left: there is time anew",
	  "handshaking=2 begin run=41000 handshaking=1 run=11000", DRAIN_WAITING },
	{ "but not for ever", "handshaking=2 begin run=41000 handshaking=1 run=12050", DRAIN_KEPT,
	  53050 },

	{ "kept", "keep established=1 begin run=30000", DRAIN_KEPT, 30000 },
	{ "kept, at once", "keep timeout=0 established=1 begin", DRAIN_KEPT },
	{ "nothing to keep", "keep timeout=0 begin", DRAIN_SAFE },
	{ "the last one ends at the deadline",
	  "keep established=1 begin run=29999 established=0 run=1", DRAIN_SAFE, 30000 },
	{ "for ever", "timeout=inf established=1 begin run=10000000", DRAIN_WAITING },
	{ "for ever has an end", "timeout=inf established=1 begin run=100000 established=0 run=50",
	  DRAIN_SAFE, 100050 },

	{ "gently", "close=2000 established=5 idle=3 begin run=500", DRAIN_WAITING, 0, 3 },
	{ "gently, all of them", "close=2000 established=5 idle=5 begin run=500", DRAIN_SAFE, 50,
	  5 },
	{ "gently, and then by force", "close=2000 established=5 idle=3 begin run=30000",
	  DRAIN_SAFE, 30000, 3, 2 },
	{ "gently, for ever", "timeout=inf close=1 established=5 begin run=500 idle=5 run=500",
	  DRAIN_SAFE, 800, 5 },
	{ "closes fail: said once", "close=2000 established=5 idle=3 close-fails begin run=5000",
	  DRAIN_WAITING, 0, 0, 0, 1 },

	{ "the count fails", "count-fails begin", DRAIN_FAILED },
	{ "the proof fails", "prove-fails begin", DRAIN_FAILED },
	{ "the count fails later", "established=1 begin run=100 count-fails run=50", DRAIN_FAILED,
	  150 },
	{ "the proof fails at the deadline", "established=1 prove-fails begin run=30000",
	  DRAIN_FAILED, 30000 },
	{ "stopped", "established=1 begin run=120 stop established=0 run=100", DRAIN_STOPPED, 120 },
	{ "over is over", "begin stop established=1 run=100", DRAIN_SAFE },
};

/* As a caller does: until then, a step at each moment that is asked for. */
static void run(struct host *host, unsigned long long milliseconds)
{
	unsigned long long until = host->now + milliseconds;
	unsigned int steps = 0;

	while (host->drain.state == DRAIN_WAITING) {
		unsigned long long next = drain_next(&host->drain);

		assert_true(next);
		if (next > until)
			break;
		if (next > host->now)
			host->now = next;
		drain_step(&host->drain);
		/* It never asks for the same moment again and again. */
		assert_true(++steps < 10 + 3 * milliseconds / DRAIN_CUT_MS);
	}
	if (host->now < until)
		host->now = until;
}

static void set(struct host *host, const char *name, unsigned int value)
{
	struct connection_counts *counts = &host->counts;

	if (!strcmp(name, "handshaking"))
		counts->handshaking = value;
	else if (!strcmp(name, "queued"))
		counts->accept_queue = value;
	else if (!strcmp(name, "established"))
		counts->established = value;
	else if (!strcmp(name, "closing"))
		counts->closing = value;
	else if (!strcmp(name, "untagged"))
		counts->untagged = value;
	else if (!strcmp(name, "cookies"))
		counts->cookies = value;
	else if (!strcmp(name, "idle"))
		host->idle = value;
	else if (!strcmp(name, "timeout"))
		host->policy.timeout_ms = value;
	else if (!strcmp(name, "close"))
		host->policy.close_idle_ms = value;
	else if (!strcmp(name, "run"))
		run(host, value);
	else
		fail_msg("no such word: %s", name);
}

static void run_word(struct host *host, char *word)
{
	char *value = strchr(word, '=');

	if (value) {
		*value++ = '\0';
		set(host, word, !strcmp(value, "inf") ? DRAIN_FOREVER : strtoul(value, NULL, 10));
	} else if (!strcmp(word, "begin")) {
		drain_begin(&host->drain, &host->host, BGS_BLUE, &host->policy);
	} else if (!strcmp(word, "stop")) {
		drain_stop(&host->drain);
	} else if (!strcmp(word, "keep")) {
		host->policy.at_deadline = DEADLINE_KEEP;
	} else if (!strcmp(word, "blind")) {
		host->blind = true;
	} else if (!strcmp(word, "count-fails")) {
		host->count_fails = true;
	} else if (!strcmp(word, "prove-fails")) {
		host->prove_fails = true;
	} else if (!strcmp(word, "close-fails")) {
		host->close_fails = true;
	} else if (!strcmp(word, "cut-fails")) {
		host->cut_fails = true;
	} else {
		fail_msg("no such word: %s", word);
	}
}

static void play(struct host *host, const char *events)
{
	char words[256], *rest = words;

	*host = (struct host){ .now = START, .policy = { .timeout_ms = 30000 } };
	host->host = (struct drain_host){ now, count, prove, close_idle, cut, warn, host };
	assert_true(snprintf(words, sizeof(words), "%s", events) < (int)sizeof(words));
	for (char *word; (word = strsep(&rest, " "));)
		run_word(host, word);
}

static void test_every_way_through_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(scripts); i++) {
		const struct script *script = &scripts[i];
		struct host host;
		const struct drain *drain = &host.drain;

		play(&host, script->events);
		assert_row(drain->state == script->state, script->name);
		assert_row(drain->closed == script->closed, script->name);
		assert_row(drain->cut == script->cut, script->name);
		assert_row(host.warnings == script->warnings, script->name);
		assert_row(!drain_next(drain) == (drain->state != DRAIN_WAITING), script->name);
		if (drain->state != DRAIN_WAITING)
			assert_row(drain->ended - drain->began == script->spent, script->name);
		if (drain->state == DRAIN_SAFE)
			assert_row(!drain_left(drain) && host.proofs, script->name);
		if (drain->state == DRAIN_KEPT)
			assert_row(drain_left(drain), script->name);
		if (drain->state == DRAIN_FAILED)
			assert_row(*drain->failure.what && *drain->failure.next, script->name);
	}
}

/* Shares of a drain with `over_ms`, of 30 s, at a moment of it: in thousandths of all. */
static const struct {
	unsigned int timeout_ms, over_ms, close_ms, at_ms;
	enum at_deadline at_deadline;
	int gentle, forced; /* -1: nothing is done */
} shares[] = {
	{ 30000, 0, 0, 1000, DEADLINE_RESET, -1, -1 },
	{ 30000, 0, 500, 1000, DEADLINE_RESET, 1000, -1 },
	{ 30000, 10000, 0, 1000, DEADLINE_RESET, 100, -1 },
	{ 30000, 10000, 500, 5000, DEADLINE_RESET, 500, -1 },
	{ 30000, 10000, 0, 10000, DEADLINE_RESET, 1000, -1 },
	{ 30000, 10000, 0, 19900, DEADLINE_RESET, 1000, -1 },
	{ 30000, 10000, 0, 21000, DEADLINE_RESET, 1000, 100 },
	{ 30000, 10000, 0, 29000, DEADLINE_RESET, 1000, 900 },
	{ 30000, 10000, 0, 30500, DEADLINE_RESET, 1000, 1000 },
	{ 30000, 30000, 0, 3000, DEADLINE_RESET, 100, 100 },
	/* More than the timeout is the timeout. */
	{ 10000, 30000, 0, 5000, DEADLINE_RESET, 500, 500 },
	{ 30000, 10000, 0, 29000, DEADLINE_KEEP, 1000, -1 },
	{ DRAIN_FOREVER, 10000, 0, 5000, DEADLINE_RESET, 500, -1 },
	{ DRAIN_FOREVER, DRAIN_FOREVER, 0, 5000, DEADLINE_RESET, 0, -1 },
	{ 2592000000U, 2592000000U, 0, 1296000000U, DEADLINE_RESET, 500, 500 },
};

static int thousandths(unsigned int share)
{
	return (int)(((unsigned long long)share * 1000 + (1U << 31)) >> 32);
}

/* Steps once at the beginning and once then: who is not woken in between makes up for it. */
static void test_closes_are_spread(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(shares); i++) {
		struct host host;
		char row[32];

		snprintf(row, sizeof(row), "row %zu", i);
		play(&host, "established=1");
		host.resists = true;
		host.policy = (struct drain_policy){ shares[i].timeout_ms, shares[i].at_deadline,
						     shares[i].close_ms, shares[i].over_ms };
		drain_begin(&host.drain, &host.host, BGS_BLUE, &host.policy);
		host.now += shares[i].at_ms;
		host.closes = host.cuts = 0;
		host.host.cut = NULL;
		if (shares[i].forced >= 0)
			host.host.cut = cut;
		drain_step(&host.drain);
		assert_row(host.closes == (shares[i].gentle >= 0), row);
		assert_row(host.cuts == (shares[i].forced >= 0), row);
		if (shares[i].gentle >= 0)
			assert_row(host.idle_ms == (shares[i].close_ms ? shares[i].close_ms
								       : DRAIN_OVER_IDLE_MS),
				   row);
		/* The cut, if any, was the last to note its share. */
		if (shares[i].forced >= 0)
			assert_row(thousandths(host.share) == shares[i].forced, row);
		else if (shares[i].gentle >= 0)
			assert_row(thousandths(host.share) == shares[i].gentle, row);
	}
}

static void test_a_paced_drain_never_takes_many_at_once(void **state)
{
	unsigned long long before = 0;
	struct host host;

	(void)state;
	play(&host, "established=10000 begin");
	host.policy.over_ms = 20000;
	drain_begin(&host.drain, &host.host, BGS_BLUE, &host.policy);
	while (host.drain.state == DRAIN_WAITING) {
		run(&host, 100);
		/* The share grows, and is taken of those that are left: at most what is even. */
		assert_true(host.drain.cut - before <= DRAIN_CUT_BATCH);
		before = host.drain.cut;
	}
	assert_int_equal(host.drain.state, DRAIN_SAFE);
	assert_int_equal(host.drain.cut, 10000);
	assert_true(host.drain.ended - host.drain.began <= 30500);
}

/* Ten proofs that take 200 ms each, one after the other, would leave no time for anything else. */
static void test_slow_looks_leave_time(void **state)
{
	struct host host;

	(void)state;
	play(&host, "untagged=1 timeout=inf");
	host.look_ms = 200;
	drain_begin(&host.drain, &host.host, BGS_BLUE, &host.policy);
	run(&host, 20000);
	assert_in_range(host.proofs, 5, 11);
	/* But a zero that comes is proved at once. */
	host.counts.established = 1;
	run(&host, 100);
	host.counts = (struct connection_counts){};
	run(&host, DRAIN_COUNT_MS);
	assert_int_equal(host.drain.state, DRAIN_SAFE);
}

static const struct {
	struct connection_counts counts;
	const char *text;
} texts[] = {
	{ {}, "nothing" },
	{ { .closing = 4 }, "nothing" },
	{ { .handshaking = 3, .accept_queue = 2, .established = 118 },
	  "3 handshaking, 2 queued, 118 established" },
	{ { .established = 1, .closing = 9, .untagged = 1 }, "1 established, 1 untagged" },
	{ { .cookies = true }, "SYN cookies out" },
	{ { ULLONG_MAX, true, ULLONG_MAX, ULLONG_MAX, 0, ULLONG_MAX },
	  "18446744073709551615 handshaking, SYN cookies out, 18446744073709551615 queued, "
	  "18446744073709551615 established, 18446744073709551615 untagged" },
};

static void test_counts_in_words(void **state)
{
	char text[DRAIN_TEXT];

	(void)state;
	for (size_t i = 0; i < ROWS(texts); i++)
		assert_string_equal(drain_counts_text(text, &texts[i].counts), texts[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_way_through_it),
		cmocka_unit_test(test_closes_are_spread),
		cmocka_unit_test(test_a_paced_drain_never_takes_many_at_once),
		cmocka_unit_test(test_slow_looks_leave_time),
		cmocka_unit_test(test_counts_in_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
