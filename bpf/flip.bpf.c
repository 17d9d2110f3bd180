/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flip: the one store that changes where new connections go. It runs in the
 * kernel because a hash map, which dumps readably, cannot be mapped into
 * memory; an update from userspace would replace the whole element instead.
 * Program type `syscall`: Linux 5.14.
 */
#include <linux/errno.h>

#include "maps.bpf.h"

SEC("syscall")
int flip(struct bgs_flip *request)
{
	struct bgs_service *service;
	__u32 slot = request->slot;
	__u64 word;

	service = bpf_map_lookup_elem(&services, &slot);
	if (!service)
		return -ENOENT;
	__builtin_memcpy(&word, &request->route, sizeof(word));
	*(volatile __u64 *)&service->route = word;
	return 0;
}

char _license[] SEC("license") = "GPL";
