/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The contract between the programs in bpf/ and userspace: what the pinned
 * maps hold. Field names are what `bpftool map dump` shows, so they are part
 * of the outside interface too.
 */
#ifndef BGSWITCH_MAPS_H
#define BGSWITCH_MAPS_H

#include <linux/types.h>

#include "bgswitch/limits.h"

enum bgs_color { BGS_BLUE, BGS_GREEN, BGS_COLORS };

/* Address family as an index: which clients a listener can serve. */
enum bgs_family { BGS_V4, BGS_V6, BGS_FAMILIES };

/*
 * An address and port. IPv4 is kept v4-mapped (::ffff:a.b.c.d), so that
 * ::ffff:0.0.0.0 is the IPv4 wildcard and :: the IPv6 one.
 */
enum bgs_endpoint_kind {
	BGS_DECLARED, /* this very address */
	BGS_COVERED, /* key of `backends`: first specific address on this port */
};

struct bgs_endpoint {
	__be32 address[4];
	__be16 port; /* network byte order */
	__u8 protocol; /* IPPROTO_TCP */
	__u8 kind; /* enum bgs_endpoint_kind */
};

/*
 * Where new connections of a service go. One aligned 8-byte word, so that a
 * flip is a single store which covers every listen address and both families.
 */
struct bgs_route {
	enum bgs_color active;
	__u16 split_bp; /* share of new connections to standby, 0..BGS_SPLIT_MAX */
	__u16 flips; /* stores so far, modulo 2^16 */
} __attribute__((aligned(8)));

struct bgs_flags {
	__u8 failover; /* a color without listeners is replaced by the other one */
	__u8 pass_when_empty; /* no listener at all: ordinary lookup instead of RST */
	__u8 by_connection; /* the split hashes the connection, not the client */
	__u8 has_preview; /* `preview` holds networks of this service */
};

/*
 * `services`: slot (0..BGS_MAX_SERVICES-1) -> service. Written by userspace:
 * once as a whole, then word by word and in place (see struct bgs_flip), so
 * that two who change different words never lose each other's change.
 */
struct bgs_service {
	struct bgs_route route;
	__u64 enabled[BGS_COLORS]; /* bit i: instance i may take new connections */
	char name[BGS_NAME_SIZE];
	struct bgs_flags flags;
	__u32 reserved;
};

/* `listen`: struct bgs_endpoint -> slot of the service that owns it (__u32). */

/*
 * `ports`: TCP port (host byte order) -> who listens there. Made from `listen`
 * by userspace: an array costs a lookup 2 ns, a hash about 35.
 */
struct bgs_port {
	__u16 wildcard[BGS_FAMILIES]; /* slot of the service plus one; 0: none */
	__u16 exact; /* services listen on specific addresses: ask `listen` first */
	__u16 reserved;
};

/*
 * `instances`: instance number -> instance. Userspace writes it once; the
 * kernel side keeps `siblings` up to date.
 */
struct bgs_instance {
	struct bgs_endpoint address;
	__u32 any_family; /* declared as a bare port: v4 and v6 listeners both count */
	__u64 siblings[BGS_FAMILIES]; /* bit k: {instance, k} of `siblings` serves this family */
	__u64 serial; /* never used twice while pinned: tells a reused number apart */
};

/*
 * `backends`: struct bgs_endpoint -> instance number (__u32); the question a
 * new listener asks. BGS_COVERED keys let a wildcard listener find an instance
 * that was declared with a specific address.
 */

/*
 * `sockets`: BGS_SOCKET(instance, family) -> the listening socket that serves
 * this family (SOCKMAP; read back as a cookie). Further listeners of an
 * instance, as with SO_REUSEPORT, are in `siblings` (SOCKHASH): finding one
 * there costs a lookup four times as much, which only matters when the first
 * one died.
 */
struct bgs_sibling_key {
	__u32 instance;
	__u32 sibling; /* 0..BGS_MAX_SIBLINGS-1 */
};

#define BGS_NO_SIBLING BGS_MAX_SIBLINGS

/*
 * `rotation`: slot -> which instances have a listener, by color and family.
 * Written by the kernel side only: set when a listener registers, cleared when
 * a lookup finds none.
 */
struct bgs_rotation {
	__u64 ready[BGS_COLORS][BGS_FAMILIES];
	__u64 cookie_ns[BGS_COLORS]; /* last note in `cookies`, CLOCK_MONOTONIC; 0: none yet */
};

/* `counters`: slot -> outcomes of lookups, one copy per CPU. */
struct bgs_counters {
	__u64 steered[BGS_COLORS]; /* handed to a listener of this color */
	__u64 previewed; /* a preview network chose the color, whatever came of it */
	__u64 failover; /* of those steered: the chosen color had no listener left */
	__u64 refused; /* no listener at all: RST */
	__u64 passed; /* no listener at all: left to the ordinary lookup */
	__u64 errors; /* a listener was there and the kernel would not take it */
};

/*
 * `preview`: client network of a service -> color (enum bgs_color). IPv4 is
 * kept v4-mapped, so that 10.0.0.0/8 is ::ffff:10.0.0.0/104. The longest
 * prefix that holds a client wins; a hash asked once for each length that is
 * in use is faster than the kernel's trie, which costs a step for each bit.
 */
struct bgs_preview_key {
	__be64 address[2];
	__u32 slot;
	__u32 prefixlen; /* 0..128 */
};

/*
 * `prefixes`: which lengths are worth asking for, as bits by 128 - prefixlen.
 * Entry `slot` stands for a service's short prefixes (IPv4: below /16, IPv6:
 * below /32), the entries after the services' for longer ones, by service and
 * first bits: see bgs_prefixes_of(). A bit may be set in vain, never missing.
 */
struct bgs_prefixes {
	__u64 host_bits[3];
};

#define BGS_PREFIX_BUCKETS 65536
#define BGS_PREFIXES (BGS_MAX_SERVICES + BGS_PREFIX_BUCKETS)
#define BGS_V4_BITS 32 /* host bits of an IPv4 network: 0..32 */

/* The entry of `prefixes` for the long prefixes of a service that begin like `address`. */
static inline __attribute__((always_inline)) __u32 bgs_prefixes_of(__u32 slot,
								   const __be64 address[2], int v4)
{
	const __u8 *octets = (const __u8 *)address;
	__u32 first = v4 ? octets[12] << 8 | octets[13]
			 : (octets[0] << 8 | octets[1]) ^ (octets[2] << 8 | octets[3]);

	return BGS_MAX_SERVICES + ((first + slot * 40503) & (BGS_PREFIX_BUCKETS - 1));
}

/*
 * `interfaces`: ifindex -> name. Key 0 stands for all of them. Lookups ask the
 * bitmap in `settings`, and this map only for an index beyond it.
 */
struct bgs_interface {
	char name[BGS_IFNAME_SIZE];
	__u32 gone; /* there was none of this index when we looked last */
};

/* A change of several maps that is under way, or was cut short. */
enum bgs_changing {
	BGS_UNCHANGING,
	BGS_DECLARING, /* a service comes or goes: its entry in `services` decides */
	BGS_PREPARING, /* instances come to a service that stays: undone */
	BGS_COMMITTED, /* they are there, and others go: finished */
};

/* Which instances, by place. */
struct bgs_update {
	__u64 coming[BGS_COLORS], going[BGS_COLORS];
	__u32 slot;
	__u32 reserved;
};

/* `settings`: one entry. */
struct bgs_settings {
	__u32 layout; /* BGS_LAYOUT of the tool that made the maps */
	__u32 changing; /* enum bgs_changing */
	__u64 netns_cookie; /* of the network namespace that is steered; SO_NETNS_COOKIE */
	__u64 next_serial; /* for struct bgs_instance */
	__u64 attached[BGS_ATTACHED_BITS / 64]; /* by ifindex; bit 0: all interfaces */
	struct bgs_update update; /* while `changing` is BGS_PREPARING or BGS_COMMITTED */
};

/*
 * `tags`: socket-local storage of registered listeners, inherited by the
 * connections they accept (BPF_F_CLONE, Linux 5.4).
 */
enum bgs_counted {
	BGS_UNCOUNTED, /* a listener; or a connection from before the counting */
	BGS_HELD, /* counted in `opened`: in the accept queue, or the application's */
	BGS_RELEASED, /* counted in `released` as well: the kernel ends it by itself */
	BGS_ENDED, /* counted in `ended`, too */
};

struct bgs_tag {
	__u32 instance;
	__u32 sibling; /* place in `siblings`, or BGS_NO_SIBLING */
	__u64 serial;
	__u64 since_ns; /* of a connection: when its handshake was complete, CLOCK_MONOTONIC */
	__u32 counted; /* enum bgs_counted */
	__u32 reserved;
};

/*
 * `connections`: instance number -> its connections, one copy per CPU to be
 * added up: those held are opened - released, those that still say goodbye are
 * released - ended. Only the sums mean something: a connection may be opened on
 * one CPU and end on another.
 */
struct bgs_connections {
	__u64 serial; /* of the instance; the same in each copy */
	__u64 opened; /* handshakes completed since the instance was declared */
	__u64 released; /* the application closed it, or it ended */
	__u64 ended;
};

/*
 * What the `queue` program is asked, and what it answers, at this offset of the
 * packet it is run with: a registered listener. One that serves both families
 * has a place for each, with the same cookie.
 */
#define BGS_QUEUE_OFFSET 16 /* behind an Ethernet header */

struct bgs_queue {
	__u32 instance;
	__u16 sibling; /* place in `siblings`, or BGS_NO_SIBLING: in `sockets` */
	__u16 family; /* there; enum bgs_family */
	__u64 cookie;
	__u32 handshaking; /* SYN_RECV, TCP_DEFER_ACCEPT included */
	__u32 accept_queue; /* handshakes done, and accept() has not taken them */
	__u32 backlog; /* connections that `accept_queue` has room for, less one */
	__u32 reserved;
};

/* One line of the `walk` iterator, read as bytes: a socket at a port of ours. */
enum bgs_connection_kind {
	BGS_CONNECTION_HANDSHAKE, /* SYN_RECV; `inode` and `cookie` 0 */
	BGS_CONNECTION_QUEUED, /* in the accept queue */
	BGS_CONNECTION_HELD, /* a process has it open */
	BGS_CONNECTION_CLOSING, /* released: the kernel ends it by itself */
};

enum bgs_connection_tag {
	BGS_TAGGED, /* `instance` is whose it is */
	BGS_STALE, /* of an instance, number `instance` then, that is declared no more */
	BGS_UNTAGGED, /* older than the tag; it has the port of a service or of an instance */
};

struct bgs_connection {
	struct bgs_endpoint local, remote;
	__u32 instance; /* unless untagged */
	__u16 kind; /* enum bgs_connection_kind */
	__u16 tag; /* enum bgs_connection_tag */
	__u32 state; /* TCP_ESTABLISHED ..., include/net/tcp_states.h */
	__u32 ifindex; /* the socket is bound to; 0: none */
	__u64 cookie;
	__u64 inode; /* of the socket's file, as in /proc/PID/fd; 0: no file */
	__u64 reserved;
	__u64 since_ns; /* see struct bgs_tag; 0: not known */
	__u64 received, acked; /* bytes of payload, from and to the client */
	__u32 sent_ago, received_ago; /* jiffies since the last payload;
					 clock_getres(CLOCK_MONOTONIC_COARSE) */
	__u32 rtt_us; /* smoothed; 0: not measured yet */
	__u32 answered; /* 1: the last word was the application's; see answered.bpf.h */
};

/*
 * `probes`: connections from this host to itself that userspace asks about, by
 * client port modulo BGS_PROBES. `register` notes who took one when the last
 * ACK of its handshake is in.
 */
struct bgs_probe {
	__u16 port; /* the client's, host byte order; 0: none */
	__u16 reserved;
	__u32 taken_by; /* instance plus one; 0: not taken yet */
};

#define BGS_PROBE_UNKNOWN (~0U) /* taken by a listener of no instance */

/*
 * `cookies`: client of a service -> the instance that answers its SYN with a
 * cookie, as it seemed when it was chosen. For BGS_COOKIE_TTL_S seconds that
 * instance gets what the client sends, for no other one believes the cookie.
 */
struct bgs_cookie_key {
	__be32 address[4]; /* the client's; IPv4 is kept v4-mapped */
	__u16 port; /* the client's, host byte order */
	__u16 slot;
};

struct bgs_cookie {
	__u64 noted_ns; /* CLOCK_MONOTONIC */
	__u32 instance;
	__u32 reserved;
};

/*
 * One line of the `adopt` iterator, read as bytes: a listener that matters to
 * us and what became of it.
 */
enum bgs_report_kind {
	BGS_REPORT_BACKEND, /* listens on a declared instance */
	BGS_REPORT_CONFLICT, /* listens on a service's own address */
	BGS_REPORT_FOREIGN, /* would be a backend, but in another network namespace */
};

struct bgs_report {
	__u32 kind; /* enum bgs_report_kind */
	__s32 error; /* 0: registered; else -errno of the insertion */
	__u32 number; /* instance, or slot of the service; BGS_ANY_SERVICE: those on its port */
	__u32 protocol; /* sk_protocol of the socket's owner: 262 is MPTCP */
	__u64 cookie; /* of the socket; 0 if it never had one */
	__u64 inode; /* of the socket's file, as in /proc/PID/fd; 0 if none */
	struct bgs_endpoint address;
	__u32 families; /* bit i: serves enum bgs_family i */
};

#define BGS_ANY_SERVICE BGS_MAX_SERVICES

/* Argument of the `flip` program: which word of a service changes, and what it becomes. */
enum bgs_word {
	BGS_WORD_ROUTE,
	BGS_WORD_ENABLED, /* of `color` */
	BGS_WORD_FLAGS,
	BGS_WORD_RETIRED, /* places of `color` that leave `rotation`; others stay */
};

struct bgs_flip {
	__u32 slot;
	__u16 word; /* enum bgs_word */
	__u16 color; /* enum bgs_color */
	union {
		struct bgs_route route;
		struct bgs_flags flags;
		__u64 places; /* bit i: instance i */
	};
};

#define BGS_INSTANCE(slot, color, place)                                                           \
	((__u32)(slot) << (BGS_COLOR_BITS + BGS_INSTANCE_BITS) |                                   \
	 (__u32)(color) << BGS_INSTANCE_BITS | (__u32)(place))
#define BGS_INSTANCE_SLOT(number) ((number) >> (BGS_COLOR_BITS + BGS_INSTANCE_BITS))
#define BGS_INSTANCE_COLOR(number) ((number) >> BGS_INSTANCE_BITS & (BGS_COLORS - 1))
#define BGS_INSTANCE_PLACE(number) ((number) & (BGS_MAX_INSTANCES - 1))
#define BGS_SOCKET(number, family) ((number)*BGS_FAMILIES + (family))

_Static_assert(BGS_COLORS == 1 << BGS_COLOR_BITS, "colors fill their bits");
_Static_assert(BGS_MAX_INSTANCES == 1 << BGS_INSTANCE_BITS, "instances fill their bits");
_Static_assert(sizeof(struct bgs_endpoint) == 20, "key without padding");
_Static_assert(sizeof(struct bgs_port) == 8, "layout");
_Static_assert(sizeof(struct bgs_route) == 8, "one word");
_Static_assert(sizeof(struct bgs_service) == 64, "one cache line");
_Static_assert(sizeof(struct bgs_instance) == 48, "layout");
_Static_assert(sizeof(struct bgs_rotation) == 48, "layout");
_Static_assert(sizeof(struct bgs_counters) == 56, "layout");
_Static_assert(sizeof(struct bgs_preview_key) == 24, "key without padding");
_Static_assert(sizeof(struct bgs_prefixes) == 24, "layout");
_Static_assert(sizeof(struct bgs_interface) == 20, "layout");
_Static_assert(sizeof(struct bgs_settings) == 576, "layout");
_Static_assert(sizeof(struct bgs_tag) == 32, "layout");
_Static_assert(sizeof(struct bgs_connections) == 32, "layout");
_Static_assert(sizeof(struct bgs_queue) == 32, "layout");
_Static_assert(sizeof(struct bgs_connection) == 120, "layout");
_Static_assert(sizeof(struct bgs_probe) == 8, "layout");
_Static_assert(sizeof(struct bgs_cookie_key) == 20, "key without padding");
_Static_assert(sizeof(struct bgs_cookie) == 16, "layout");
_Static_assert(sizeof(struct bgs_report) == 56, "layout");
_Static_assert(sizeof(struct bgs_flip) == 16, "argument");

#endif
