/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * libcurl, loaded when it is first needed: it brings some thirty libraries,
 * which would triple the time that every command takes to start, and a memory
 * that an agent without HTTPS checks and webhooks has no use for.
 *
 * The functions are called under their own names with `curl->` before them.
 */
#ifndef BGSWITCH_CURL_H
#define BGSWITCH_CURL_H

/* Plain pointers have no use for the header's argument checks, which are macros. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "failure.h"

#define CURL_FUNCTIONS(each)                                                                       \
	each(easy_init) each(easy_cleanup) each(easy_setopt) each(easy_getinfo) each(easy_reset)   \
		each(easy_strerror) each(multi_init) each(multi_cleanup) each(multi_setopt)        \
			each(multi_add_handle) each(multi_remove_handle) each(multi_socket_action) \
				each(multi_info_read) each(multi_assign) each(multi_strerror)      \
					each(slist_append) each(slist_free_all)

#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define CURL_DECLARE(name) __typeof__(curl_##name) *name;
struct curl_functions {
	CURL_FUNCTIONS(CURL_DECLARE)
};
#undef CURL_DECLARE

/* Set by curl_load(). */
extern const struct curl_functions *curl;

/* Loads and initializes libcurl, once; a machine without it fails with the package's name. */
int curl_load(struct failure *failure);

#endif
