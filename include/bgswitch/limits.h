/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sizes both sides agree on. A change to any of them, or to a structure in
 * maps.h, is a change of the map layout: raise BGS_LAYOUT with it.
 */
#ifndef BGSWITCH_LIMITS_H
#define BGSWITCH_LIMITS_H

/* Version of everything in maps.h; kept in `settings` and compared before use. */
#define BGS_LAYOUT 3

#define BGS_MAX_SERVICES 1024
#define BGS_MAX_INSTANCES 64 /* of one color: one bit each in a 64-bit mask */
#define BGS_MAX_SIBLINGS 64 /* listeners of one instance beside its first, likewise */
#define BGS_MAX_LISTEN 16 /* listen addresses of one service */
#define BGS_PORTS 65536
#define BGS_MAX_INTERFACES 256
#define BGS_ATTACHED_BITS 4096 /* interface indexes that are found without a hash */
#define BGS_MAX_PREVIEWS 262144 /* networks, of all services and both families */
#define BGS_PROBES 64 /* connections of our own that can be traced at once */
#define BGS_MAX_COOKIES 65536 /* clients that were sent SYN cookies lately, of all services */
#define BGS_COOKIE_TTL_S 10 /* seconds from the SYN in which the ACK is looked for */
#define BGS_NAME_SIZE 32 /* of a service, with the final NUL */
#define BGS_IFNAME_SIZE 16 /* IFNAMSIZ of <linux/if.h> */

#define BGS_SPLIT_MAX 10000 /* basis points */

/* An instance's number: its service's slot, its color and its place in the color. */
#define BGS_INSTANCE_BITS 6
#define BGS_COLOR_BITS 1

#endif
