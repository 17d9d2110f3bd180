/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/test.h"
#include "switch/health.h"

static const struct check usual = { .rise = 2, .fall = 3 }, quick = { .rise = 1, .fall = 1 },
			  slow = { .rise = 4, .fall = 2 };

/*
 * Checks, one a letter: + good, - bad, w watched from here on. Under each the
 * health it leaves: ? unknown, H healthy, U unhealthy.
 */
static const struct {
	const char *name;
	const struct check *check;
	const char *checks, *healths;
} sequences[] = {
	{ "the first good one is enough", &usual, "+", "H" },
	{ "unknown until enough are bad", &usual, "---", "??U" },
	{ "unknown, and then good", &usual, "--+", "??H" },
	{ "fall in a row", &usual, "+--+---", "HHHHHHU" },
	{ "rise in a row", &usual, "---+-++", "??UUUUH" },
	{ "falls and rises again", &usual, "+---++---", "HHHUUHHHU" },
	{ "one of each decides", &quick, "-+-+", "UHUH" },
	{ "slow to rise", &slow, "--+++-++++", "?UUUUUUUUH" },
	{ "watching changes nothing", &usual, "---w+w+w---", "??UUUUHHHHU" },
};

static enum health health_of(char letter)
{
	return letter == 'H' ? HEALTH_HEALTHY : letter == 'U' ? HEALTH_UNHEALTHY : HEALTH_UNKNOWN;
}

/* Whether a check changed the health. */
static bool take(struct instance_health *instance, const struct check *check, char letter)
{
	if (letter != 'w')
		return health_note(instance, check, letter == '+');
	health_watch(instance);
	return false;
}

static void test_health_follows_rise_and_fall(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(sequences); i++) {
		const char *checks = sequences[i].checks, *healths = sequences[i].healths;
		struct instance_health instance = {};

		assert_row(strlen(checks) == strlen(healths), sequences[i].name);
		assert_row(instance.health == HEALTH_UNKNOWN, sequences[i].name);
		for (size_t at = 0; checks[at]; at++) {
			enum health before = instance.health;
			bool changed = take(&instance, sequences[i].check, checks[at]);

			assert_row(instance.health == health_of(healths[at]), sequences[i].name);
			assert_row(changed == (instance.health != before), sequences[i].name);
		}
	}
}

static const struct {
	const char *checks;
	bool changing;
} paces[] = {
	{ "", true }, /* unknown */
	{ "-", true },	    { "+", false },	{ "++", false },   { "+-", true },
	{ "+-+", false },   { "---", false },	{ "----", false }, { "---+", true },
	{ "---+-", false }, { "---++", false },
};

static void test_what_is_changing_is_asked_sooner(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(paces); i++) {
		struct instance_health instance = {};

		for (const char *check = paces[i].checks; *check; check++)
			take(&instance, &usual, *check);
		assert_row(health_is_changing(&instance) == paces[i].changing, paces[i].checks);
	}
}

static const struct {
	const struct check *check;
	const char *checks;
	enum verdict verdict;
} verdicts[] = {
	{ &usual, "w", VERDICT_PENDING },
	/* What was before does not count. */
	{ &usual, "+w", VERDICT_PENDING },
	{ &usual, "---w", VERDICT_PENDING },
	{ &usual, "w+", VERDICT_GOOD },
	{ &usual, "+w+", VERDICT_GOOD },
	{ &usual, "---w++", VERDICT_GOOD },
	/* Rise still counts: the instance is unhealthy until then. */
	{ &usual, "---w+", VERDICT_PENDING },
	/* And one that is still healthy, but only just so, is not good. */
	{ &usual, "+w-", VERDICT_PENDING },
	{ &usual, "+w--", VERDICT_PENDING },
	{ &usual, "+w--+", VERDICT_GOOD },
	{ &usual, "+w---", VERDICT_BAD },
	{ &usual, "w--", VERDICT_PENDING },
	{ &usual, "w---", VERDICT_BAD },
	/* An unhealthy one gets as many tries as any other. */
	{ &usual, "---w--", VERDICT_PENDING },
	{ &usual, "---w---", VERDICT_BAD },
	{ &usual, "--w-", VERDICT_PENDING },
	/* In a row. */
	{ &usual, "---w--+-", VERDICT_PENDING },
	{ &usual, "---w+--", VERDICT_PENDING },
	{ &usual, "---w+---", VERDICT_BAD },
	/* A verdict is not for ever. */
	{ &usual, "w---++", VERDICT_GOOD },
	{ &usual, "w+-", VERDICT_PENDING },
	{ &usual, "w+w", VERDICT_PENDING },
	{ &quick, "-w+", VERDICT_GOOD },
	{ &quick, "+w-", VERDICT_BAD },
	{ &slow, "--w+-", VERDICT_PENDING },
};

static void test_verdict_is_of_checks_since_it_was_watched(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(verdicts); i++) {
		struct instance_health instance = {};

		for (const char *check = verdicts[i].checks; *check; check++)
			take(&instance, verdicts[i].check, *check);
		assert_row(instance_verdict(&instance, verdicts[i].check) == verdicts[i].verdict,
			   verdicts[i].checks);
	}
}

static const struct {
	const char *name;
	struct minimum minimum;
	unsigned int total, needed;
} minimums[] = {
	{ "the default", { 1, false }, 4, 1 },
	{ "a number", { 3, false }, 4, 3 },
	{ "all", { 4, false }, 4, 4 },
	{ "more than there are", { 5, false }, 4, 4 },
	{ "none are declared", { 1, false }, 0, 1 },
	{ "half of four", { 50, true }, 4, 2 },
	{ "half of three", { 50, true }, 3, 2 },
	{ "one percent", { 1, true }, 64, 1 },
	{ "two percent of 64 are more than one", { 2, true }, 64, 2 },
	{ "99 percent", { 99, true }, 64, 64 },
	{ "99 percent of 100", { 99, true }, 100, 99 },
	{ "100 percent", { 100, true }, 64, 64 },
	{ "100 percent of one", { 100, true }, 1, 1 },
	{ "a third, and no more", { 33, true }, 3, 1 },
	{ "a third, and a little more", { 34, true }, 3, 2 },
};

static void test_needed_instances(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(minimums); i++)
		assert_row(health_needed(&minimums[i].minimum, minimums[i].total) ==
				   minimums[i].needed,
			   minimums[i].name);
}

/* All that can be: decided exactly when the undecided cannot change it any more. */
static void test_color_is_healthy_when_enough_instances_are(void **state)
{
	const unsigned int total = 5;

	(void)state;
	for (unsigned int needed = 1; needed <= total; needed++) {
		const struct minimum minimum = { needed, false }, percent = { needed * 20, true };

		for (unsigned int good = 0; good <= total; good++) {
			for (unsigned int bad = 0; good + bad <= total; bad++) {
				unsigned int undecided = total - good - bad;
				enum health expected = HEALTH_UNKNOWN;

				if (good >= needed)
					expected = HEALTH_HEALTHY;
				else if (good + undecided < needed)
					expected = HEALTH_UNHEALTHY;
				assert_int_equal(color_health(&minimum, total, good, bad),
						 expected);
				assert_int_equal(color_health(&percent, total, good, bad),
						 expected);
			}
		}
	}
}

/* Instances by place: H, U, ? or . for none; and those that take connections, by place too. */
static const struct {
	const char *name, *instances, *before, *after;
} rotations[] = {
	{ "all are healthy", "HHH", "111", "111" },
	{ "one has come back", "HHH", "101", "111" },
	{ "one fails", "HUH", "111", "101" },
	{ "one is left", "UUH", "111", "001" },
	{ "none is left", "UUU", "001", "111" },
	{ "unknown ones stay as they were", "???", "101", "101" },
	{ "an unknown one that was out stays out", "H?", "10", "10" },
	{ "an unknown one that was in stays in", "H?", "11", "11" },
	{ "an unknown one is better than an unhealthy one", "U?", "11", "01" },
	{ "unhealthy, and unknown that were out", "U??", "100", "111" },
	{ "nobody was in", "???", "000", "111" },
	{ "gaps stay empty", ".H.U.?", "111111", "010001" },
	{ "gaps stay empty when none is left", ".U.U", "1111", "0101" },
	{ "places that are gone", "H..", "111", "100" },
	{ "none at all", "...", "111", "000" },
};

static __u64 mask_of(const char *bits)
{
	__u64 mask = 0;

	for (size_t place = 0; bits[place]; place++)
		mask |= (__u64)(bits[place] == '1') << place;
	return mask;
}

static void test_rotation_takes_what_is_healthy(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rotations); i++) {
		struct rotation_place places[8];
		size_t count = 0;

		for (unsigned int place = 0; rotations[i].instances[place]; place++) {
			char letter = rotations[i].instances[place];

			if (letter != '.')
				places[count++] =
					(struct rotation_place){ place, health_of(letter) };
		}
		assert_row(rotation_mask(places, count, mask_of(rotations[i].before)) ==
				   mask_of(rotations[i].after),
			   rotations[i].name);
	}
}

static void test_rotation_reaches_the_last_place(void **state)
{
	const struct rotation_place places[] = { { 31, HEALTH_UNHEALTHY }, { 63, HEALTH_HEALTHY } };

	(void)state;
	assert_true(rotation_mask(places, ROWS(places), ~0ULL) == 1ULL << 63);
	assert_true(rotation_mask(places, 1, 0) == 1ULL << 31);
}

static void test_health_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(health_name((struct instance_health){}.health), "unknown");
	assert_string_equal(health_name(HEALTH_HEALTHY), "healthy");
	assert_string_equal(health_name(HEALTH_UNHEALTHY), "unhealthy");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_health_follows_rise_and_fall),
		cmocka_unit_test(test_what_is_changing_is_asked_sooner),
		cmocka_unit_test(test_verdict_is_of_checks_since_it_was_watched),
		cmocka_unit_test(test_needed_instances),
		cmocka_unit_test(test_color_is_healthy_when_enough_instances_are),
		cmocka_unit_test(test_rotation_takes_what_is_healthy),
		cmocka_unit_test(test_rotation_reaches_the_last_place),
		cmocka_unit_test(test_health_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
