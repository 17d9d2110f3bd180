/* SPDX-License-Identifier: GPL-2.0-only */
/* The arithmetic that picks an instance, against the obvious way to do it. */
#include "../../bpf/bits.bpf.h"
#include "lib/test.h"

/* A repeatable sequence of masks, from nearly empty to nearly full. */
static __u64 next_mask(__u64 *seed)
{
	__u64 mask;

	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	mask = *seed ^ *seed >> 32;
	return *seed >> 62 ? mask : mask & mask << 7 & mask >> 9;
}

static void check(__u64 mask)
{
	__u32 count = 0;

	for (__u32 place = 0; place < 64; place++) {
		if (!(mask & BIT(place)))
			continue;
		if (!count)
			assert_int_equal(bits_lowest(mask), place);
		assert_int_equal(bits_nth(mask, count++), place);
	}
	assert_int_equal(bits_count(mask), count);
}

static void test_single_bits_and_their_neighbours(void **state)
{
	(void)state;
	assert_int_equal(bits_count(0), 0);
	check(~0ULL);
	for (unsigned int place = 0; place < 64; place++) {
		check(BIT(place));
		check(~BIT(place));
		check(BIT(place) | 1);
		check(BIT(place) | BIT(63));
		check(~0ULL << place);
		check(~0ULL >> place);
	}
}

static void test_any_mask(void **state)
{
	__u64 seed = 1;

	(void)state;
	for (int i = 0; i < 100000; i++)
		check(next_mask(&seed));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_bits_and_their_neighbours),
		cmocka_unit_test(test_any_mask),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
