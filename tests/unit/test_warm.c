/* SPDX-License-Identifier: GPL-2.0-only */
/* A color that is kept warm: when it is stopped, and when it is not. */
#include <limits.h>
#include <stdio.h>

#include "lib/test.h"
#include "switch/warm.h"

#define START 5000
#define KEEP 300000
#define OPERATOR 1000

/* What warm acts on; what it does is written into `trace`. */
struct fake {
	struct warm warm;
	unsigned long long now, takes; /* `takes`: of each attempt, ms */
	bool used, save_fails;
	enum warm_attempt answer;
	const char *why;
	unsigned int attempts;
	char trace[1024], said[EVENT_TEXT];
};

__attribute__((format(printf, 2, 3))) static void note(struct fake *fake, const char *format, ...)
{
	size_t length = strlen(fake->trace);
	va_list args;

	va_start(args, format);
	vsnprintf(fake->trace + length, sizeof(fake->trace) - length, format, args);
	va_end(args);
}

static unsigned long long fake_now(void *data)
{
	return ((struct fake *)data)->now;
}

static bool fake_in_use(void *data, enum bgs_color color)
{
	assert_int_equal(color, BGS_BLUE);
	return ((struct fake *)data)->used;
}

static enum warm_attempt fake_attempt(void *data, const struct warm *warm, char why[WARM_TEXT])
{
	struct fake *fake = data;

	assert_int_equal(warm->state, WARM_KEPT);
	fake->attempts++;
	fake->now += fake->takes;
	if (fake->why)
		snprintf(why, WARM_TEXT, "%s", fake->why);
	return fake->answer;
}

static bool fake_save(void *data, const struct warm *warm)
{
	struct fake *fake = data;

	if (fake->save_fails)
		return false;
	note(fake, " save:%s", warm->state == WARM_NONE ? "nothing" : "kept");
	return true;
}

static void fake_announce(void *data, enum event_kind kind, enum bgs_color color, const char *text)
{
	struct fake *fake = data;

	assert_int_equal(color, BGS_BLUE);
	note(fake, " %s", event_name(kind));
	snprintf(fake->said, sizeof(fake->said), "%s", text);
}

static void fake_record(void *data, const struct warm *warm, const char *outcome,
			const char *reason, unsigned int duration_ms)
{
	assert_int_equal(warm->uid, OPERATOR);
	note(data, " history:%s:%s:%u", outcome, reason ? reason : "-", duration_ms);
}

static const struct warm_host host = {
	.now = fake_now,
	.in_use = fake_in_use,
	.attempt = fake_attempt,
	.save = fake_save,
	.announce = fake_announce,
	.record = fake_record,
};

static void init(struct fake *fake, bool impatient)
{
	*fake = (struct fake){ .now = START, .answer = WARM_STARTED };
	warm_init(&fake->warm, &host, fake, impatient);
	assert_int_equal(warm_deadline(&fake->warm), 0);
}

static void start(struct fake *fake, unsigned int keep_ms)
{
	init(fake, false);
	warm_begin(&fake->warm, BGS_BLUE, OPERATOR, keep_ms);
}

static void start_due(struct fake *fake, enum warm_attempt answer, const char *why)
{
	start(fake, KEEP);
	fake->now += KEEP;
	fake->answer = answer;
	fake->why = why;
	*fake->trace = '\0';
	warm_step(&fake->warm);
}

/* As the agent's loop does: to the next moment that it asks for. */
static void pass(struct fake *fake)
{
	unsigned long long deadline = warm_deadline(&fake->warm);

	assert_true(deadline > fake->now);
	fake->now = deadline;
	warm_step(&fake->warm);
}

static void test_stopped_when_due_and_not_before(void **state)
{
	static const unsigned int times[] = { 0, 1, KEEP, UINT_MAX };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < ROWS(times); i++) {
		start(&fake, times[i]);
		assert_int_equal(warm_left(&fake.warm, BGS_BLUE), times[i]);
		assert_int_equal(warm_left(&fake.warm, BGS_GREEN), -1);
		assert_true(warm_deadline(&fake.warm) == START + (unsigned long long)times[i]);
		if (times[i]) {
			fake.now += times[i] - 1;
			warm_step(&fake.warm);
			assert_int_equal(fake.attempts, 0);
			fake.now++;
		}
		warm_step(&fake.warm);
		assert_int_equal(fake.attempts, 1);
		assert_true(warm_is_stopping(&fake.warm, BGS_BLUE));
		assert_false(warm_is_stopping(&fake.warm, BGS_GREEN));
		assert_int_equal(warm_deadline(&fake.warm), 0);
		warm_step(&fake.warm);
		assert_int_equal(fake.attempts, 1);
	}
}

static void test_time_is_told_when_there_is_some(void **state)
{
	static const struct {
		unsigned int keep_ms;
		const char *said;
	} rows[] = {
		{ 0, "" },
		{ 300, "blue is kept warm for 300ms, then stopped" },
		{ 1500, "blue is kept warm for 2s, then stopped" },
		{ KEEP, "blue is kept warm for 5m, then stopped" },
	};
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		start(&fake, rows[i].keep_ms);
		assert_string_equal(fake.said, rows[i].said);
	}
}

static const struct {
	const char *outcome, *text, *trace, *said;
} ends[] = {
	{ "complete", "done", " stopped history:complete:-:7 save:nothing", "blue is stopped" },
	{ "failed", "exit status 5", " stop-failed history:failed:exit status 5:7 save:nothing",
	  "blue is not stopped: exit status 5" },
	{ "timed-out", "too late", " stop-failed history:timed-out:too late:7 save:nothing",
	  "blue is not stopped: too late" },
};

static void test_ends_of_the_command(void **state)
{
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < ROWS(ends); i++) {
		start_due(&fake, WARM_STARTED, NULL);
		warm_ended(&fake.warm, ends[i].outcome, ends[i].text, 7);
		assert_string_equal(fake.trace, ends[i].trace);
		assert_string_equal(fake.said, ends[i].said);
		assert_int_equal(fake.warm.state, WARM_NONE);
		assert_int_equal(warm_deadline(&fake.warm), 0);
	}
}

/* At once, whenever it is noticed; an attempt may be the first to see it. */
static void test_not_stopped_when_in_use(void **state)
{
	struct fake fake;

	(void)state;
	start(&fake, KEEP);
	fake.used = true;
	warm_step(&fake.warm);
	assert_string_equal(fake.said, "blue is in use again; it is not stopped");
	assert_string_equal(fake.trace, " save:kept kept-warm not-stopped save:nothing");
	fake.now += KEEP;
	fake.used = false;
	warm_step(&fake.warm);
	assert_int_equal(fake.attempts, 0);
	start_due(&fake, WARM_NO_MORE, "blue was started anew");
	assert_string_equal(fake.said, "blue was started anew; it is not stopped");
	assert_string_equal(fake.trace, " not-stopped save:nothing");
	assert_int_equal(fake.warm.state, WARM_NONE);
}

static void test_put_off_while_it_is_not_safe(void **state)
{
	struct fake fake;

	(void)state;
	start_due(&fake, WARM_NOT_SAFE, "it has 3 established");
	assert_string_equal(fake.said, "blue is stopped later: it has 3 established");
	assert_int_equal(warm_deadline(&fake.warm), START + KEEP + WARM_LOOK_MS);
	fake.why = "it has 2 established";
	for (unsigned int i = 0; i < 5; i++)
		pass(&fake);
	assert_int_equal(fake.attempts, 6);
	assert_string_equal(fake.trace, " stop-put-off");
	fake.answer = WARM_STARTED;
	pass(&fake);
	assert_true(warm_is_stopping(&fake.warm, BGS_BLUE));
}

static void test_costly_looks_are_rare(void **state)
{
	struct fake fake;

	(void)state;
	start(&fake, 0);
	fake.answer = WARM_NOT_SAFE;
	fake.why = "busy";
	fake.takes = 400;
	warm_step(&fake.warm);
	assert_int_equal(warm_deadline(&fake.warm), START + 400 + 3600);
}

static void test_what_is_in_the_way_for_moments_is_not_told(void **state)
{
	static const struct {
		enum warm_attempt answer;
		unsigned int pause;
	} rows[] = { { WARM_SOON, WARM_SOON_MS }, { WARM_BUSY, WARM_LOOK_MS } };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		start_due(&fake, rows[i].answer, NULL);
		assert_string_equal(fake.trace, "");
		assert_int_equal(warm_deadline(&fake.warm), fake.now + rows[i].pause);
		fake.answer = WARM_STARTED;
		warm_step(&fake.warm);
		assert_int_equal(fake.attempts, 1);
		pass(&fake);
		assert_true(warm_is_stopping(&fake.warm, BGS_BLUE));
	}
}

static void test_command_that_cannot_be_run(void **state)
{
	struct fake fake;

	(void)state;
	start_due(&fake, WARM_CANNOT, "no memory");
	assert_string_equal(fake.trace, " stop-failed history:failed:no memory:0 save:nothing");
	assert_int_equal(fake.warm.state, WARM_NONE);
}

static void test_the_impatient_try_once(void **state)
{
	struct fake fake;

	(void)state;
	init(&fake, true);
	warm_begin(&fake.warm, BGS_BLUE, OPERATOR, 0);
	*fake.trace = '\0';
	fake.answer = WARM_SOON;
	warm_step(&fake.warm);
	assert_true(warm_is_to_come(&fake.warm));
	fake.answer = WARM_NOT_SAFE;
	fake.why = "it has 1 established";
	pass(&fake);
	assert_string_equal(fake.trace,
			    " stop-failed history:failed:it has 1 established:0 save:nothing");
	assert_false(warm_is_to_come(&fake.warm));
}

/* What is left to others has no time of its own, and ends with its use. */
static void test_left_to_others(void **state)
{
	struct fake fake;

	(void)state;
	init(&fake, true);
	warm_leave(&fake.warm, BGS_BLUE);
	assert_false(warm_is_to_come(&fake.warm));
	assert_int_equal(warm_deadline(&fake.warm), 0);
	fake.now += UINT_MAX;
	warm_step(&fake.warm);
	assert_int_equal(fake.attempts, 0);
	assert_string_equal(fake.trace, "");
	fake.used = true;
	warm_step(&fake.warm);
	assert_string_equal(fake.trace, " not-stopped save:nothing");
}

static void test_time_counts_on_in_another_process(void **state)
{
	static const struct {
		unsigned int spent_ms, left_ms;
	} rows[] = { { 0, KEEP }, { 1000, KEEP - 1000 }, { KEEP, 0 }, { UINT_MAX, 0 } };
	struct fake fake;

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		init(&fake, false);
		warm_resume(&fake.warm, BGS_BLUE, OPERATOR, rows[i].spent_ms, KEEP);
		assert_int_equal(warm_left(&fake.warm, BGS_BLUE), rows[i].left_ms);
		assert_true(warm_deadline(&fake.warm)); /* 0 would be none */
		fake.now += rows[i].left_ms;
		warm_step(&fake.warm);
		assert_int_equal(fake.attempts, 1);
	}
}

static void test_changed_time_counts_from_the_beginning(void **state)
{
	struct fake fake;

	(void)state;
	start(&fake, KEEP);
	fake.now += 1000;
	*fake.trace = '\0';
	warm_change(&fake.warm, KEEP);
	assert_string_equal(fake.trace, "");
	warm_change(&fake.warm, 11000);
	assert_string_equal(fake.said, "blue is kept warm for 10s, then stopped");
	assert_int_equal(warm_left(&fake.warm, BGS_BLUE), 10000);
	warm_change(&fake.warm, 500);
	warm_step(&fake.warm);
	assert_int_equal(fake.attempts, 1);
}

static void test_dropped_for_a_reason(void **state)
{
	struct fake fake;

	(void)state;
	init(&fake, false);
	warm_drop(&fake.warm, "gone");
	assert_string_equal(fake.trace, "");
	start(&fake, KEEP);
	warm_drop(&fake.warm, "the service was removed");
	assert_string_equal(fake.said, "the service was removed; blue is not stopped");
	assert_int_equal(fake.warm.state, WARM_NONE);
	start_due(&fake, WARM_STARTED, NULL);
	warm_drop(&fake.warm, "too late");
	assert_true(warm_is_stopping(&fake.warm, BGS_BLUE));
}

static void test_what_could_not_be_saved_is_saved_later(void **state)
{
	struct fake fake;

	(void)state;
	init(&fake, false);
	fake.save_fails = true;
	warm_begin(&fake.warm, BGS_BLUE, OPERATOR, KEEP);
	pass(&fake);
	*fake.trace = '\0';
	fake.save_fails = false;
	pass(&fake);
	assert_string_equal(fake.trace, " save:kept");
	assert_int_equal(warm_deadline(&fake.warm), START + KEEP);
	fake.save_fails = fake.used = true;
	warm_step(&fake.warm);
	*fake.trace = '\0';
	fake.save_fails = false;
	pass(&fake);
	assert_string_equal(fake.trace, " save:nothing");
	assert_int_equal(warm_deadline(&fake.warm), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stopped_when_due_and_not_before),
		cmocka_unit_test(test_time_is_told_when_there_is_some),
		cmocka_unit_test(test_ends_of_the_command),
		cmocka_unit_test(test_not_stopped_when_in_use),
		cmocka_unit_test(test_put_off_while_it_is_not_safe),
		cmocka_unit_test(test_costly_looks_are_rare),
		cmocka_unit_test(test_what_is_in_the_way_for_moments_is_not_told),
		cmocka_unit_test(test_command_that_cannot_be_run),
		cmocka_unit_test(test_the_impatient_try_once),
		cmocka_unit_test(test_left_to_others),
		cmocka_unit_test(test_time_counts_on_in_another_process),
		cmocka_unit_test(test_changed_time_counts_from_the_beginning),
		cmocka_unit_test(test_dropped_for_a_reason),
		cmocka_unit_test(test_what_could_not_be_saved_is_saved_later),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
