/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test of the programs plays on: the kernel side, a service and real
 * listeners that are told apart by their place. For cmocka's setup and
 * teardown; `*state` is the stage.
 */
#ifndef BGSWITCH_TESTS_STAGE_H
#define BGSWITCH_TESTS_STAGE_H

#include "fixture.h"
#include "sockets.h"

#define STAGE_LISTENERS (BGS_COLORS * BGS_MAX_INSTANCES)

struct stage {
	struct fixture fixture;
	__u32 slot; /* of the service declared last */
	int listeners[STAGE_LISTENERS]; /* closed at the end; -1: closed before */
	__u64 cookies[STAGE_LISTENERS];
	int count;
};

int stage_start(void **state);
int stage_stop(void **state);

#define stage_test(test) cmocka_unit_test_setup_teardown(test, stage_start, stage_stop)

/* Opens a listener that stage_lookup() knows; returns its place, counted from 0. */
int stage_listen(struct stage *stage, const char *address);
void stage_close(struct stage *stage, int place);

/* Declares a service; lists with commas. The others below are about the last one. */
void stage_service(struct stage *stage, const char *name, const char *listen, const char *blue,
		   const char *green, struct bgs_flags flags);

/* Service "web" on port 80, v4 and v6; listener 0 is its blue, 1 its green: places are colors. */
void stage_web(struct stage *stage, struct bgs_flags flags);

void stage_route(const struct stage *stage, enum bgs_color active, unsigned int split);
struct bgs_counters stage_counters(const struct stage *stage);

#define PASSED (-1)
#define REFUSED (-2)

/* Where a connection goes: the place of a listener, PASSED or REFUSED. */
int stage_lookup(const struct stage *stage, const char *client, const char *local);

/* A client's address and port, different for each number; valid until the next call. */
const char *client(unsigned int number);

#endif
