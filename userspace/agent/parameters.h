/* SPDX-License-Identifier: GPL-2.0-only */
/* The parameters of calls, held against the interface. */
#ifndef BGSWITCH_PARAMETERS_H
#define BGSWITCH_PARAMETERS_H

#include <jansson.h>

#include "failure.h"

/*
 * Fails (EXIT_USAGE) at one that no method has, and at one of the wrong type or
 * out of range. null stands for one that is left out.
 */
int parameters_check(const json_t *parameters, struct failure *failure);

#endif
