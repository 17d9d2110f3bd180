/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Every map, once. The objects in this folder are linked into one
 * (`bpftool gen object`), which merges the weak definitions.
 */
#ifndef BGSWITCH_MAPS_BPF_H
#define BGSWITCH_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bgswitch/maps.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct bgs_settings);
} settings __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BGS_MAX_INTERFACES);
	__type(key, __u32);
	__type(value, struct bgs_interface);
} interfaces __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BGS_MAX_SERVICES *BGS_MAX_LISTEN);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bgs_endpoint);
	__type(value, __u32);
} listen __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BGS_PORTS);
	__type(key, __u32);
	__type(value, struct bgs_port);
} ports __weak SEC(".maps");

/* A hash although slots are dense: a dump shows the services there are and no empty ones. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BGS_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct bgs_service);
} services __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BGS_MAX_SERVICES *BGS_COLORS *BGS_MAX_INSTANCES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct bgs_instance);
} instances __weak SEC(".maps");

/* Three keys at the most for an instance: two families and BGS_COVERED. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BGS_MAX_SERVICES *BGS_COLORS *BGS_MAX_INSTANCES * 3);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bgs_endpoint);
	__type(value, __u32);
} backends __weak SEC(".maps");

/*
 * No program may ever be attached to these two: they only hold listeners, and
 * old kernels recurse when a listener with a parser is cloned.
 */
struct {
	__uint(type, BPF_MAP_TYPE_SOCKMAP);
	__uint(max_entries, BGS_MAX_SERVICES *BGS_COLORS *BGS_MAX_INSTANCES *BGS_FAMILIES);
	__type(key, __u32);
	__type(value, __u64);
} sockets __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SOCKHASH);
	__uint(max_entries, BGS_MAX_SERVICES *BGS_COLORS *BGS_MAX_INSTANCES);
	__type(key, struct bgs_sibling_key);
	__type(value, __u64);
} siblings __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BGS_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct bgs_rotation);
} rotation __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BGS_MAX_SERVICES);
	__type(key, __u32);
	__type(value, struct bgs_counters);
} counters __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, BGS_MAX_PREVIEWS);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct bgs_preview_key);
	__type(value, enum bgs_color);
} preview __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BGS_PREFIXES);
	__type(key, __u32);
	__type(value, struct bgs_prefixes);
} prefixes __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct bgs_tag);
} tags __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, BGS_MAX_SERVICES *BGS_COLORS *BGS_MAX_INSTANCES);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, __u32);
	__type(value, struct bgs_connections);
} connections __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, BGS_PROBES);
	__type(key, __u32);
	__type(value, struct bgs_probe);
} probes __weak SEC(".maps");

/* The oldest notes go first when it is full; preallocated, some 6 MiB. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, BGS_MAX_COOKIES);
	__type(key, struct bgs_cookie_key);
	__type(value, struct bgs_cookie);
} cookies __weak SEC(".maps");

#endif
