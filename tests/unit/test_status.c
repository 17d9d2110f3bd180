/* SPDX-License-Identifier: GPL-2.0-only */
#include "lib/test.h"
#include "status.h"

#include <stdlib.h>

static struct listener listener(__u32 number, enum bgs_report_kind kind, int error, pid_t pid)
{
	return (struct listener){
		.report = { .number = number, .kind = kind, .error = error },
		.pid = pid,
	};
}

static void test_listener_of_an_instance_is_the_first_that_serves(void **state)
{
	struct listener listeners[] = {
		listener(1, BGS_REPORT_BACKEND, 0, 11),	  listener(3, BGS_REPORT_CONFLICT, 0, 31),
		listener(3, BGS_REPORT_BACKEND, -95, 32), listener(3, BGS_REPORT_FOREIGN, 0, 33),
		listener(3, BGS_REPORT_BACKEND, 0, 34),	  listener(3, BGS_REPORT_BACKEND, 0, 35),
		listener(5, BGS_REPORT_BACKEND, -95, 51), listener(7, BGS_REPORT_FOREIGN, 0, 71),
		listener(9, BGS_REPORT_BACKEND, 0, 91),
	};
	static const pid_t expected[] = { 0, 11, 0, 34, 0, 0, 0, 0, 0, 91, 0 };
	const struct status status = { .listeners = listeners, .listener_count = ROWS(listeners) };
	const struct status nothing = {};

	(void)state;
	for (__u32 number = 0; number < ROWS(expected); number++) {
		const struct listener *found = status_listener(&status, number);

		assert_int_equal(found ? found->pid : 0, expected[number]);
	}
	assert_null(status_listener(&nothing, 0));
}

static void test_shares_follow_the_active_color(void **state)
{
	const struct service green = { .route = { .active = BGS_GREEN, .split_bp = 2500 } };
	const struct service blue = { .route = { .active = BGS_BLUE } };

	(void)state;
	assert_int_equal(status_share(&green, BGS_GREEN), 7500);
	assert_int_equal(status_share(&green, BGS_BLUE), 2500);
	assert_string_equal(status_role(&green, BGS_GREEN), "active");
	assert_string_equal(status_role(&green, BGS_BLUE), "standby");
	assert_int_equal(status_share(&blue, BGS_BLUE), BGS_SPLIT_MAX);
	assert_int_equal(status_share(&blue, BGS_GREEN), 0);
}

static json_t *get(json_t *object, const char *key, json_type type)
{
	json_t *value = json_object_get(object, key);

	assert_row(value, key);
	assert_int_equal(json_typeof(value), type);
	return value;
}

static void test_json_of_nothing_has_the_fields_of_schema_1(void **state)
{
	const struct status status = { .pin_dir = "/sys/fs/bpf/bgswitch" };
	json_t *json = status_json(&status), *agent;

	(void)state;
	assert_int_equal(json_integer_value(get(json, "schema", JSON_INTEGER)), 1);
	assert_string_equal(json_string_value(get(json, "pin_dir", JSON_STRING)), status.pin_dir);
	get(json, "version", JSON_STRING);
	agent = get(json, "agent", JSON_OBJECT);
	get(agent, "running", JSON_FALSE);
	get(agent, "pid", JSON_NULL);
	assert_int_equal(json_array_size(get(json, "attached", JSON_ARRAY)), 0);
	assert_int_equal(json_array_size(get(json, "services", JSON_ARRAY)), 0);
	json_decref(json);
}

static void test_json_lists_interfaces_and_warnings(void **state)
{
	struct status status = { .pin_dir = "/x" };
	json_t *json, *attached;

	(void)state;
	status.interfaces.items[0] = (struct interface){ .index = 2, .name = "eth0" };
	status.interfaces.count = 1;
	warnings_add(&status.warnings, "%s is odd", "eth0");
	json = status_json(&status);
	attached = json_array_get(get(json, "attached", JSON_ARRAY), 0);
	assert_string_equal(json_string_value(get(attached, "ifname", JSON_STRING)), "eth0");
	assert_int_equal(json_integer_value(get(attached, "ifindex", JSON_INTEGER)), 2);
	assert_string_equal(json_string_value(json_array_get(get(json, "warnings", JSON_ARRAY), 0)),
			    "eth0 is odd");
	json_decref(json);
	status_free(&status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listener_of_an_instance_is_the_first_that_serves),
		cmocka_unit_test(test_shares_follow_the_active_color),
		cmocka_unit_test(test_json_of_nothing_has_the_fields_of_schema_1),
		cmocka_unit_test(test_json_lists_interfaces_and_warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
