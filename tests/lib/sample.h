/* SPDX-License-Identifier: GPL-2.0-only */
/* Repeated measurements of one thing, and the machine they were taken on. */
#ifndef BGSWITCH_TESTS_SAMPLE_H
#define BGSWITCH_TESTS_SAMPLE_H

#include <stddef.h>

void sample_sort(double *values, size_t count);

/* Of sorted values; `percent` is 0..100. */
double sample_percentile(const double *values, size_t count, unsigned int percent);

/* CLOCK_MONOTONIC in nanoseconds. */
double sample_now(void);

/* "Linux 6.1.0, 2 CPUs: AMD EPYC ..." */
const char *sample_machine(void);

#endif
