/* SPDX-License-Identifier: GPL-2.0-only */
/* The store that changes where new connections go. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "command.h"
#include "datapath/map.h"
#include "lib/scratch.h"
#include "lib/stage.h"
#include "lib/test.h"
#include "lock.h"
#include "message.h"

#define CLIENT "10.9.8.7:40000"
#define LOCAL "10.0.0.1:80"

static const struct bgs_flags flags = { .failover = 1 };

static struct bgs_service stored(const struct stage *stage)
{
	struct bgs_service service;

	assert_int_equal(map_get(stage->fixture.datapath.fds[PIN_SERVICES], &stage->slot, &service),
			 0);
	return service;
}

static void assert_stores_the_word_alone(const struct stage *stage, unsigned int flips)
{
	const struct bgs_route route = { .active = BGS_GREEN, .split_bp = 1234, .flips = flips };
	struct bgs_service before = stored(stage), after;
	struct failure failure;

	assert_int_equal(service_flip(&stage->fixture.datapath, stage->slot, route, &failure), 0);
	after = stored(stage);
	assert_memory_equal(&after.route, &route, sizeof(route));
	before.route = route;
	assert_memory_equal(&after, &before, sizeof(after));
}

static void test_flip_stores_the_word_and_nothing_else(void **state)
{
	struct stage *stage = *state;

	stage_web(stage, flags);
	assert_stores_the_word_alone(stage, 7);
}

/* As on kernels without the program type. */
static void test_flip_without_the_program_does_the_same(void **state)
{
	struct stage *stage = *state;
	int *program = &stage->fixture.datapath.fds[PIN_FLIP];

	stage_web(stage, flags);
	close(*program);
	*program = -1;
	assert_stores_the_word_alone(stage, 8);
}

static void test_pinned_program_flips(void **state)
{
	struct stage *stage = *state;
	struct bgs_flip request = { .route = { .active = BGS_GREEN } };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &request, .ctx_size_in = sizeof(request));
	int program = pin_open(stage->fixture.place.pin_dir, PIN_FLIP);

	assert_true(program >= 0);
	stage_web(stage, flags);
	request.slot = stage->slot;
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_BLUE);
	assert_int_equal(bpf_prog_test_run_opts(program, &run), 0);
	assert_int_equal(run.retval, 0);
	assert_int_equal(stage_lookup(stage, CLIENT, LOCAL), BGS_GREEN);
	close(program);
}

static void test_flip_of_no_service_is_refused_and_makes_none(void **state)
{
	struct stage *stage = *state;
	const struct datapath *datapath = &stage->fixture.datapath;
	const struct bgs_route route = { .active = BGS_GREEN };
	const __u32 slots[] = { 1, BGS_MAX_SERVICES, ~0U };

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(slots); i++) {
		struct bgs_service service;
		struct failure failure;

		assert_int_equal(service_flip(datapath, slots[i], route, &failure), -1);
		assert_failure(failure, EXIT_SYSTEM, strerror(ENOENT));
		assert_int_equal(map_get(datapath->fds[PIN_SERVICES], &slots[i], &service),
				 -ENOENT);
	}
}

struct flipper {
	const struct stage *stage;
	atomic_bool done;
	unsigned long flips;
};

/* Both words send everybody to blue; half of one and half of the other would not. */
static void *flip_all_the_time(void *data)
{
	struct flipper *flipper = data;

	while (!flipper->done) {
		stage_route(flipper->stage, BGS_GREEN, BGS_SPLIT_MAX);
		stage_route(flipper->stage, BGS_BLUE, 0);
		flipper->flips += 2;
	}
	return NULL;
}

static void test_no_lookup_sees_half_a_flip(void **state)
{
	struct stage *stage = *state;
	struct flipper flipper = { .stage = stage };
	unsigned int strays = 0;
	pthread_t thread;

	stage_web(stage, flags);
	assert_int_equal(pthread_create(&thread, NULL, flip_all_the_time, &flipper), 0);
	for (unsigned int i = 0; i < 100000; i++)
		strays += stage_lookup(stage, CLIENT, LOCAL) != BGS_BLUE;
	flipper.done = true;
	pthread_join(thread, NULL);
	assert_int_equal(strays, 0);
	assert_true(flipper.flips > 100);
}

/* Runs a command like the tool itself, locking in `run_dir`; returns the exit code. */
static int run(const struct stage *stage, const char *run_dir, const char *word,
	       int (*verb)(struct command_context *context, int argc, char **argv))
{
	const struct command command = { .name = "test" };
	struct command_context context;
	char *words[] = { (char *)"test", (char *)word, (char *)"--no-wait", NULL };
	int err;

	optind = 0;
	message_verbosity(QUIET);
	command_init(&context);
	context.command = &command;
	context.bpffs = stage->fixture.bpffs;
	context.run_dir = context.state_dir = run_dir;
	err = verb(&context, verb == cmd_set ? 3 : 2, words);
	command_end(&context);
	return err ? (int)context.failure.code : EXIT_DONE;
}

static void test_every_change_is_counted_and_no_other(void **state)
{
	static const struct {
		int (*verb)(struct command_context *context, int argc, char **argv);
		const char *word;
		int code, flips;
	} rows[] = {
		{ cmd_set, "green", EXIT_DONE, 1 }, { cmd_set, "green", EXIT_DONE, 0 },
		{ cmd_split, "10", EXIT_DONE, 1 },  { cmd_split, "20", EXIT_DONE, 1 },
		{ cmd_split, "x", EXIT_USAGE, 0 },  { cmd_set, "green", EXIT_DONE, 1 },
		{ cmd_set, "blue", EXIT_DONE, 1 },
	};
	/* Near the end of the counter, which begins again with 0. */
	const struct bgs_route start = { .flips = 65534 };
	struct stage *stage = *state;
	struct failure failure;
	void *dir;

	scratch_make(&dir);
	stage_web(stage, flags);
	assert_int_equal(service_flip(&stage->fixture.datapath, stage->slot, start, &failure), 0);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct bgs_route before = stored(stage).route, after;

		assert_row(run(stage, dir, rows[i].word, rows[i].verb) == rows[i].code,
			   rows[i].word);
		after = stored(stage).route;
		assert_row(after.flips == (__u16)(before.flips + rows[i].flips), rows[i].word);
	}
	scratch_remove(&dir);
}

static void test_no_change_is_made_while_another_is(void **state)
{
	struct stage *stage = *state;
	struct failure failure;
	void *dir;
	int lock;

	scratch_make(&dir);
	stage_web(stage, flags);
	lock = lock_take(dir, "lock", "deploy", &failure);
	assert_true(lock >= 0);
	assert_int_equal(run(stage, dir, "green", cmd_set), EXIT_BUSY);
	assert_int_equal(run(stage, dir, "10", cmd_split), EXIT_BUSY);
	assert_int_equal(stored(stage).route.flips, 0);
	close(lock);
	assert_int_equal(run(stage, dir, "green", cmd_set), EXIT_DONE);
	scratch_remove(&dir);
}

static void split_50_times(const struct stage *stage, const char *run_dir)
{
	for (int i = 0; i < 50; i++) {
		int code;

		while ((code = run(stage, run_dir, i & 1 ? "10" : "90", cmd_split)) == EXIT_BUSY)
			sched_yield();
		if (code)
			_exit(code);
	}
	_exit(0);
}

static void test_concurrent_writers_lose_no_flip(void **state)
{
	struct stage *stage = *state;
	pid_t writers[4];
	void *dir;

	scratch_make(&dir);
	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(writers); i++) {
		writers[i] = fork();
		if (!writers[i])
			split_50_times(stage, dir);
	}
	for (size_t i = 0; i < ROWS(writers); i++) {
		int status;

		assert_int_equal(waitpid(writers[i], &status, 0), writers[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(stored(stage).route.flips, 50 * ROWS(writers));
	scratch_remove(&dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_flip_stores_the_word_and_nothing_else),
		stage_test(test_flip_without_the_program_does_the_same),
		stage_test(test_pinned_program_flips),
		stage_test(test_flip_of_no_service_is_refused_and_makes_none),
		stage_test(test_no_lookup_sees_half_a_flip),
		stage_test(test_every_change_is_counted_and_no_other),
		stage_test(test_no_change_is_made_while_another_is),
		stage_test(test_concurrent_writers_lose_no_flip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
