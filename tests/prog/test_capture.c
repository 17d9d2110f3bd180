/* SPDX-License-Identifier: GPL-2.0-only */
/* The state file: what it takes from real maps, and what it gives back after a reboot. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <unistd.h>

#include "datapath/preview.h"
#include "lib/fixture.h"
#include "lib/scratch.h"
#include "lib/test.h"
#include "record/state.h"

#define NAME STATE_NAME STATE_ENDING

struct scene {
	struct fixture fixture;
	char *dir;
	struct state *state;
	__u32 web, api;
};

static const struct bgs_flags failing_over = { .failover = 1 };

static int set_up(void **data)
{
	struct scene *scene = calloc(1, sizeof(*scene));
	struct failure failure = {};
	char *warning;

	scratch_make((void **)&scene->dir);
	fixture_start(&scene->fixture);
	scene->web = fixture_service(&scene->fixture, "web", "0.0.0.0:80,[::]:80", "8081",
				     "127.0.0.1:8082,[::1]:8082", failing_over);
	scene->api = fixture_service(&scene->fixture, "api", "10.0.0.1:81", "9001", "9002",
				     (struct bgs_flags){ .pass_when_empty = 1 });
	*data = scene;
	return state_open(&scene->state, scene->dir, NAME, &warning, &failure) || warning;
}

static int tear_down(void **data)
{
	struct scene *scene = *data;

	state_close(scene->state);
	fixture_stop(&scene->fixture);
	scratch_remove((void **)&scene->dir);
	free(scene);
	return 0;
}

static void capture(struct scene *scene)
{
	struct failure failure = {};

	state_capture(scene->state, &scene->fixture.datapath, &failure);
	assert_string_equal(failure.what, "");
}

/* Saves, and reads the file again. */
static void reopen(struct scene *scene)
{
	struct failure failure = {};
	char *warning;

	assert_int_equal(state_save(scene->state, &failure), 0);
	state_close(scene->state);
	scene->state = NULL;
	state_open(&scene->state, scene->dir, NAME, &warning, &failure);
	assert_string_equal(failure.what, "");
	assert_null(warning);
}

static struct config *config_of(const struct scene *scene)
{
	struct failure failure = {};
	struct config *config = NULL;

	state_config(scene->state, &config, &failure);
	assert_string_equal(failure.what, "");
	assert_non_null(config);
	return config;
}

static void remove_service(struct scene *scene, __u32 slot)
{
	struct failure failure = {};

	service_remove(&scene->fixture.datapath, slot, &failure);
	assert_string_equal(failure.what, "");
}

static void test_declared_services_come_back(void **data)
{
	struct scene *scene = *data;
	const struct bgs_route split = { .active = BGS_GREEN, .split_bp = 250 };
	const struct service_spec *spec;
	struct failure failure;
	struct config *config;
	struct bgs_route route;

	assert_int_equal(service_flip(&scene->fixture.datapath, scene->web, split, &failure), 0);
	capture(scene);
	reopen(scene);
	config = config_of(scene);
	assert_true(config->has_attach && config->has_services);
	assert_int_equal(config->attach_count, 1);
	assert_string_equal(config->attach[0], "all");
	assert_int_equal(config->service_count, 2);
	spec = &config->services[1].spec; /* by name */
	assert_string_equal(spec->name, "web");
	assert_int_equal(spec->listen_count, 2);
	assert_int_equal(spec->colors[BGS_BLUE].count, 1);
	assert_int_equal(spec->colors[BGS_GREEN].count, 2);
	assert_int_equal(ntohs(spec->colors[BGS_GREEN].instances[1].key.port), 8082);
	assert_true(spec->flags.failover);
	assert_false(config->services[0].spec.flags.failover);
	assert_true(state_route(scene->state, "web", &route));
	assert_int_equal(route.active, BGS_GREEN);
	assert_int_equal(route.split_bp, 250);
	assert_true(state_route(scene->state, "api", &route));
	assert_int_equal(route.active, BGS_BLUE);
	config_free(config);
}

static void set_soak(struct scene *scene, const char *service, unsigned int soak_ms)
{
	struct policy policy;

	policy_init(&policy);
	policy.soak_ms = soak_ms;
	state_set_policy(scene->state, service, &policy);
	policy_free(&policy);
}

/* The maps know a color's instances and nothing of its stop command. */
static void test_stop_commands_come_back_with_their_service(void **data)
{
	struct scene *scene = *data;
	struct config *config;
	struct policy policy;

	policy_init(&policy);
	policy.stop.commands[BGS_GREEN].argv = calloc(3, sizeof(char *));
	policy.stop.commands[BGS_GREEN].argv[0] = strdup("systemctl");
	policy.stop.commands[BGS_GREEN].argv[1] = strdup("stop green; # \"'");
	policy.drain.timeout_ms = DRAIN_FOREVER;
	state_set_policy(scene->state, "web", &policy);
	capture(scene);
	reopen(scene);
	capture(scene);
	config = config_of(scene);
	assert_true(policy_equal(&config->services[1].policy, &policy));
	assert_int_equal(config->services[1].spec.colors[BGS_GREEN].count, 2);
	config_free(config);
	policy_free(&policy);
}

static unsigned int soak_of(const struct scene *scene, const char *service)
{
	struct failure failure = {};
	struct policy policy;
	unsigned int soak_ms;

	state_policy(scene->state, service, &failing_over, &policy, &failure);
	assert_string_equal(failure.what, "");
	soak_ms = policy.soak_ms;
	policy_free(&policy);
	return soak_ms;
}

static void test_policies_outlive_what_the_maps_say(void **data)
{
	struct scene *scene = *data;
	struct config *config;

	set_soak(scene, "web", 5000);
	set_soak(scene, "api", 7000);
	capture(scene);
	reopen(scene);
	capture(scene);
	assert_int_equal(soak_of(scene, "web"), 5000);
	config = config_of(scene);
	assert_int_equal(config->services[0].policy.soak_ms, 7000);
	assert_int_equal(config->services[0].policy.failover, FAILOVER_OFF);
	assert_int_equal(config->services[1].policy.failover, FAILOVER_AUTO);
	config_free(config);
}

static void test_what_belongs_to_a_removed_service_goes_with_it(void **data)
{
	struct scene *scene = *data;
	const struct pending_stop pending = { .color = BGS_BLUE, .since_ms = 1 };
	struct operation operation = { .verb = "set" };
	struct pending_stop stop;
	struct config *config;
	struct bgs_route route;

	set_soak(scene, "web", 5000);
	capture(scene);
	state_set_operation(scene->state, "web", &operation);
	state_set_operation(scene->state, "api", &operation);
	state_set_previous(scene->state, "web", BGS_GREEN);
	state_set_stop(scene->state, "web", &pending);
	state_set_stop(scene->state, "api", &pending);
	remove_service(scene, scene->web);
	capture(scene);
	reopen(scene);
	assert_false(state_operation(scene->state, "web", &operation));
	assert_true(state_operation(scene->state, "api", &operation));
	assert_int_equal(state_previous(scene->state, "web"), -1);
	assert_false(state_stop(scene->state, "web", &stop));
	assert_true(state_stop(scene->state, "api", &stop));
	assert_false(state_route(scene->state, "web", &route));
	assert_int_not_equal(soak_of(scene, "web"), 5000);
	config = config_of(scene);
	assert_int_equal(config->service_count, 1);
	config_free(config);
}

/* A policy may be declared before its service is in the maps; it declares no service. */
static void test_policy_alone_is_no_service(void **data)
{
	struct scene *scene = *data;
	struct config *config;

	capture(scene);
	set_soak(scene, "new", 5000);
	config = config_of(scene);
	assert_int_equal(config->service_count, 2);
	config_free(config);
}

static const struct {
	const char *network;
	enum bgs_color color;
} networks[] = {
	{ "10.1.0.0/16", BGS_BLUE },
	{ "10.1.2.3/32", BGS_GREEN },
	{ "2001:db8::/32", BGS_GREEN },
};

static void preview(struct scene *scene)
{
	struct preview previews[ROWS(networks)] = {};
	struct failure failure = {};

	for (size_t i = 0; i < ROWS(networks); i++) {
		assert_int_equal(network_parse(&previews[i].network, networks[i].network, &failure),
				 0);
		previews[i].color = networks[i].color;
	}
	assert_int_equal(previews_add(&scene->fixture.datapath, scene->web, previews,
				      ROWS(networks), &failure),
			 0);
	state_save_previews(scene->state, &scene->fixture.datapath, &failure);
	assert_string_equal(failure.what, "");
	capture(scene);
}

static ssize_t previews_of(const struct scene *scene, const char *service,
			   struct preview **previews)
{
	struct failure failure = {};
	char *warning;
	ssize_t count = state_previews(scene->state, service, previews, &warning, &failure);

	assert_string_equal(failure.what, "");
	assert_null(warning);
	return count;
}

static void test_preview_networks_come_back(void **data)
{
	struct scene *scene = *data;
	struct preview *previews;
	char text[NETWORK_TEXT];
	size_t found = 0;

	preview(scene);
	reopen(scene);
	assert_int_equal(previews_of(scene, "api", &previews), 0);
	assert_int_equal(previews_of(scene, "web", &previews), ROWS(networks));
	for (size_t i = 0; i < ROWS(networks); i++) {
		for (size_t k = 0; k < ROWS(networks); k++)
			found += !strcmp(network_format(text, &previews[k].network),
					 networks[i].network) &&
				 previews[k].color == networks[i].color;
	}
	assert_int_equal(found, ROWS(networks));
	free(previews);
}

/* A service of the same name that came later must not inherit them. */
static void test_preview_networks_go_with_their_service(void **data)
{
	struct scene *scene = *data;
	struct preview *previews;

	preview(scene);
	remove_service(scene, scene->web);
	fixture_service(&scene->fixture, "web", "0.0.0.0:80", "8081", "8082", failing_over);
	capture(scene);
	reopen(scene);
	assert_int_equal(previews_of(scene, "web", &previews), 0);
	assert_null(previews);
}

static void test_removal_leaves_nothing(void **data)
{
	struct scene *scene = *data;
	char path[PATH_MAX];
	struct failure failure;

	preview(scene);
	reopen(scene);
	assert_int_equal(state_remove(scene->dir, NAME, &failure), 0);
	assert_int_equal(access(scratch_path(path, scene->dir, NAME), F_OK), -1);
	assert_int_equal(access(scratch_path(path, scene->dir, NAME ".previews"), F_OK), -1);
}

#define scene_test(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		scene_test(test_declared_services_come_back),
		scene_test(test_policies_outlive_what_the_maps_say),
		scene_test(test_stop_commands_come_back_with_their_service),
		scene_test(test_what_belongs_to_a_removed_service_goes_with_it),
		scene_test(test_policy_alone_is_no_service),
		scene_test(test_preview_networks_come_back),
		scene_test(test_preview_networks_go_with_their_service),
		scene_test(test_removal_leaves_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
