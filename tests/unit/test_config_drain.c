/* SPDX-License-Identifier: GPL-2.0-only */
/* How a color is drained and stopped: what a file says, over its defaults, and its mistakes. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "lib/test.h"

#define WEB "web: {listen: 80, blue: 8081, green: 8082"
#define SERVICE(more) "services: {" WEB ", " more "}}\n"
#define DRAIN(more) SERVICE("drain: {" more "}")
#define OVER(defaults, more) "defaults: {drain: {" defaults "}}\n" DRAIN(more)
#define BLUE(blue) "services: {web: {listen: 80, blue: " blue ", green: 8082}}\n"

#define DAYS(count) ((count)*24u * 3600 * 1000)

static struct config *parse(const char *text)
{
	struct config *config = NULL;
	struct failure failure = {};

	if (config_parse(&config, text, strlen(text), "web.yaml", &failure))
		fail_msg("%s: %s", text, failure.what);
	return config;
}

static const struct {
	const char *text;
	struct drain_policy drain;
} drains[] = {
	{ "services: {" WEB "}}\n", { 30000, DEADLINE_RESET, 0, 0 } },
	{ DRAIN(""), { 30000, DEADLINE_RESET, 0, 0 } },
	{ DRAIN("timeout: 30s, at_deadline: reset, close_idle: off, over: off"),
	  { 30000, DEADLINE_RESET, 0, 0 } },
	{ DRAIN("timeout: 0, at_deadline: keep"), { 0, DEADLINE_KEEP, 0, 0 } },
	{ DRAIN("timeout: inf"), { DRAIN_FOREVER, DEADLINE_RESET, 0, 0 } },
	{ DRAIN("timeout: 720h, close_idle: 720h, over: 720h"),
	  { DAYS(30), DEADLINE_RESET, DAYS(30), DAYS(30) } },
	{ DRAIN("close_idle: 10ms, over: 10ms"), { 30000, DEADLINE_RESET, 10, 10 } },
	{ DRAIN("over: 30s"), { 30000, DEADLINE_RESET, 0, 30000 } },
	{ DRAIN("timeout: inf, over: 720h"), { DRAIN_FOREVER, DEADLINE_RESET, 0, DAYS(30) } },
	/* Key by key over the defaults. */
	{ OVER("timeout: 1m, at_deadline: keep", "close_idle: 5s"),
	  { 60000, DEADLINE_KEEP, 5000, 0 } },
	{ OVER("timeout: 1m, close_idle: 5s, over: 50s", "close_idle: off, timeout: inf"),
	  { DRAIN_FOREVER, DEADLINE_RESET, 0, 50000 } },
	{ OVER("timeout: 1m, over: 50s", "timeout: 10s, over: off"),
	  { 10000, DEADLINE_RESET, 0, 0 } },
	{ "defaults: {drain: {timeout: 1s}}\nservices: {" WEB "}}\n",
	  { 1000, DEADLINE_RESET, 0, 0 } },
};

static void test_drains(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(drains); i++) {
		struct config *config = parse(drains[i].text);
		const struct drain_policy *drain = &config->services[0].policy.drain;

		assert_row(drain->timeout_ms == drains[i].drain.timeout_ms, drains[i].text);
		assert_row(drain->at_deadline == drains[i].drain.at_deadline, drains[i].text);
		assert_row(drain->close_idle_ms == drains[i].drain.close_idle_ms, drains[i].text);
		assert_row(drain->over_ms == drains[i].drain.over_ms, drains[i].text);
		config_free(config);
	}
}

static const struct {
	const char *text;
	unsigned int keep_warm_ms, timeout_ms;
} times[] = {
	{ "services: {" WEB "}}\n", 300000, 30000 },
	{ SERVICE("keep_warm: 0, stop_timeout: 1ms"), 0, 1 },
	{ SERVICE("keep_warm: 720h, stop_timeout: 720h"), DAYS(30), DAYS(30) },
	{ "defaults: {keep_warm: 1m, stop_timeout: 2m}\n" SERVICE("keep_warm: 3m"), 180000,
	  120000 },
};

static void test_times_of_stops(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(times); i++) {
		struct config *config = parse(times[i].text);
		const struct stop_policy *stop = &config->services[0].policy.stop;

		assert_row(stop->keep_warm_ms == times[i].keep_warm_ms, times[i].text);
		assert_row(stop->timeout_ms == times[i].timeout_ms, times[i].text);
		config_free(config);
	}
}

static const struct {
	const char *text;
	size_t instances;
	const char *words[5]; /* of blue's command; none: no command */
} colors[] = {
	{ BLUE("8081"), 1, {} },
	{ BLUE("{instances: 8081}"), 1, {} },
	{ BLUE("{instances: [8081, 8083]}"), 2, {} },
	{ BLUE("{instances: 8081, stop: /bin/true}"), 1, { "/bin/true" } },
	{ BLUE("{stop: systemctl stop app@blue, instances: [8081]}"),
	  1,
	  { "systemctl", "stop", "app@blue" } },
	{ BLUE("{instances: 8081, stop: '  a   b  '}"), 1, { "a", "b" } },
	{ BLUE("{instances: 8081, stop: 'a %i #x {y}'}"), 1, { "a", "%i", "#x", "{y}" } },
	{ BLUE("{instances: 8081, stop: [a]}"), 1, { "a" } },
	{ BLUE("{instances: 8081, stop: [/opt/a b, '', \"c;\\n$d\"]}"),
	  1,
	  { "/opt/a b", "", "c;\n$d" } },
	{ BLUE("{instances: 8081, stop: [/bin/sh, -c, 'kill $(cat /run/a.pid)']}"),
	  1,
	  { "/bin/sh", "-c", "kill $(cat /run/a.pid)" } },
};

static void test_colors_with_stop_commands(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(colors); i++) {
		struct config *config = parse(colors[i].text);
		char **argv = config->services[0].policy.stop.commands[BGS_BLUE].argv;

		assert_int_equal(config->services[0].spec.colors[BGS_BLUE].count,
				 colors[i].instances);
		assert_row(!argv == !colors[i].words[0], colors[i].text);
		for (size_t k = 0; argv && k < ROWS(colors[i].words); k++) {
			if (!colors[i].words[k]) {
				assert_row(!argv[k], colors[i].text);
				break;
			}
			assert_string_equal(argv[k], colors[i].words[k]);
		}
		assert_null(config->services[0].policy.stop.commands[BGS_GREEN].argv);
		config_free(config);
	}
}

#define LINES "services:\n  web:\n    listen: 80\n    green: 8082\n"
#define STOP(command) LINES "    blue:\n      instances: 8081\n      stop: " command "\n"

static const struct {
	const char *text, *message; /* after the file's name */
} mistakes[] = {
	{ DRAIN("timeout: 30"), "1:72: services.web.drain.timeout: '30' is not a length of time; "
				"allowed: inf, 0..720h" },
	{ DRAIN("timeout: off"), "1:72: services.web.drain.timeout: 'off' is not a length of "
				 "time; allowed: inf, 0..720h" },
	{ DRAIN("timeout: 721h"), "1:72: services.web.drain.timeout: '721h' is not a length of "
				  "time; allowed: inf, 0..720h" },
	{ DRAIN("at_deadline: cut"),
	  "1:76: services.web.drain.at_deadline: 'cut' is unknown; allowed: reset, keep" },
	{ DRAIN("close_idle: 9ms"), "1:75: services.web.drain.close_idle: '9ms' is out of range; "
				    "allowed: off, 10ms..720h" },
	{ DRAIN("close_idle: 0"), "1:75: services.web.drain.close_idle: '0' is out of range; "
				  "allowed: off, 10ms..720h" },
	{ DRAIN("over: inf"), "1:69: services.web.drain.over: 'inf' is not a length of time; "
			      "allowed: off, 10ms..720h" },
	{ DRAIN("over: 31s"),
	  "1:69: services.web.drain.over: '31s' is longer than the drain's timeout, 30s" },
	{ DRAIN("timeout: 10s, over: 11s"),
	  "1:83: services.web.drain.over: '11s' is longer than the drain's timeout, 10s" },
	{ OVER("over: 20s", "timeout: 10s"),
	  "2:72: services.web.drain.timeout: '10s' is shorter than the 'over' of the defaults, "
	  "20s" },
	{ OVER("timeout: 10s", "over: 20s"),
	  "2:69: services.web.drain.over: '20s' is longer than the drain's timeout, 10s" },
	{ "defaults: {drain: {over: 1m}}\n",
	  "1:26: defaults.drain.over: '1m' is longer than the drain's timeout, 30s" },
	{ DRAIN("timout: 1s"), "1:63: services.web.drain: unknown key 'timout'; did you mean "
			       "'timeout'? Allowed: timeout, at_deadline, close_idle, over" },
	{ SERVICE("drain: 30s"), "1:62: services.web.drain: expected a mapping ('key: value')" },
	{ SERVICE("keep_warm: off"),
	  "1:66: services.web.keep_warm: 'off' is not a length of time" },
	{ SERVICE("stop_timeout: 0"),
	  "1:69: services.web.stop_timeout: '0' is out of range; allowed: 1ms..720h" },
	{ LINES "    blue: {stop: a}\n", "5:11: services.web.blue: no 'instances' given" },
	{ LINES "    blue: {instances: []}\n",
	  "5:23: services.web.blue.instances: 0 entries; allowed: 1..64" },
	{ LINES "    blue: {instance: 1}\n", "5:12: services.web.blue: unknown key 'instance'; did "
					     "you mean 'instances'? Allowed: instances, stop" },
	{ LINES "    blue: {instances: [1, 8082]}\n",
	  "5:27: services.web.blue: 0.0.0.0:8082 is an instance of web.green already, in line 4; "
	  "give each its own" },
	{ STOP("\"\""), "7:13: services.web.blue.stop: no value given" },
	{ STOP("'  '"), "7:13: services.web.blue.stop: no value given" },
	{ STOP("[]"), "7:13: services.web.blue.stop: 0 entries; allowed: 1..64" },
	{ STOP("['', a]"), "7:14: services.web.blue.stop: no program given" },
	{ STOP("{a: b}"),
	  "7:13: services.web.blue.stop: expected a single value, found a mapping" },
	{ STOP("[a, [b]]"), "7:17: services.web.blue.stop: expected a single value, found a list" },
	{ STOP("bin/stop blue"),
	  "7:13: services.web.blue.stop: 'bin/stop blue' names its program neither by an absolute "
	  "path nor by a name to look up in PATH" },
	{ STOP("[./stop, blue]"),
	  "7:14: services.web.blue.stop: './stop' names its program neither by an absolute path "
	  "nor by a name to look up in PATH" },
	{ "defaults: {stop: a}\n",
	  "1:12: defaults: unknown key 'stop'; allowed: check, min_healthy, failover, on_empty, "
	  "affinity, soak, ready_timeout, drain, keep_warm, stop_timeout" },
};

static void assert_mistake(const char *text, const char *message)
{
	struct config *config = NULL;
	struct failure failure = {};
	char expected[sizeof(failure.what)];

	snprintf(expected, sizeof(expected), "web.yaml:%s", message);
	assert_row(config_parse(&config, text, strlen(text), "web.yaml", &failure) == -1, text);
	assert_string_equal(failure.what, expected);
	assert_int_equal(failure.code, EXIT_USAGE);
	assert_true(*failure.next);
	assert_null(config);
}

static void test_mistakes_are_told_with_their_place(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(mistakes); i++)
		assert_mistake(mistakes[i].text, mistakes[i].message);
}

/* In a text, each of a shell's characters by itself; in a list, none of them. */
static void test_what_a_shell_would_read_is_refused(void **state)
{
	static const char special[] = "\"'`$;&|<>()*?\\~";

	(void)state;
	for (const char *byte = special; *byte; byte++) {
		struct config *config = NULL;
		struct failure failure = {};
		char text[256], words[96];

		snprintf(text, sizeof(text), BLUE("{instances: 8081, stop: \"a b%s%cc\"}"),
			 strchr("\"\\", *byte) ? "\\" : "", *byte);
		snprintf(words, sizeof(words),
			 "holds a %c, and no shell reads it; write a list, e.g. [/bin/sh, -c, "
			 "\"...\"]",
			 *byte);
		assert_int_equal(config_parse(&config, text, strlen(text), "web.yaml", &failure),
				 -1);
		assert_failure(failure, EXIT_USAGE, words);
		snprintf(text, sizeof(text), BLUE("{instances: 8081, stop: [a, \"b%s%cc\"]}"),
			 strchr("\"\\", *byte) ? "\\" : "", *byte);
		config = parse(text);
		snprintf(words, sizeof(words), "b%cc", *byte);
		assert_string_equal(config->services[0].policy.stop.commands[BGS_BLUE].argv[1],
				    words);
		config_free(config);
	}
}

static void test_words_of_a_command_have_a_limit(void **state)
{
	for (unsigned int count = COMMAND_MAX_WORDS; count <= COMMAND_MAX_WORDS + 1; count++) {
		char text[512] =
			"services: {web: {listen: 80, green: 1, blue: {instances: 2, stop: ";
		struct config *config = NULL;
		struct failure failure = {};

		(void)state;
		for (unsigned int i = 0; i < count; i++)
			strcat(text, i ? " a" : "a");
		strcat(text, "}}}");
		if (count == COMMAND_MAX_WORDS) {
			config_free(parse(text));
			continue;
		}
		assert_int_equal(config_parse(&config, text, strlen(text), "web.yaml", &failure),
				 -1);
		assert_failure(failure, EXIT_USAGE, "services.web.blue.stop: more than 64 words");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_drains),
		cmocka_unit_test(test_times_of_stops),
		cmocka_unit_test(test_colors_with_stop_commands),
		cmocka_unit_test(test_mistakes_are_told_with_their_place),
		cmocka_unit_test(test_what_a_shell_would_read_is_refused),
		cmocka_unit_test(test_words_of_a_command_have_a_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
