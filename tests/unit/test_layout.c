/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table in layout.c against the compiled BPF object, which is opened but
 * not loaded: instead of the kernel, this file says what a map is like.
 */
#include <errno.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/bgswitch.skel.h"
#include "datapath/layout.h"
#include "lib/test.h"

#define DIR "/sys/fs/bpf/bgswitch"

static struct bgswitch_bpf *skeleton;
static struct bpf_map_info answer;
static int answer_error;

/* In place of libbpf's: the descriptor means nothing here. */
int bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	(void)fd;
	if (answer_error) {
		errno = answer_error;
		return -1;
	}
	memcpy(info, &answer, *size < sizeof(answer) ? *size : sizeof(answer));
	return 0;
}

static int open_skeleton(void **state)
{
	(void)state;
	skeleton = bgswitch_bpf__open();
	return skeleton ? 0 : -1;
}

static int close_skeleton(void **state)
{
	(void)state;
	bgswitch_bpf__destroy(skeleton);
	return 0;
}

static void answer_as_compiled(enum pin pin)
{
	const struct bpf_map *map = bpf_object__find_map_by_name(skeleton->obj, pin_name(pin));

	assert_row(map, pin_name(pin));
	answer_error = 0;
	answer = (struct bpf_map_info){
		.type = bpf_map__type(map),
		.key_size = bpf_map__key_size(map),
		.value_size = bpf_map__value_size(map),
		.max_entries = bpf_map__max_entries(map),
	};
}

static void test_compiled_maps_have_the_expected_layout(void **state)
{
	(void)state;
	for (enum pin pin = 0; pin < PIN_MAPS; pin++) {
		struct failure failure = {};
		int err;

		answer_as_compiled(pin);
		err = layout_check(DIR, pin, 3, &failure);
		assert_string_equal(failure.what, "");
		assert_row(!err, pin_name(pin));
	}
}

static void test_every_compiled_map_is_pinned(void **state)
{
	const struct bpf_map *map;
	int count = 0;

	(void)state;
	bpf_object__for_each_map(map, skeleton->obj) count += !bpf_map__is_internal(map);
	assert_int_equal(count, PIN_MAPS);
}

static void expect_refusal(enum pin pin)
{
	char name[64];
	struct failure failure;

	assert_row(layout_check(DIR, pin, 3, &failure) == -1, pin_name(pin));
	snprintf(name, sizeof(name), "map " DIR "/%s has another layout", pin_name(pin));
	assert_failure(failure, EXIT_SYSTEM, name);
	assert_contains(failure.next, "bgswitch detach all");
}

static void test_altered_layout_is_refused_by_name(void **state)
{
	__u32 *const fields[] = { &answer.type, &answer.key_size, &answer.value_size,
				  &answer.max_entries };

	(void)state;
	for (enum pin pin = 0; pin < PIN_MAPS; pin++) {
		for (size_t i = 0; i < ROWS(fields); i++) {
			answer_as_compiled(pin);
			++*fields[i];
			expect_refusal(pin);
		}
	}
}

static void test_refusal_says_what_was_found_and_expected(void **state)
{
	struct failure failure;

	(void)state;
	answer_as_compiled(PIN_SERVICES);
	answer.value_size = 72;
	assert_int_equal(layout_check(DIR, PIN_SERVICES, 3, &failure), -1);
	assert_contains(failure.what, "type 1, key 4, value 72 bytes, 1024 entries; "
				      "expected type 1, key 4, value 64, 1024 entries");
}

static void test_what_is_not_a_map_is_refused_by_name(void **state)
{
	struct failure failure;

	(void)state;
	answer_error = EINVAL;
	assert_int_equal(layout_check(DIR, PIN_SOCKETS, 3, &failure), -1);
	assert_failure(failure, EXIT_SYSTEM, DIR "/sockets is not a map");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_compiled_maps_have_the_expected_layout),
		cmocka_unit_test(test_every_compiled_map_is_pinned),
		cmocka_unit_test(test_altered_layout_is_refused_by_name),
		cmocka_unit_test(test_refusal_says_what_was_found_and_expected),
		cmocka_unit_test(test_what_is_not_a_map_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, open_skeleton, close_skeleton);
}
