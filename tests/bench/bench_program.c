/* SPDX-License-Identifier: GPL-2.0-only */
/* Prints what a lookup costs, by BPF_PROG_TEST_RUN. */
#include <stdio.h>

#include "lib/cost.h"
#include "lib/sample.h"

#define REPEAT 1000000

int main(void)
{
	static struct cost costs[COST_CASES];
	double floor;

	cost_measure(costs, REPEAT);
	floor = cost_median(&costs[COST_EMPTY]);
	printf("Steering program, ns per lookup: BPF_PROG_TEST_RUN, %d rounds of %d\n%s\n\n",
	       COST_ROUNDS, REPEAT, sample_machine());
	printf("%-54s %7s %7s %7s %9s %7s\n", "", "median", "least", "most", "- empty", "ratio");
	for (int i = 0; i < COST_CASES; i++) {
		double median = cost_median(&costs[i]);

		printf("%-54s %7.0f %7.0f %7.0f %9.0f %7.2f\n", costs[i].name, median,
		       costs[i].nanoseconds[0], costs[i].nanoseconds[COST_ROUNDS - 1],
		       median - floor, median / cost_median(&costs[COST_SMALLEST]));
	}
	return 0;
}
