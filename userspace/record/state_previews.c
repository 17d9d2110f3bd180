/* SPDX-License-Identifier: GPL-2.0-only */
/* {"format", ..., "previews": {SERVICE: {COLOR: [NETWORK...]}}} */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "record/state_file.h"
#include "record/state_parts.h"

#define ENDING ".previews"

static void file_name(char name[NAME_MAX + 1], const char *state_name)
{
	snprintf(name, NAME_MAX + 1, "%s" ENDING, state_name);
}

static void add(const struct preview *preview, void *data)
{
	char text[NETWORK_TEXT];

	json_array_append_new(json_object_get(data, color_name(preview->color)),
			      json_string(network_format(text, &preview->network)));
}

static json_t *collect(const struct datapath *datapath, const struct service *services, int count)
{
	json_t *all = json_object();

	for (int i = 0; i < count; i++) {
		json_t *networks;

		if (!services[i].spec.flags.has_preview)
			continue;
		networks = json_pack("{s:[], s:[]}", color_name(BGS_BLUE), color_name(BGS_GREEN));
		previews_each(datapath, services[i].slot, add, networks);
		json_object_set_new(all, services[i].spec.name, networks);
	}
	return all;
}

int state_save_previews(const struct state *state, const struct datapath *datapath,
			struct failure *failure)
{
	struct service *services = NULL;
	int count = services_read(datapath, &services, failure), err;
	char name[NAME_MAX + 1];
	json_t *root;

	if (count < 0)
		return -1;
	file_name(name, state->name);
	root = json_pack("{s:o}", "previews", collect(datapath, services, count));
	err = root ? state_file_save(root, state->directory, name, failure)
		   : failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	json_decref(root);
	free(services);
	return err;
}

/* Those of one color, behind the `count` there are; what is no network is left out. */
static size_t read_networks(const json_t *networks, enum bgs_color color, struct preview *previews,
			    size_t count)
{
	json_t *text;
	size_t i;

	json_array_foreach(networks, i, text)
	{
		struct preview *preview = &previews[count];
		struct failure unused;

		preview->color = color;
		if (json_is_string(text) &&
		    !network_parse(&preview->network, json_string_value(text), &unused))
			count++;
	}
	return count;
}

static bool is_whole(const json_t *root)
{
	return json_is_object(json_object_get(root, "previews"));
}

ssize_t state_previews(const struct state *state, const char *service, struct preview **result,
		       char **warning, struct failure *failure)
{
	json_t *root, *networks, *of_color[BGS_COLORS];
	struct preview *previews;
	char name[NAME_MAX + 1];
	size_t count = 0;

	*result = NULL;
	*warning = NULL;
	/* They are older than the service if its route does not tell of any. */
	if (!json_is_true(json_object_get(state_of_service(state, "routes", service), "previews")))
		return 0;
	file_name(name, state->name);
	if (state_file_load(&root, state->directory, name, is_whole, warning, failure))
		return -1;
	networks = json_object_get(json_object_get(root, "previews"), service);
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		of_color[color] = json_object_get(networks, color_name(color));
	previews = calloc(json_array_size(of_color[BGS_BLUE]) +
				  json_array_size(of_color[BGS_GREEN]) + 1,
			  sizeof(*previews));
	if (!previews) {
		json_decref(root);
		return failure_set(failure, EXIT_SYSTEM, "free some", "out of memory");
	}
	for (enum bgs_color color = 0; color < BGS_COLORS; color++)
		count = read_networks(of_color[color], color, previews, count);
	json_decref(root);
	*result = previews;
	return (ssize_t)count;
}

int state_remove(const char *directory, const char *name, struct failure *failure)
{
	char previews[NAME_MAX + 1];

	file_name(previews, name);
	return state_file_remove(directory, previews, failure) ||
			       state_file_remove(directory, name, failure)
		       ? -1
		       : 0;
}
