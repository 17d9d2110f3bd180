/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/queues.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/bpf.h>

#include "datapath/map.h"

/* What a map of sockets reads as: the cookie of the listener in this place; 0: there is none. */
static __u64 cookie_in(const struct datapath *datapath, const struct bgs_queue *line)
{
	const struct bgs_sibling_key sibling = { line->instance, line->sibling };
	const __u32 first = BGS_SOCKET(line->instance, line->family);
	__u64 cookie = 0;

	if (line->sibling == BGS_NO_SIBLING)
		map_get(datapath->fds[PIN_SOCKETS], &first, &cookie);
	else
		map_get(datapath->fds[PIN_SIBLINGS], &sibling, &cookie);
	return cookie;
}

/* 1: `line` is filled in; 0: there is no listener in this place; or -errno. */
static int ask(const struct datapath *datapath, struct bgs_queue *line)
{
	char packet[BGS_QUEUE_OFFSET + sizeof(*line)] = {};
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet),
		    .data_out = packet, .data_size_out = sizeof(packet), .repeat = 1);

	line->cookie = cookie_in(datapath, line);
	if (!line->cookie)
		return 0;
	memcpy(packet + BGS_QUEUE_OFFSET, line, sizeof(*line));
	if (bpf_prog_test_run_opts(datapath->fds[PIN_QUEUE], &run))
		return -errno;
	memcpy(line, packet + BGS_QUEUE_OFFSET, sizeof(*line));
	return run.retval == 1;
}

static int append(struct queues *queues, const struct bgs_queue *line)
{
	if (queues->count == queues->room) {
		size_t room = queues->room ? 2 * queues->room : 16;
		struct bgs_queue *grown = reallocarray(queues->items, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		queues->items = grown;
		queues->room = room;
	}
	queues->items[queues->count++] = *line;
	return 0;
}

static int add(const struct datapath *datapath, struct queues *queues, struct bgs_queue line)
{
	int found = ask(datapath, &line);

	return found <= 0 ? found : append(queues, &line);
}

static int add_instance(const struct datapath *datapath, struct queues *queues, __u32 number,
			const struct bgs_instance *instance)
{
	__u64 left = instance->siblings[BGS_V4] | instance->siblings[BGS_V6];
	struct bgs_queue line = { .instance = number, .sibling = BGS_NO_SIBLING };
	int err = 0;

	for (enum bgs_family family = 0; family < BGS_FAMILIES && !err; family++) {
		line.family = family;
		err = add(datapath, queues, line);
	}
	for (; left && !err; left &= left - 1) {
		line.sibling = __builtin_ctzll(left);
		err = add(datapath, queues, line);
	}
	return err;
}

static int by_cookie(const void *left, const void *right)
{
	const struct bgs_queue *a = left, *b = right;

	return (a->cookie > b->cookie) - (a->cookie < b->cookie);
}

static int by_instance(const void *left, const void *right)
{
	const struct bgs_queue *a = left, *b = right;

	return (a->instance > b->instance) - (a->instance < b->instance);
}

/*
 * A listener may have several places: one for each family, and one from the
 * time when it was a sibling.
 */
static void keep_one_of_each(struct queues *queues)
{
	size_t kept = 0;

	if (!queues->count)
		return;
	qsort(queues->items, queues->count, sizeof(*queues->items), by_cookie);
	for (size_t i = 1; i < queues->count; i++) {
		if (queues->items[i].cookie != queues->items[kept].cookie)
			queues->items[++kept] = queues->items[i];
	}
	queues->count = kept + 1;
	qsort(queues->items, queues->count, sizeof(*queues->items), by_instance);
}

static int finish(struct queues *queues, int err)
{
	if (err)
		queues_free(queues);
	else
		keep_one_of_each(queues);
	return err;
}

int queues_of_color(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		    struct queues *queues)
{
	struct bgs_instance instance;
	int err = datapath->fds[PIN_QUEUE] < 0 ? -ENODATA : 0;

	for (__u32 place = 0; place < BGS_MAX_INSTANCES && !err; place++) {
		__u32 number = BGS_INSTANCE(slot, color, place);

		err = map_get(datapath->fds[PIN_INSTANCES], &number, &instance);
		if (!err)
			err = add_instance(datapath, queues, number, &instance);
		else if (err == -ENOENT) /* nothing is declared in this place */
			err = 0;
	}
	return finish(queues, err);
}

struct collecting {
	const struct datapath *datapath;
	struct queues *queues;
};

static int collect(const void *key, const void *value, void *data)
{
	const struct collecting *collecting = data;
	__u32 number;

	memcpy(&number, key, sizeof(number));
	return add_instance(collecting->datapath, collecting->queues, number, value);
}

int queues_of_all(const struct datapath *datapath, struct queues *queues)
{
	struct collecting collecting = { datapath, queues };

	if (datapath->fds[PIN_QUEUE] < 0)
		return -ENODATA;
	return finish(queues, map_each(datapath->fds[PIN_INSTANCES], sizeof(__u32),
				       sizeof(struct bgs_instance), collect, &collecting));
}

void queues_free(struct queues *queues)
{
	free(queues->items);
	*queues = (struct queues){};
}
