/* SPDX-License-Identifier: GPL-2.0-only */
/* Do pinned maps have the layout this tool was built with? */
#ifndef BGSWITCH_LAYOUT_H
#define BGSWITCH_LAYOUT_H

#include "datapath/pins.h"

/* Compares type, sizes and room of map `pin` behind `fd`; names the difference. */
int layout_check(const char *dir, enum pin pin, int fd, struct failure *failure);

#endif
