/* SPDX-License-Identifier: GPL-2.0-only */
/* Picking one bit of a 64-bit mask in constant time, without branches. */
#ifndef BGSWITCH_BITS_BPF_H
#define BGSWITCH_BITS_BPF_H

#include <linux/types.h>

#define BIT(n) (1ULL << (n))

static __always_inline __u32 bits_count(__u64 mask)
{
	mask -= mask >> 1 & 0x5555555555555555ULL;
	mask = (mask & 0x3333333333333333ULL) + (mask >> 2 & 0x3333333333333333ULL);
	mask = (mask + (mask >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return mask * 0x0101010101010101ULL >> 56;
}

static __always_inline __u32 bits_lowest(__u64 mask)
{
	return bits_count(~mask & (mask - 1));
}

/*
 * The place of the n-th set bit, n counted from 0 and below bits_count(mask).
 * Halves the width six times. The comparison is arithmetic because BPF has no
 * conditional move: as branches, the verifier would walk 64 paths.
 */
static __always_inline __u32 bits_nth(__u64 mask, __u32 n)
{
	__u32 place = 0;
	__s64 rest = n;

	for (__u32 width = 32; width; width /= 2) {
		__s64 below = bits_count(mask & (BIT(width) - 1));
		__s64 upper = ~((rest - below) >> 63); /* all ones: it is in the upper half */
		__u32 step = width & upper;

		rest -= below & upper;
		mask >>= step;
		place += step;
	}
	return place;
}

#endif
