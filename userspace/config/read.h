/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of a configuration file, each read by a file of its own. */
#ifndef BGSWITCH_CONFIG_READ_H
#define BGSWITCH_CONFIG_READ_H

#include "config/config.h"
#include "config/fields.h"

/* `headers`: names to values, into an array of CHECK_MAX_HEADERS. */
int read_headers(struct reader *reader, const yaml_node_t *node, struct check_header *headers,
		 size_t *count);

/*
 * `check` of a service over that of the defaults, key by key; either may be
 * NULL. Both are known to be sound on their own but for what depends on the type.
 */
int read_check(struct reader *reader, const yaml_node_t *own, const yaml_node_t *defaults,
	       struct check *check);
/* `check` of the defaults alone: no type is settled yet, so every key fits. */
int read_check_defaults(struct reader *reader, const yaml_node_t *node);

/* Fails unless regcomp() takes it, and takes no more than a little time and memory. */
int regex_check(struct reader *reader, const yaml_node_t *node);

/* `drain` of a service over that of the defaults, key by key; either may be NULL. */
int read_drain(struct reader *reader, const yaml_node_t *own, const yaml_node_t *defaults,
	       struct drain_policy *drain);

/* A list of words that is executed as it is, or a text that is split at blanks. */
int read_command_line(struct reader *reader, const yaml_node_t *node, struct command_line *command);
/* The stop commands by color, as policy_json() has them. */
int read_stop_commands(struct reader *reader, const yaml_node_t *node, struct stop_policy *stop);

/* `listen`, `blue` and `green` of a service. */
int read_listen(struct reader *reader, const yaml_node_t *node, struct config_service *service);
int read_color(struct reader *reader, const yaml_node_t *node, enum bgs_color color,
	       struct config_service *service);

/* `services`, over `defaults` (may be NULL). */
int read_services(struct reader *reader, const yaml_node_t *node, const yaml_node_t *defaults,
		  struct config *config);
/* `defaults` alone, so that a mistake is found though no service is there. */
int read_defaults(struct reader *reader, const yaml_node_t *node);
/* The keys of a service that are its policy. */
int read_policy(struct reader *reader, const yaml_node_t *node, struct policy *policy);

int read_attach(struct reader *reader, const yaml_node_t *node, struct config *config);
int read_agent(struct reader *reader, const yaml_node_t *node, struct config_agent *agent);
void config_agent_free(struct config_agent *agent);

#endif
