/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Any bytes as a configuration file: a mistake is named and nothing is left
 * behind; what is accepted survives the way through JSON.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
	if (!holds)
		abort();
}

static void policy_survives(const struct policy *policy)
{
	json_t *object = policy_json(policy);
	struct failure failure;
	struct policy again;

	must(object);
	must(!policy_from_json(&again, object, "policy", &failure));
	must(policy_equal(policy, &again));
	policy_free(&again);
	json_decref(object);
}

/* The state file holds what the configuration said: its reader has to take all of it. */
static void service_survives(const struct config_service *service)
{
	json_t *object = config_service_json(service), *second;
	json_t *file = json_pack("{s:{s:O}}", "services", service->spec.name, object);
	char *text = json_dumps(file, 0);
	struct failure failure;
	struct config *again;

	must(text);
	must(!config_parse(&again, text, strlen(text), "state", &failure));
	second = config_service_json(&again->services[0]);
	must(json_equal(object, second));
	config_free(again);
	free(text);
	json_decref(second);
	json_decref(file);
	json_decref(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct failure failure = {};
	struct config *config;

	if (config_parse(&config, (const char *)data, size, "fuzz.yaml", &failure)) {
		must(*failure.what && *failure.next);
		return 0;
	}
	for (size_t i = 0; i < config->service_count; i++) {
		policy_survives(&config->services[i].policy);
		service_survives(&config->services[i]);
	}
	config_free(config);
	return 0;
}
