/* SPDX-License-Identifier: GPL-2.0-only */
/* The longest preview network of a service that a client is in. */
#ifndef BGSWITCH_PREVIEW_BPF_H
#define BGSWITCH_PREVIEW_BPF_H

#include <stdbool.h>

#include <bpf/bpf_endian.h>

#include "bits.bpf.h"
#include "maps.bpf.h"

/*
 * Asks for each length in `lengths`, the longest first: shortens `half` of the
 * key's address, which was `address`, by as many bits as a set bit's place.
 */
static __always_inline const enum bgs_color *
preview_shorten(struct bgs_preview_key *key, __be64 *half, __u64 lengths, __u32 longest)
{
	__u64 address = bpf_be64_to_cpu(*half);

	for (int i = 0; i < 64 && lengths; i++) {
		__u32 host_bits = bits_lowest(lengths) & 63;
		const enum bgs_color *color;

		lengths &= lengths - 1;
		*half = bpf_cpu_to_be64(address & ~0ULL << host_bits);
		key->prefixlen = longest - host_bits;
		color = bpf_map_lookup_elem(&preview, key);
		if (color)
			return color;
	}
	*half = 0;
	return NULL;
}

/* `client` is v4-mapped for IPv4. NULL: in none. */
static __always_inline const enum bgs_color *preview_find(__u32 slot, const __be32 client[4],
							  bool v4)
{
	struct bgs_preview_key key = { .slot = slot };
	const struct bgs_prefixes *brief, *full;
	const enum bgs_color *color;
	__u32 bucket;

	__builtin_memcpy(key.address, client, sizeof(key.address));
	bucket = bgs_prefixes_of(slot, key.address, v4);
	brief = bpf_map_lookup_elem(&prefixes, &slot);
	full = bpf_map_lookup_elem(&prefixes, &bucket);
	if (!brief || !full)
		return NULL;
	if (v4) /* within the mapped addresses, lest an IPv6 network takes it */
		return preview_shorten(&key, &key.address[1],
				       (brief->host_bits[0] | full->host_bits[0]) &
					       (BIT(BGS_V4_BITS + 1) - 1),
				       128);
	color = preview_shorten(&key, &key.address[1], full->host_bits[0], 128);
	if (!color)
		color = preview_shorten(&key, &key.address[0],
					brief->host_bits[1] | full->host_bits[1], 64);
	if (!color && brief->host_bits[2]) {
		key.prefixlen = 0;
		color = bpf_map_lookup_elem(&preview, &key);
	}
	return color;
}

#endif
