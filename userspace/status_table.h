/* SPDX-License-Identifier: GPL-2.0-only */
/* Tables for people, drawn with libsmartcols. */
#ifndef BGSWITCH_STATUS_TABLE_H
#define BGSWITCH_STATUS_TABLE_H

#include "status.h"

void status_print(const struct status *status);

#endif
