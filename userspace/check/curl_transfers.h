/* SPDX-License-Identifier: GPL-2.0-only */
/* libcurl's multi interface in the prober's epoll set; made when the first check needs it. */
#ifndef BGSWITCH_CURL_TRANSFERS_H
#define BGSWITCH_CURL_TRANSFERS_H

#include "curl.h"

struct prober;
struct transfers;

/* Called once for a transfer that was started and not stopped; it has to stop it. */
typedef void transfer_end(void *data, CURLcode code);

/* A handle with nothing set (after curl_load()), NULL when memory is out. transfer_stop() takes it
 * back. */
CURL *transfer_take(struct prober *prober);

/* 0 or -1 */
int transfer_start(struct transfers *transfers, CURL *easy, transfer_end *end, void *data);
void transfer_stop(struct transfers *transfers, CURL *easy);

#endif
