/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a configuration file: a mistake is named and nothing is left
 * behind; what is accepted survives the way through JSON.
 */
#include <stdint.h>
#include <stdlib.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The state file's reader has to understand what the file's reader took. */
static void round_trip(const struct policy *policy)
{
	json_t *object = policy_json(policy);
	struct failure failure;
	struct policy again;

	if (!object || policy_from_json(&again, object, "policy", &failure) ||
	    !policy_equal(policy, &again))
		abort();
	policy_free(&again);
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure = {};
	struct config *config;

	if (config_parse(&config, (const char *)data, size, "fuzz.yaml", &failure)) {
		if (!*failure.what || !*failure.next)
			abort();
		return 0;
	}
	for (size_t i = 0; i < config->service_count; i++) {
		json_t *object = config_service_json(&config->services[i]);

		if (!object)
			abort();
		json_decref(object);
		round_trip(&config->services[i].policy);
	}
	config_free(config);
	return 0;
}
