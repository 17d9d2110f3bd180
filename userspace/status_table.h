/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables for people, drawn with libsmartcols. */
#ifndef BGSWITCH_STATUS_TABLE_H
#define BGSWITCH_STATUS_TABLE_H

#include "status.h"

void status_print(const struct status *status);

/* "12.5%", from basis points. */
const char *percent_format(char text[16], unsigned int basis_points);

#endif
