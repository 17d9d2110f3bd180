/* SPDX-License-Identifier: GPL-2.0-only */
#include "target.h"

#include "datapath/listeners.h"
#include "message.h"

static const char *what_happens(const struct bgs_service *service, enum bgs_color color)
{
	if (service->flags.failover)
		return color == BGS_BLUE ? "go to green if it can serve them"
					 : "go to blue if it can serve them";
	return service->flags.pass_when_empty ? "are left to the ordinary lookup" : "are refused";
}

void target_warn(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		 enum bgs_color color)
{
	static const char *const names[BGS_FAMILIES] = { "IPv4", "IPv6" };
	int missing;

	/* Listeners that nobody registered yet; see datapath_missing_registration(). */
	if (datapath_missing_registration(datapath))
		listeners_adopt(datapath);
	missing = service_families(datapath, slot) &
		  ~color_families(datapath, slot, color, ALL_PLACES);
	for (enum bgs_family family = 0; family < BGS_FAMILIES; family++) {
		if (missing >> family & 1)
			message_warning("%s: no instance of %s listens for %s clients; they %s",
					service->name, color_name(color), names[family],
					what_happens(service, color));
	}
}
