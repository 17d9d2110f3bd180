/* SPDX-License-Identifier: GPL-2.0-only */
/* Whether what a configuration refers to can be had. */
#include "config/config.h"

static int try_header(const char *service, const struct check_header *header,
		      struct failure *failure)
{
	struct failure why;
	char *value;

	if (!secret_read(&header->value, &value, &why)) {
		secret_wipe(value);
		return 0;
	}
	return failure_set(failure, why.code, why.next, "services.%s.check.headers.%s: %.300s",
			   service, header->name, why.what);
}

int config_try_secrets(const struct config *config, bool only_files, struct failure *failure)
{
	for (size_t i = 0; i < config->service_count; i++) {
		const struct config_service *service = &config->services[i];
		const struct check *check = &service->policy.check;

		for (size_t k = 0; k < check->header_count; k++) {
			const struct check_header *header = &check->headers[k];

			if (only_files && header->value.source != SECRET_FILE)
				continue;
			if (try_header(service->spec.name, header, failure))
				return -1;
		}
	}
	return 0;
}
