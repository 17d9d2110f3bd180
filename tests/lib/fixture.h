/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The real kernel side in a network namespace, a bpffs and a mount namespace
 * of its own, for tests and benchmarks that talk to the programs directly.
 */
#ifndef BGSWITCH_TESTS_FIXTURE_H
#define BGSWITCH_TESTS_FIXTURE_H

#include <stdbool.h>

#include <linux/types.h>

#include "datapath/datapath.h"
#include "datapath/services.h"

struct fixture {
	char bpffs[64];
	struct place place;
	struct datapath datapath;
	int steer; /* the running steer program */
};

/* Ends the process with a message if the machine cannot run it. */
void fixture_start(struct fixture *fixture);
void fixture_stop(struct fixture *fixture);

/* Declares a service; address lists with commas, as on the command line. */
__u32 fixture_service(struct fixture *fixture, const char *name, const char *listen,
		      const char *blue, const char *green, struct bgs_flags flags);

struct lookup_result {
	int verdict; /* SK_PASS or SK_DROP */
	__u64 cookie; /* of the chosen socket, 0: none */
	unsigned int nanoseconds; /* mean of `repeat` runs */
};

/*
 * Asks `program` where a connection from `client` ("ADDRESS:PORT") to `local`
 * goes. The kernel's test run insists on ingress_ifindex 0, so the fixture
 * attaches to all interfaces; the filter is tested end to end.
 */
struct lookup_result fixture_lookup(int program, const char *client, const char *local,
				    unsigned int repeat);

struct lookup_result fixture_lookup_udp(int program, const char *client, const char *local);

/* An sk_lookup program that does nothing: the floor of every measurement. */
int fixture_empty_program(void);

#endif
