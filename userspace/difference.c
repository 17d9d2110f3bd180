/* SPDX-License-Identifier: GPL-2.0-only */
#include "difference.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "datapath/instances.h"

int difference_say(struct difference *difference, const char *format, ...)
{
	char **lines = reallocarray(difference->lines, difference->line_count + 1, sizeof(*lines));
	va_list args;
	int length;

	if (!lines)
		return -1;
	difference->lines = lines;
	va_start(args, format);
	length = vasprintf(&lines[difference->line_count], format, args);
	va_end(args);
	if (length < 0)
		return -1;
	difference->line_count++;
	return 0;
}

int difference_say_word(struct difference *difference, const char *name, const char *key,
			const char *from, const char *to)
{
	return strcmp(from, to)
		       ? difference_say(difference, "~ %s: %s %s -> %s", name, key, from, to)
		       : 0;
}

void difference_free(struct difference *difference)
{
	for (size_t i = 0; i < difference->line_count; i++)
		free(difference->lines[i]);
	free(difference->lines);
	free(difference->changes);
	*difference = (struct difference){};
}

static bool has_listen(const struct service_spec *spec, const struct bgs_endpoint *address)
{
	for (size_t i = 0; i < spec->listen_count; i++) {
		if (!memcmp(&spec->listen[i], address, sizeof(*address)))
			return true;
	}
	return false;
}

static bool has_instance(const struct color_spec *color, const struct endpoint *instance)
{
	for (size_t i = 0; i < color->count; i++) {
		if (color_has(color, i) && instance_equal(&color->instances[i], instance))
			return true;
	}
	return false;
}

static int say_listen(struct difference *difference, const struct service_spec *from,
		      const struct service_spec *to, const char *what)
{
	char text[ENDPOINT_TEXT];
	int err = 0;

	for (size_t i = 0; i < from->listen_count && !err; i++) {
		if (!has_listen(to, &from->listen[i]))
			err = difference_say(difference, "~ %s: listen %s %s", from->name,
					     endpoint_format(text, &from->listen[i], false), what);
	}
	return err;
}

static int say_instances(struct difference *difference, const struct service_spec *from,
			 const struct service_spec *to, const char *what)
{
	char text[ENDPOINT_TEXT];
	int err = 0;

	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *instances = &from->colors[color];

		for (size_t i = 0; i < instances->count && !err; i++) {
			const struct endpoint *instance = &instances->instances[i];

			if (!color_has(instances, i) || has_instance(&to->colors[color], instance))
				continue;
			endpoint_format(text, &instance->key, instance->any_family);
			err = difference_say(difference, "~ %s: %s %s %s", from->name,
					     color_name(color), text, what);
		}
	}
	return err;
}

static const char *on_empty(const struct bgs_flags *flags)
{
	return flags->pass_when_empty ? "pass" : "refuse";
}

static const char *affinity(const struct bgs_flags *flags)
{
	return flags->by_connection ? "connection" : "client";
}

/* What the kernel side has to be told. */
static int say_spec(struct difference *difference, const struct service_spec *now,
		    const struct service_spec *wanted)
{
	const char *name = wanted->name;

	if (say_listen(difference, wanted, now, "added") ||
	    say_listen(difference, now, wanted, "removed") ||
	    say_instances(difference, wanted, now, "added") ||
	    say_instances(difference, now, wanted, "removed"))
		return -1;
	return difference_say_word(difference, name, "on_empty", on_empty(&now->flags),
				   on_empty(&wanted->flags)) ||
			       difference_say_word(difference, name, "affinity",
						   affinity(&now->flags), affinity(&wanted->flags))
		       ? -1
		       : 0;
}

static struct change *add_change(struct difference *difference, enum change_kind kind,
				 const struct service *running, const struct config_service *wanted)
{
	struct change *change = &difference->changes[difference->count++];

	*change = (struct change){ .kind = kind, .running = running, .wanted = wanted };
	return change;
}

static const struct config_service *find_wanted(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->service_count; i++) {
		if (!strcmp(config->services[i].spec.name, name))
			return &config->services[i];
	}
	return NULL;
}

static const struct service *find_running(const struct service *running, size_t count,
					  const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (!strcmp(running[i].spec.name, name))
			return &running[i];
	}
	return NULL;
}

static int compare_service(struct difference *difference, const struct service *running,
			   const struct policy *policy, const struct config_service *wanted)
{
	size_t before = difference->line_count, between;
	const char *name = running->spec.name;
	struct change *change;

	if (say_spec(difference, &running->spec, &wanted->spec))
		return -1;
	between = difference->line_count;
	if (difference_policy(difference, name, policy, &wanted->policy))
		return -1;
	/* The kernel's part of a policy that is in force already. */
	if (running->spec.flags.failover != wanted->spec.flags.failover &&
	    policy->failover == wanted->policy.failover &&
	    difference_say_word(difference, name, "failover",
				running->spec.flags.failover ? "on" : "off",
				wanted->spec.flags.failover ? "on" : "off"))
		return -1;
	if (difference->line_count == before)
		return 0;
	change = add_change(difference, CHANGE_UPDATE, running, wanted);
	change->spec =
		between > before || running->spec.flags.failover != wanted->spec.flags.failover;
	change->policy = difference->line_count > between;
	change->last_line = difference->line_count;
	return 0;
}

/* Does the service listen, or have an instance, at this address? */
static bool uses(const struct service_spec *spec, const struct bgs_endpoint *key)
{
	struct bgs_endpoint keys[BGS_FAMILIES];

	if (has_listen(spec, key))
		return true;
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		for (size_t i = 0; i < spec->colors[color].count; i++) {
			size_t count = instance_keys(&spec->colors[color].instances[i], keys);

			for (size_t k = 0; k < count; k++) {
				if (color_has(&spec->colors[color], i) &&
				    !memcmp(&keys[k], key, sizeof(*key)))
					return true;
			}
		}
	}
	return false;
}

/* Is an address of `loser`'s, before, one of the winner's, after? */
static bool gives_to(const struct service_spec *loser, const struct service_spec *winner)
{
	for (size_t i = 0; i < loser->listen_count; i++) {
		if (uses(winner, &loser->listen[i]))
			return true;
	}
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		const struct color_spec *instances = &loser->colors[color];

		for (size_t i = 0; i < instances->count; i++) {
			struct bgs_endpoint keys[BGS_FAMILIES];
			size_t count = instance_keys(&instances->instances[i], keys);

			for (size_t k = 0; k < count && color_has(instances, i); k++) {
				if (uses(winner, &keys[k]))
					return true;
			}
		}
	}
	return false;
}

static void find_yielding(struct difference *difference)
{
	for (size_t i = 0; i < difference->count; i++) {
		struct change *loser = &difference->changes[i];

		for (size_t k = 0; k < difference->count && loser->spec && !loser->yields; k++) {
			const struct change *winner = &difference->changes[k];

			loser->yields = i != k && winner->wanted &&
					gives_to(&loser->running->spec, &winner->wanted->spec);
		}
	}
}

void difference_common(struct service_spec *common, const struct change *change)
{
	const struct service_spec *now = &change->running->spec, *wanted = &change->wanted->spec;

	*common = *now;
	common->listen_count = 0;
	for (size_t i = 0; i < now->listen_count; i++) {
		if (has_listen(wanted, &now->listen[i]))
			common->listen[common->listen_count++] = now->listen[i];
	}
	for (enum bgs_color color = 0; color < BGS_COLORS; color++) {
		struct color_spec *instances = &common->colors[color];

		for (size_t i = 0; i < instances->count; i++) {
			if (color_has(instances, i) &&
			    !has_instance(&wanted->colors[color], &instances->instances[i]))
				instances->instances[i] = (struct endpoint){};
		}
	}
}

int difference_make(struct difference *difference, const struct service *running,
		    const struct policy *policies, size_t count, const struct config *config)
{
	*difference = (struct difference){
		.changes = calloc(count + config->service_count + 1, sizeof(struct change)),
	};
	if (!difference->changes)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (find_wanted(config, running[i].spec.name))
			continue;
		if (difference_say(difference, "- service %s", running[i].spec.name))
			return -1;
		add_change(difference, CHANGE_REMOVE, &running[i], NULL)->last_line =
			difference->line_count;
	}
	for (size_t i = 0; i < count; i++) {
		const struct config_service *wanted = find_wanted(config, running[i].spec.name);

		if (wanted && compare_service(difference, &running[i], &policies[i], wanted))
			return -1;
	}
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *wanted = &config->services[i];

		if (find_running(running, count, wanted->spec.name))
			continue;
		if (difference_say(difference, "+ service %s", wanted->spec.name))
			return -1;
		add_change(difference, CHANGE_ADD, NULL, wanted)->last_line =
			difference->line_count;
	}
	find_yielding(difference);
	return 0;
}
