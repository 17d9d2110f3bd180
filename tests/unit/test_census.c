/* SPDX-License-Identifier: GPL-2.0-only */
/* Which connections without a tag count for a color: those in accept queues, above all. */
#include "census.h"
#include "lib/test.h"

#define SLOT 3

static const struct row {
	const char *name;
	unsigned int tagged, untagged, accept_queue; /* in queues: by the walk; by listeners */
	unsigned int held, others; /* untagged: in a process; of the other color */
	unsigned long long expected;
} rows[] = {
	{ .name = "nothing", .expected = 0 },
	{ .name = "held", .held = 2, .others = 3, .expected = 2 },
	{ .name = "queued at a registered listener since before the tag",
	  .untagged = 4,
	  .accept_queue = 4,
	  .expected = 0 },
	{ .name = "some at a listener that is not registered",
	  .tagged = 2,
	  .untagged = 4,
	  .accept_queue = 3,
	  .expected = 3 },
	{ .name = "all, and others held", .untagged = 4, .held = 1, .expected = 5 },
	{ .name = "tagged ones have left the queue since the walk", .tagged = 26, .expected = 0 },
	{ .name = "some of them", .tagged = 26, .untagged = 1, .accept_queue = 5, .expected = 1 },
	{ .name = "more have come since", .tagged = 1, .accept_queue = 9, .expected = 0 },
};

static void add(struct census *census, unsigned int count, enum bgs_connection_kind kind,
		enum bgs_color color)
{
	for (unsigned int i = 0; i < count; i++)
		census->untagged[census->untagged_count++] = (struct attributed){
			.connection.kind = kind, .slot = SLOT, .colors = 1U << color
		};
}

static void test_untagged(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct row *row = &rows[i];
		struct census_color colors[SLOT + 1][BGS_COLORS] = {};
		struct attributed untagged[16];
		struct census census = { .colors = colors, .untagged = untagged };
		unsigned long long got;

		colors[SLOT][BGS_BLUE].queued = row->tagged;
		add(&census, row->untagged, BGS_CONNECTION_QUEUED, BGS_BLUE);
		add(&census, row->held, BGS_CONNECTION_HELD, BGS_BLUE);
		add(&census, row->others, BGS_CONNECTION_HELD, BGS_GREEN);
		got = census_untagged(&census, SLOT, BGS_BLUE, row->accept_queue);
		if (got != row->expected)
			fail_msg("%s: %llu, not %llu", row->name, got, row->expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_untagged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
