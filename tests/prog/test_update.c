/* SPDX-License-Identifier: GPL-2.0-only */
/* A service that changes while it runs: what stays is not touched. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "datapath/changing.h"
#include "datapath/instances.h"
#include "datapath/listeners.h"
#include "datapath/map.h"
#include "datapath/preview.h"
#include "lib/stage.h"
#include "lib/test.h"

#define LOCAL "10.0.0.1:80"

static const struct bgs_flags flags = { .failover = 0 };

static struct service read_service(const struct stage *stage)
{
	struct service *services, found = {};
	struct failure failure;
	int count = services_read(&stage->fixture.datapath, &services, &failure);

	assert_true(count > 0);
	for (int i = 0; i < count; i++) {
		if (services[i].slot == stage->slot)
			found = services[i];
	}
	free(services);
	return found;
}

static void add_all(struct color_spec *color, const char *list)
{
	char *copy = strdup(list), *rest = copy;
	const char *text;
	struct failure failure;

	while ((text = strsep(&rest, ",")) && *text)
		assert_int_equal(
			endpoint_parse(&color->instances[color->count++], text, "test", &failure),
			0);
	free(copy);
}

static void make_spec(struct service_spec *spec, const char *listen, const char *blue,
		      const char *green, struct bgs_flags with)
{
	struct color_spec parsed = {};

	*spec = (struct service_spec){ .name = "web", .flags = with };
	add_all(&parsed, listen);
	for (size_t i = 0; i < parsed.count; i++)
		spec->listen[spec->listen_count++] = parsed.instances[i].key;
	add_all(&spec->colors[BGS_BLUE], blue);
	add_all(&spec->colors[BGS_GREEN], green);
}

static int update(const struct stage *stage, const char *listen, const char *blue,
		  const char *green, struct failure *failure)
{
	struct service_spec *spec = malloc(sizeof(*spec));
	int err;

	make_spec(spec, listen, blue, green, flags);
	err = service_update(&stage->fixture.datapath, stage->slot, spec, failure);
	free(spec);
	return err;
}

/* Instances of a color by place, "-" for a gap: "127.0.0.1:1,-,:3". */
static const char *places(const struct service *service, enum bgs_color color)
{
	static char text[BGS_MAX_INSTANCES * ENDPOINT_TEXT];
	const struct color_spec *spec = &service->spec.colors[color];

	*text = '\0';
	for (size_t i = 0; i < spec->count; i++) {
		char one[ENDPOINT_TEXT] = "-";

		if (color_has(spec, i))
			endpoint_format(one, &spec->instances[i].key,
					spec->instances[i].any_family);
		if (i)
			strcat(text, ",");
		strcat(text, one);
	}
	return text;
}

static void test_instances_keep_their_places(void **state)
{
	static const struct {
		const char *blue, *expected;
		__u64 enabled;
	} rows[] = {
		{ ":9001,:9002,:9003", ":9001,:9002,:9003", 7 },
		{ ":9003,:9001", ":9001,-,:9003", 5 },
		{ ":9003,:9001,:9004", ":9001,:9004,:9003", 7 },
		{ ":9005,:9004,:9001", ":9001,:9004,-,:9005", 11 },
		{ "127.0.0.1:9001", "127.0.0.1:9001", 1 },
		{ ":9001", ":9001", 1 },
	};
	struct stage *stage = *state;
	struct failure failure;

	stage_service(stage, "web", "0.0.0.0:80", ":9001", ":9101", flags);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct service now;

		assert_row(!update(stage, "0.0.0.0:80", rows[i].blue, ":9101", &failure),
			   rows[i].blue);
		now = read_service(stage);
		/* Where the address stays and only its form changes, it may go to another place. */
		if (rows[i].enabled > 1) {
			assert_string_equal(places(&now, BGS_BLUE), rows[i].expected);
			assert_int_equal(now.enabled[BGS_BLUE], rows[i].enabled);
		}
		assert_string_equal(places(&now, BGS_GREEN), ":9101");
	}
}

static void test_full_color_is_replaced_as_a_whole(void **state)
{
	char blue[2][BGS_MAX_INSTANCES * 8] = { "", "" };
	struct stage *stage = *state;
	struct failure failure;
	struct service now;

	for (int i = 0; i < BGS_MAX_INSTANCES; i++) {
		sprintf(blue[0] + strlen(blue[0]), "%s:%d", i ? "," : "", 9000 + i);
		sprintf(blue[1] + strlen(blue[1]), "%s:%d", i ? "," : "", 9500 + i);
	}
	stage_service(stage, "web", "0.0.0.0:80", blue[0], ":8082", flags);
	assert_int_equal(update(stage, "0.0.0.0:80", blue[1], ":8082", &failure), 0);
	now = read_service(stage);
	assert_string_equal(places(&now, BGS_BLUE), blue[1]);
	assert_int_equal(now.enabled[BGS_BLUE], ~0ULL);
}

static void test_colors_swap_their_addresses(void **state)
{
	struct stage *stage = *state;
	struct failure failure;
	struct service now;

	stage_web(stage, flags);
	assert_int_equal(update(stage, "0.0.0.0:80,[::]:80", ":8082", ":8081", &failure), 0);
	now = read_service(stage);
	assert_string_equal(places(&now, BGS_BLUE), ":8082");
	assert_string_equal(places(&now, BGS_GREEN), ":8081");
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), 1);
}

static void test_route_and_what_others_enabled_stay(void **state)
{
	struct stage *stage = *state;
	struct failure failure;
	struct service now;

	stage_service(stage, "web", "0.0.0.0:80", ":9001,:9002", ":9101", flags);
	stage_route(stage, BGS_GREEN, 1234);
	service_enable(&stage->fixture.datapath, stage->slot, BGS_BLUE, 2);
	assert_int_equal(
		update(stage, "0.0.0.0:80,0.0.0.0:81", ":9001,:9002,:9003", ":9101", &failure), 0);
	now = read_service(stage);
	assert_int_equal(now.route.active, BGS_GREEN);
	assert_int_equal(now.route.split_bp, 1234);
	assert_int_equal(now.enabled[BGS_BLUE], 6);
	assert_int_equal(now.enabled[BGS_GREEN], 1);
}

static void test_listeners_open_before_serve_as_the_instance_comes(void **state)
{
	struct stage *stage = *state;
	struct failure failure;

	stage_service(stage, "web", "0.0.0.0:80", ":8081", ":8082", flags);
	stage_listen(stage, "[::]:8081");
	stage_listen(stage, "[::]:8083");
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), 0);
	assert_int_equal(update(stage, "0.0.0.0:80", ":8083", ":8082", &failure), 0);
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), 1);
	/* The one that left neither serves nor takes part in anything any more. */
	stage_close(stage, 1);
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), REFUSED);
}

static void test_a_used_place_does_not_inherit_the_old_listener(void **state)
{
	struct stage *stage = *state;
	struct failure failure;

	stage_web(stage, flags);
	assert_int_equal(update(stage, "0.0.0.0:80", ":8091", ":8082", &failure), 0);
	assert_int_equal(update(stage, "0.0.0.0:80", ":8091,:8092", ":8082", &failure), 0);
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), REFUSED);
	assert_int_equal(stage_listen(stage, "[::]:8092"), 2);
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), 2);
}

static void test_established_connections_and_those_in_the_queue_stay(void **state)
{
	struct stage *stage = *state;
	struct failure failure;
	char byte = 'x';
	int queued, server;

	stage_web(stage, flags);
	queued = connect_to("127.0.0.1:80");
	assert_true(queued >= 0);
	assert_int_equal(update(stage, "0.0.0.0:81", ":8091", ":8082", &failure), 0);
	server = accept(stage->listeners[0], NULL, NULL);
	assert_int_equal(send(server, &byte, 1, 0), 1);
	byte = 0;
	assert_int_equal(recv(queued, &byte, 1, 0), 1);
	assert_int_equal(byte, 'x');
	close(server);
	close(queued);
}

static void test_listen_addresses_come_and_go(void **state)
{
	static const struct {
		const char *listen, *local;
		int expected;
	} rows[] = {
		{ "0.0.0.0:80,10.0.0.1:80", "10.0.0.1:80", BGS_BLUE },
		{ "10.0.0.1:80,10.0.0.2:80", "10.0.0.1:80", BGS_BLUE },
		{ "10.0.0.2:80", "10.0.0.1:80", PASSED },
		{ "10.0.0.2:80", "10.0.0.2:80", BGS_BLUE },
		{ "[::]:80", "10.0.0.2:80", PASSED },
		{ "[::]:80", "[::1]:80", BGS_BLUE },
		{ "0.0.0.0:81", "10.0.0.1:81", BGS_BLUE },
	};
	struct stage *stage = *state;

	stage_web(stage, flags);
	for (size_t i = 0; i < ROWS(rows); i++) {
		const char *from = strchr(rows[i].local, '[') ? "[2001:db8::1]:4000" : client(1);
		struct failure failure;
		int reached;

		assert_row(!update(stage, rows[i].listen, ":8081", ":8082", &failure),
			   rows[i].listen);
		reached = stage_lookup(stage, from, rows[i].local);
		assert_row(reached == rows[i].expected, rows[i].listen);
	}
}

static void test_flags_change_and_previews_stay(void **state)
{
	const struct preview preview = { .network = { .family = BGS_V4, .bits = 0 },
					 .color = BGS_GREEN };
	struct stage *stage = *state;
	struct service_spec *spec = malloc(sizeof(*spec));
	struct failure failure;
	struct service now;

	stage_web(stage, flags);
	assert_int_equal(previews_add(&stage->fixture.datapath, stage->slot, &preview, 1, &failure),
			 0);
	make_spec(spec, "0.0.0.0:80", ":8081", ":8082",
		  (struct bgs_flags){ .pass_when_empty = 1, .by_connection = 1 });
	assert_int_equal(service_update(&stage->fixture.datapath, stage->slot, spec, &failure), 0);
	free(spec);
	now = read_service(stage);
	assert_true(now.spec.flags.pass_when_empty && now.spec.flags.by_connection);
	assert_true(now.spec.flags.has_preview);
	assert_int_equal(stage_lookup(stage, client(1), LOCAL), BGS_GREEN);
}

static void test_conflicts_are_refused_and_change_nothing(void **state)
{
	static const struct {
		const char *listen, *blue, *words;
	} rows[] = {
		{ "0.0.0.0:80,0.0.0.0:90", ":8081", "taken by service other" },
		{ "0.0.0.0:9091", ":8081", "of service other listens there" },
		{ "0.0.0.0:80", ":9091", "already blue of service other" },
		{ "0.0.0.0:80", ":90", "a service listens on that address" },
		{ "0.0.0.0:80", ":8082", "already an instance of blue" },
		{ "0.0.0.0:80", "127.0.0.1:80,0.0.0.0:80", "a service listens on that address" },
		{ "0.0.0.0:80,0.0.0.0:80", ":8081", "given twice" },
	};
	struct stage *stage = *state;
	struct service before;
	__u32 other;

	stage_service(stage, "other", "0.0.0.0:90", "0.0.0.0:9091", ":9092", flags);
	other = stage->slot;
	stage_service(stage, "web", "0.0.0.0:80", ":8081", ":8082", flags);
	assert_int_not_equal(stage->slot, other);
	before = read_service(stage);
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct failure failure;
		struct service after;

		assert_row(update(stage, rows[i].listen, rows[i].blue, ":8082", &failure) == -1,
			   rows[i].words);
		assert_failure(failure, EXIT_USAGE, rows[i].words);
		after = read_service(stage);
		assert_memory_equal(&after, &before, sizeof(after));
	}
}

static void test_a_killed_update_is_undone_before_its_store_and_finished_after(void **state)
{
	static const struct {
		enum bgs_changing kind;
		const char *blue;
		__u64 enabled;
		int reached;
	} rows[] = {
		{ BGS_PREPARING, ":8081", 1, 0 },
		{ BGS_COMMITTED, "-,:8083", 2, 1 },
	};

	for (size_t i = 0; i < ROWS(rows); i++) {
		const struct bgs_update half = { .coming = { 2 }, .going = { 1 } };
		struct endpoint coming;
		struct failure failure;
		struct stage *stage;
		struct service now;
		void *fresh;

		(void)state;
		stage_start(&fresh);
		stage = fresh;
		stage_service(stage, "web", "0.0.0.0:80", ":8081", ":8082", flags);
		stage_listen(stage, "[::]:8081");
		stage_listen(stage, "[::]:8083");
		endpoint_parse(&coming, ":8083", "test", &failure);
		assert_int_equal(changing_mark(&stage->fixture.datapath, rows[i].kind, &half), 0);
		assert_int_equal(instance_add(&stage->fixture.datapath,
					      BGS_INSTANCE(stage->slot, BGS_BLUE, 1), &coming),
				 0);
		assert_int_equal(listeners_adopt(&stage->fixture.datapath), 0);
		assert_int_equal(services_repair(&stage->fixture.datapath, &failure), 0);
		now = read_service(stage);
		assert_string_equal(places(&now, BGS_BLUE), rows[i].blue);
		assert_int_equal(now.enabled[BGS_BLUE], rows[i].enabled);
		assert_int_equal(stage_lookup(stage, client(1), LOCAL), rows[i].reached);
		/* Nothing is left: what was undone can be declared again, what is gone too. */
		assert_int_equal(update(stage, "0.0.0.0:80", ":8081,:8083", ":8082", &failure), 0);
		stage_stop(&fresh);
	}
}

static void test_half_a_listen_address_is_made_whole(void **state)
{
	struct stage *stage = *state;
	struct endpoint address;
	struct failure failure;

	stage_web(stage, flags);
	endpoint_parse(&address, "0.0.0.0:81", "test", &failure);
	assert_int_equal(changing_mark(&stage->fixture.datapath, BGS_DECLARING, NULL), 0);
	assert_int_equal(
		map_add(stage->fixture.datapath.fds[PIN_LISTEN], &address.key, &stage->slot), 0);
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:81"), PASSED);
	assert_int_equal(services_repair(&stage->fixture.datapath, &failure), 0);
	assert_int_equal(stage_lookup(stage, client(1), "10.0.0.1:81"), BGS_BLUE);
}

static const char *const kept[] = { ":8081,:9001,:9002", ":8081,127.0.0.1:9001,:9003" };

static void update_until_killed(const struct stage *stage)
{
	for (unsigned int i = 0;; i++) {
		struct failure failure;

		if (update(stage, i & 1 ? "0.0.0.0:80" : "0.0.0.0:80,0.0.0.0:81", kept[i & 1],
			   ":8082", &failure))
			_exit(1);
	}
}

struct survey {
	const struct stage *stage;
	size_t backends, strays;
};

static int survey_backend(const void *key, const void *value, void *data)
{
	const __u32 *number = value;
	struct survey *survey = data;
	struct bgs_instance instance;

	(void)key;
	survey->backends++;
	survey->strays +=
		map_get(survey->stage->fixture.datapath.fds[PIN_INSTANCES], number, &instance) != 0;
	return 0;
}

/* Each instance can be found by its listeners, and nothing points to one that is gone. */
static void assert_whole(const struct stage *stage)
{
	const struct datapath *datapath = &stage->fixture.datapath;
	struct survey survey = { .stage = stage };
	struct service now = read_service(stage);

	map_each(datapath->fds[PIN_BACKENDS], sizeof(struct bgs_endpoint), sizeof(__u32),
		 survey_backend, &survey);
	assert_int_equal(survey.strays, 0);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (__u32 place = 0; place < BGS_MAX_INSTANCES; place++) {
			bool there = color_has(&now.spec.colors[color], place);
			struct bgs_endpoint keys[BGS_FAMILIES];
			size_t count;

			assert_int_equal(now.enabled[color] >> place & 1, there);
			if (!there)
				continue;
			count = instance_keys(&now.spec.colors[color].instances[place], keys);
			for (size_t i = 0; i < count; i++) {
				__u32 number;

				assert_int_equal(
					map_get(datapath->fds[PIN_BACKENDS], &keys[i], &number), 0);
				assert_int_equal(number, BGS_INSTANCE(stage->slot, color, place));
			}
		}
	}
}

static void test_killed_at_any_moment_it_leaves_a_whole_service(void **state)
{
	struct stage *stage = *state;
	unsigned int repaired = 0;

	stage_web(stage, flags);
	srand(1);
	for (int i = 0; i < 100; i++) {
		enum bgs_changing kind;
		struct bgs_update half;
		struct failure failure;
		pid_t child = fork();

		if (!child)
			update_until_killed(stage);
		usleep(1000 + rand() % 20000); /* any moment is as good */
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
		/* What stays is served, repaired or not. */
		assert_int_equal(stage_lookup(stage, client(i), LOCAL), BGS_BLUE);
		assert_int_equal(changing_read(&stage->fixture.datapath, &kind, &half), 0);
		repaired += kind != BGS_UNCHANGING;
		assert_int_equal(services_repair(&stage->fixture.datapath, &failure), 0);
		assert_whole(stage);
		assert_int_equal(stage_lookup(stage, client(i), LOCAL), BGS_BLUE);
	}
	assert_true(repaired > 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		stage_test(test_instances_keep_their_places),
		stage_test(test_full_color_is_replaced_as_a_whole),
		stage_test(test_colors_swap_their_addresses),
		stage_test(test_route_and_what_others_enabled_stay),
		stage_test(test_listeners_open_before_serve_as_the_instance_comes),
		stage_test(test_a_used_place_does_not_inherit_the_old_listener),
		stage_test(test_established_connections_and_those_in_the_queue_stay),
		stage_test(test_listen_addresses_come_and_go),
		stage_test(test_flags_change_and_previews_stay),
		stage_test(test_conflicts_are_refused_and_change_nothing),
		cmocka_unit_test(
			test_a_killed_update_is_undone_before_its_store_and_finished_after),
		stage_test(test_half_a_listen_address_is_made_whole),
		stage_test(test_killed_at_any_moment_it_leaves_a_whole_service),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
