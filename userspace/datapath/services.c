/* SPDX-License-Identifier: GPL-2.0-only */
/* Reading services. See words.c and declare.c for their changes. */
#include "datapath/services.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "datapath/map.h"

static const char *const color_names[BGS_COLORS] = {
	[BGS_BLUE] = "blue",
	[BGS_GREEN] = "green",
};

const char *color_name(enum bgs_color color)
{
	return color_names[color];
}

int color_parse(const char *text)
{
	for (int color = 0; color < BGS_COLORS; color++) {
		if (!strcmp(text, color_names[color]))
			return color;
	}
	return -1;
}

bool color_has(const struct color_spec *color, size_t place)
{
	return place < color->count && color->instances[place].key.port;
}

int service_name_check(const char *name, struct failure *failure)
{
	size_t length = strlen(name);
	bool valid = isalpha((unsigned char)*name) && color_parse(name) < 0;

	for (size_t i = 0; i < length && valid; i++)
		valid = isalnum((unsigned char)name[i]) || strchr("_.-", name[i]);
	if (!valid)
		return failure_set(failure, EXIT_USAGE,
				   "use a letter first, then letters, digits, '_', '.' or '-'",
				   "'%s' cannot name a service", name);
	if (length >= BGS_NAME_SIZE)
		return failure_set(failure, EXIT_USAGE, "use a shorter one",
				   "a service's name has at most %d characters: '%s'",
				   BGS_NAME_SIZE - 1, name);
	return 0;
}

struct search {
	const char *name;
	__u32 slot;
	struct bgs_service value;
	size_t count;
};

static int match(const void *key, const void *value, void *data)
{
	const struct bgs_service *service = value;
	struct search *search = data;

	if (search->name && strcmp(search->name, service->name))
		return 0;
	memcpy(&search->slot, key, sizeof(search->slot));
	search->value = *service;
	search->count++;
	return 0;
}

int service_find(const struct datapath *datapath, const char *name, __u32 *slot,
		 struct bgs_service *value, struct failure *failure)
{
	struct search search = { .name = name };

	map_each(datapath->fds[PIN_SERVICES], sizeof(__u32), sizeof(struct bgs_service), match,
		 &search);
	if (!search.count && name)
		return failure_set(failure, EXIT_USAGE, "see 'bgswitch service ls'",
				   "no service named '%s'", name);
	if (!search.count)
		return failure_set(failure, EXIT_USAGE, "declare one with 'bgswitch service add'",
				   "there is no service");
	if (search.count > 1)
		return failure_set(failure, EXIT_USAGE,
				   "name one of them; see 'bgswitch service ls'",
				   "there are %zu services", search.count);
	*slot = search.slot;
	*value = search.value;
	return 0;
}

int service_get(const struct datapath *datapath, __u32 slot, struct bgs_service *value)
{
	return map_get(datapath->fds[PIN_SERVICES], &slot, value);
}

struct reading {
	struct service *services;
	size_t count, room;
	__u32 place_of[BGS_MAX_SERVICES]; /* slot -> place in `services`, plus one */
};

static int read_service(const void *key, const void *value, void *data)
{
	const struct bgs_service *stored = value;
	struct reading *reading = data;
	struct service *service;

	if (reading->count == reading->room) {
		size_t room = reading->room ? 2 * reading->room : 4;

		service = reallocarray(reading->services, room, sizeof(*service));
		if (!service)
			return -ENOMEM;
		reading->services = service;
		reading->room = room;
	}
	service = &reading->services[reading->count++];
	memset(service, 0, sizeof(*service));
	memcpy(&service->slot, key, sizeof(service->slot));
	service->route = stored->route;
	memcpy(service->enabled, stored->enabled, sizeof(service->enabled));
	service->spec.flags = stored->flags;
	memcpy(service->spec.name, stored->name, sizeof(service->spec.name));
	return 0;
}

static int by_name(const void *left, const void *right)
{
	const struct service *a = left, *b = right;

	return strcmp(a->spec.name, b->spec.name);
}

static struct service *service_at(const struct reading *reading, __u32 slot)
{
	__u32 place = slot < BGS_MAX_SERVICES ? reading->place_of[slot] : 0;

	return place ? &reading->services[place - 1] : NULL;
}

static int read_listen(const void *key, const void *value, void *data)
{
	const __u32 *slot = value;
	struct service *service = service_at(data, *slot);

	if (service && service->spec.listen_count < BGS_MAX_LISTEN)
		memcpy(&service->spec.listen[service->spec.listen_count++], key,
		       sizeof(struct bgs_endpoint));
	return 0;
}

static int read_instance(const void *key, const void *value, void *data)
{
	const struct bgs_instance *instance = value;
	struct service *service;
	struct color_spec *color;
	__u32 number, place;

	memcpy(&number, key, sizeof(number));
	service = service_at(data, BGS_INSTANCE_SLOT(number));
	if (!service)
		return 0;
	place = BGS_INSTANCE_PLACE(number);
	color = &service->spec.colors[BGS_INSTANCE_COLOR(number)];
	color->instances[place].key = instance->address;
	color->instances[place].any_family = instance->any_family;
	if (color->count <= place)
		color->count = place + 1;
	return 0;
}

int services_read(const struct datapath *datapath, struct service **services,
		  struct failure *failure)
{
	struct reading reading = {};
	int err = map_each(datapath->fds[PIN_SERVICES], sizeof(__u32), sizeof(struct bgs_service),
			   read_service, &reading);

	if (err) {
		free(reading.services);
		return failure_errno(failure, -err, "free some memory", "cannot read services");
	}
	if (reading.count)
		qsort(reading.services, reading.count, sizeof(*reading.services), by_name);
	for (size_t i = 0; i < reading.count; i++)
		reading.place_of[reading.services[i].slot % BGS_MAX_SERVICES] = i + 1;
	map_each(datapath->fds[PIN_LISTEN], sizeof(struct bgs_endpoint), sizeof(__u32), read_listen,
		 &reading);
	map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32), sizeof(struct bgs_instance),
		 read_instance, &reading);
	for (size_t i = 0; i < reading.count; i++)
		qsort(reading.services[i].spec.listen, reading.services[i].spec.listen_count,
		      sizeof(struct bgs_endpoint), endpoint_compare);
	*services = reading.services;
	return reading.count;
}

static bool instance_serves(const struct datapath *datapath, __u32 number, enum bgs_family family)
{
	const __u32 first = BGS_SOCKET(number, family);
	struct bgs_instance instance;
	__u64 cookie;

	if (!map_get(datapath->fds[PIN_SOCKETS], &first, &cookie))
		return true;
	if (map_get(datapath->fds[PIN_INSTANCES], &number, &instance))
		return false;
	for (__u32 k = 0; k < BGS_MAX_SIBLINGS && instance.siblings[family] >> k; k++) {
		const struct bgs_sibling_key key = { .instance = number, .sibling = k };

		if (instance.siblings[family] >> k & 1 &&
		    !map_get(datapath->fds[PIN_SIBLINGS], &key, &cookie))
			return true;
	}
	return false;
}

bool instance_is_listening(const struct datapath *datapath, __u32 number)
{
	return instance_serves(datapath, number, BGS_V4) ||
	       instance_serves(datapath, number, BGS_V6);
}

int color_families(const struct datapath *datapath, __u32 slot, enum bgs_color color, __u64 places)
{
	const int all = (1 << BGS_FAMILIES) - 1;
	struct bgs_rotation set;
	int families = 0;

	if (map_get(datapath->fds[PIN_ROTATION], &slot, &set))
		return 0;
	for (__u32 place = 0; place < BGS_MAX_INSTANCES && families != all; place++) {
		for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
			/* A bit may stand for one that has died since; the map knows. */
			if ((set.ready[color][family] & places) >> place & 1 &&
			    instance_serves(datapath, BGS_INSTANCE(slot, color, place), family))
				families |= 1 << family;
		}
	}
	return families;
}

struct families {
	__u32 slot;
	int mask;
};

static int add_family(const void *key, const void *value, void *data)
{
	const __u32 *slot = value;
	struct families *families = data;

	if (*slot == families->slot)
		families->mask |= 1 << (endpoint_is_v4(key) ? BGS_V4 : BGS_V6);
	return 0;
}

int service_families(const struct datapath *datapath, __u32 slot)
{
	struct families families = { .slot = slot };

	map_each(datapath->fds[PIN_LISTEN], sizeof(struct bgs_endpoint), sizeof(__u32), add_family,
		 &families);
	return families.mask;
}

int service_counters(const struct datapath *datapath, __u32 slot, struct bgs_counters *sum)
{
	int cpus = libbpf_num_possible_cpus();
	struct bgs_counters *values;
	__u64 *total = (__u64 *)sum;
	int err;

	memset(sum, 0, sizeof(*sum));
	if (cpus < 0)
		return cpus;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	err = map_get(datapath->fds[PIN_COUNTERS], &slot, values);
	for (int cpu = 0; cpu < cpus && !err; cpu++) {
		const __u64 *value = (const __u64 *)&values[cpu];

		for (size_t i = 0; i < sizeof(*sum) / sizeof(*total); i++)
			total[i] += value[i];
	}
	free(values);
	return err;
}

int service_counters_clear(const struct datapath *datapath, __u32 slot)
{
	int cpus = libbpf_num_possible_cpus();
	struct bgs_counters *values;
	int err;

	if (cpus < 0)
		return cpus;
	values = calloc(cpus, sizeof(*values));
	if (!values)
		return -ENOMEM;
	err = map_put(datapath->fds[PIN_COUNTERS], &slot, values);
	free(values);
	return err;
}
