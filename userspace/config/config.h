/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration file (YAML), and the same as JSON: the state file keeps
 * services in the file's own form, so one reader serves both.
 */
#ifndef BGSWITCH_CONFIG_H
#define BGSWITCH_CONFIG_H

#include <jansson.h>

#include "config/policy.h"
#include "datapath/services.h"

#define CONFIG_MAX_SIZE (4 * 1024 * 1024)
#define CONFIG_MAX_WEBHOOKS 8

struct config_service {
	struct service_spec spec;
	struct policy policy;
};

struct config_webhook {
	char *url; /* http or https */
	struct check_header headers[CHECK_MAX_HEADERS];
	size_t header_count;
	char *ca; /* as in struct check */
};

/* Only the agent reads these. Strings are owned, NULL: not given. */
struct config_agent {
	char *operators, *readers; /* groups that may change, or only look */
	char *log; /* file for event lines instead of standard error */
	struct config_webhook webhooks[CONFIG_MAX_WEBHOOKS];
	size_t webhook_count;
};

struct config {
	bool has_attach; /* without `attach:` interfaces stay as they are */
	char attach[BGS_MAX_INTERFACES][BGS_IFNAME_SIZE];
	size_t attach_count;
	bool awaits; /* not read: interfaces that are not there are no mistake, they will come */
	bool has_services; /* without `services:` they stay as they are */
	struct config_service *services; /* in the file's order */
	size_t service_count;
	struct config_agent agent;
};

/*
 * Reads a file, or text that is called `name` in messages. A mistake fails with
 * EXIT_USAGE and "FILE:LINE:COLUMN: key: 'value' ...; allowed: ...". All or
 * nothing: `*config` (config_free() it) is only set on success.
 */
int config_load(struct config **config, const char *path, struct failure *failure);
int config_parse(struct config **config, const char *text, size_t length, const char *name,
		 struct failure *failure);
void config_free(struct config *config);

/*
 * Can the values of headers be read, here and now? Asked before a file is made
 * true, so that one that cannot be used changes nothing. `only_files`: leave out
 * what is there for the agent alone, its environment and credentials.
 */
int config_try_secrets(const struct config *config, bool only_files, struct failure *failure);

/* A service the way the file has it (its value under `services:`); the caller owns it. */
json_t *config_service_json(const struct config_service *service);

/*
 * The part that `policy` is: a service's keys other than addresses, on_empty and
 * affinity; the colors' stop commands are {"stop": {COLOR: [WORD...]}} here.
 */
json_t *policy_json(const struct policy *policy);

/* Reads policy_json() again, or a part of it; what is not there has its default. */
int policy_from_json(struct policy *policy, const json_t *object, const char *name,
		     struct failure *failure);

/* True if both say the same. */
bool policy_equal(const struct policy *left, const struct policy *right);

#endif
