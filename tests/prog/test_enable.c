/* SPDX-License-Identifier: GPL-2.0-only */
/* Which instances take new connections: a word of its own next to the route. */
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

#include "datapath/map.h"
#include "lib/stage.h"
#include "lib/test.h"

#define LOCAL "10.0.0.1:80"

static const struct bgs_flags flags = { .failover = 1 };

static struct bgs_service stored(const struct stage *stage)
{
	struct bgs_service service;

	assert_int_equal(map_get(stage->fixture.datapath.fds[PIN_SERVICES], &stage->slot, &service),
			 0);
	return service;
}

static void enable(const struct stage *stage, enum bgs_color color, __u64 places)
{
	assert_int_equal(service_enable(&stage->fixture.datapath, stage->slot, color, places), 0);
}

/* Blue has listeners 0 and 1, green 2. */
static void two_and_one(struct stage *stage)
{
	stage_service(stage, "web", "0.0.0.0:80,[::]:80", ":8081,:8083", ":8082", flags);
	stage_listen(stage, "[::]:8081");
	stage_listen(stage, "[::]:8083");
	stage_listen(stage, "[::]:8082");
}

static void test_new_connections_go_to_enabled_instances_only(void **state)
{
	static const struct {
		const char *name;
		__u64 blue, green, reached; /* bits of listeners */
	} rows[] = {
		{ "all", 3, 1, 3 },	      { "the first", 1, 1, 1 }, { "the second", 2, 1, 2 },
		{ "failover", 0, 1, 1 << 2 }, { "again", 3, 0, 3 },
	};
	struct stage *stage = *state;

	two_and_one(stage);
	for (size_t i = 0; i < ROWS(rows); i++) {
		__u64 reached = 0;

		enable(stage, BGS_BLUE, rows[i].blue);
		enable(stage, BGS_GREEN, rows[i].green);
		for (unsigned int k = 0; k < 64; k++)
			reached |= 1ULL << stage_lookup(stage, client(k), LOCAL);
		assert_row(reached == rows[i].reached, rows[i].name);
	}
	enable(stage, BGS_BLUE, 0);
	assert_int_equal(stage_lookup(stage, client(0), LOCAL), REFUSED);
}

static void assert_stores_the_word_alone(const struct stage *stage)
{
	struct bgs_service before = stored(stage), after;
	const struct bgs_flags others = { .pass_when_empty = 1, .by_connection = 1 };

	enable(stage, BGS_GREEN, 0x8000000000000001ULL);
	before.enabled[BGS_GREEN] = 0x8000000000000001ULL;
	after = stored(stage);
	assert_memory_equal(&after, &before, sizeof(after));
	assert_int_equal(service_set_flags(&stage->fixture.datapath, stage->slot, others), 0);
	before.flags = others;
	after = stored(stage);
	assert_memory_equal(&after, &before, sizeof(after));
}

static void test_a_word_is_stored_and_nothing_else(void **state)
{
	stage_web(*state, flags);
	assert_stores_the_word_alone(*state);
}

/* As on kernels without the program type. */
static void test_without_the_program_the_same_is_stored(void **state)
{
	struct stage *stage = *state;
	int *program = &stage->fixture.datapath.fds[PIN_FLIP];

	stage_web(stage, flags);
	close(*program);
	*program = -1;
	assert_stores_the_word_alone(stage);
}

static void test_no_service_is_refused(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, flags);
	assert_int_equal(service_enable(&stage->fixture.datapath, 1, BGS_BLUE, 1), -ENOENT);
	assert_int_equal(service_set_flags(&stage->fixture.datapath, 1, flags), -ENOENT);
	assert_int_equal(service_retire(&stage->fixture.datapath, BGS_MAX_SERVICES, BGS_BLUE, 1),
			 -ENOENT);
}

static void test_retired_places_leave_rotation_and_no_other(void **state)
{
	const struct datapath *datapath = &((struct stage *)*state)->fixture.datapath;
	struct stage *stage = *state;
	struct bgs_rotation set;

	two_and_one(stage);
	assert_int_equal(service_retire(datapath, stage->slot, BGS_BLUE, 1), 0);
	assert_int_equal(map_get(datapath->fds[PIN_ROTATION], &stage->slot, &set), 0);
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
		assert_int_equal(set.ready[BGS_BLUE][family], 2);
		assert_int_equal(set.ready[BGS_GREEN][family], 1);
	}
}

#define ROUNDS 20000

struct writer {
	const struct stage *stage;
	enum bgs_color color;
	unsigned long lost;
};

/* The only one to store this word: it finds what it stored, whatever others do. */
static void *enable_all_the_time(void *data)
{
	struct writer *writer = data;

	for (__u64 round = 1; round <= ROUNDS; round++) {
		enable(writer->stage, writer->color, round);
		writer->lost += stored(writer->stage).enabled[writer->color] != round;
	}
	return NULL;
}

static void *flip_all_the_time(void *data)
{
	struct writer *writer = data;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		stage_route(writer->stage, round & 1, round % BGS_SPLIT_MAX);
		writer->lost += stored(writer->stage).route.split_bp != round % BGS_SPLIT_MAX;
	}
	return NULL;
}

static void *change_flags_all_the_time(void *data)
{
	struct writer *writer = data;

	for (unsigned int round = 1; round <= ROUNDS; round++) {
		const struct bgs_flags next = { .failover = round & 1, .by_connection = round % 3 };

		service_set_flags(&writer->stage->fixture.datapath, writer->stage->slot, next);
		writer->lost += stored(writer->stage).flags.by_connection != round % 3;
	}
	return NULL;
}

static void test_changes_of_different_words_at_once_lose_none(void **state)
{
	void *(*const work[])(void *) = { enable_all_the_time, enable_all_the_time,
					  flip_all_the_time, change_flags_all_the_time };
	struct stage *stage = *state;
	struct writer writers[ROWS(work)];
	pthread_t threads[ROWS(work)];
	struct bgs_service end;

	if (stage->fixture.datapath.fds[PIN_FLIP] < 0) {
		print_message("skipped: this kernel has no syscall programs\n");
		skip();
	}
	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(work); i++) {
		writers[i] = (struct writer){ .stage = stage, .color = i % BGS_COLORS };
		assert_int_equal(pthread_create(&threads[i], NULL, work[i], &writers[i]), 0);
	}
	for (size_t i = 0; i < ROWS(work); i++) {
		pthread_join(threads[i], NULL);
		assert_int_equal(writers[i].lost, 0);
	}
	end = stored(stage);
	assert_int_equal(end.enabled[BGS_BLUE], ROUNDS);
	assert_int_equal(end.enabled[BGS_GREEN], ROUNDS);
	assert_int_equal(end.route.split_bp, ROUNDS % BGS_SPLIT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_new_connections_go_to_enabled_instances_only),
		stage_test(test_a_word_is_stored_and_nothing_else),
		stage_test(test_without_the_program_the_same_is_stored),
		stage_test(test_no_service_is_refused),
		stage_test(test_retired_places_leave_rotation_and_no_other),
		stage_test(test_changes_of_different_words_at_once_lose_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
