/* SPDX-License-Identifier: GPL-2.0-only */
/* May a service have these addresses, next to those that are declared? */
#ifndef BGSWITCH_SPEC_CHECK_H
#define BGSWITCH_SPEC_CHECK_H

#include "datapath/services.h"

#define NO_SLOT BGS_MAX_SERVICES

/* `own`: slot of the service that is to become `spec`, whose addresses are free; or NO_SLOT. */
int spec_check(const struct datapath *datapath, const struct service_spec *spec, __u32 own,
	       struct failure *failure);

#endif
