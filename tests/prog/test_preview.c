/* SPDX-License-Identifier: GPL-2.0-only */
/* Client networks that always get one color. */
#include "datapath/preview.h"
#include "lib/stage.h"
#include "lib/test.h"

#define V4 "10.0.0.1:80"
#define V6 "[2001:db8:1::1]:80"

static const struct bgs_flags flags = { .failover = 1 };

static struct preview preview(const char *network, enum bgs_color color)
{
	struct preview preview = { .color = color };
	struct failure failure;

	assert_int_equal(network_parse(&preview.network, network, &failure), 0);
	return preview;
}

static void add(const struct stage *stage, const char *network, enum bgs_color color)
{
	const struct preview one = preview(network, color);
	struct failure failure;

	assert_int_equal(previews_add(&stage->fixture.datapath, stage->slot, &one, 1, &failure), 0);
}

static int drop(const struct stage *stage, const char *network, struct failure *failure)
{
	struct preview one = preview(network, BGS_BLUE);

	return previews_remove(&stage->fixture.datapath, stage->slot, &one, 1, failure);
}

static void test_longest_prefix_wins(void **state)
{
	static const struct {
		const char *client, *local;
		enum bgs_color color;
	} rows[] = {
		{ "10.1.2.3:5", V4, BGS_GREEN }, /* /32 */
		{ "10.1.2.4:5", V4, BGS_BLUE }, /* /24 */
		{ "10.1.3.1:5", V4, BGS_GREEN }, /* /16 */
		{ "10.2.0.0:5", V4, BGS_BLUE }, /* none: active */
		{ "[2001:db8:5::1]:5", V6, BGS_GREEN }, /* /128 */
		{ "[2001:db8:5::2]:5", V6, BGS_BLUE }, /* /64 */
		{ "[2001:db8:5:1::2]:5", V6, BGS_GREEN }, /* /33 */
		{ "[2001:db8:8000::]:5", V6, BGS_BLUE }, /* none: active */
	};
	struct stage *stage = *state;

	stage_web(stage, flags);
	add(stage, "10.1.2.0/24", BGS_BLUE);
	add(stage, "10.1.2.3", BGS_GREEN);
	add(stage, "10.1.0.0/16", BGS_GREEN);
	add(stage, "2001:db8:5::/64", BGS_BLUE);
	add(stage, "2001:db8:5::1", BGS_GREEN);
	add(stage, "2001:db8::/33", BGS_GREEN);
	for (size_t i = 0; i < ROWS(rows); i++)
		assert_row(stage_lookup(stage, rows[i].client, rows[i].local) == (int)rows[i].color,
			   rows[i].client);
}

static void test_preview_holds_against_route_and_split(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, flags);
	add(stage, "0.0.0.0/0", BGS_BLUE);
	add(stage, "::/0", BGS_GREEN);
	for (enum bgs_color active = 0; active < BGS_COLORS; active++) {
		for (unsigned int split = 0; split <= BGS_SPLIT_MAX; split += BGS_SPLIT_MAX) {
			stage_route(stage, active, split);
			assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_BLUE);
			assert_int_equal(stage_lookup(stage, "[2001:db8::5]:5", V6), BGS_GREEN);
		}
	}
	assert_int_equal(stage_counters(stage).previewed, 8);
}

static void test_families_are_told_apart(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, flags);
	add(stage, "::/0", BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_BLUE);
	assert_int_equal(stage_counters(stage).previewed, 0);
	/* As a client of a dual-stack listener would be written. */
	add(stage, "::ffff:10.1.0.0/112", BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.2.2.3:5", V4), BGS_BLUE);
}

static void test_removed_preview_leaves_the_shorter_one_then_none(void **state)
{
	struct stage *stage = *state;
	struct failure failure;

	stage_web(stage, flags);
	add(stage, "10.0.0.0/8", BGS_GREEN);
	add(stage, "10.1.0.0/16", BGS_BLUE);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_BLUE);
	assert_int_equal(drop(stage, "10.1.0.0/16", &failure), 0);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_GREEN);
	assert_int_equal(drop(stage, "10.0.0.0/8", &failure), 0);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_BLUE);
	assert_int_equal(stage_counters(stage).previewed, 2);
}

static void test_preview_that_is_not_there_is_not_removed(void **state)
{
	struct stage *stage = *state;
	struct failure failure;

	stage_web(stage, flags);
	add(stage, "10.0.0.0/8", BGS_GREEN);
	assert_int_equal(drop(stage, "10.1.0.0/16", &failure), -1);
	assert_failure(failure, EXIT_USAGE, "10.1.0.0/16 is not a preview network");
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_GREEN);
}

static void test_failed_removal_of_several_changes_none(void **state)
{
	struct preview several[] = { preview("10.1.0.0/16", BGS_BLUE),
				     preview("10.2.0.0/16", BGS_BLUE) };
	struct stage *stage = *state;
	struct failure failure;

	stage_web(stage, flags);
	add(stage, "10.1.0.0/16", BGS_GREEN);
	assert_int_equal(previews_remove(&stage->fixture.datapath, stage->slot, several,
					 ROWS(several), &failure),
			 -1);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_GREEN);
}

static void test_services_have_previews_of_their_own(void **state)
{
	struct stage *stage = *state;
	int mail;

	stage_web(stage, flags);
	add(stage, "10.1.0.0/16", BGS_GREEN);
	stage_service(stage, "mail", "0.0.0.0:25", ":2501", ":2502", flags);
	mail = stage_listen(stage, "127.0.0.1:2501");
	stage_listen(stage, "127.0.0.1:2502");
	add(stage, "10.2.0.0/16", BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", "10.0.0.1:25"), mail + BGS_BLUE);
	assert_int_equal(stage_lookup(stage, "10.2.2.3:5", "10.0.0.1:25"), mail + BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.2.2.3:5", V4), BGS_BLUE);
}

static void test_previewed_client_is_served_when_its_color_is_dead(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, flags);
	add(stage, "10.1.0.0/16", BGS_GREEN);
	stage_close(stage, BGS_GREEN);
	assert_int_equal(stage_lookup(stage, "10.1.2.3:5", V4), BGS_BLUE);
	assert_int_equal(stage_counters(stage).failover, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_longest_prefix_wins),
		stage_test(test_preview_holds_against_route_and_split),
		stage_test(test_families_are_told_apart),
		stage_test(test_removed_preview_leaves_the_shorter_one_then_none),
		stage_test(test_preview_that_is_not_there_is_not_removed),
		stage_test(test_failed_removal_of_several_changes_none),
		stage_test(test_services_have_previews_of_their_own),
		stage_test(test_previewed_client_is_served_when_its_color_is_dead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
