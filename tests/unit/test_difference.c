/* SPDX-License-Identifier: GPL-2.0-only */
/* From what one configuration declared to what another one does: the steps, in words. */
#include <stdio.h>
#include <stdlib.h>

#include "difference.h"
#include "lib/test.h"

/* What runs, as if `config` had been applied. */
struct running {
	struct service services[8];
	struct policy policies[8]; /* borrowed from the configuration */
	size_t count;
};

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct failure failure = {};

	if (config_parse(&config, text, strlen(text), "test.yaml", &failure))
		fail_msg("%s: %s", text, failure.what);
	return config;
}

static void run(struct running *running, const struct config *config)
{
	*running = (struct running){ .count = config->service_count };
	for (size_t i = 0; i < config->service_count; i++) {
		running->services[i].slot = i;
		running->services[i].spec = config->services[i].spec;
		running->policies[i] = config->services[i].policy;
	}
}

/* Lines joined by "|". */
static const char *join(const struct difference *difference)
{
	static char text[4096];

	*text = '\0';
	for (size_t i = 0; i < difference->line_count; i++) {
		if (i)
			strcat(text, "|");
		strcat(text, difference->lines[i]);
	}
	return text;
}

#define SERVICE(rest) "services: {web: {listen: ['127.0.0.1:80'], " rest "}}"
#define COLORS "blue: '127.0.0.1:1', green: ['127.0.0.1:3', 4]"
#define WEB SERVICE(COLORS)
#define STOPS(blue, green)                                                                         \
	SERVICE("blue: {instances: '127.0.0.1:1', stop: " blue "}, "                               \
		"green: {instances: ['127.0.0.1:3', 4], stop: " green "}")

static const struct {
	const char *from, *to, *lines;
} rows[] = {
	{ WEB, WEB, "" },
	{ "services: {}", WEB, "+ service web" },
	{ WEB, "services: {}", "- service web" },
	{ WEB, "services: {api: {listen: 81, " COLORS "}}", "- service web|+ service api" },
	{ WEB, SERVICE("blue: '127.0.0.1:1', green: [4, '127.0.0.1:3']"), "" },
	{ WEB, SERVICE("blue: 1, green: ['127.0.0.1:3', 4]"),
	  "~ web: blue :1 added|~ web: blue 127.0.0.1:1 removed" },
	{ WEB, SERVICE("blue: '127.0.0.1:1', green: ['127.0.0.1:5', 4]"),
	  "~ web: green 127.0.0.1:5 added|~ web: green 127.0.0.1:3 removed" },
	{ WEB, "services: {web: {listen: ['[::1]:80'], " COLORS "}}",
	  "~ web: listen [::1]:80 added|~ web: listen 127.0.0.1:80 removed" },
	{ WEB, SERVICE(COLORS ", on_empty: pass, affinity: connection"),
	  "~ web: on_empty refuse -> pass|~ web: affinity client -> connection" },
	{ WEB, SERVICE(COLORS ", soak: 10s, ready_timeout: 1m"),
	  "~ web: soak 1m -> 10s|~ web: ready_timeout 30s -> 1m" },
	{ WEB, SERVICE(COLORS ", min_healthy: 50%"), "~ web: min_healthy 1 -> 50%" },
	{ WEB, SERVICE(COLORS ", failover: off"), "~ web: failover auto -> off" },
	{ WEB, SERVICE(COLORS ", failover: listener"), "~ web: failover auto -> listener" },
	{ WEB, SERVICE(COLORS ", check: {path: /healthz}"), "~ web: check changed" },
	{ WEB, SERVICE(COLORS ", check: {rise: 7}, soak: 0"),
	  "~ web: soak 1m -> 0|~ web: check changed" },
	{ WEB, SERVICE(COLORS ", drain: {timeout: inf, at_deadline: keep, close_idle: 5s}"),
	  "~ web: drain timeout 30s -> inf|~ web: drain at_deadline reset -> keep|"
	  "~ web: drain close_idle off -> 5s" },
	{ SERVICE(COLORS ", drain: {over: 10s}"), SERVICE(COLORS ", drain: {timeout: 0}"),
	  "~ web: drain timeout 30s -> 0|~ web: drain over 10s -> off" },
	{ WEB, SERVICE(COLORS ", keep_warm: 0, stop_timeout: 1m"),
	  "~ web: keep_warm 5m -> 0|~ web: stop_timeout 30s -> 1m" },
	{ STOPS("a b", "c"), STOPS("[a, b]", "c"), "" },
	{ STOPS("a b", "c"), STOPS("[a b]", "c d"),
	  "~ web: blue stop command changed|~ web: green stop command changed" },
	{ WEB, STOPS("a", "b"), "~ web: blue stop command added|~ web: green stop command added" },
	{ STOPS("a", "b"), WEB,
	  "~ web: blue stop command removed|~ web: green stop command removed" },
};

static void test_steps_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct config *from = parse(rows[i].from), *to = parse(rows[i].to);
		struct difference difference;
		struct running running;

		run(&running, from);
		assert_int_equal(difference_make(&difference, running.services, running.policies,
						 running.count, to),
				 0);
		assert_string_equal(join(&difference), rows[i].lines);
		difference_free(&difference);
		config_free(from);
		config_free(to);
	}
}

static void test_what_differs_is_told_apart(void **state)
{
	static const struct {
		const char *to;
		bool spec, policy;
	} cases[] = {
		{ SERVICE(COLORS ", soak: 10s"), false, true },
		{ SERVICE(COLORS ", drain: {timeout: 1m}"), false, true },
		{ STOPS("a", "b"), false, true },
		{ SERVICE(COLORS ", on_empty: pass"), true, false },
		{ SERVICE(COLORS ", failover: listener"), false, true },
		{ SERVICE(COLORS ", failover: off"), true, true },
		{ SERVICE("blue: 1, green: 2, soak: 1s"), true, true },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		struct config *from = parse(WEB), *to = parse(cases[i].to);
		struct difference difference;
		struct running running;

		run(&running, from);
		difference_make(&difference, running.services, running.policies, running.count, to);
		assert_int_equal(difference.count, 1);
		assert_row(difference.changes[0].spec == cases[i].spec, cases[i].to);
		assert_row(difference.changes[0].policy == cases[i].policy, cases[i].to);
		assert_int_equal(difference.changes[0].last_line, difference.line_count);
		difference_free(&difference);
		config_free(from);
		config_free(to);
	}
}

#define TWO(web, api) "services: {web: {" web "}, api: {" api "}}"

static void test_who_has_to_make_way(void **state)
{
	static const char before[] =
		TWO("listen: 80, blue: 1, green: 2", "listen: 81, blue: 3, green: 4");
	static const struct {
		const char *to;
		bool web, api;
	} cases[] = {
		{ TWO("listen: 82, blue: 1, green: 2", "listen: 83, blue: 3, green: 4"), false,
		  false },
		{ TWO("listen: 82, blue: 1, green: 2", "listen: 80, blue: 3, green: 4"), true,
		  false },
		{ TWO("listen: 81, blue: 1, green: 2", "listen: 80, blue: 3, green: 4"), true,
		  true },
		{ TWO("listen: 80, blue: 3, green: 2", "listen: 81, blue: 5, green: 4"), false,
		  true },
		{ TWO("listen: 80, blue: 1, green: 81", "listen: 82, blue: 3, green: 4"), false,
		  true },
		{ TWO("listen: 80, blue: 1, green: '127.0.0.1:4'", "listen: 81, blue: 3, green: 5"),
		  false, false },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		struct config *from = parse(before), *to = parse(cases[i].to);
		struct difference difference;
		struct running running;

		run(&running, from);
		difference_make(&difference, running.services, running.policies, running.count, to);
		assert_int_equal(difference.count, 2);
		assert_row(difference.changes[0].yields == cases[i].web, cases[i].to);
		assert_row(difference.changes[1].yields == cases[i].api, cases[i].to);
		difference_free(&difference);
		config_free(from);
		config_free(to);
	}
}

static void test_what_stays_meanwhile_is_what_both_have(void **state)
{
	struct config *from = parse("services: {web: {listen: [80, '127.0.0.1:81'], "
				    "blue: [1, 2, 3], green: 4}}");
	struct config *to = parse("services: {web: {listen: ['127.0.0.1:81', 82], "
				  "blue: [3, 1, 6], green: 5}}");
	struct difference difference;
	struct service_spec common;
	struct running running;
	char text[ENDPOINT_TEXT];

	(void)state;
	run(&running, from);
	difference_make(&difference, running.services, running.policies, running.count, to);
	difference_common(&common, &difference.changes[0]);
	assert_int_equal(common.listen_count, 1);
	assert_string_equal(endpoint_format(text, &common.listen[0], false), "127.0.0.1:81");
	assert_true(color_has(&common.colors[BGS_BLUE], 0));
	assert_false(color_has(&common.colors[BGS_BLUE], 1));
	assert_true(color_has(&common.colors[BGS_BLUE], 2));
	assert_false(color_has(&common.colors[BGS_GREEN], 0));
	difference_free(&difference);
	config_free(from);
	config_free(to);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps_in_words),
		cmocka_unit_test(test_what_differs_is_told_apart),
		cmocka_unit_test(test_who_has_to_make_way),
		cmocka_unit_test(test_what_stays_meanwhile_is_what_both_have),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
