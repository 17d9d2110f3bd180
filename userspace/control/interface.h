/* SPDX-License-Identifier: GPL-2.0-only */
/* org.bgswitch in Varlink's own language: what `varlinkctl introspect` shows. */
#ifndef BGSWITCH_INTERFACE_H
#define BGSWITCH_INTERFACE_H

extern const char control_interface[];

#endif
