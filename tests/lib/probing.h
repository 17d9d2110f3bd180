/* SPDX-License-Identifier: GPL-2.0-only */
/* A prober under test: runs it until what is awaited has come. */
#ifndef BGSWITCH_TESTS_PROBING_H
#define BGSWITCH_TESTS_PROBING_H

#include "check/prober.h"

/* What one probe has told. */
struct tally {
	struct check_result last;
	unsigned int ended, good;
};

/* For prober_add(): its data is a struct tally. */
void tally_result(void *data, const struct check_result *result);

struct prober *probing_start(void);

/* Adds a probe of "ADDRESS:PORT"; ends the process when it cannot be added. */
struct probe *probing_add(struct prober *prober, const struct check *check, const char *address,
			  struct tally *tally);

/* Runs until `tally` has `ended` results; ends the process when that takes over ten seconds. */
void probing_await(struct prober *prober, const struct tally *tally, unsigned int ended);

/* Runs for this long, come what may. */
void probing_run(struct prober *prober, unsigned int ms);

/* The first result of one check. */
struct check_result probing_once(const struct check *check, const char *address);

#endif
