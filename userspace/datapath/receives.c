/* SPDX-License-Identifier: GPL-2.0-only */
#include "datapath/preview.h"
#include "datapath/services.h"

struct search {
	enum bgs_color color;
	bool found;
};

static void note(const struct preview *preview, void *data)
{
	struct search *search = data;

	search->found = search->found || preview->color == search->color;
}

static bool is_previewed(const struct datapath *datapath, __u32 slot,
			 const struct bgs_service *service, enum bgs_color color)
{
	struct search search = { .color = color };

	if (service->flags.has_preview)
		previews_each(datapath, slot, note, &search);
	return search.found;
}

/* Families of which the kernel's failover sends clients here: the other color has no listener. */
static int stands_in(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		     enum bgs_color color)
{
	int missing;

	if (!service->flags.failover)
		return 0;
	missing = service_families(datapath, slot) &
		  ~color_families(datapath, slot, !color, service->enabled[!color]);
	return missing ? missing & color_families(datapath, slot, color, service->enabled[color])
		       : 0;
}

const char *color_receives_beside(const struct datapath *datapath, __u32 slot,
				  const struct bgs_service *service, enum bgs_color color)
{
	static const char *const reasons[BGS_COLORS][BGS_FAMILIES] = {
		[BGS_BLUE] = { "green has no listener for IPv4 clients, and they go to blue",
			       "green has no listener for IPv6 clients, and they go to blue" },
		[BGS_GREEN] = { "blue has no listener for IPv4 clients, and they go to green",
				"blue has no listener for IPv6 clients, and they go to green" },
	};
	int families;

	if (is_previewed(datapath, slot, service, color))
		return color == BGS_BLUE ? "preview networks still send clients to blue"
					 : "preview networks still send clients to green";
	families = stands_in(datapath, slot, service, color);
	return families ? reasons[color][families & 1 << BGS_V4 ? BGS_V4 : BGS_V6] : NULL;
}

bool color_receives(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		    enum bgs_color color)
{
	unsigned int split = service->route.split_bp;

	if (service->route.active == color ? split < BGS_SPLIT_MAX : split > 0)
		return true;
	return color_receives_beside(datapath, slot, service, color);
}
