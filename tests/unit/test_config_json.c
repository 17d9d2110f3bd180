/* SPDX-License-Identifier: GPL-2.0-only */
/* What is written as JSON is read again as it was. */
#include <stdio.h>
#include <stdlib.h>

#include "config/config.h"
#include "duration.h"
#include "lib/test.h"

#define POLICIES 5000

/* Numbers that are the same in every run: Marsaglia's xorshift. */
static unsigned int next_random;

static unsigned int choose(unsigned int count)
{
	next_random ^= next_random << 13;
	next_random ^= next_random >> 17;
	next_random ^= next_random << 5;
	return next_random % count;
}

static unsigned int between(unsigned int least, unsigned int most)
{
	return least + choose(most - least + 1);
}

/* Text that JSON and YAML each have their own mind about. */
static char *random_text(const char *begin, const char *const parts[], size_t count)
{
	char text[256];
	unsigned int length = between(1, 8);

	snprintf(text, sizeof(text), "%s", begin);
	for (unsigned int i = 0; i < length; i++)
		strcat(text, parts[choose(count)]);
	return strdup(text);
}

static char *random_any(void)
{
	static const char *const parts[] = {
		"a",	"~",  "null", ": ",  " #", "\"",       "'",
		"\\",	"\n", "\t",   "{",   "}",  "[",	       "]",
		"*",	"&",  "\\n",  "%",   "- ", "\xc3\xa9", "\xf0\x9f\x98\x80",
		"0x10", "<<", "---",  "...", "!",  "|",	       "\xe2\x82\xac"
	};

	return random_text("", parts, ROWS(parts));
}

static char *random_plain(const char *begin)
{
	static const char *const parts[] = { "a", "B", "7", "-", "_" };

	return random_text(begin, parts, ROWS(parts));
}

static void random_headers(struct check *check)
{
	unsigned int count = choose(4);

	for (unsigned int i = 0; i < count; i++) {
		struct check_header *header = &check->headers[check->header_count++];
		char name[8];

		snprintf(name, sizeof(name), "X%u-", i);
		header->name = random_plain(name);
		header->value.source = choose(SECRET_CREDENTIAL + 1);
		header->value.text = random_plain(header->value.source == SECRET_FILE ? "/" : "v");
		for (char *dash = header->value.text;
		     header->value.source == SECRET_ENVIRONMENT && (dash = strchr(dash, '-'));)
			*dash = '_';
	}
}

static void random_http(struct check *check)
{
	unsigned int count = choose(4);

	if (choose(2))
		check->method = random_plain("M");
	if (choose(2))
		check->path = random_plain("/");
	if (choose(2))
		check->host = random_plain("h");
	random_headers(check);
	for (unsigned int i = 0; i < count; i++) {
		unsigned int first = between(100, 599);

		check->statuses[check->status_count++] = (struct check_statuses){
			.first = first,
			.last = choose(2) ? first : between(first, 599),
		};
	}
	if (choose(2))
		check->body_contains = random_any();
	if (choose(2))
		check->body_regex = random_plain("^(\"|: |#)");
	check->redirects = choose(11);
}

static void random_tls(struct check *check)
{
	if (choose(2))
		check->tls.ca = random_plain("/");
	if (choose(2))
		check->tls.certificate = random_plain("/");
	if (check->tls.certificate && choose(2))
		check->tls.key = random_plain("/");
	if (choose(2))
		check->tls.server_name = random_plain("s");
	check->tls.insecure = choose(2);
}

static char **random_command(const char *begin)
{
	unsigned int count = between(1, 5);
	char **words = calloc(count + 1, sizeof(*words));

	assert_non_null(words);
	words[0] = random_plain(begin);
	for (unsigned int i = 1; i < count; i++)
		words[i] = random_any();
	return words;
}

static void random_times(struct check *check)
{
	if (choose(2))
		check->interval_ms = between(10, 3600000);
	check->fast_interval_ms = between(10, check->interval_ms);
	if (choose(2))
		check->timeout_ms = between(1, 600000);
	if (choose(2))
		check->rise = between(1, 100);
	if (choose(2))
		check->fall = between(1, 100);
}

static void random_drain(struct drain_policy *drain)
{
	if (choose(2))
		drain->timeout_ms = choose(4) ? choose(DURATION_MAX_MS + 1) : DRAIN_FOREVER;
	drain->at_deadline = choose(DEADLINE_KEEP + 1);
	if (choose(2))
		drain->close_idle_ms = between(10, DURATION_MAX_MS);
	if (choose(2) && drain->timeout_ms >= 10)
		drain->over_ms = drain->timeout_ms < DURATION_MAX_MS
					 ? between(10, drain->timeout_ms)
					 : DURATION_MAX_MS;
}

static void random_stop(struct stop_policy *stop)
{
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		if (choose(2))
			stop->commands[color].argv = random_command(choose(2) ? "/" : "stop");
	}
	if (choose(2))
		stop->keep_warm_ms = choose(DURATION_MAX_MS + 1);
	if (choose(2))
		stop->timeout_ms = between(1, DURATION_MAX_MS);
}

static void random_policy(struct policy *policy)
{
	struct check *check = &policy->check;

	policy_init(policy);
	check->kind = choose(CHECK_NONE + 1);
	if (check->kind == CHECK_HTTP || check->kind == CHECK_HTTPS)
		random_http(check);
	if (check->kind == CHECK_HTTPS)
		random_tls(check);
	if (check->kind == CHECK_COMMAND)
		check->command = random_command("/");
	if (check->kind != CHECK_NONE)
		random_times(check);
	policy->min_healthy.percent = choose(2);
	policy->min_healthy.value = between(1, policy->min_healthy.percent ? 100 : 64);
	policy->failover = choose(FAILOVER_OFF + 1);
	if (choose(2))
		policy->soak_ms = choose(DURATION_MAX_MS);
	if (choose(2))
		policy->ready_timeout_ms = between(1, 86400000);
	random_drain(&policy->drain);
	random_stop(&policy->stop);
}

/* NULL, or left out because it is the default. */
static bool same_text(const char *left, const char *right, const char *normal)
{
	return !strcmp(left ? left : normal, right ? right : normal);
}

static bool same_headers(const struct check *left, const struct check *right)
{
	if (left->header_count != right->header_count)
		return false;
	for (size_t i = 0; i < left->header_count; i++) {
		if (strcmp(left->headers[i].name, right->headers[i].name) ||
		    left->headers[i].value.source != right->headers[i].value.source ||
		    strcmp(left->headers[i].value.text, right->headers[i].value.text))
			return false;
	}
	return true;
}

static bool same_statuses(const struct check *left, const struct check *right)
{
	return left->status_count == right->status_count &&
	       !memcmp(left->statuses, right->statuses,
		       left->status_count * sizeof(left->statuses[0]));
}

static bool same_command(char **left, char **right)
{
	if (!left || !right)
		return left == right;
	for (; *left && *right; left++, right++) {
		if (strcmp(*left, *right))
			return false;
	}
	return !*left && !*right;
}

static bool same_check(const struct check *left, const struct check *right)
{
	return left->kind == right->kind && left->interval_ms == right->interval_ms &&
	       left->fast_interval_ms == right->fast_interval_ms &&
	       left->timeout_ms == right->timeout_ms && left->rise == right->rise &&
	       left->fall == right->fall && same_text(left->method, right->method, "GET") &&
	       same_text(left->path, right->path, "/") && same_text(left->host, right->host, "") &&
	       same_headers(left, right) && same_statuses(left, right) &&
	       same_text(left->body_contains, right->body_contains, "") &&
	       same_text(left->body_regex, right->body_regex, "") &&
	       left->redirects == right->redirects && same_text(left->tls.ca, right->tls.ca, "") &&
	       same_text(left->tls.certificate, right->tls.certificate, "") &&
	       same_text(left->tls.key, right->tls.key, "") &&
	       same_text(left->tls.server_name, right->tls.server_name, "") &&
	       left->tls.insecure == right->tls.insecure &&
	       same_command(left->command, right->command);
}

static bool same_drain(const struct drain_policy *left, const struct drain_policy *right)
{
	return left->timeout_ms == right->timeout_ms && left->at_deadline == right->at_deadline &&
	       left->close_idle_ms == right->close_idle_ms && left->over_ms == right->over_ms;
}

static bool same_stop(const struct stop_policy *left, const struct stop_policy *right)
{
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		if (!same_command(left->commands[color].argv, right->commands[color].argv))
			return false;
	}
	return left->keep_warm_ms == right->keep_warm_ms && left->timeout_ms == right->timeout_ms;
}

static bool same_policy(const struct policy *left, const struct policy *right)
{
	return same_check(&left->check, &right->check) &&
	       left->min_healthy.value == right->min_healthy.value &&
	       left->min_healthy.percent == right->min_healthy.percent &&
	       left->failover == right->failover && left->soak_ms == right->soak_ms &&
	       left->ready_timeout_ms == right->ready_timeout_ms &&
	       same_drain(&left->drain, &right->drain) && same_stop(&left->stop, &right->stop);
}

static void test_policies_survive_json(void **state)
{
	(void)state;
	next_random = 1;
	for (int i = 0; i < POLICIES; i++) {
		struct policy policy, again;
		struct failure failure;
		json_t *object;
		char *text;

		random_policy(&policy);
		object = policy_json(&policy);
		assert_non_null(object);
		text = json_dumps(object, 0);
		if (policy_from_json(&again, object, "state", &failure))
			fail_msg("%s: %s", text, failure.what);
		assert_row(same_policy(&policy, &again), text);
		assert_row(policy_equal(&policy, &again), text);
		free(text);
		json_decref(object);
		policy_free(&again);
		policy_free(&policy);
	}
}

/* Changes one thing that is part of every policy. */
static void disturb(struct policy *policy)
{
	char **argv;

	switch (choose(6)) {
	case 0:
		policy->soak_ms++;
		break;
	case 1:
		policy->drain.at_deadline ^= 1;
		break;
	case 2:
		policy->drain.close_idle_ms = policy->drain.close_idle_ms ? 0 : 10;
		break;
	case 3:
		policy->stop.keep_warm_ms ^= 1;
		break;
	case 4:
		policy->stop.timeout_ms ^= 2;
		break;
	default: /* a command goes to the other color */
		argv = policy->stop.commands[BGS_BLUE].argv;
		policy->stop.commands[BGS_BLUE] = policy->stop.commands[BGS_GREEN];
		policy->stop.commands[BGS_GREEN].argv = argv;
		break;
	}
}

/* Two that differ are not equal: random ones against the comparison by fields. */
static void test_equality_is_that_of_the_fields(void **state)
{
	(void)state;
	for (unsigned int seed = 1; seed <= POLICIES; seed++) {
		struct policy left, right;

		next_random = seed;
		random_policy(&left);
		next_random = seed;
		random_policy(&right);
		if (left.check.kind != CHECK_NONE && seed % 2)
			right.check.fall = right.check.fall % 100 + 1;
		else if (seed % 3)
			disturb(&right);
		assert_int_equal(policy_equal(&left, &right), same_policy(&left, &right));
		policy_free(&left);
		policy_free(&right);
	}
}

static void test_a_part_has_the_defaults_for_the_rest(void **state)
{
	json_t *object = json_pack("{s:s, s:{s:i}}", "soak", "5s", "check", "rise", 7);
	struct policy policy, expected;
	struct failure failure = {};

	(void)state;
	policy_init(&expected);
	expected.soak_ms = 5000;
	expected.check.rise = 7;
	assert_int_equal(policy_from_json(&policy, object, "state", &failure), 0);
	assert_true(same_policy(&policy, &expected));
	policy_free(&policy);
	policy_free(&expected);
	json_decref(object);
}

static const struct {
	const char *json, *words;
} refused[] = {
	{ "[]", "state:1:1: expected a mapping" },
	{ "{\"soak\": -1}", "state:1:10: soak: '-1' is not a length of time" },
	{ "{\"soak\": null}", "soak: 'null' is not a length of time" },
	{ "{\"listen\": \":80\"}", "unknown key 'listen'" },
	{ "{\"stop\": {\"red\": [\"a\"]}}", "stop: unknown key 'red'" },
	{ "{\"stop\": {\"blue\": []}}", "stop.blue: 0 entries" },
	{ "{\"drain\": {\"timeout\": 1}}", "drain.timeout: '1' is not a length of time" },
	{ "{\"affinity\": \"client\"}", "unknown key 'affinity'" },
	{ "{\"check\": {\"type\": 1}}", "check.type: '1' is unknown" },
	{ "{\"check\": {\"body\": \"a\\u0000b\", \"type\": \"http\"}}", "U+0000" },
	{ "{\"check\": {\"body\": \"a\\u2028b\", \"type\": \"http\"}}", "U+2028" },
};

static void test_other_json_is_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(refused); i++) {
		json_t *object = json_loads(refused[i].json, JSON_ALLOW_NUL, NULL);
		struct failure failure = {};
		struct policy policy;

		assert_non_null(object);
		assert_row(policy_from_json(&policy, object, "state", &failure) == -1,
			   refused[i].json);
		assert_failure(failure, EXIT_USAGE, refused[i].words);
		json_decref(object);
	}
}

static const char *const services[] = {
	"{listen: 80, blue: 81, green: 82}",
	"{listen: [\"0.0.0.0:80\", \"[::]:81\", \"[::]:80\"], blue: 0.0.0.0:90, green: 91}",
	"{listen: [\":1\", \":2\"], blue: [\":3\", \"[::1]:4\"], green: 127.0.0.1:5}",
	"{listen: 1, blue: 2, green: 3, failover: off, on_empty: pass, affinity: connection}",
	"{listen: 1, blue: [2, 4], green: [3, 5], min_healthy: 2, check: {type: none}}",
	"{listen: 1, blue: {instances: 2}, green: {instances: [3, 4], stop: stop it}}",
	"{listen: 1, blue: {instances: 2, stop: [a, '']}, green: 3, drain: {timeout: inf}}",
};

static struct config *parse(const char *service)
{
	struct failure failure = {};
	struct config *config;
	char text[1024];

	snprintf(text, sizeof(text), "services: {web: %s}\n", service);
	if (config_parse(&config, text, strlen(text), "state", &failure))
		fail_msg("%s: %s", text, failure.what);
	return config;
}

static void test_services_survive_json(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(services); i++) {
		struct config *config = parse(services[i]), *again;
		json_t *object = config_service_json(&config->services[0]);
		char *text = json_dumps(object, 0);

		again = parse(text);
		assert_memory_equal(&config->services[0].spec, &again->services[0].spec,
				    sizeof(config->services[0].spec));
		assert_true(same_policy(&config->services[0].policy, &again->services[0].policy));
		free(text);
		json_decref(object);
		config_free(config);
		config_free(again);
	}
}

/* Places that others left behind are not written. */
static void test_gaps_are_left_out(void **state)
{
	struct config *config = parse("{listen: 1, blue: [2, 3, 4], green: 5}");
	json_t *object;

	(void)state;
	memset(&config->services[0].spec.colors[BGS_BLUE].instances[1], 0, sizeof(struct endpoint));
	object = config_service_json(&config->services[0]);
	assert_int_equal(json_array_size(json_object_get(object, "blue")), 2);
	assert_string_equal(json_string_value(json_array_get(json_object_get(object, "blue"), 1)),
			    ":4");
	json_decref(object);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies_survive_json),
		cmocka_unit_test(test_equality_is_that_of_the_fields),
		cmocka_unit_test(test_a_part_has_the_defaults_for_the_rest),
		cmocka_unit_test(test_other_json_is_refused),
		cmocka_unit_test(test_services_survive_json),
		cmocka_unit_test(test_gaps_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
