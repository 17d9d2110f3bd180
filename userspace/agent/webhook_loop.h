/* SPDX-License-Identifier: GPL-2.0-only */
/* libcurl's multi handle on an sd-event loop. */
#ifndef BGSWITCH_WEBHOOK_LOOP_H
#define BGSWITCH_WEBHOOK_LOOP_H

#include <systemd/sd-event.h>

#include "curl.h"
#include "failure.h"

struct webhook_loop;

/*
 * `done` is called out of the event loop with a transfer's CURLOPT_PRIVATE when
 * it has ended; it may start transfers, the same one as well. curl_load() comes
 * before.
 */
struct webhook_loop *webhook_loop_new(sd_event *event, void (*done)(void *data, CURLcode result),
				      struct failure *failure);
void webhook_loop_free(struct webhook_loop *loop); /* after its transfers; NULL is fine */

/* 0, or -1: out of memory. */
int webhook_loop_start(struct webhook_loop *loop, CURL *easy);
/* Ends it without `done`; fine if it is not running. */
void webhook_loop_stop(struct webhook_loop *loop, CURL *easy);

#endif
