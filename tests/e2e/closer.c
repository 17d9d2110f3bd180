/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Closes the idle connections of the first service's blue again and again, as a
 * drain does, until its standard input ends. For test_close_idle.py.
 *
 * usage: closer IDLE_MS EVERY_MS
 *
 * Prints {"closed", "calls", "longest_ms"}.
 */
#include <err.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "drain/acts.h"

static double now_ms(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	struct pollfd input = { .fd = STDIN_FILENO, .events = POLLIN };
	unsigned long long total = 0, calls = 0;
	struct datapath datapath;
	struct failure failure;
	struct place place;
	double longest = 0;

	if (argc != 3)
		errx(1, "see the top of closer.c");
	if (place_find(&place, NULL, NULL, NULL, &failure))
		errx(1, "%s", failure.what);
	datapath_init(&datapath, &place);
	if (datapath_open(&datapath, &failure))
		errx(1, "%s", failure.what);
	while (!poll(&input, 1, atoi(argv[2]))) {
		double begin = now_ms();
		unsigned int closed;

		if (connections_close_idle(&datapath, 0, BGS_BLUE, atoi(argv[1]), 0xffffffffU,
					   &closed, &failure))
			errx(1, "%s; %s", failure.what, failure.next);
		if (now_ms() - begin > longest)
			longest = now_ms() - begin;
		total += closed;
		calls++;
	}
	printf("{\"closed\": %llu, \"calls\": %llu, \"longest_ms\": %.1f}\n", total, calls,
	       longest);
	datapath_close(&datapath);
	return 0;
}
