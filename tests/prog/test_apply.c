/* SPDX-License-Identifier: GPL-2.0-only */
/* A configuration is made true: only what differs, and twice is as good as once. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "apply.h"
#include "datapath/interfaces.h"
#include "lib/scratch.h"
#include "lib/stage.h"
#include "lib/test.h"

#define NAME "state.json"

struct scene {
	struct stage *stage;
	struct state *state;
	void *directory;
};

static void open_state(struct scene *scene)
{
	struct failure failure;
	char *warning = NULL;

	assert_int_equal(state_open(&scene->state, scene->directory, NAME, &warning, &failure), 0);
	assert_null(warning);
}

static int scene_start(void **state)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	void *stage;

	stage_start(&stage);
	scene->stage = stage;
	scratch_make(&scene->directory);
	open_state(scene);
	*state = scene;
	return 0;
}

static int scene_stop(void **state)
{
	struct scene *scene = *state;
	void *stage = scene->stage;

	state_close(scene->state);
	scratch_remove(&scene->directory);
	stage_stop(&stage);
	free(scene);
	return 0;
}

static struct datapath *datapath_of(struct scene *scene)
{
	return &scene->stage->fixture.datapath;
}

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct failure failure = {};

	if (config_parse(&config, text, strlen(text), "test.yaml", &failure))
		fail_msg("%s: %s", text, failure.what);
	return config;
}

static char lines[4096];

/* Plans, and takes the steps unless `dry`; `lines` are joined by "|". */
static int apply(struct scene *scene, const char *text, bool dry, struct failure *failure)
{
	struct config *config = parse(text);
	struct plan *plan = NULL;
	int err = plan_make(&plan, datapath_of(scene), scene->state, config, failure);

	*lines = '\0';
	for (size_t i = 0; !err && i < plan_count(plan); i++) {
		if (i)
			strcat(lines, "|");
		strcat(lines, plan_line(plan, i));
	}
	if (!err && !dry)
		err = plan_run(plan, datapath_of(scene), failure);
	plan_free(plan);
	config_free(config);
	return err;
}

static void assert_applies(struct scene *scene, const char *text, const char *expected)
{
	struct failure failure = {};

	if (apply(scene, text, true, &failure))
		fail_msg("%s: %s", text, failure.what);
	assert_string_equal(lines, expected);
	if (apply(scene, text, false, &failure))
		fail_msg("%s: %s", text, failure.what);
	assert_string_equal(lines, expected);
	assert_int_equal(apply(scene, text, true, &failure), 0);
	assert_string_equal(lines, ""); /* nothing is left to do */
}

static __u32 slot_of(struct scene *scene, const char *name, struct bgs_service *service)
{
	struct failure failure;
	__u32 slot = 0;

	if (service_find(datapath_of(scene), name, &slot, service, &failure))
		fail_msg("%s", failure.what);
	return slot;
}

static void test_services_come_change_and_go(void **state)
{
	static const struct {
		const char *text, *lines;
	} steps[] = {
		{ "services: {web: {listen: 80, blue: 8081, green: 8082}}", "+ service web" },
		{ "services: {web: {listen: 80, blue: [8081, 8083], green: 8082, soak: 5s}}",
		  "~ web: blue :8083 added|~ web: soak 1m -> 5s" },
		{ "services: {web: {listen: 80, blue: 8083, green: 8082, soak: 5s}}",
		  "~ web: blue :8081 removed" },
		{ "services: {api: {listen: 80, blue: 8083, green: 8082}}",
		  "- service web|+ service api" },
		{ "{}", "" },
		{ "services: {}", "- service api" },
	};

	for (size_t i = 0; i < ROWS(steps); i++)
		assert_applies(*state, steps[i].text, steps[i].lines);
}

static void test_what_stays_is_not_touched(void **state)
{
	struct bgs_service before, after;
	struct scene *scene = *state;

	assert_applies(scene, "services: {web: {listen: 80, blue: 8081, green: 8082}}",
		       "+ service web");
	scene->stage->slot = slot_of(scene, "web", &before);
	stage_route(scene->stage, BGS_GREEN, 500);
	slot_of(scene, "web", &before);
	assert_applies(scene,
		       "services: {web: {listen: 80, blue: 8081, green: 8082, check: {rise: 9}}}",
		       "~ web: check changed");
	slot_of(scene, "web", &after);
	assert_memory_equal(&after, &before, sizeof(after));
}

static void test_addresses_that_change_their_owner(void **state)
{
	static const char *const steps[] = {
		"services: {a: {listen: 80, blue: 1, green: 2}, b: {listen: 81, blue: 3, green: "
		"4}}",
		/* everything is swapped */
		"services: {a: {listen: 81, blue: 4, green: 3}, b: {listen: 80, blue: 2, green: "
		"1}}",
		/* a listen address becomes an instance, and the other way round */
		"services: {a: {listen: 2, blue: 80, green: 3}, b: {listen: 4, blue: 5, green: "
		"81}}",
		/* to a new service, from one that goes */
		"services: {a: {listen: 6, blue: 80, green: 3}, c: {listen: 2, blue: 5, green: "
		"81}}",
	};
	struct scene *scene = *state;

	for (size_t i = 0; i < ROWS(steps); i++) {
		struct failure failure = {};

		if (apply(scene, steps[i], false, &failure))
			fail_msg("%s: %s", steps[i], failure.what);
		assert_int_equal(apply(scene, steps[i], true, &failure), 0);
		assert_string_equal(lines, "");
	}
}

static void test_interfaces_come_and_go(void **state)
{
	struct scene *scene = *state;
	struct failure failure;

	assert_int_equal(system("ip link add out0 type veth peer name in0"), 0);
	assert_applies(scene, "attach: [out0]", "+ interface out0|- interface all");
	assert_applies(scene, "attach: [in0, out0]", "+ interface in0");
	assert_applies(scene, "attach: all", "+ interface all|- interface in0|- interface out0");
	assert_int_equal(apply(scene, "attach: [none0]", true, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "no interface named 'none0'");
	assert_int_equal(apply(scene, "attach: []", true, &failure), -1);
	assert_failure(failure, EXIT_USAGE, "attach: names no interface");
}

static void detach(struct scene *scene)
{
	struct failure failure;

	datapath_close(datapath_of(scene));
	assert_int_equal(datapath_remove(&scene->stage->fixture.place, &failure), 0);
}

static void test_it_attaches_where_nothing_is(void **state)
{
	struct scene *scene = *state;
	struct bgs_service service;

	detach(scene);
	assert_applies(scene,
		       "attach: all\n"
		       "services: {web: {listen: 80, blue: 8081, green: 8082, on_empty: pass}}",
		       "+ service web|+ interface all");
	scene->stage->slot = slot_of(scene, "web", &service);
	assert_true(datapath_is_steering(datapath_of(scene)));
	assert_true(service.flags.pass_when_empty);
}

static void test_without_services_it_attaches_none(void **state)
{
	struct scene *scene = *state;
	struct service *services;
	struct failure failure;

	detach(scene);
	assert_applies(scene, "attach: all", "+ interface all");
	assert_int_equal(services_read(datapath_of(scene), &services, &failure), 0);
	free(services);
}

static void test_not_attached_and_no_place_is_refused(void **state)
{
	struct scene *scene = *state;
	struct failure failure;

	detach(scene);
	assert_int_equal(apply(scene, "services: {web: {listen: 80, blue: 8081, green: 8082}}",
			       false, &failure),
			 -1);
	assert_failure(failure, EXIT_SYSTEM, "nothing is attached");
	assert_false(datapath_exists(&scene->stage->fixture.place));
}

/* What the plan did not know of: a service that came in between. */
static void test_a_step_that_fails_says_what_was_done(void **state)
{
	struct scene *scene = *state;
	struct config *config = parse("services: {a: {listen: 80, blue: 1, green: 2}, "
				      "b: {listen: 81, blue: 3, green: 4}}");
	struct bgs_service service;
	struct failure failure;
	struct plan *plan;

	assert_int_equal(plan_make(&plan, datapath_of(scene), scene->state, config, &failure), 0);
	stage_service(scene->stage, "late", "0.0.0.0:81", ":9001", ":9002", (struct bgs_flags){});
	assert_int_equal(plan_run(plan, datapath_of(scene), &failure), -1);
	assert_failure(failure, EXIT_USAGE, "+ service b: ");
	assert_contains(failure.what, "taken by service late");
	assert_contains(failure.what, "1 of 2 steps are done");
	slot_of(scene, "a", &service);
	plan_free(plan);
	config_free(config);
}

static void test_policies_are_remembered(void **state)
{
	const struct bgs_flags flags = { .failover = 1 };
	struct scene *scene = *state;
	struct failure failure;
	struct policy policy;

	assert_applies(scene, "services: {web: {listen: 80, blue: 1, green: 2, soak: 7s}}",
		       "+ service web");
	assert_int_equal(state_save(scene->state, &failure), 0);
	state_close(scene->state);
	open_state(scene);
	assert_int_equal(state_policy(scene->state, "web", &flags, &policy, &failure), 0);
	assert_int_equal(policy.soak_ms, 7000);
	policy_free(&policy);
}

#define scene_test(test) cmocka_unit_test_setup_teardown(test, scene_start, scene_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_services_come_change_and_go),
		scene_test(test_what_stays_is_not_touched),
		scene_test(test_addresses_that_change_their_owner),
		scene_test(test_interfaces_come_and_go),
		scene_test(test_it_attaches_where_nothing_is),
		scene_test(test_without_services_it_attaches_none),
		scene_test(test_not_attached_and_no_place_is_refused),
		scene_test(test_a_step_that_fails_says_what_was_done),
		scene_test(test_policies_are_remembered),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
