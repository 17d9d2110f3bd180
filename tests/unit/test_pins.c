/* SPDX-License-Identifier: GPL-2.0-only */
/* Plain files stand for pins: what is ours and what is not is told by name. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "datapath/pins.h"
#include "lib/scratch.h"
#include "lib/test.h"

static void touch(const char *dir, const char *name)
{
	char path[PATH_MAX];
	int fd = open(scratch_path(path, dir, name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_row(fd >= 0, path);
	close(fd);
}

static bool exists(const char *dir, const char *name)
{
	char path[PATH_MAX];

	return !access(scratch_path(path, dir, name), F_OK);
}

static const char *with_all_pins(const char *parent)
{
	static char dir[PATH_MAX];
	char name[64];

	scratch_path(dir, parent, "bgswitch");
	assert_int_equal(mkdir(dir, 0700), 0);
	for (enum pin pin = 0; pin < PIN_COUNT; pin++) {
		touch(dir, pin_name(pin));
		snprintf(name, sizeof(name), "%s~new", pin_name(pin));
		touch(dir, name);
	}
	return dir;
}

static void test_names_fit_a_map_and_are_told_apart(void **state)
{
	(void)state;
	for (enum pin pin = 0; pin < PIN_COUNT; pin++) {
		/* bpffs takes no dots; the kernel cuts a map's name at 15 characters. */
		assert_row(!strchr(pin_name(pin), '.'), pin_name(pin));
		assert_row(strlen(pin_name(pin)) <= 15, pin_name(pin));
		for (enum pin other = 0; other < pin; other++)
			assert_string_not_equal(pin_name(pin), pin_name(other));
	}
}

static void test_own_pins_and_unfinished_ones_are_not_foreign(void **state)
{
	struct failure failure = {};

	assert_int_equal(pins_check_foreign(with_all_pins(*state), &failure), 0);
	assert_string_equal(failure.what, "");
}

static void test_missing_directory_holds_nothing_foreign(void **state)
{
	char dir[PATH_MAX];
	struct failure failure;

	scratch_path(dir, *state, "none");
	assert_int_equal(pins_check_foreign(dir, &failure), 0);
}

static void test_foreign_names_are_refused(void **state)
{
	static const char *const names[] = { "service",	 "services2", "services~",   "services~old",
					     "Services", "~new",      "~newservices" };
	char path[PATH_MAX];

	for (size_t i = 0; i < ROWS(names); i++) {
		struct failure failure;

		touch(*state, names[i]);
		assert_row(pins_check_foreign(*state, &failure) == -1, names[i]);
		assert_failure(failure, EXIT_SYSTEM, scratch_path(path, *state, names[i]));
		unlink(path);
	}
}

static void test_removal_takes_all_of_ours_and_the_directory(void **state)
{
	const char *dir = with_all_pins(*state);
	struct failure failure;

	assert_int_equal(pins_remove_all(dir, &failure), 0);
	assert_false(exists(*state, "bgswitch"));
	/* Again is fine: a detach may have been cut short. */
	assert_int_equal(pins_remove_all(dir, &failure), 0);
}

static void test_removal_leaves_what_is_foreign(void **state)
{
	const char *dir = with_all_pins(*state);
	struct failure failure;

	touch(dir, "precious");
	assert_int_equal(pins_remove_all(dir, &failure), 0);
	assert_true(exists(dir, "precious"));
	for (enum pin pin = 0; pin < PIN_COUNT; pin++)
		assert_row(!exists(dir, pin_name(pin)), pin_name(pin));
}

/* A directory in a pin's place cannot be unlinked: the walk stops there. */
static void test_steering_ends_before_any_map_goes(void **state)
{
	const char *dir = with_all_pins(*state);
	struct failure failure;
	char path[PATH_MAX];

	unlink(scratch_path(path, dir, pin_name(PIN_SETTINGS)));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(pins_remove_all(dir, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, path);
	for (enum pin pin = PIN_MAPS; pin < PIN_COUNT; pin++)
		assert_row(!exists(dir, pin_name(pin)), pin_name(pin));
	for (enum pin pin = PIN_SETTINGS + 1; pin < PIN_MAPS; pin++)
		assert_row(exists(dir, pin_name(pin)), pin_name(pin));
}

#define scratch_test(test) cmocka_unit_test_setup_teardown(test, scratch_make, scratch_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_fit_a_map_and_are_told_apart),
		scratch_test(test_own_pins_and_unfinished_ones_are_not_foreign),
		scratch_test(test_missing_directory_holds_nothing_foreign),
		scratch_test(test_foreign_names_are_refused),
		scratch_test(test_removal_takes_all_of_ours_and_the_directory),
		scratch_test(test_removal_leaves_what_is_foreign),
		scratch_test(test_steering_ends_before_any_map_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
