/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>

#include "agent/parameters.h"
#include "lib/test.h"

static const struct {
	const char *text;
	const char *wrong; /* NULL: none */
} cases[] = {
	{ "{}", NULL },
	{ "{'service': 'web', 'color': 'green', 'force': true, 'wait': false, 'dry_run': true}",
	  NULL },
	{ "{'service': null, 'soak_ms': null}", NULL },
	{ "{'soak_ms': 0, 'basis_points': 10000}", NULL },
	{ "{'soak_ms': 2592000000}", NULL },
	{ "{'soak_ms': 2592000001}", "soak_ms" },
	{ "{'soak_ms': -1}", "soak_ms" },
	{ "{'soak_ms': 1.5}", "soak_ms" },
	{ "{'soak_ms': '5s'}", "soak_ms" },
	{ "{'basis_points': 10001}", "basis_points" },
	{ "{'service': 5}", "service" },
	{ "{'color': ['green']}", "color" },
	{ "{'wait': 'yes'}", "wait" },
	{ "{'force': 1}", "force" },
	{ "{'color': 'green', 'drain_ms': 5}", "drain_ms" },
};

static void test_what_does_not_fit_is_named(void **state)
{
	(void)state;
	for (size_t i = 0; i < ROWS(cases); i++) {
		char text[256];
		json_t *parameters;
		struct failure failure;
		int err;

		snprintf(text, sizeof(text), "%s", cases[i].text);
		for (char *quote = text; (quote = strchr(quote, '\''));)
			*quote = '"';
		parameters = json_loads(text, 0, NULL);
		assert_non_null(parameters);
		err = parameters_check(parameters, &failure);
		assert_int_equal(err, cases[i].wrong ? -1 : 0);
		if (cases[i].wrong)
			assert_failure(failure, EXIT_USAGE, cases[i].wrong);
		json_decref(parameters);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_does_not_fit_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
