/* SPDX-License-Identifier: GPL-2.0-only */
/* Interfaces that go and come back are steered again, and the agent hears of it. */
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/links.h"
#include "datapath/interfaces.h"
#include "datapath/map.h"
#include "lib/stage.h"
#include "lib/test.h"

#define PATIENCE_US 10000000

static void ip(const char *words)
{
	char line[128];

	snprintf(line, sizeof(line), "ip link %s", words);
	assert_row(!system(line), line);
}

static void attach(const struct stage *stage, const char *name)
{
	struct interface interface;
	struct failure failure;

	assert_int_equal(interface_find(&interface, name, &failure), 0);
	assert_int_equal(interfaces_add(&stage->fixture.datapath, &interface, &failure), 0);
}

static bool steers(const struct stage *stage, unsigned int index)
{
	struct bgs_settings settings;
	__u32 zero = 0;

	assert_int_equal(map_get(stage->fixture.datapath.fds[PIN_SETTINGS], &zero, &settings), 0);
	return settings.attached[index / 64] >> index % 64 & 1;
}

struct reports {
	char text[256];
};

static void note(const struct interface *interface, bool present, void *data)
{
	struct reports *reports = data;
	size_t length = strlen(reports->text);

	snprintf(reports->text + length, sizeof(reports->text) - length, "%c%s ",
		 present ? '+' : '-', interface->name);
}

static int refresh(const struct stage *stage, struct reports *reports)
{
	struct failure failure;

	*reports = (struct reports){};
	return interfaces_refresh(&stage->fixture.datapath, note, reports, &failure);
}

static void assert_list(const struct stage *stage, const char *expected)
{
	struct interface_list list;
	char text[256] = "";

	interfaces_list(&stage->fixture.datapath, &list);
	for (size_t i = 0; i < list.count; i++) {
		strcat(text, list.items[i].name);
		strcat(text, " ");
	}
	assert_string_equal(text, expected);
}

static void test_one_that_comes_back_is_steered_again(void **state)
{
	struct stage *stage = *state;
	struct reports reports;
	unsigned int before, after;

	ip("add out0 type veth peer name in0");
	attach(stage, "out0");
	before = if_nametoindex("out0");
	assert_int_equal(refresh(stage, &reports), 0);
	assert_string_equal(reports.text, "");
	assert_true(steers(stage, before));

	ip("del out0");
	assert_int_equal(refresh(stage, &reports), 0);
	assert_string_equal(reports.text, "-out0 ");
	assert_false(steers(stage, before));
	assert_int_equal(refresh(stage, &reports), 0);
	assert_string_equal(reports.text, ""); /* said once */
	assert_list(stage, "all out0 ");

	ip("add out0 type veth peer name in0");
	after = if_nametoindex("out0");
	assert_int_not_equal(after, before);
	assert_int_equal(refresh(stage, &reports), 1);
	assert_string_equal(reports.text, "+out0 ");
	assert_true(steers(stage, after));
	assert_false(steers(stage, before));
	assert_list(stage, "all out0 ");
}

static void test_one_that_comes_back_under_its_old_index_is_steered_again(void **state)
{
	struct stage *stage = *state;
	struct reports reports;

	ip("add out0 index 77 type veth peer name in0");
	attach(stage, "out0");
	ip("del out0");
	assert_int_equal(refresh(stage, &reports), 0);
	assert_false(steers(stage, 77));
	ip("add out0 index 77 type veth peer name in0");
	assert_int_equal(refresh(stage, &reports), 1);
	assert_string_equal(reports.text, "+out0 ");
	assert_true(steers(stage, 77));
}

static void test_one_that_is_renamed_stays_and_is_followed(void **state)
{
	struct stage *stage = *state;
	struct reports reports;
	unsigned int index;

	ip("add out0 type veth peer name in0");
	attach(stage, "out0");
	index = if_nametoindex("out0");
	ip("set out0 name wan0");
	assert_int_equal(refresh(stage, &reports), 0);
	assert_string_equal(reports.text, "");
	assert_true(steers(stage, index));
	/* By the new name it is known from here on. */
	ip("del wan0");
	refresh(stage, &reports);
	assert_string_equal(reports.text, "-wan0 ");
}

static void test_two_that_swap_their_names_stay(void **state)
{
	struct stage *stage = *state;
	struct reports reports;

	ip("add out0 type veth peer name in0");
	attach(stage, "out0");
	attach(stage, "in0");
	ip("set out0 name other0");
	ip("set in0 name out0");
	ip("set other0 name in0");
	assert_int_equal(refresh(stage, &reports), 2);
	assert_true(steers(stage, if_nametoindex("out0")));
	assert_true(steers(stage, if_nametoindex("in0")));
	assert_int_equal(refresh(stage, &reports), 0);
}

static void test_many_changes_between_two_looks(void **state)
{
	struct stage *stage = *state;
	struct reports reports;

	ip("add out0 type veth peer name in0");
	attach(stage, "out0");
	attach(stage, "in0");
	for (int i = 0; i < 3; i++) {
		ip("del out0");
		ip("add out0 type veth peer name in0");
	}
	assert_int_equal(refresh(stage, &reports), 2);
	assert_true(steers(stage, if_nametoindex("out0")));
	assert_true(steers(stage, if_nametoindex("in0")));
	assert_list(stage, if_nametoindex("in0") < if_nametoindex("out0") ? "all in0 out0 "
									  : "all out0 in0 ");
}

static void count(void *data)
{
	++*(int *)data;
}

static void await(const struct stage *stage, const char *name)
{
	struct interface interface;
	struct failure failure;

	assert_int_equal(interface_find_or_await(&interface, name, &failure), 0);
	assert_int_equal(interfaces_add(&stage->fixture.datapath, &interface, &failure), 0);
}

static void test_those_that_were_never_there_are_steered_when_they_come(void **state)
{
	struct stage *stage = *state;
	struct interface unused;
	struct failure failure;
	struct reports reports;

	await(stage, "out0");
	await(stage, "in0");
	await(stage, "out0"); /* again: nothing new */
	assert_list(stage, "all in0 out0 ");
	assert_int_equal(refresh(stage, &reports), 0);
	assert_string_equal(reports.text, "");

	ip("add out0 type veth peer name in0");
	assert_int_equal(refresh(stage, &reports), 2);
	assert_string_equal(reports.text, "+in0 +out0 ");
	assert_true(steers(stage, if_nametoindex("out0")));
	assert_true(steers(stage, if_nametoindex("in0")));
	assert_int_equal(refresh(stage, &reports), 0);
	ip("del out0");

	assert_int_equal(interface_find_or_await(&unused, "a-name-of-16-chr", &failure), -1);
}

static void test_changes_are_heard_of_once(void **state)
{
	static const char *const changes[] = { "add out0 type veth peer name in0",
					       "set out0 name wan0", "del wan0" };
	struct failure failure;
	struct links *links;
	sd_event *event;
	int calls = 0;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	links = links_new(event, count, &calls, &failure);
	assert_non_null(links);
	assert_int_equal(sd_event_run(event, 0), 0); /* nothing yet */
	for (size_t i = 0; i < ROWS(changes); i++) {
		ip(changes[i]);
		assert_row(sd_event_run(event, PATIENCE_US) > 0, changes[i]);
		assert_int_equal(calls, (int)i + 1);
		assert_int_equal(sd_event_run(event, 0), 0);
	}
	links_free(links);
	sd_event_unref(event);
}

static void test_dropped_messages_count_as_a_change(void **state)
{
	struct failure failure;
	struct links *links;
	sd_event *event;
	int calls = 0;

	(void)state;
	assert_true(sd_event_new(&event) >= 0);
	links = links_new(event, count, &calls, &failure);
	assert_non_null(links);
	/* More than the socket's buffer holds; each is about 1.5 KB in the queue. */
	ip("add out0 type veth peer name in0");
	assert_int_equal(system("for i in $(seq 200); do echo link set out0 up; "
				"echo link set out0 down; done | ip -batch -"),
			 0);
	assert_true(sd_event_run(event, PATIENCE_US) > 0);
	assert_int_equal(calls, 1);
	for (int i = 0; i < 100 && sd_event_run(event, 0) > 0; i++)
		; /* what one look did not hold */
	assert_true(calls < 100);
	ip("del out0");
	assert_true(sd_event_run(event, PATIENCE_US) > 0);
	links_free(links);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_one_that_comes_back_is_steered_again),
		stage_test(test_one_that_comes_back_under_its_old_index_is_steered_again),
		stage_test(test_one_that_is_renamed_stays_and_is_followed),
		stage_test(test_two_that_swap_their_names_stay),
		stage_test(test_many_changes_between_two_looks),
		stage_test(test_those_that_were_never_there_are_steered_when_they_come),
		stage_test(test_changes_are_heard_of_once),
		stage_test(test_dropped_messages_count_as_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
