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

static bool is_previewed(const struct datapath *datapath, __u32 slot, enum bgs_color color)
{
	struct search search = { .color = color };

	previews_each(datapath, slot, note, &search);
	return search.found;
}

const char *color_receives(const struct datapath *datapath, __u32 slot,
			   const struct bgs_service *service, enum bgs_color color)
{
	unsigned int split = service->route.split_bp;

	if (service->route.active == color)
		return split < BGS_SPLIT_MAX ? "new connections go there" : NULL;
	if (split)
		return "a share of new connections goes there";
	if (service->flags.has_preview && is_previewed(datapath, slot, color))
		return "preview networks still send clients there";
	if (service->flags.failover && !color_families(datapath, slot, !color))
		return "the other color has no listener, so that clients end up there";
	return NULL;
}
