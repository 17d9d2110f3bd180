/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/cookies.h"

#include <time.h>

#include "datapath/map.h"

#define SECOND_NS 1000000000ULL

int cookies_pending(const struct datapath *datapath, __u32 slot, enum bgs_color color,
		    bool *pending)
{
	struct bgs_rotation set;
	int err = map_get(datapath->fds[PIN_ROTATION], &slot, &set);
	struct timespec now;
	__u64 age;

	if (err)
		return err;
	clock_gettime(CLOCK_MONOTONIC, &now);
	age = now.tv_sec * SECOND_NS + now.tv_nsec - set.cookie_ns[color];
	*pending = set.cookie_ns[color] && age < BGS_COOKIE_TTL_S * SECOND_NS;
	return 0;
}
