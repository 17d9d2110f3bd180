/* SPDX-License-Identifier: GPL-2.0-only */
/* Who connects: its address, hashed for the split and for the choice of an instance. */
#ifndef BGSWITCH_CLIENT_BPF_H
#define BGSWITCH_CLIENT_BPF_H

#include "address.bpf.h"
#include "kernel.bpf.h"

static __always_inline void ctx_remote(const struct bpf_sk_lookup *ctx, __be32 address[4])
{
	if (ctx->family == AF_INET) {
		address_from_v4(address, ctx_read(ctx->remote_ip4));
	} else {
		address[0] = ctx_read(ctx->remote_ip6[0]);
		address[1] = ctx_read(ctx->remote_ip6[1]);
		address[2] = ctx_read(ctx->remote_ip6[2]);
		address[3] = ctx_read(ctx->remote_ip6[3]);
	}
}

/* Finalizer of MurmurHash3: every input bit reaches every output bit. */
static __always_inline __u64 hash_mix(__u64 hash)
{
	hash ^= hash >> 33;
	hash *= 0xff51afd7ed558ccdULL;
	hash ^= hash >> 33;
	hash *= 0xc4ceb9fe1a85ec53ULL;
	return hash ^ hash >> 33;
}

static __always_inline __u64 client_hash(const __be32 address[4], __u32 port)
{
	__u64 hash = hash_mix((__u64)address[0] << 32 | address[1]);

	hash = hash_mix(hash ^ ((__u64)address[2] << 32 | address[3]));
	return port ? hash_mix(hash ^ port) : hash;
}

/* Scales the upper half of a hash to 0..n-1. */
static __always_inline __u32 hash_scale(__u64 hash, __u32 n)
{
	return (hash >> 32) * n >> 32;
}

#endif
