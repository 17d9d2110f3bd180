/* SPDX-License-Identifier: GPL-2.0-only */
/* Addresses as struct bgs_endpoint keeps them: IPv4 as ::ffff:a.b.c.d. */
#ifndef BGSWITCH_ADDRESS_BPF_H
#define BGSWITCH_ADDRESS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bgswitch/maps.h"

#define MAPPED_WORD bpf_htonl(0xffff)

/*
 * Reads a context field. Without the barrier clang merges the loads of two
 * branches into one through a computed context pointer, which the verifier
 * refuses.
 */
#define ctx_read(field)                                                                            \
	({                                                                                         \
		__u32 value = (field);                                                             \
		barrier_var(value);                                                                \
		value;                                                                             \
	})

static __always_inline void address_from_v4(__be32 address[4], __be32 v4)
{
	address[0] = 0;
	address[1] = 0;
	address[2] = MAPPED_WORD;
	address[3] = v4;
}

static __always_inline void address_any(__be32 address[4], enum bgs_family family)
{
	address_from_v4(address, 0);
	if (family == BGS_V6)
		address[2] = 0;
}

static __always_inline bool address_is_mapped(const __be32 address[4])
{
	return !address[0] && !address[1] && address[2] == MAPPED_WORD;
}

/* True for 0.0.0.0 (mapped) and ::. */
static __always_inline bool address_is_any(const __be32 address[4])
{
	return !address[0] && !address[1] && !address[3] &&
	       (!address[2] || address[2] == MAPPED_WORD);
}

#endif
