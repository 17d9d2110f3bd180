/* SPDX-License-Identifier: GPL-2.0-only */
/* The cost of one lookup in settings from the smallest to the largest. */
#ifndef BGSWITCH_TESTS_COST_H
#define BGSWITCH_TESTS_COST_H

#include "fixture.h"

enum cost_case {
	COST_EMPTY, /* a program that does nothing */
	COST_SMALLEST, /* 1 service, 1 instance a color, no preview */
	COST_INSTANCES, /* 64 instances */
	COST_SERVICES, /* 1,024 services */
	COST_LARGEST, /* both */
	COST_PREVIEW, /* 1,024 services, and 100,000 preview networks */
	COST_CASES,
};

#define COST_ROUNDS 15

struct cost {
	const char *name;
	double nanoseconds[COST_ROUNDS]; /* of each round, sorted */
};

/*
 * Measures all cases, `repeat` lookups a round, in turn, and checks each answer
 * before it is timed. Ends the process if one is wrong.
 */
void cost_measure(struct cost costs[COST_CASES], unsigned int repeat);
double cost_median(const struct cost *cost);

#endif
