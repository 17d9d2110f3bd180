/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flip: the one store that changes where new connections go, and its siblings
 * for the other words of a service. It runs in the kernel because a hash map,
 * which dumps readably, cannot be mapped into memory; an update from userspace
 * would replace the whole element instead, and with it what another stored.
 * Program type `syscall`: Linux 5.14.
 */
#include <linux/errno.h>

#include "maps.bpf.h"

static __always_inline int store(const struct bgs_flip *request)
{
	__u32 slot = request->slot, color = request->color & (BGS_COLORS - 1);
	struct bgs_service *service = bpf_map_lookup_elem(&services, &slot);
	__u64 word = request->places; /* or whatever else is in the union */

	if (!service)
		return -ENOENT;
	if (request->word == BGS_WORD_ROUTE)
		*(volatile __u64 *)&service->route = word;
	else if (request->word == BGS_WORD_ENABLED)
		*(volatile __u64 *)&service->enabled[color] = word;
	else /* four bytes, aligned */
		*(volatile __u32 *)&service->flags = *(const __u32 *)&request->flags;
	return 0;
}

/* The kernel side writes this map too, so it is a change of single bits. */
static __always_inline int retire(const struct bgs_flip *request)
{
	__u32 slot = request->slot, color = request->color & (BGS_COLORS - 1);
	struct bgs_rotation *set = bpf_map_lookup_elem(&rotation, &slot);

	if (!set)
		return -ENOENT;
	for (int family = 0; family < BGS_FAMILIES; family++)
		__sync_fetch_and_and(&set->ready[color][family], ~request->places);
	return 0;
}

SEC("syscall")
int flip(struct bgs_flip *request)
{
	if (request->word > BGS_WORD_RETIRED)
		return -EINVAL;
	return request->word == BGS_WORD_RETIRED ? retire(request) : store(request);
}

char _license[] SEC("license") = "GPL";
