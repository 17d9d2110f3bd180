/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "datapath/place.h"
#include "lib/scratch.h"
#include "lib/test.h"

static void test_pins_and_lock_have_their_usual_places(void **state)
{
	struct failure failure;
	struct place place;

	(void)state;
	assert_int_equal(place_find(&place, NULL, NULL, NULL, &failure), 0);
	assert_string_equal(place.bpffs, "/sys/fs/bpf");
	assert_string_equal(place.pin_dir, "/sys/fs/bpf/bgswitch");
	assert_string_equal(place.lock_name, "lock");
	assert_string_equal(place.suffix, "");
}

static void test_another_bpffs_moves_the_pins(void **state)
{
	struct failure failure;
	struct place place;

	(void)state;
	assert_int_equal(place_find(&place, NULL, "/mnt/bpf", NULL, &failure), 0);
	assert_string_equal(place.pin_dir, "/mnt/bpf/bgswitch");
}

static void test_names_that_leave_the_directory_are_refused(void **state)
{
	static const char *const names[] = { "", "..", ".", "a/b", "/proc/1/ns/net", "a.b" };

	(void)state;
	for (size_t i = 0; i < ROWS(names); i++) {
		struct failure failure;
		struct place place;

		assert_row(place_find(&place, names[i], NULL, NULL, &failure) == -1, names[i]);
		assert_failure(failure, EXIT_USAGE, "cannot name a network namespace");
	}
}

static void test_files_of_a_named_namespace_carry_its_name(void **state)
{
	char suffix[PLACE_SUFFIX];
	struct failure failure;

	(void)state;
	assert_int_equal(place_suffix(suffix, NULL, &failure), 0);
	assert_string_equal(suffix, "");
	assert_int_equal(place_suffix(suffix, "red", &failure), 0);
	assert_string_equal(suffix, "@red");
	assert_int_equal(place_suffix(suffix, "../red", &failure), -1);
	assert_failure(failure, EXIT_USAGE, "'../red' cannot name a network namespace");
}

static void test_missing_namespace_is_named(void **state)
{
	struct failure failure;
	struct place place;

	(void)state;
	assert_int_equal(place_find(&place, "no-such-netns", NULL, NULL, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "no network namespace no-such-netns");
}

static void test_paths_too_long_are_refused(void **state)
{
	char path[PATH_MAX];
	struct failure failure;
	struct place place;

	(void)state;
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(place_find(&place, NULL, path, NULL, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "path too long");
	assert_int_equal(place_find(&place, NULL, NULL, path, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "path too long");
	path[sizeof(place.bpffs) - 1] = '\0';
	assert_int_equal(place_find(&place, NULL, path, NULL, &failure), 0);
	assert_int_equal(strlen(place.pin_dir), strlen(path) + strlen("/bgswitch"));
}

static void test_directory_that_is_no_cgroup_is_refused(void **state)
{
	char missing[PATH_MAX];
	struct failure failure;
	struct place place;

	assert_int_equal(place_find(&place, NULL, NULL, *state, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, "not on a cgroup v2 file system");
	scratch_path(missing, *state, "none");
	assert_int_equal(place_find(&place, NULL, NULL, missing, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, missing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pins_and_lock_have_their_usual_places),
		cmocka_unit_test(test_another_bpffs_moves_the_pins),
		cmocka_unit_test(test_names_that_leave_the_directory_are_refused),
		cmocka_unit_test(test_files_of_a_named_namespace_carry_its_name),
		cmocka_unit_test(test_missing_namespace_is_named),
		cmocka_unit_test(test_paths_too_long_are_refused),
		cmocka_unit_test_setup_teardown(test_directory_that_is_no_cgroup_is_refused,
						scratch_make, scratch_remove),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
