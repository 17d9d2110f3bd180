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

bool color_is_previewed(const struct datapath *datapath, __u32 slot,
			const struct bgs_service *service, enum bgs_color color)
{
	struct search search = { .color = color };

	if (service->flags.has_preview)
		previews_each(datapath, slot, note, &search);
	return search.found;
}

bool color_receives(const struct datapath *datapath, __u32 slot, const struct bgs_service *service,
		    enum bgs_color color)
{
	unsigned int split = service->route.split_bp;

	if (service->route.active == color ? split < BGS_SPLIT_MAX : split > 0)
		return true;
	return color_is_previewed(datapath, slot, service, color);
}
