/* SPDX-License-Identifier: GPL-2.0-only */
/* What the running kernel can do, found out by loading a tiny program for each. */
#ifndef BGSWITCH_FEATURES_H
#define BGSWITCH_FEATURES_H

#include <stdbool.h>

bool feature_sk_lookup(void); /* Linux 5.9 */
bool feature_ingress_ifindex(void); /* in sk_lookup: Linux 5.17 */
bool feature_socket_fields(void); /* bpf_skc_to_tcp_sock() in sk_lookup: Linux 5.9 */
bool feature_sockops_netns(void); /* bpf_get_netns_cookie() in sockops: Linux 5.15 */
bool feature_syscall_program(void); /* Linux 5.14 */
bool feature_tcp_iterator(void); /* with BTF, Linux 5.9; writes to sockets' maps since 5.10 */

#endif
