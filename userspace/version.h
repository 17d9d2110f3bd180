/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef BGSWITCH_VERSION_H
#define BGSWITCH_VERSION_H

#define BGSWITCH_VERSION "0.1.0"

#endif
