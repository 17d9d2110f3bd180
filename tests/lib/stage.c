/* SPDX-License-Identifier: GPL-2.0-only */
#include "stage.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <linux/bpf.h>

int stage_start(void **state)
{
	struct stage *stage = calloc(1, sizeof(*stage));

	if (!stage)
		err(99, "stage");
	fixture_start(&stage->fixture);
	*state = stage;
	return 0;
}

int stage_stop(void **state)
{
	struct stage *stage = *state;

	for (int place = 0; place < stage->count; place++)
		stage_close(stage, place);
	fixture_stop(&stage->fixture);
	free(stage);
	return 0;
}

int stage_listen(struct stage *stage, const char *address)
{
	int place = stage->count++;

	if (place >= STAGE_LISTENERS)
		errx(99, "too many listeners");
	stage->listeners[place] = listen_on(address, 0);
	stage->cookies[place] = cookie_of(stage->listeners[place]);
	return place;
}

void stage_close(struct stage *stage, int place)
{
	if (stage->listeners[place] >= 0)
		close(stage->listeners[place]);
	stage->listeners[place] = -1;
}

void stage_service(struct stage *stage, const char *name, const char *listen, const char *blue,
		   const char *green, struct bgs_flags flags)
{
	stage->slot = fixture_service(&stage->fixture, name, listen, blue, green, flags);
}

void stage_web(struct stage *stage, struct bgs_flags flags)
{
	stage_service(stage, "web", "0.0.0.0:80,[::]:80", ":8081", ":8082", flags);
	stage_listen(stage, "[::]:8081");
	stage_listen(stage, "[::]:8082");
}

void stage_route(const struct stage *stage, enum bgs_color active, unsigned int split)
{
	const struct bgs_route route = { .active = active, .split_bp = split };
	struct failure failure;

	if (service_flip(&stage->fixture.datapath, stage->slot, route, &failure))
		errx(99, "%s", failure.what);
}

struct bgs_counters stage_counters(const struct stage *stage)
{
	struct bgs_counters counters;

	if (service_counters(&stage->fixture.datapath, stage->slot, &counters))
		errx(99, "cannot read the counters");
	return counters;
}

int stage_lookup(const struct stage *stage, const char *client, const char *local)
{
	const struct lookup_result result = fixture_lookup(stage->fixture.steer, client, local, 1);

	if (!result.cookie)
		return result.verdict == SK_PASS ? PASSED : REFUSED;
	for (int place = 0; place < stage->count; place++) {
		if (stage->cookies[place] == result.cookie)
			return place;
	}
	errx(99, "steered to a socket nobody opened");
}

const char *client(unsigned int number)
{
	static char text[32];

	snprintf(text, sizeof(text), "10.%u.%u.%u:%u", number >> 16 & 255, number >> 8 & 255,
		 number & 255, 1024 + number % 60000);
	return text;
}
