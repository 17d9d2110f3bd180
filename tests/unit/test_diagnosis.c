/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "diagnosis.h"
#include "lib/test.h"

#define TCP 6
#define MPTCP 262

static const struct service services[] = {
	{ .slot = 4, .spec.name = "mail" },
	{ .slot = 2, .spec.name = "web" },
};

static struct bgs_endpoint address(const char *text)
{
	struct endpoint endpoint;
	struct failure failure;

	assert_int_equal(endpoint_parse(&endpoint, text, "", &failure), 0);
	return endpoint.key;
}

static struct listener listener(enum bgs_report_kind kind, int error, __u32 number, __u32 protocol)
{
	return (struct listener){
		.report = { .kind = kind,
			    .error = error,
			    .number = number,
			    .protocol = protocol,
			    .address = address("127.0.0.1:8081") },
		.pid = 4411,
		.comm = "nginx",
	};
}

/* What is said about one listener; NULL: nothing. */
static const char *diagnose(struct warnings *warnings, const struct listener *listener)
{
	struct datapath datapath;

	datapath_init(&datapath, NULL); /* no maps: no instance has a listener */
	diagnose_listeners(warnings, &datapath, services, ROWS(services), listener, 1);
	return warnings->count ? warnings->texts[0] : NULL;
}

static void test_each_obstacle_has_its_advice(void **state)
{
	static const __u32 instance = BGS_INSTANCE(2, BGS_GREEN, 0);
	static const struct {
		int error;
		__u32 protocol;
		const char *words;
	} rows[] = {
		{ -EOPNOTSUPP, MPTCP, "GODEBUG=multipathtcp=0" },
		{ -EBUSY, TCP, "another kernel user" },
		{ -EINVAL, TCP, "another kernel user" },
		{ -ENOSPC, TCP, "as many listeners as can be registered" },
		{ -E2BIG, TCP, "map is full" },
		{ -ENOMEM, TCP, "Cannot allocate memory" },
	};

	(void)state;
	for (size_t i = 0; i < ROWS(rows); i++) {
		struct listener found =
			listener(BGS_REPORT_BACKEND, rows[i].error, instance, rows[i].protocol);
		struct warnings warnings = {};
		const char *text = diagnose(&warnings, &found);

		assert_row(text, rows[i].words);
		assert_contains(text, rows[i].words);
		assert_contains(text, "web: nginx (pid 4411) on 127.0.0.1:8081 (green) cannot "
				      "serve: ");
		warnings_free(&warnings);
	}
}

static void test_listener_that_serves_is_no_news(void **state)
{
	struct listener found = listener(BGS_REPORT_BACKEND, 0, BGS_INSTANCE(2, BGS_BLUE, 0), TCP);
	struct warnings warnings = {};

	(void)state;
	assert_null(diagnose(&warnings, &found));
}

static void test_listener_on_the_services_address_is_named(void **state)
{
	struct listener found = listener(BGS_REPORT_CONFLICT, 0, 4, TCP);
	struct warnings warnings = {};
	const char *text = diagnose(&warnings, &found);

	(void)state;
	assert_non_null(text);
	assert_contains(text, "mail: nginx (pid 4411) listens on the service's own address");
	warnings_free(&warnings);
}

static void test_listener_elsewhere_is_named_when_the_instance_has_none(void **state)
{
	struct listener found = listener(BGS_REPORT_FOREIGN, 0, BGS_INSTANCE(4, BGS_BLUE, 3), TCP);
	struct warnings warnings = {};
	const char *text = diagnose(&warnings, &found);

	(void)state;
	assert_non_null(text);
	assert_contains(text, "mail: nginx (pid 4411) listens on 127.0.0.1:8081 (blue) in another "
			      "network namespace");
	warnings_free(&warnings);
}

static void test_unknown_process_is_called_so(void **state)
{
	struct listener found = listener(BGS_REPORT_CONFLICT, 0, 2, TCP);
	struct warnings warnings = {};
	const char *text;

	(void)state;
	found.pid = 0;
	text = diagnose(&warnings, &found);
	assert_non_null(text);
	assert_contains(text, "web: a process we cannot see listens");
	warnings_free(&warnings);
}

static void test_service_that_is_gone_is_left_out(void **state)
{
	struct listener found = listener(BGS_REPORT_CONFLICT, 0, 7, TCP);
	struct warnings warnings = {};

	(void)state;
	assert_null(diagnose(&warnings, &found));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_obstacle_has_its_advice),
		cmocka_unit_test(test_listener_that_serves_is_no_news),
		cmocka_unit_test(test_listener_on_the_services_address_is_named),
		cmocka_unit_test(test_listener_elsewhere_is_named_when_the_instance_has_none),
		cmocka_unit_test(test_unknown_process_is_called_so),
		cmocka_unit_test(test_service_that_is_gone_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
