/* SPDX-License-Identifier: GPL-2.0-only */
#include "curl.h"

#include <dlfcn.h>
#include <stddef.h>

const struct curl_functions *curl;

static struct curl_functions functions;

static const struct {
	const char *symbol;
	size_t offset;
} symbols[] = {
#define CURL_ROW(name) { "curl_" #name, offsetof(struct curl_functions, name) },
	CURL_FUNCTIONS(CURL_ROW)
#undef CURL_ROW
};

static int refuse(struct failure *failure)
{
	const char *why = dlerror();

	return failure_set(failure, EXIT_SYSTEM, "install the package libcurl4",
			   "HTTPS checks and webhooks need libcurl: %s",
			   why ? why : "it does not start");
}

int curl_load(struct failure *failure)
{
	CURLcode (*init)(long flags);
	void *library;

	if (curl)
		return 0;
	library = dlopen("libcurl.so.4", RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return refuse(failure);
	for (size_t i = 0; i < sizeof(symbols) / sizeof(symbols[0]); i++) {
		void *function = dlsym(library, symbols[i].symbol);

		if (!function)
			return refuse(failure);
		*(void **)((char *)&functions + symbols[i].offset) = function;
	}
	init = (CURLcode(*)(long))dlsym(library, "curl_global_init");
	if (!init || init(CURL_GLOBAL_DEFAULT))
		return refuse(failure);
	curl = &functions;
	return 0;
}
